"""What is a task, and the options that it really has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keel_lint.jobs import Jobs
from keel_lint.jobs.values import UNKNOWN
from keel_lint.project import Project
from tests.unit.memory import Memory

if TYPE_CHECKING:
    from keel_lint.jobs.tasks import Task

HEAD = "from celery import Celery, Task, shared_task\napp = Celery('shop')\n"


def jobs_of(contents: Mapping[str, str]) -> Jobs:
    return Jobs(Project(Path(), tuple(contents), Memory(contents)), tuple(contents))


def task_of(jobs: Jobs) -> Task:
    (task,) = (task for task in jobs.all_tasks if task.definition.name in {"f", "F"})
    return task


TASKS = {
    "shared": "from celery import shared_task\n@shared_task\ndef f(): ...\n",
    "shared, called": "import celery\n@celery.shared_task(bind=True)\ndef f(self): ...\n",
    "app": "from celery import Celery\napp = Celery()\n@app.task\ndef f(): ...\n",
    "imported app": "from shop.celery import app\n@app.task\ndef f(): ...\n",
    "class": "from celery import Task\nclass F(Task):\n    def run(self): ...\n",
    "class of the app": "from celery import Celery\napp = Celery()\nclass F(app.Task):\n    def run(self): ...\n",
    "own decorator": (
        "from celery import shared_task\ndef job(**options):\n    def wrap(f):\n        return shared_task(**options)(f)\n"
        "    return wrap\n@job()\ndef f(): ...\n"
    ),
    "no import": "@shared_task\ndef f(): ...\n",
}


@pytest.mark.parametrize("code", TASKS.values(), ids=TASKS)
def test_tasks(code: str) -> None:
    assert task_of(jobs_of({"tasks.py": code})).path == "tasks.py"


NO_TASKS = {
    "function": "def f(): ...\n",
    "other decorator": "@nox.task\ndef f(): ...\n",
    "base class": "from celery import Task\nclass F(Task):\n    time_limit = 5\n",
    "other class": "from luigi import Task\nclass F(Task):\n    def run(self): ...\n",
}


@pytest.mark.parametrize("code", NO_TASKS.values(), ids=NO_TASKS)
def test_no_tasks(code: str) -> None:
    assert jobs_of({"tasks.py": code}).all_tasks == ()


PLAIN = "from celery import shared_task\n@shared_task\ndef f(): ...\n"
EFFECTIVE: dict[str, tuple[dict[str, str], object, str]] = {
    "nothing": ({"app.py": HEAD, "tasks.py": PLAIN}, None, ""),
    "decorator": ({"tasks.py": HEAD + "@shared_task(time_limit=5)\ndef f(): ...\n"}, 5, "decorator"),
    "constant": ({"tasks.py": HEAD + "LIMIT = 5\n@app.task(time_limit=LIMIT * 2)\ndef f(): ...\n"}, 10, "decorator"),
    "imported constant": (
        {"c.py": "LIMIT = 5\n", "tasks.py": HEAD + "import c\n@app.task(time_limit=c.LIMIT)\ndef f(): ...\n"},
        5,
        "decorator",
    ),
    "unknown": ({"tasks.py": HEAD + "@app.task(time_limit=limit())\ndef f(): ...\n"}, UNKNOWN, "decorator"),
    "spread": ({"tasks.py": HEAD + "LIMITS = {'time_limit': 5}\n@app.task(**LIMITS)\ndef f(): ...\n"}, 5, "decorator"),
    "spread dict of dicts": (
        {"tasks.py": HEAD + "A = {'time_limit': 5}\nB = {**A, 'bind': True}\n@app.task(**B)\ndef f(self): ...\n"},
        5,
        "decorator",
    ),
    "base class": (
        {"tasks.py": HEAD + "class B(Task):\n    time_limit = 5\n@app.task(base=B)\ndef f(): ...\n"},
        5,
        "base class B",
    ),
    "base class elsewhere": (
        {
            "b.py": "from celery import Task\nclass B(Task):\n    time_limit = 5\n",
            "tasks.py": HEAD + "from b import B\n@app.task(base=B)\ndef f(): ...\n",
        },
        5,
        "base class B",
    ),
    "base of the base": (
        {"tasks.py": HEAD + "class A(Task):\n    time_limit = 5\nclass B(A): ...\n@app.task(base=B)\ndef f(): ...\n"},
        5,
        "base class A",
    ),
    "class of its own": (
        {"tasks.py": HEAD + "class F(Task):\n    time_limit = 5\n    def run(self): ...\n"},
        5,
        "base class F",
    ),
    "class of the app": (
        {"app.py": HEAD + "class B(Task):\n    time_limit = 5\napp.Task = B\n", "tasks.py": PLAIN},
        5,
        "base class B",
    ),
    "task_cls": (
        {
            "app.py": "from celery import Celery\nfrom b import B\napp = Celery(task_cls=B)\n",
            "b.py": "from celery import Task\nclass B(Task):\n    time_limit = 5\n",
            "tasks.py": PLAIN,
        },
        5,
        "base class B",
    ),
    "task_cls by name": (
        {
            "app.py": "from celery import Celery\napp = Celery(task_cls='b:B')\n",
            "b.py": "from celery import Task\nclass B(Task):\n    time_limit = 5\n",
            "tasks.py": PLAIN,
        },
        5,
        "base class B",
    ),
    "task_cls of the application's class": (
        {
            "app.py": (
                "from celery import Celery, Task\nclass B(Task):\n    time_limit = 5\n"
                "class C(Celery):\n    task_cls = B\napp = C()\n"
            ),
            "tasks.py": PLAIN,
        },
        5,
        "base class B",
    ),
    "settings": ({"app.py": HEAD + "app.conf.task_time_limit = 5\n", "tasks.py": PLAIN}, 5, "settings"),
    "django": ({"app.py": HEAD, "settings.py": "CELERY_TASK_TIME_LIMIT = 5 * 60\n", "tasks.py": PLAIN}, 300, "settings"),
    "settings of the environment": (
        {"app.py": HEAD, "settings.py": "CELERY_TASK_TIME_LIMIT = env.int('X')\n", "tasks.py": PLAIN},
        UNKNOWN,
        "settings",
    ),
    "decorator over settings": (
        {"app.py": HEAD + "app.conf.task_time_limit = 5\n", "tasks.py": HEAD + "@shared_task(time_limit=7)\ndef f(): ...\n"},
        7,
        "decorator",
    ),
    "none in the decorator": (
        {"app.py": HEAD + "app.conf.task_time_limit = 5\n", "tasks.py": HEAD + "@shared_task(time_limit=None)\ndef f(): ...\n"},
        5,
        "settings",
    ),
    "annotations for all": (
        {"app.py": HEAD + "app.conf.task_annotations = {'*': {'time_limit': 5}}\n", "tasks.py": PLAIN},
        5,
        "task_annotations",
    ),
    "annotations by name": (
        {
            "app.py": HEAD + "app.conf.task_annotations = {'tasks.f': {'time_limit': 5}, 'tasks.g': {'time_limit': 6}}\n",
            "tasks.py": PLAIN,
        },
        5,
        "task_annotations",
    ),
    "annotations by given name": (
        {
            "app.py": HEAD + "app.conf.task_annotations = {'send': {'time_limit': 5}}\n",
            "tasks.py": HEAD + "@app.task(name='send', time_limit=9)\ndef f(): ...\n",
        },
        5,
        "task_annotations",
    ),
    "annotations for others": (
        {"app.py": HEAD + "app.conf.task_annotations = {'tasks.g': {'time_limit': 5}}\n", "tasks.py": PLAIN},
        None,
        "",
    ),
    "annotations that cannot be read": (
        {"app.py": HEAD + "app.conf.task_annotations = [Slow()]\n", "tasks.py": PLAIN},
        UNKNOWN,
        "task_annotations",
    ),
    "own decorator": (
        {"tasks.py": HEAD + "def job(f):\n    return app.task(time_limit=5)(f)\n@job\ndef f(): ...\n"},
        5,
        "decorator",
    ),
}


@pytest.mark.parametrize(("contents", "value", "origin"), EFFECTIVE.values(), ids=EFFECTIVE)
def test_effective_options(contents: dict[str, str], value: object, origin: str) -> None:
    jobs = jobs_of(contents)
    option = jobs.tasks.option(task_of(jobs), "time_limit")
    assert (option.value, option.origin) == (value, origin) if option is not None else (value, origin) == (None, "")


@pytest.mark.parametrize(
    ("decorator", "expected"),
    [
        ("@shared_task(**options())", True),
        ("@shared_task(**{**other})", True),
        ("@shared_task(**{'bind': True})", False),
        ("@shared_task(bind=True)", False),
    ],
)
def test_opaque_options(decorator: str, expected: bool) -> None:
    assert task_of(jobs_of({"tasks.py": f"{HEAD}{decorator}\ndef f(self): ...\n"})).opaque is expected


@pytest.mark.parametrize(("base", "expected"), [("Task", False), ("Known", False), ("Derived", True), ("Foreign", True)])
def test_opaque_bases(base: str, expected: bool) -> None:
    classes = "from other import Foreign\nclass Known(Task): ...\nclass Derived(Foreign): ...\n"
    jobs = jobs_of({"tasks.py": f"{HEAD}{classes}@shared_task(base={base})\ndef f(): ...\n"})
    assert jobs.tasks.base_is_opaque(task_of(jobs)) is expected


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ("app = Celery()", False),
        ("app = Celery(task_cls='celery.contrib.django.task:DjangoTask')", False),
        ("app = Celery(task_cls='other.tasks:Task')", True),
        ("from other.celery import OtherCelery\nother_celery = OtherCelery()", True),
    ],
)
def test_opaque_classes_of_the_application(app: str, expected: bool) -> None:
    jobs = jobs_of({"app.py": f"from celery import Celery\n{app}\n", "tasks.py": PLAIN})
    assert jobs.tasks.is_opaque(task_of(jobs)) is expected


def test_a_class_without_run_can_be_asked_for_its_options() -> None:
    jobs = jobs_of({"tasks.py": HEAD + "class B(Task):\n    autoretry_for = (OSError,)\n"})
    names = [definition.name for definition in jobs.project.facts("tasks.py").definitions]
    base = jobs.tasks.as_base("tasks.py", names.index("B"))
    assert base is not None
    option = jobs.tasks.option(base, "autoretry_for")
    assert option is not None
    assert option.origin == "base class B"


def test_the_parameters_of_a_bound_task_are_those_of_the_caller() -> None:
    task = task_of(jobs_of({"tasks.py": HEAD + "@app.task(bind=True)\ndef f(self, a, b): ...\n"}))
    assert [parameter.name for parameter in task.parameters] == ["a", "b"]


ASSIGNED = {
    "a call": "from celery import shared_task\nretried = shared_task(max_retries=3)\n",
    "of an application": "from celery import Celery\napp = Celery()\nretried = app.task(max_retries=3)\n",
    "a partial": (
        "from functools import partial\nfrom celery import shared_task\nretried = partial(shared_task, max_retries=3)\n"
    ),
}


@pytest.mark.parametrize("maker", ASSIGNED.values(), ids=ASSIGNED)
def test_a_decorator_that_a_name_holds(maker: str) -> None:
    called = "()" if "partial" in maker else ""
    user = f"from shop.tools import retried\n\n@retried{called}\ndef f(order_id): ...\n"
    task = task_of(jobs_of({"shop/tools.py": maker, "shop/tasks.py": user}))
    assert task.given["max_retries"].value == 3
    assert task.given["max_retries"].path == "shop/tools.py"
