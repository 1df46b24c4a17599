"""KEL214: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

APP = "from celery import Celery\napp = Celery()\n"
TASK = "import requests\nfrom celery import shared_task\n@shared_task\ndef f(x):\n    requests.get(x)\n"
LIMITED = "from celery import shared_task\n@shared_task(time_limit=9)\ndef g(): ...\n"

LIMITS = {
    "conf": {"app.py": APP + "app.conf.task_time_limit = 5\n"},
    "subscript": {"app.py": APP + "app.conf['task_soft_time_limit'] = 5\n"},
    "update": {"app.py": APP + "app.conf.update({'task_time_limit': 5})\n"},
    "defaults": {"app.py": APP + "app.add_defaults({'task_time_limit': 5})\n"},
    "module": {"app.py": APP + "app.config_from_object('conf')\n", "conf.py": "task_time_limit = 5\n"},
    "old django": {"app.py": APP, "settings.py": "CELERY_RESULT_BACKEND = ''\nCELERYD_TASK_TIME_LIMIT = 5\n"},
    "annotations": {"app.py": APP + "app.conf.task_annotations = {'*': {'time_limit': 5}}\n"},
    "task class": {"app.py": APP + "class T(app.Task):\n    time_limit = 5\napp.Task = T\n"},
    "unreadable": {"app.py": APP + "app.config_from_envvar('X')\n"},
}


@pytest.mark.parametrize("files", LIMITS.values(), ids=LIMITS)
def test_limited(lint: Lint, files: dict[str, str]) -> None:
    assert lint({**files, "tasks.py": TASK}, "KEL214") == []


def test_one_finding_for_a_project_without_limits(lint: Lint) -> None:
    (finding,) = lint({"app.py": APP, "tasks.py": TASK, "more.py": TASK}, "KEL214")
    assert "none of the 2 tasks of `app`" in finding.message
    assert finding.fix is not None
    assert [edit.span.row for edit in finding.fix.edits] == [3]


def test_a_limit_for_tests_is_none(lint: Lint) -> None:
    assert lint({"app.py": APP, "settings/test.py": "CELERY_TASK_TIME_LIMIT = 5\n", "tasks.py": TASK}, "KEL214")


def test_an_application_without_tasks_is_left_alone(lint: Lint) -> None:
    assert lint({"app.py": APP}, "KEL214") == []


def test_an_application_in_a_function_has_no_fix(lint: Lint) -> None:
    made = "from celery import Celery\ndef make():\n    app = Celery()\n    return app\n"
    (finding,) = lint({"app.py": made, "tasks.py": TASK}, "KEL214")
    assert finding.fix is None


WAITING = {
    "call": "requests.post(x, json={})",
    "session": "s = requests.Session()\n    s.get(x)",
    "with": "with requests.Session() as s:\n        s.get(x)",
    "mail": "import smtplib\n    smtplib.SMTP('x')",
    "urlopen": "from urllib.request import urlopen\n    urlopen(x)",
}


@pytest.mark.parametrize("body", WAITING.values(), ids=WAITING)
def test_waiting(lint: Lint, body: str) -> None:
    task = f"import requests\nfrom celery import shared_task\n@shared_task\ndef f(x, **options):\n    {body}\n"
    (finding,) = lint({"app.py": APP, "limited.py": LIMITED, "tasks.py": task}, "KEL214")
    assert finding.span.row == 4
    assert finding.fix is not None
    assert finding.fix.edits[0].content == "(soft_time_limit=300, time_limit=360)"


GIVING_UP = {
    "timeout": "requests.get(x, timeout=3)",
    "options": "requests.get(x, **options)",
    "own default": "import httpx\n    httpx.get(x)",
    "inside": "print(x)",
}


@pytest.mark.parametrize("body", GIVING_UP.values(), ids=GIVING_UP)
def test_giving_up(lint: Lint, body: str) -> None:
    task = f"import requests\nfrom celery import shared_task\n@shared_task\ndef f(x, **options):\n    {body}\n"
    assert lint({"app.py": APP, "limited.py": LIMITED, "tasks.py": task}, "KEL214") == []


OPAQUE = {
    "options": "@shared_task(**options())",
    "base": "from other import Base\n@shared_task(base=Base)",
    "limit of unknown value": "@shared_task(time_limit=settings.X)",
}


@pytest.mark.parametrize("decorator", OPAQUE.values(), ids=OPAQUE)
def test_a_limit_that_cannot_be_read_counts(lint: Lint, decorator: str) -> None:
    task = f"import requests\nfrom celery import shared_task\n{decorator}\ndef f(x):\n    requests.get(x)\n"
    assert lint({"app.py": APP, "limited.py": LIMITED, "tasks.py": task}, "KEL214") == []
