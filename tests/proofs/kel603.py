"""KEL603: an attempt that is lost after the payment is followed by another."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import healthy, prints, runs


class ChargedForEachAttempt(WorkerProof):
    """The service takes the money at once, and its first answer comes too late."""

    code = "KEL603"
    claim = "the answer comes after `start_to_close_timeout`, the next attempt charges again, and the run completes"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = prints("charged 40 eur", more_than=1)
    clean = healthy() & prints("charged 40 eur", more_than=0) & runs("charge", times=2) & ~harm
    beside = {
        "orders.py": """\
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            "charge",
            args=[order_id, 40],
            start_to_close_timeout=timedelta(seconds=2),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
        )
"""
    }
