"""KEL315: the worker throws away what it does not accept."""

from __future__ import annotations

from tests.proofs.told import Told

ORDERS = """\
from shop.tasks import resize


def act():
    resize.apply_async((7,), serializer="pickle")  # KEL315
"""


class IsRefused(Told):
    """The caller is told nothing."""

    code = "KEL315"
    claim = "the worker says `ContentDisallowed: Refusing to deserialize`, and the task never runs"
    harm = ("worker refused a message",)
    clean = ("resized 7",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def resize(image_id):
    happened("resized", image_id)
""",
        "shop/orders.py": ORDERS,
    }
    repair = {"shop/orders.py": ORDERS.replace("pickle", "json")}
