"""Fixes that once went to the wrong place: each is applied, and the whole text compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keel_lint.source import Source

if TYPE_CHECKING:
    from keel_lint.finding import Finding
    from tests.rules.conftest import Lint

WORKER = """\
from concurrent.futures import ThreadPoolExecutor
from temporalio import activity
from temporalio.worker import Worker


@activity.defn
def resize(image_id: str) -> None:
    print(image_id)


async def main(client):
    await Worker(client, task_queue="images", activities=[resize]).run()
"""
BOUND = "from celery import shared_task\n\n\n@shared_task(bind=True)\ndef refresh{}:\n    print('refreshed')\n"
LIMIT = "app.conf.task_soft_time_limit = 29 * 60\napp.conf.task_time_limit = 30 * 60\n"
CELERY = (
    "from celery import Celery\r\n\r\napp = Celery('shop', broker='redis://localhost'){}"
    "@app.task\ndef send(pk):\n    print(pk)\n"
)


def fixed(text: str, finding: Finding) -> str:
    assert finding.fix is not None
    return Source.from_bytes(Path(finding.path), text.encode()).apply(finding.fix.edits).decode()


def test_an_argument_for_a_worker_that_is_run_at_once_goes_to_the_worker(lint: Lint) -> None:
    (finding,) = lint({"worker.py": WORKER}, "KEL802")
    pool = ", activity_executor=ThreadPoolExecutor(max_workers=100)"
    assert fixed(WORKER, finding) == WORKER.replace("[resize])", f"[resize]{pool})")


@pytest.mark.parametrize("between", ["", " ", " \\\n    "])
def test_self_goes_to_the_parameters(lint: Lint, between: str) -> None:
    text = BOUND.format(f"{between}()")
    (finding,) = lint({"tasks.py": text}, "KEL227")
    assert fixed(text, finding) == BOUND.format(f"{between}(self)")


def test_self_does_not_go_into_type_parameters(lint: Lint) -> None:
    (finding,) = lint({"tasks.py": BOUND.format("[T: (int, str)]()")}, "KEL227")
    assert finding.fix is None


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "  # one app\r"])
def test_settings_go_below_the_app_whatever_ends_its_line(lint: Lint, end: str) -> None:
    text = CELERY.format(end)
    (finding,) = lint({"tasks.py": text}, "KEL214")
    assert fixed(text, finding).replace("\r\n", "\n") == CELERY.format(end + LIMIT).replace("\r\n", "\n")


def test_settings_do_not_go_into_a_line_that_goes_on(lint: Lint) -> None:
    (finding,) = lint({"tasks.py": CELERY.format(" \\\n\n")}, "KEL214")
    assert finding.fix is None
