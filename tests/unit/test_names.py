"""The names of tasks, and what can be said of one that is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keel_lint.jobs import Jobs
from keel_lint.project import Project
from tests.unit.memory import Memory

HEAD = "from celery import Celery, Task, shared_task\napp = Celery('shop')\n"


def jobs_of(contents: Mapping[str, str]) -> Jobs:
    return Jobs(Project(Path(), tuple(contents), Memory(contents)), tuple(contents))


def names(code: str) -> set[str]:
    """The names of the tasks in `shop/tasks.py`."""
    given = jobs_of({"shop/__init__.py": "", "shop/tasks.py": HEAD + code}).names.given
    return {name for name, _, _ in given.named} | set(given.made)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("@shared_task\ndef f(): ...\n", {"shop.tasks.f"}),
        ("@app.task(name='mail')\ndef f(): ...\n", {"mail"}),
        ("NAME = 'ma' 'il'\n@app.task(name=NAME)\ndef f(): ...\n", {"mail"}),
        ("@app.task(name=unknown())\ndef f(): ...\n", set()),
        ("@app.task(**options())\ndef f(): ...\n", set()),
        ("def make():\n    @app.task\n    def f(): ...\n", {"shop.tasks.f"}),
        ("class F(Task):\n    name = 'mail'\n    def run(self): ...\n", {"mail"}),
        ("class F(Task):\n    def run(self): ...\n", {"shop.tasks.F"}),
        ("def f(): ...\ntask = app.task(f)\n", {"shop.tasks.f"}),
        ("task = app.task(print, name='mail')\n", {"mail"}),
    ],
)
def test_names_of_tasks(code: str, expected: set[str]) -> None:
    assert names(code) == expected


PROJECT = {
    "shop/__init__.py": "",
    "shop/tasks.py": HEAD
    + "@app.task\ndef send_mail(): ...\n\n@app.task(name='send-letter')\ndef letter(): ...\n\ndef plain(): ...\n",
    "shop/other.py": "from shop.tasks import send_mail\nfrom shop.tasks import app\nREGISTRY = make()\n",
    "script.py": "",
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shop.tasks.send_mail", None),
        ("tasks.send_mail", None),
        ("send-letter", None),
        ("shop.tasks.send_mails", "not there"),
        ("shop.task.send_mail", "no module"),
        ("shop.tasks.plain", "no task"),
        ("shop.tasks.letter", "other name"),
        ("shop.other.send_mail", "other name"),
        ("shop.other.REGISTRY", None),
        ("shop.other.REGISTRY.first", None),
        ("script.send_mail", "not there"),
        ("sent-letter", "like another"),
        ("lent-better", None),
        ("stock.tasks.send_mail", None),
        ("celery.backend_cleanup", None),
    ],
)
def test_whether_a_name_is_missing(name: str, reason: str | None) -> None:
    missing = jobs_of(PROJECT).names.missing(name, "shop/other.py")
    assert (missing.reason if missing is not None else None) == reason


@pytest.mark.parametrize(
    "more",
    [
        "for name in ('send_mails',):\n    app.task(name=name)(print)\n",
        "@app.task(name=f'shop.{x}')\ndef lent_letter(): ...\n",
        "class Own(Celery):\n    def gen_task_name(self, name, module): ...\n",
    ],
)
def test_names_that_cannot_be_told_leave_others_open(more: str) -> None:
    contents = {**PROJECT, "shop/more.py": "from celery import Celery\nfrom shop.tasks import app\n" + more}
    assert jobs_of(contents).names.missing("sent-letter", "shop/other.py") is None


def test_the_nearest_names_come_first() -> None:
    code = "".join(f"@app.task\ndef {name}(): ...\n\n" for name in ("clean_carts", "clean_carts_at_night", "unlike"))
    jobs = jobs_of({"shop/__init__.py": "", "shop/carts/__init__.py": "", "shop/carts/tasks.py": HEAD + code})
    nearest = jobs.names.nearest("shop.tasks.clean_carts")
    assert nearest[:2] == ("shop.carts.tasks.clean_carts", "shop.carts.tasks.clean_carts_at_night")
