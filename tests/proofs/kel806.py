"""KEL806: a method that is taken from its class has no self."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    waits_for,
)


class EachAttemptFails(WorkerProof):
    """The worker starts all the same."""

    code = "KEL806"
    claim = "the worker raises `TypeError` at each attempt, and Temporal goes on trying"
    beside = {
        "orders.py": """\
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("ship", order_id, start_to_close_timeout=timedelta(seconds=5))
"""
    }
    scenarios = (Scenario("Order", ("order-1",), program="worker", queue="orders", seconds=2.0),)
    harm = waits_for("ship", "TypeError", "missing 1 required positional argument")
