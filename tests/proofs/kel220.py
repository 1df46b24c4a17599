"""KEL220: a task that is acknowledged late runs again, and what it created the first time is still there."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import DJANGO

TASKS = """\
import mailserver
from celery import shared_task

from shop.models import Receipt


@shared_task(acks_late=True)
def write_receipt(order_id):
    Receipt.objects.create(order_id=order_id)  # KEL220
    mailserver.send("ann")
"""


class SecondRow(Proof[CeleryStage]):
    """The worker is killed after it has written the row, and another one gets the message."""

    code = "KEL220"
    claim = "a worker is killed after the row is written; the next one gets the message and writes a second row"
    stage = CeleryStage
    environment = {"MAIL": "hangs"}
    project = {
        **DJANGO,
        "shop/settings.py": f"""{DJANGO["shop/settings.py"]}
CELERY_BROKER_TRANSPORT_OPTIONS = {{
    "visibility_timeout": 0.5,
    "unacked_mutex_expire": 1,
    "unacked_restore_interval": 0.3,
    "unacked_restore_throttle": 1,
}}
""",
        "shop/models.py": """\
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField()
""",
        "shop/tasks.py": TASKS,
    }
    repair = {"shop/tasks.py": TASKS.replace(".create(", ".get_or_create(")}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        worker = stage.start_worker(pool="prefork")
        stage.load("shop.tasks").write_receipt.delay(7)
        stage.wait_for("mail server in trouble")
        stage.kill_worker(worker)
        stage.start_worker(pool="prefork")
        stage.wait_for("mail sent to ann")
        stage.happened("receipts:", stage.load("shop.models").Receipt.objects.count())

    def is_harm(self, seen: list[str]) -> bool:
        return seen[-2:] == ["mail sent to ann", "receipts: 2"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen[-2:] == ["mail sent to ann", "receipts: 1"]
