"""KEL103: callbacks that a loop registers run when it is over."""

from __future__ import annotations

from tests.proofs.told import Told


class OnlyTheLastOne(Told):
    """Each lambda reads the loop's name when the transaction commits."""

    code = "KEL103"
    claim = "three orders are closed, and the last one gets three receipts"
    harm = ("receipt 3", "receipt 3", "receipt 3")
    clean = ("receipt 1", "receipt 2", "receipt 3")
    files = {
        "shop/models.py": "",
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def send_receipt(order_id):
    happened("receipt", order_id)
""",
        "shop/orders.py": """\
from django.db import transaction

from shop.tasks import send_receipt


@transaction.atomic
def act():
    for order_id in (1, 2, 3):
        transaction.on_commit(lambda: send_receipt.delay(order_id))  # KEL103
""",
    }
