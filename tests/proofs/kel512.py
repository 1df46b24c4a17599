"""KEL512: a replay must do what the run did."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof, WorkerProof
from tests.proofs.temporal.signs import (
    differs_on_replay,
)

REPAIR = {
    "workflow.sleep(1 if replaying else 60)": "workflow.sleep(1)",
    "if not workflow.unsafe.is_replaying():  # KEL512": "if order:",
    "if replaying and order:  # KEL512": "if not order:",
}


class TheReplayStrays(TemporalProof):
    """A branch that only the run takes."""

    code = "KEL512"
    claim = "the workflow task that replays the first one fails with a nondeterminism error"
    lines = ("if not workflow",)
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = differs_on_replay("Nondeterminism")
    rewritten = REPAIR


class AnotherWorkerStrays(WorkerProof):
    """A branch that only a replay takes: the first worker keeps the run in its cache."""

    code = "KEL512"
    claim = "a worker that does not have the run in its cache fails with a nondeterminism error"
    lines = ("if replaying and order",)
    scenarios = (Scenario("Order", ("order-1",), cached=True),)
    harm = differs_on_replay("Nondeterminism")
    rewritten = REPAIR
