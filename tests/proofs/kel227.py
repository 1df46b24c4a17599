"""KEL227: `bind=True` passes the task first."""

from __future__ import annotations

from tests.proofs.told import Told, ToldAtTheCall

ORDERS = """\
from shop.tasks import refresh


def act():
    refresh.delay(7)
"""


class NoRoomForTheTask(Told):
    """The first parameter is the order's, or so it seems."""

    code = "KEL227"
    claim = "with `bind=True` and no `self`, the call raises `TypeError`"
    harm = ("act raised TypeError",)
    clean = ("refreshed 7",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task(bind=True)
def refresh(order_id):  # KEL227
    happened("refreshed", order_id)
""",
        "shop/orders.py": ORDERS,
    }


class NobodyPassesSelf(ToldAtTheCall):
    """The other way round."""

    code = "KEL227"
    claim = "with `self` and no `bind=True`, the call raises `TypeError`"
    raises = "TypeError"
    files = {
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def refresh(self, order_id):  # KEL227
    print(self.request.id, order_id)
""",
        "shop/orders.py": ORDERS,
    }
