"""KEL225: a worker does not know a task that is made in the process which publishes."""

from __future__ import annotations

from tests.proofs.told import Told


class IsUnknownToTheWorker(Told):
    """The function runs in the web process."""

    code = "KEL225"
    claim = "the worker has never heard of the task, and throws its message away"
    harm = ("worker knows no such task",)
    clean = ("receipt 7",)
    files = {
        "shop/tasks.py": "",
        "shop/orders.py": """\
from celery import shared_task
from world import happened


def act():
    @shared_task
    def send_receipt(order_id):  # KEL225
        happened("receipt", order_id)

    send_receipt.delay(7)
""",
    }
    repair = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def send_receipt(order_id):
    happened("receipt", order_id)
""",
        "shop/orders.py": """\
from shop.tasks import send_receipt


def act():
    send_receipt.delay(7)
""",
    }
