"""KEL223: nobody awaits what an `async def` returns."""

from __future__ import annotations

from tests.proofs.told import Told


class BodyNeverRuns(Told):
    """And with `ignore_result`, nobody is told."""

    code = "KEL223"
    claim = "the body never runs, and with `ignore_result=True` the task is a `SUCCESS` all the same"
    harm = ("publisher went on",)
    clean = ("publisher went on", "receipt 7")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task(ignore_result=True)
async def send_receipt(order_id):  # KEL223
    happened("receipt", order_id)
""",
        "shop/orders.py": """\
from world import happened

from shop.tasks import send_receipt


def act():
    send_receipt.delay(7)
    happened("publisher went on")
""",
    }
