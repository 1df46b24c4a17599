"""KEL202, KEL204, KEL206, KEL207, KEL208, KEL213 and KEL216: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """\
import logging
import requests
from celery import Celery, Task, shared_task
from celery.exceptions import Retry, SoftTimeLimitExceeded

logger = logging.getLogger(__name__)

"""

RETRY = "self.retry(countdown=5)"
SWALLOWED = {
    "base exception": f"    try:\n        {RETRY}\n    except BaseException:\n        logger.exception('x')\n",
    "base of Retry": (
        f"    from celery.exceptions import TaskPredicate\n    try:\n        {RETRY}\n    except TaskPredicate:\n        pass\n"
    ),
    "outer": (
        f"    try:\n        try:\n            {RETRY}\n        except ValueError:\n            raise\n"
        "    except Exception:\n        pass\n"
    ),
    "second handler": (
        f"    try:\n        {RETRY}\n    except ValueError:\n        raise\n    except (KeyError, Exception):\n        pass\n"
    ),
    "returned": f"    try:\n        return {RETRY}\n    except Exception:\n        return None\n",
}


@pytest.mark.parametrize("body", SWALLOWED.values(), ids=SWALLOWED)
def test_swallowed(lint: Lint, body: str) -> None:
    code = f"{HEAD}@shared_task(bind=True)\ndef f(self):\n{body}"
    (finding,) = lint({"a.py": code}, "KEL207")
    assert "SUCCESS" in finding.message
    assert finding.hops


LET_THROUGH = {
    "in the handler": f"    try:\n        work()\n    except Exception:\n        {RETRY}\n",
    "in the else": f"    try:\n        work()\n    except Exception:\n        pass\n    else:\n        {RETRY}\n",
    "in the finally": f"    try:\n        work()\n    except Exception:\n        pass\n    finally:\n        {RETRY}\n",
    "first handler": f"    try:\n        {RETRY}\n    except Retry:\n        raise\n    except Exception:\n        pass\n",
    "sometimes": f"    try:\n        {RETRY}\n    except Exception as e:\n        if e.args:\n            raise\n",
    "in a function": f"    def later():\n        {RETRY}\n    try:\n        work(later)\n    except Exception:\n        pass\n",
    "throw": "    try:\n        self.retry(throw=False)\n    except Exception:\n        pass\n",
    "other": "    try:\n        client.retry()\n    except Exception:\n        pass\n",
}


@pytest.mark.parametrize("body", LET_THROUGH.values(), ids=LET_THROUGH)
def test_let_through(lint: Lint, body: str) -> None:
    assert lint({"a.py": f"{HEAD}@shared_task(bind=True)\ndef f(self):\n{body}"}, "KEL207") == []


def test_retry_in_a_class_of_tasks(lint: Lint) -> None:
    body = f"        try:\n            {RETRY}\n        except Exception:\n            pass\n"
    assert len(lint({"a.py": f"{HEAD}class F(Task):\n    def run(self):\n{body}"}, "KEL207")) == 1


CALL = "requests.get('https://a.example', timeout=5)"
BEAT = "app = Celery()\napp.conf.beat_schedule = {{'f': {{'task': 'a.f', 'schedule': {}}}}}\n"
SCHEDULES = {
    "seconds": ("600", 0),
    "a day": ("86400", 1),
    "timedelta": ("timedelta(minutes=5)", 0),
    "long timedelta": ("timedelta(hours=12)", 1),
    "crontab": ("crontab(minute='*/5')", 0),
    "at night": ("crontab(hour=3, minute=0)", 1),
    "every hour": ("crontab(hour='*', minute=0)", 0),
    "unknown": ("PERIOD", 0),
}


@pytest.mark.parametrize(("schedule", "times"), SCHEDULES.values(), ids=SCHEDULES)
def test_beat_makes_up_for_a_failure_within_the_hour(lint: Lint, schedule: str, times: int) -> None:
    code = f"{HEAD}{BEAT.format(schedule)}@app.task\ndef f():\n    {CALL}\n"
    assert len(lint({"a.py": code}, "KEL202")) == times


NOT_MISSING = {
    "told of a failure": f"    try:\n        work()\n    except ValueError:\n        {CALL}\n        raise\n",
    "caught in the function": f"    push()\n\ndef push():\n    try:\n        {CALL}\n    except OSError:\n        pass\n",
    "no call": "    work()\n",
}


@pytest.mark.parametrize("body", NOT_MISSING.values(), ids=NOT_MISSING)
def test_not_missing(lint: Lint, body: str) -> None:
    assert lint({"a.py": f"{HEAD}@shared_task\ndef f(user_id):\n{body}"}, "KEL202") == []


def test_a_call_that_runs_in_the_class_with_retries(lint: Lint) -> None:
    base = "class Own(Task):\n    def __call__(self, *args):\n        try:\n            return super().__call__(*args)\n"
    base += "        except OSError as e:\n            raise self.retry(exc=e)\n\n"
    assert lint({"a.py": f"{HEAD}{base}@shared_task(base=Own)\ndef f():\n    {CALL}\n"}, "KEL202") == []


HANDLED = {
    "autoretry": ("@shared_task(autoretry_for=(OSError,))", ["KEL208"]),
    "none": ("@shared_task", ["KEL213"]),
    "empty": ("@shared_task(autoretry_for=())", ["KEL213"]),
}


@pytest.mark.parametrize(("decorator", "codes"), HANDLED.values(), ids=HANDLED)
def test_one_of_the_two_says_that_a_failure_is_hidden(lint: Lint, decorator: str, codes: list[str]) -> None:
    code = f"{HEAD}{decorator}\ndef f():\n    try:\n        work()\n    except Exception:\n        logger.exception('x')\n"
    assert [one.code for one in lint({"a.py": code}, "KEL208", "KEL213")] == codes


LOOPS = {
    "while": ("while True", "pass", 1),
    "for": ("for one in many", "failed += 1", 1),
    "ends": ("for one in many", "return", 0),
    "raises": ("for one in many", "raise", 0),
}


@pytest.mark.parametrize(("loop", "then", "times"), LOOPS.values(), ids=LOOPS)
def test_loops(lint: Lint, loop: str, then: str, times: int) -> None:
    body = f"    {loop}:\n        try:\n            work()\n        except Exception:\n            {then}\n"
    code = f"{HEAD}@shared_task(soft_time_limit=5)\ndef f(many, failed):\n{body}"
    assert len(lint({"a.py": code}, "KEL216")) == times


def test_a_limit_that_is_named_first(lint: Lint) -> None:
    tried = "        try:\n            work()\n        except SoftTimeLimitExceeded:\n            raise\n"
    tried += "        except Exception:\n"
    code = f"{HEAD}@shared_task(soft_time_limit=5)\ndef f(many):\n    for one in many:\n{tried}            pass\n"
    assert lint({"a.py": code}, "KEL216") == []


def test_beat_is_given_the_task_by_a_call(lint: Lint) -> None:
    code = f"{HEAD}app = Celery()\n@app.task\ndef f():\n    {CALL}\n\n"
    assert len(lint({"a.py": code}, "KEL202")) == 1
    added = "@app.on_after_configure.connect\ndef start(sender, **kwargs):\n    sender.add_periodic_task(60, f.s())\n"
    assert lint({"a.py": code + added}, "KEL202") == []


@pytest.mark.parametrize("body", ["raise self.retry()", "requests.get('https://crm.example')"], ids=["by hand", "never"])
def test_a_task_that_retries_by_hand_is_told_what_it_waits_for(lint: Lint, body: str) -> None:
    (finding,) = lint({"a.py": f"{HEAD}@shared_task(bind=True, retry_backoff=True)\ndef push(self):\n    {body}\n"}, "KEL206")
    assert ("default_retry_delay" in finding.message) is ("retry()" in body)
