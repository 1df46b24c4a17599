"""KEL222: a handler given by keyword is a method of the task."""

from __future__ import annotations

from tests.proofs.told import Told


class NoDeadLetter(Told):
    """The handler is called with the task first, and has no room for it."""

    code = "KEL222"
    claim = "the task fails, its `on_failure` handler ends in `TypeError`, and no dead letter is written"
    harm = ("result FAILURE",)
    clean = ("dead letter: ZeroDivisionError", "worker raised ZeroDivisionError", "result FAILURE")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


def bury(exc, task_id, args, kwargs, einfo):
    happened("dead letter:", type(exc).__name__)


@shared_task(on_failure=bury)  # KEL222
def charge(order_id):
    return 1 / order_id
""",
        "shop/orders.py": """\
from shop.tasks import charge


def act():
    return charge.delay(0)
""",
    }
