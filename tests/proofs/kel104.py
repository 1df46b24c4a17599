"""KEL104: `on_commit` is given what a dispatch returns, not a callback."""

from __future__ import annotations

from tests.proofs.told import Told


class PublishesAndRaises(Told):
    """The order is rolled back by the error, and its task runs."""

    code = "KEL104"
    claim = "the message is published at once, then `on_commit` raises `TypeError` and the transaction is rolled back"
    harm = ("receipt for an order", "act raised TypeError", "orders: 0")
    clean = ("receipt for an order", "orders: 1")
    files = {
        "shop/models.py": """\
from django.db import models


class Order(models.Model):
    total = models.IntegerField()
""",
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def send_receipt(order_id):
    happened("receipt for an order")
""",
        "shop/orders.py": """\
from django.db import transaction
from world import happened

from shop.models import Order
from shop.tasks import send_receipt


def act():
    try:
        with transaction.atomic():
            order = Order.objects.create(total=40)
            transaction.on_commit(send_receipt.delay(order.pk))  # KEL104
    finally:
        happened("orders:", Order.objects.count())
""",
    }
