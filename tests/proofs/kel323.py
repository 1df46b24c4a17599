"""KEL323: with `acks_late`, a task that runs for longer than the visibility timeout is delivered again while it runs."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY

BEGINS = "export begins"
QUICK = """\
app.conf.broker_transport_options = {"visibility_timeout": 1, "unacked_restore_interval": 0.3, "unacked_restore_throttle": 1}
"""
SLOW = QUICK.replace('"visibility_timeout": 1,', '"visibility_timeout": 3600,')
APP = f"""\
from celery import Celery

app = Celery("shop", broker="redis://localhost", include=["shop.tasks"])
{QUICK}"""


class RunsBesideItself(Proof[CeleryStage]):
    """One second stands for the hour that Redis waits by default."""

    code = "KEL323"
    claim = "a task with `acks_late` begins in a second worker while it runs in the first one"
    stage = CeleryStage
    project = {
        "shop/__init__.py": CELERY["shop/__init__.py"],
        "shop/app.py": APP,
        "shop/tasks.py": """\
import time

from world import happened, seen

from shop.app import app


@app.task(acks_late=True, time_limit=600)  # KEL323
def export(shop_id):
    happened("export begins")
    while "the work is done" not in seen():
        time.sleep(0.05)
    happened("export over")
""",
    }
    repair = {"shop/app.py": APP.replace(QUICK, SLOW)}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.use_broker()
        stage.start_worker()
        stage.start_worker()
        stage.load("shop.tasks").export.delay(7)
        stage.wait_for(BEGINS)
        times = 2 if stage.face == "bad" else 1
        # The good face is watched for a second beginning for as long as three visibility timeouts of the bad one last.
        stage.watch(lambda seen: seen.count(BEGINS) >= 2, 20 if stage.face == "bad" else 3)
        stage.happened("the work is done")
        stage.wait_for("export over", times=times)

    def is_harm(self, seen: list[str]) -> bool:
        return seen[:2] == [BEGINS, BEGINS] and "export over" in seen

    def is_clean(self, seen: list[str]) -> bool:
        return seen == [BEGINS, "the work is done", "export over"]
