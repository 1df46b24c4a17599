"""KEL226: a task that is made of a method has no instance."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall


class RaisesTypeError(ToldAtTheCall):
    """The instance is not among the arguments."""

    code = "KEL226"
    claim = "the call raises `TypeError`: the instance is missing"
    raises = "TypeError"
    files = {
        "shop/tasks.py": """\
from celery import shared_task


class Order:
    @shared_task
    def send(self, address):  # KEL226
        print(self, address)
""",
        "shop/orders.py": """\
from shop.tasks import Order


def act():
    Order().send.delay("home")
""",
    }
    repair = {
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def send(order_id, address):
    print(order_id, address)
""",
        "shop/orders.py": """\
from shop.tasks import send


def act():
    send.delay(7, "home")
""",
    }
