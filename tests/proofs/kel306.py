"""KEL306: a result that is not kept is not waited for."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
from celery import shared_task


@shared_task(ignore_result=True)
def price(order_id):
    return 10 * order_id
"""
ORDERS = """\
from world import happened

from shop.tasks import price


def act():
    happened("price:", price.delay(7).get(timeout=10))  # KEL306
"""


class ReturnsNoneAtOnce(Told):
    """It looks like an answer."""

    code = "KEL306"
    claim = "`get()` returns `None` at once, whatever the task returns"
    harm = ("price: None",)
    clean = ("price: 70",)
    files = {"shop/tasks.py": TASKS, "shop/orders.py": ORDERS}
    repair = {"shop/tasks.py": TASKS.replace("(ignore_result=True)", "")}
