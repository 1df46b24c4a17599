"""KEL212: what has been acknowledged cannot be rejected."""

from __future__ import annotations

from tests.proofs.told import Told


class IsNotRequeued(Told):
    """The first run rejects the message, to have it again."""

    code = "KEL212"
    claim = "`Reject(requeue=True)` without `acks_late`: the message does not come again"
    harm = ("rejected",)
    clean = ("rejected", "shipped")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from celery.exceptions import Reject
from world import happened, seen


@shared_task
def ship(order_id):
    if "rejected" not in seen():
        happened("rejected")
        raise Reject("not ready", requeue=True)  # KEL212
    happened("shipped")
""",
        "shop/orders.py": """\
from shop.tasks import ship


def act():
    ship.delay(7)
""",
    }
