"""KEL224: a decorator above the task's own makes a plain function of it."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall


class HasNoDelay(ToldAtTheCall):
    """The name of the module is bound to what the upper decorator returns."""

    code = "KEL224"
    claim = "`close.delay()` raises `AttributeError`: the name is bound to a plain function"
    raises = "AttributeError"
    files = {
        "shop/models.py": "",
        "shop/tasks.py": """\
from celery import shared_task
from django.db import transaction


@transaction.atomic
@shared_task  # KEL224
def close(order_id):
    print(order_id)
""",
        "shop/orders.py": """\
from shop.tasks import close


def act():
    close.delay(7)
""",
    }
