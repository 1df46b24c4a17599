"""KEL807: the server knows nothing of a transaction."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import fails, healthy


class LooksBeforeTheCommit(WorkerProof):
    """Django on SQLite. What is left of the request takes up to three seconds."""

    code = "KEL807"
    claim = "the workflow's activity looks for the row before the commit, and fails with `DoesNotExist`"
    scenarios = (Scenario("OrderWorkflow", ("order-1",), start="visit", queue="orders", seconds=15.0),)
    harm = fails("DoesNotExist") | fails("does not exist")
    clean = healthy()
    needs = ("django",)
    beside = {
        "shop/__init__.py": "",
        "shop/models.py": """\
from pathlib import Path

import django
from django.conf import settings

if not settings.configured:
    here = Path(__file__).with_name("orders.sqlite3")
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(here)}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()

from django.db import models


class Order(models.Model):
    total = models.IntegerField()

    class Meta:
        app_label = "shop"
""",
        "shop/temporal.py": """\
from types import SimpleNamespace

client = SimpleNamespace()
""",
        "shop/workflows.py": """\
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order_id: int) -> int:
        once = RetryPolicy(maximum_attempts=1)
        return await workflow.execute_activity(
            "read_total", order_id, start_to_close_timeout=timedelta(seconds=10), retry_policy=once
        )
""",
        "shop/activities.py": """\
from threading import Event

from temporalio import activity

from shop.models import Order

LOOKED = Event()


@activity.defn
def read_total(order_id: int) -> int:
    try:
        return Order.objects.get(pk=order_id).total
    finally:
        LOOKED.set()
""",
        "shop/visit.py": """\
import asyncio
from types import SimpleNamespace

from django.db import connection, transaction
from example import place_order
from temporalio.client import Client

from shop import temporal
from shop.activities import LOOKED
from shop.models import Order


def order() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    with transaction.atomic():
        place_order(SimpleNamespace(total=40))
        LOOKED.wait(3)


async def visit(client: Client, _: str) -> None:
    temporal.client.start_workflow = client.start_workflow
    await asyncio.to_thread(order)
""",
    }
