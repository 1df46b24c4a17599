"""KEL113: a message that has expired when its time comes is thrown away."""

from __future__ import annotations

from tests.proofs.told import Told

ORDERS = """\
from shop.tasks import remind


def act():
    remind.apply_async(args=[7], countdown=1, expires=0.5)  # KEL113
"""


class NeverRuns(Told):
    """The worker waits for the time, and then discards the task."""

    code = "KEL113"
    claim = "a task that expires before its countdown is over is discarded, each time"
    harm = ("worker discarded a task",)
    clean = ("reminded 7",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def remind(user_id):
    happened("reminded", user_id)
""",
        "shop/orders.py": ORDERS,
    }
    repair = {"shop/orders.py": ORDERS.replace("expires=0.5", "expires=60")}
