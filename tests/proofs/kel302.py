"""KEL302: a signature is not a call."""

from __future__ import annotations

from tests.proofs.told import Told


class NothingIsSent(Told):
    """And no error is raised."""

    code = "KEL302"
    claim = "a signature that nobody applies sends nothing, and nothing says so"
    harm = ("publisher went on",)
    clean = ("publisher went on", "receipt 7")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def send_receipt(order_id):
    happened("receipt", order_id)
""",
        "shop/orders.py": """\
from world import happened

from shop.tasks import send_receipt


def act():
    send_receipt.s(7)  # KEL302
    happened("publisher went on")
""",
    }
