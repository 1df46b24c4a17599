"""KEL703: a plain exception in a handler stops the whole workflow."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import TemporalProof, WorkerProof
from tests.proofs.temporal.signs import answers, hangs, healthy

FOUR = tuple(Sent(0.2, "update", "add", (item,)) for item in "abcd")


class AnUpdateStopsIt(WorkerProof):
    """One bad update."""

    code = "KEL703"
    claim = "one bad update makes the workflow task fail for ever; with `ApplicationError` only the update fails"
    lines = ("no item",)
    scenarios = (Scenario("Basket", sent=(Sent(0.1, "update", "add", ("",)), *FOUR)),)
    harm = hangs("ValueError: no item")
    clean = healthy() & answers("update add", "WorkflowUpdateFailedError", "no item")


class ASignalStopsIt(TemporalProof):
    """One bad signal."""

    code = "KEL703"
    claim = "one bad signal makes the workflow task fail for ever"
    lines = ("LookupError",)
    scenarios = (Scenario("Basket", sent=(Sent(0.1, "signal", "remove", ("ghost",)),), ends="failed"),)
    harm = hangs("LookupError")
