"""KEL803: a worker does what is in its lists, and nothing else."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    hangs,
    waits_for,
)

REPAIR = {
    "(ship, order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL803": (
        "(charge, order_id, start_to_close_timeout=timedelta(minutes=1))"
    ),
    '"chargr", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL803': (
        '"charge", order_id, start_to_close_timeout=timedelta(minutes=1))'
    ),
}


class TheActivityIsNotThere(WorkerProof):
    """One that is not listed, and a name that is misspelt."""

    code = "KEL803"
    claim = "the worker answers `NotFoundError` at each attempt, and Temporal goes on trying"
    scenarios = (Scenario("Order", ("order-1",), program="main", queue="orders", seconds=2.0),)
    harm = waits_for("NotFoundError", "is not registered on this worker")
    rewritten = REPAIR


class TheWorkflowIsNotThere(WorkerProof):
    """Started on the queue of other workers."""

    code = "KEL803"
    claim = "the first workflow task fails for ever: the class is not registered on this worker"
    example = 2
    scenarios = (Scenario(program="workers", start="refund", args=("order-1",), seconds=3.0),)
    harm = hangs("is not registered on this worker")
    rewritten = {'task_queue="orders")  # KEL803': 'task_queue="refunds")'}
