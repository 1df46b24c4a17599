"""KEL802: a worker needs an executor for activities that are not async."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    refused,
)


class TheWorkerDoesNotStart(WorkerProof):
    """Functions and methods."""

    code = "KEL802"
    claim = "the worker does not start: `ValueError`"
    scenarios = (Scenario(program="workers"),)
    harm = refused("ValueError", "is not async so an activity_executor must be present")
