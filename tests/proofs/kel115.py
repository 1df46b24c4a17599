"""KEL115: arguments are a tuple or a list."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall


class RaisesTypeError(ToldAtTheCall):
    """One argument is no sequence of arguments."""

    code = "KEL115"
    claim = "`apply_async(17)` raises `TypeError`, and no message is sent"
    raises = "TypeError"
    files = {
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
""",
        "shop/orders.py": """\
from shop.tasks import send_receipt


def act():
    send_receipt.apply_async(17)  # KEL115
""",
    }
