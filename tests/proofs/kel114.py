"""KEL114: `delay` passes everything to the task."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall


class RaisesTypeError(ToldAtTheCall):
    """The task has no such parameter."""

    code = "KEL114"
    claim = "`delay(..., countdown=60)` raises `TypeError`, and no message is sent"
    raises = "TypeError"
    files = {
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)
""",
        "shop/orders.py": """\
from shop.tasks import remind


def act():
    remind.delay(7, countdown=60)  # KEL114
""",
    }
