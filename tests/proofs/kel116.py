"""KEL116: by name nothing checks the arguments but the worker."""

from __future__ import annotations

from tests.proofs.told import Told, ToldAtTheCall

TASKS = """\
from celery import shared_task
from world import happened


@shared_task
def send(order_id, to):
    happened("sent", order_id, "to", to)
"""
BY_NAME = """\
from shop.app import app


def act():
    app.send_task("shop.tasks.send", args=[7])  # KEL116
"""
BY_REFERENCE = """\
from shop.tasks import send


def act():
    send.delay(7)  # KEL116
"""


class FailsInTheWorker(Told):
    """The caller has long gone."""

    code = "KEL116"
    claim = "by name, a missing argument is accepted at the call and ends in `TypeError` in the worker"
    harm = ("worker raised TypeError",)
    clean = ("sent 7 to ann",)
    files = {"shop/tasks.py": TASKS, "shop/orders.py": BY_NAME}
    repair = {"shop/orders.py": BY_NAME.replace("[7]", '[7, "ann"]')}


class RaisesTypeError(ToldAtTheCall):
    """With the task at hand, Celery looks."""

    code = "KEL116"
    claim = "by reference, a missing argument raises `TypeError` at the call"
    raises = "TypeError"
    files = {"shop/tasks.py": TASKS, "shop/orders.py": BY_REFERENCE}
    repair = {"shop/orders.py": BY_REFERENCE.replace("(7)", '(7, "ann")')}
