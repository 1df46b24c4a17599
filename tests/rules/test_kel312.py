"""KEL312: what examples cannot show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

BEAT = 'CELERY_BEAT_SCHEDULE = {{"entry": {{"task": "{name}", "schedule": 60}}}}\n'
APP = "from celery import Celery\n\napp = Celery('shop')\n"
TASKS = "from shop.worker import app\n\n\n@app.task\ndef clean():\n    pass\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("decorator", ["@app.task", "@app.task()", "@app.task(ignore_result=True)"])
def test_a_module_of_tasks_need_not_name_an_engine(lint: Lint, decorator: str, newline: str) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/worker.py": APP,
        "shop/tasks.py": TASKS.replace("@app.task", decorator).replace("\n", newline),
        "shop/settings.py": BEAT.format(name="shop.tasks.clean"),
    }
    assert lint(files, "KEL312") == []


@pytest.mark.parametrize(
    "written",
    [
        'CELERY_BEAT_SCHEDULE["entry"] = {"task": "shop.tasks.gone", "schedule": 60}\n',
        'CELERY_BEAT_SCHEDULE.update({"entry": {"task": "shop.tasks.gone", "schedule": 60}})\n',
        'CELERY_BEAT_SCHEDULE |= {"entry": {"task": "shop.tasks.gone", "schedule": 60}}\n',
        'CELERYBEAT_SCHEDULE = {"entry": dict(task="shop.tasks.gone", schedule=60)}\n',
        'ENTRY = "shop.tasks.gone"\nBEAT_SCHEDULE = {"entry": {"task": ENTRY, "schedule": 60}}\n',
        'class Settings:\n    CELERY = {"beat_schedule": {"entry": {"task": "shop.tasks.gone", "schedule": 60}}}\n',
        'def configure(app):\n    app.conf.beat_schedule = {"entry": {"task": "shop.tasks.gone", "schedule": 60}}\n',
        'from celery.schedules import crontab\n\nALL = {"entry": {"task": "shop.tasks.gone", "schedule": crontab()}}\n',
    ],
)
def test_wherever_the_schedule_is_written(lint: Lint, written: str) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/worker.py": APP,
        "shop/tasks.py": TASKS,
        "shop/settings.py": f"# celery\nCELERY_BEAT_SCHEDULE = {{}}\n{written}",
    }
    (finding,) = lint(files, "KEL312")
    assert "`shop.tasks.gone`" in finding.message


def test_the_nearest_names_are_offered_and_the_first_is_shown(lint: Lint) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/worker.py": APP,
        "shop/tasks.py": TASKS,
        "shop/settings.py": BEAT.format(name="shop.task.clean"),
    }
    (finding,) = lint(files, "KEL312")
    assert finding.message.endswith("did you mean `shop.tasks.clean`?")
    assert [hop.path.rpartition("shop/")[2] for hop in finding.hops] == ["tasks.py"]


def test_a_task_that_is_named_where_it_is_only_imported_from(lint: Lint) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/worker.py": APP,
        "shop/tasks.py": TASKS,
        "shop/api.py": "from shop.tasks import clean\n",
        "shop/settings.py": BEAT.format(name="shop.api.clean"),
    }
    (finding,) = lint(files, "KEL312")
    assert "its name is `shop.tasks.clean`" in finding.message
