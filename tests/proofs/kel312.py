"""KEL312: nothing checks a name when it is sent."""

from __future__ import annotations

from tests.proofs.told import Told

ORDERS = """\
from shop.app import app


def act():
    app.send_task("shop.tasks.send_invoices", args=[7])  # KEL312
"""


class IsThrownAway(Told):
    """The caller is told nothing."""

    code = "KEL312"
    claim = "the call is accepted, and the worker knows no such task and throws the message away"
    harm = ("worker knows no such task",)
    clean = ("invoice 7",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def send_invoice(order_id):
    happened("invoice", order_id)
""",
        "shop/orders.py": ORDERS,
    }
    repair = {"shop/orders.py": ORDERS.replace("send_invoices", "send_invoice")}
