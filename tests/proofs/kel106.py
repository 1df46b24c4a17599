"""KEL106: a model instance cannot be sent as JSON, and as a pickle it is old when it arrives."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage, PublishStage
from tests.proofs.harness import Proof
from tests.proofs.projects import DJANGO, SETTINGS

PROJECT = {
    **DJANGO,
    "shop/models.py": """\
from django.db import models


class Order(models.Model):
    address = models.CharField(max_length=100)
    shipped = models.BooleanField(default=False)
""",
    "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def ship(order):
    order.shipped = True
    order.save()
    happened("shipped to", order.address)
""",
    "shop/orders.py": """\
from shop.models import Order
from shop.tasks import ship


def place_order(address):
    order = Order.objects.create(address=address)
    ship.delay(order)  # KEL106
    return order.pk
""",
}


class RaisesEncodeError(Proof[PublishStage]):
    """JSON is what Celery uses where nobody says otherwise."""

    code = "KEL106"
    claim = "the call raises `EncodeError`, and no message is sent"
    stage = PublishStage
    project = PROJECT

    def play(self, stage: PublishStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        try:
            stage.load("shop.orders").place_order("1 Old Street")
        except Exception as error:  # whatever the engine raises is what is judged
            stage.happened(type(error).__module__, type(error).__name__)
        stage.happened("messages:", len(stage.waiting()))

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["kombu.exceptions EncodeError", "messages: 0"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["messages: 1"]


class WritesOldValuesBack(Proof[CeleryStage]):
    """With pickle the row travels, and what changes meanwhile is lost."""

    code = "KEL106"
    claim = "with pickle, the task works on the row as it was and saves that over what has changed since"
    stage = CeleryStage
    project = {
        **PROJECT,
        "shop/settings.py": f'{SETTINGS}CELERY_TASK_SERIALIZER = "pickle"\nCELERY_ACCEPT_CONTENT = ["pickle"]\n',
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        key = stage.load("shop.orders").place_order("1 Old Street")
        orders = stage.load("shop.models").Order.objects
        orders.filter(pk=key).update(address="2 New Street")
        stage.start_worker()
        stage.watch(bool)
        stage.happened("address in the row:", orders.get(pk=key).address)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["shipped to 1 Old Street", "address in the row: 1 Old Street"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["shipped to 2 New Street", "address in the row: 2 New Street"]
