"""KEL218: a task that waits for another."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
from celery import shared_task
from world import happened


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_id):
    total = price.delay(order_id).get(timeout=10)  # KEL218
    happened("invoice over", total)
"""
ORDERS = """\
from shop.tasks import invoice


def act():
    invoice.delay(7)
"""


class IsRefused(Told):
    """Celery knows that it could wait for ever."""

    code = "KEL218"
    claim = "the task ends in `RuntimeError` when it asks for the other one's result"
    harm = ("worker raised RuntimeError",)
    clean = ("invoice over 70",)
    files = {"shop/tasks.py": TASKS, "shop/orders.py": ORDERS}
    repair = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(total):
    happened("invoice over", total)
""",
        "shop/orders.py": """\
from celery import chain

from shop.tasks import invoice, price


def act():
    chain(price.s(7), invoice.s()).delay()
""",
    }
