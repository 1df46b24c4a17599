"""KEL232: what a task returns is sent too."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
from celery import shared_task
from world import happened


@shared_task
def keys(order_id):
    happened("counted", order_id)
    return {order_id}  # KEL232
"""


class WorkIsDoneAndFails(Told):
    """The result cannot be written."""

    code = "KEL232"
    claim = "the task does its work and is a `FAILURE`: a set cannot be encoded"
    harm = ("counted 7", "worker raised EncodeError", "result FAILURE")
    clean = ("counted 7", "result SUCCESS")
    files = {
        "shop/tasks.py": TASKS,
        "shop/orders.py": """\
from shop.tasks import keys


def act():
    return keys.delay(7)
""",
    }
    repair = {"shop/tasks.py": TASKS.replace("{order_id}", "[order_id]")}
