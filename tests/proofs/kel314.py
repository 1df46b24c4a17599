"""KEL314: without the namespace, Celery sees none of the settings."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.proofs.harness import NotHere
from tests.proofs.projects import DJANGO
from tests.proofs.told import ToldAtTheCall

if TYPE_CHECKING:
    from tests.proofs.celery_stage import PublishStage

AMQP = 5672


class GoesToAnotherBroker(ToldAtTheCall):
    """Celery's own choice is RabbitMQ on this machine."""

    code = "KEL314"
    claim = "the call looks for RabbitMQ on this machine, whatever `CELERY_BROKER_URL` says, and raises `OperationalError`"
    raises = "OperationalError"
    files = {
        "manage.py": """\
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
""",
        "shop/models.py": "",
        "shop/celery.py": DJANGO["shop/celery.py"].replace(
            'app.config_from_object("django.conf:settings", namespace="CELERY")',
            'app.config_from_object("django.conf:settings")  # KEL314',
        ),
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
""",
        "shop/orders.py": """\
from shop.tasks import send_receipt


def act():
    send_receipt.delay(7)
""",
    }

    def play(self, stage: PublishStage) -> None:
        with suppress(OSError), socket.create_connection(("localhost", AMQP), timeout=1):
            raise NotHere("something listens on the port of RabbitMQ")
        super().play(stage)
