"""KEL804: nobody takes work from a queue that nobody polls."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    never_begins,
)


class NobodyTakesIt(WorkerProof):
    """A queue whose name is misspelt."""

    code = "KEL804"
    claim = "nobody takes the workflow's first task, and nobody says so"
    scenarios = (Scenario(program="worker", start="order", args=("order-1",), seconds=2.0),)
    harm = never_begins()
    rewritten = {'task_queue="order")  # KEL804': 'task_queue="orders")'}
