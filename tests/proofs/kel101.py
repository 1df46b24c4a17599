"""KEL101: a task that is published inside a transaction runs before the commit, and after a rollback."""

from __future__ import annotations

from typing import Literal

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import PATIENCE, Proof
from tests.proofs.projects import DJANGO

PROJECT = {
    **DJANGO,
    "shop/models.py": """\
from django.db import models


class Order(models.Model):
    total = models.IntegerField()
""",
    "shop/tasks.py": """\
from celery import shared_task
from world import happened

from shop.models import Order


@shared_task
def send_receipt(order_id, mail):
    try:
        order = Order.objects.get(pk=order_id)
    except Order.DoesNotExist as error:
        happened(type(error).__name__)
        raise
    happened("receipt over", order.total)


@shared_task
def thank(mail):
    happened("thanked", mail)
""",
    "shop/orders.py": """\
from django.db import transaction
from world import happened

from shop.models import Order
from shop.tasks import send_receipt, thank


def place_order(mail, charge_card):
    with transaction.atomic():
        order = Order.objects.create(total=40)
        send_receipt.delay(order.pk, mail)  # KEL101
        charge_card()
    happened("committed")


def place_order_and_thank(mail, charge_card):
    with transaction.atomic():
        Order.objects.create(total=40)
        thank.delay(mail)  # KEL101
        charge_card()
    happened("committed")
""",
}


class DoesNotExist(Proof[CeleryStage]):
    """The worker is quicker than the commit."""

    code = "KEL101"
    claim = "the task looks for the row before the commit and ends with `DoesNotExist`"
    stage = CeleryStage
    project = PROJECT
    database: Literal["SQLite", "PostgreSQL"] = "SQLite"

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.set_up_django(self.database)
        stage.start_worker()
        # The rest of the request takes as long as the worker needs, and on the good face a moment in which nothing may come.
        moment = PATIENCE if stage.face == "bad" else 0.5
        place_order = stage.load("shop.orders").place_order
        place_order("ann@example.com", lambda: stage.watch(bool, moment))
        stage.wait_for("receipt over 40", window=0)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["DoesNotExist", "committed"]

    def is_clean(self, seen: list[str]) -> bool:
        return sorted(seen) == ["committed", "receipt over 40"]  # the worker may be quicker than the line behind the block


class DoesNotExistOnPostgreSQL(DoesNotExist):
    """The same where most people run it."""

    claim = "on PostgreSQL too, the task looks for the row before the commit"
    database = "PostgreSQL"


class RunsAfterRollback(Proof[CeleryStage]):
    """The transaction fails, and the message has gone."""

    code = "KEL101"
    claim = "the transaction is rolled back, and the task runs all the same"
    stage = CeleryStage
    project = PROJECT

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        stage.start_worker()
        orders, models = stage.load("shop.orders"), stage.load("shop.models")

        def card_is_refused() -> None:
            raise PermissionError

        try:
            orders.place_order_and_thank("ann@example.com", card_is_refused)
        except PermissionError:
            stage.happened("rolled back,", models.Order.objects.count(), "orders")
        # A second order, of somebody else: when its task has run, that of the first would have run before.
        orders.place_order_and_thank("bob@example.com", lambda: None)
        stage.wait_for("thanked bob@example.com")

    def is_harm(self, seen: list[str]) -> bool:
        return {"rolled back, 0 orders", "thanked ann@example.com"} <= set(seen)

    def is_clean(self, seen: list[str]) -> bool:
        return sorted(seen) == ["committed", "rolled back, 0 orders", "thanked bob@example.com"]
