"""KEL805: a worker takes one activity of a name."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    refused,
)


class TheWorkerDoesNotStart(WorkerProof):
    """Two functions of one name, from two modules."""

    code = "KEL805"
    claim = "the worker does not start: `ValueError`"
    scenarios = (Scenario(program="worker"),)
    harm = refused("ValueError: More than one activity named send")
    rewritten = {"activities=[*ACTIVITIES, parcels.send])  # KEL805": "activities=[*ACTIVITIES])"}
