"""KEL301: a chain hands each result to the next task."""

from __future__ import annotations

from tests.proofs.told import Told


class OneArgumentTooMany(Told):
    """The first step has had its effect by then."""

    code = "KEL301"
    claim = "the first task's result is passed to the second one, which ends in `TypeError`"
    harm = ("charged 7", "worker raised TypeError")
    clean = ("charged 7", "thanked")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def charge(order_id):
    happened("charged", order_id)
    return order_id


@shared_task
def thank():
    happened("thanked")
""",
        "shop/orders.py": """\
from celery import chain

from shop.tasks import charge, thank


def act():
    chain(charge.s(7), thank.s()).delay()  # KEL301
""",
    }
