"""KEL624: the client belongs to the worker's event loop."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import waits_for


class EachAttemptFails(WorkerProof):
    """The workflow is reminded by its own activity."""

    code = "KEL624"
    claim = "`RuntimeError: No client available` fails each attempt, and Temporal goes on trying"
    scenarios = (Scenario("Order", seconds=3.0),)
    harm = waits_for("RuntimeError", "No client available")
    beside = {
        "orders.py": """\
from datetime import timedelta

from temporalio import workflow

TEN = timedelta(seconds=10)


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_reminded = False

    @workflow.signal
    def remind(self) -> None:
        self.is_reminded = True

    @workflow.run
    async def run(self) -> None:
        here = workflow.info().workflow_id
        await workflow.execute_activity("remind", here, start_to_close_timeout=TEN)
        await workflow.wait_condition(lambda: self.is_reminded)
        await workflow.execute_activity("stop", here, start_to_close_timeout=TEN)
"""
    }
