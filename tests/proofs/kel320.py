"""KEL320: beat does not look whether the last run is over."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY

TASKS = """\
import time

from celery import shared_task
from world import happened, seen


@shared_task(time_limit=60)
def import_stock():
    happened("import begins")
    while "the supplier has answered" not in seen():
        time.sleep(0.05)
    happened("import over")
"""
LOCKED = """\
import os
import time

import redis
from celery import shared_task
from world import happened, seen


@shared_task(time_limit=60)
def import_stock():
    lock = redis.Redis.from_url(os.environ["BROKER_URL"]).lock("import stock", timeout=60)
    if not lock.acquire(blocking=False):
        happened("left to the other run")
        return
    happened("import begins")
    while "the supplier has answered" not in seen():
        time.sleep(0.05)
    happened("import over")
    lock.release()
"""


class RunsBesideItself(Proof[CeleryStage]):
    """A second stands for five minutes, and a supplier is slow."""

    code = "KEL320"
    claim = "while an import takes its time, beat starts another one, which runs beside it"
    stage = CeleryStage
    project = {
        **CELERY,
        "shop/app.py": f"""{CELERY["shop/app.py"]}
app.conf.beat_schedule = {{
    "import stock": {{"task": "shop.tasks.import_stock", "schedule": 1.0}},  # KEL320
}}
""",
        "shop/tasks.py": TASKS,
    }
    repair = {"shop/tasks.py": LOCKED}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker(pool="threads", concurrency=4)
        beat = stage.start_beat()
        second = "import begins" if stage.face == "bad" else "left to the other run"
        stage.wait_for("import begins")
        stage.watch(lambda seen: second in seen[1:])
        beat.kill()
        stage.happened("the supplier has answered")
        stage.wait_for("import over")

    def is_harm(self, seen: list[str]) -> bool:
        return seen[:2] == ["import begins"] * 2

    def is_clean(self, seen: list[str]) -> bool:
        began, others = seen[0], seen[1:-2]
        return began == "import begins" and set(others) == {"left to the other run"} and seen[-1] == "import over"
