"""KEL203: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = "from celery import Celery, Task, current_task, shared_task\napp = Celery()\n\n"


def retrying(call: str, *, options: str = "bind=True", caught: str = "OSError") -> str:
    head = f"@shared_task({options})\ndef f(self, x):\n    try:\n        send(x)\n"
    return f"{head}    except {caught} as error:\n        {call}\n"


FLAGGED = {
    "autoretry": "@app.task(autoretry_for=(OSError,))\ndef f(): ...\n",
    "keywords": "@shared_task(autoretry_for=(OSError,), retry_kwargs={'max_retries': 5, 'countdown': 2})\ndef f(): ...\n",
    "short default": "@shared_task(autoretry_for=(OSError,), default_retry_delay=1)\ndef f(): ...\n",
    "off": "@shared_task(autoretry_for=(OSError,), retry_backoff=False)\ndef f(): ...\n",
    "spread": "RETRY = {'autoretry_for': (OSError,)}\n@shared_task(**RETRY)\ndef f(): ...\n",
    "at once": retrying("self.retry(countdown=0)"),
    "constant": "DELAY = 10\n" + retrying("raise self.retry(countdown=DELAY)"),
    "after a status": (
        "@shared_task(bind=True)\ndef f(self, x):\n    r = send(x)\n    if r.status_code >= 500:\n"
        "        raise self.retry(countdown=3)\n"
    ),
    "other name": "@shared_task(bind=True)\ndef f(task):\n    raise task.retry(exc=OSError())\n",
    "current task": retrying("current_task.retry(exc=error)"),
    "many": retrying("self.retry(exc=error, countdown=5)", options="bind=True, max_retries=None"),
    "class": "class T(Task):\n    def run(self):\n        self.retry(exc=OSError())\n",
}


@pytest.mark.parametrize("code", FLAGGED.values(), ids=FLAGGED)
def test_flagged(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL203")
    assert "when a service is down" in finding.message


SILENT = {
    "own limit": "@app.task(autoretry_for=(SoftTimeLimitExceeded, TimeLimitExceeded))\ndef f(): ...\n",
    "not there yet": "@app.task(autoretry_for=(Order.DoesNotExist,))\ndef f(): ...\n",
    "backoff": "@shared_task(autoretry_for=(OSError,), retry_backoff=True)\ndef f(): ...\n",
    "unknown backoff": "@shared_task(autoretry_for=(OSError,), retry_backoff=settings.X)\ndef f(): ...\n",
    "spread backoff": "RETRY = dict(retry_backoff=5)\n@shared_task(autoretry_for=(OSError,), **RETRY)\ndef f(): ...\n",
    "unknown options": "@shared_task(autoretry_for=(OSError,), **options())\ndef f(): ...\n",
    "no exceptions": "@shared_task(autoretry_for=())\ndef f(): ...\n",
    "once": "@shared_task(autoretry_for=(OSError,), max_retries=1)\ndef f(): ...\n",
    "once by keywords": "@shared_task(autoretry_for=(OSError,), retry_kwargs={'max_retries': 1})\ndef f(): ...\n",
    "long delay": "@shared_task(autoretry_for=(OSError,), retry_kwargs={'countdown': 600})\ndef f(): ...\n",
    "long default": "@shared_task(autoretry_for=(OSError,), default_retry_delay=5 * 60)\ndef f(): ...\n",
    "outlasts": "@shared_task(autoretry_for=(OSError,), max_retries=48)\ndef f(): ...\n",
    "base backs off": (
        "class B(Task):\n    retry_backoff = True\n@shared_task(base=B, autoretry_for=(OSError,))\ndef f(): ...\n"
    ),
    "unknown base": "from other import Patient\n@shared_task(base=Patient, autoretry_for=(OSError,))\ndef f(): ...\n",
    "growing": retrying("self.retry(countdown=2 ** self.request.retries)"),
    "computed": retrying("self.retry(countdown=delay(self))"),
    "eta": retrying("self.retry(eta=later())"),
    "spread call": retrying("self.retry(**options)"),
    "minute": retrying("self.retry(countdown=60)"),
    "single": retrying("self.retry(countdown=1, max_retries=1)"),
    "row": retrying("self.retry(countdown=1)", caught="Order.DoesNotExist"),
    "lock": retrying("self.retry(countdown=1)", caught="LockError"),
    "first at once": retrying("if self.request.retries == 0:\n            self.retry(countdown=0)"),
    "polling": "@shared_task(bind=True)\ndef f(self):\n    if not ready():\n        raise self.retry(countdown=1)\n",
    "own retry": (
        "class B(Task):\n    def retry(self, **options): ...\n" + retrying("self.retry(exc=error)", options="bind=True, base=B")
    ),
    "not a task": "def f(self):\n    raise self.retry(exc=OSError())\n",
    "another retry": "@shared_task\ndef f(x):\n    x.session.retry(exc=OSError())\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL203") == []


FIXES = {
    "added": ("@shared_task(autoretry_for=(OSError,))\ndef f(): ...\n", [", retry_backoff=60"]),
    "replaced": ("@shared_task(autoretry_for=(OSError,), retry_backoff=False)\ndef f(): ...\n", ["60"]),
    "kept": ("@shared_task(autoretry_for=(OSError,), retry_kwargs={'countdown': 5})\ndef f(): ...\n", [", retry_backoff=5"]),
    "grown": (retrying("self.retry(countdown=5)"), [" * 2**self.request.retries"]),
    "capped": (
        retrying("self.retry(exc=error)", options="bind=True, max_retries=15"),
        [", countdown=min(60 * 2**self.request.retries, 3600)"],
    ),
}


@pytest.mark.parametrize(("code", "expected"), FIXES.values(), ids=FIXES)
def test_fix(lint: Lint, code: str, expected: list[str]) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL203")
    assert finding.fix is not None
    assert [edit.content for edit in finding.fix.edits] == expected
