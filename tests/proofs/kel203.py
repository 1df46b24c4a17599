"""KEL203: without backoff the retries are used up before the service is back, and all messages come back at once."""

from __future__ import annotations

import re

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof, wait_until
from tests.proofs.projects import CELERY

HERD = 20


class GivesUpDuringTheOutage(Proof[CeleryStage]):
    """A service that is down for two and a half seconds."""

    code = "KEL203"
    claim = "the retries are used up within the 2.5 s of an outage, and the task is a `FAILURE`"
    stage = CeleryStage
    environment = {"DOWN_FOR": "2.5"}
    shortened = {"countdown=60 * 2**": "countdown=0.4 * 2**"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
import crm
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        crm.save(user_id)
    except ConnectionError as error:
        raise self.retry(exc=error, countdown=0)  # KEL203
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker()
        result = stage.load("shop.tasks").sync_user.delay(7)
        result.get(timeout=20, propagate=False)
        stage.happened(result.state)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["refused user 7"] * 4 + ["FAILURE"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen[-2:] == ["saved user 7", "SUCCESS"] and "refused user 7" in seen


class ComesBackAllAtOnce(Proof[CeleryStage]):
    """Twenty messages meet the same outage. When each comes back, the worker itself says.

    What counts is the first retry of each: full jitter may draw 0 s, and the message then comes back a second time at once.
    """

    code = "KEL203"
    claim = "twenty tasks that fail in the same outage all come back after the same 180 s"
    stage = CeleryStage
    environment = {"DOWN_FOR": "600"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
import crm
from celery import shared_task


@shared_task(autoretry_for=(ConnectionError,), max_retries=5)  # KEL203
def sync_user(user_id):
    crm.save(user_id)
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        tasks = stage.load("shop.tasks")
        for user_id in range(HERD):
            tasks.sync_user.delay(user_id)
        worker = stage.start_worker()
        wait_until(lambda: len(_first_delays(worker.text())) == HERD, 20)
        for delay in _first_delays(worker.text()).values():
            stage.happened("comes back in", delay)

    def is_harm(self, seen: list[str]) -> bool:
        return _delays(seen) == [180] * HERD

    def is_clean(self, seen: list[str]) -> bool:
        delays = _delays(seen)
        return len(delays) == HERD and len(set(delays)) >= HERD // 4 and max(delays) <= 60


def _first_delays(log: str) -> dict[str, str]:
    """Seconds until the first retry, by the task's id, as the worker's log has them."""
    first: dict[str, str] = {}
    for task_id, delay in re.findall(r"sync_user\[([\w-]+)\] retry: Retry in (\d+)s", log):
        first.setdefault(task_id, delay)
    return first


def _delays(seen: list[str]) -> list[int]:
    return [int(one.rpartition(" ")[2]) for one in seen if one.startswith("comes back in")]
