"""KEL717: an update may not continue as new."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import answers, goes_on, hangs

REPAIR = {
    "        workflow.continue_as_new([])  # KEL717": "        self.items = []",
    "        self.begin_again()  # KEL717\n\n"
    "    def begin_again(self) -> None:\n"
    "        workflow.continue_as_new(self.items)\n": "",
}


class OneUpdateStopsTheWorkflow(WorkerProof):
    """Directly."""

    code = "KEL717"
    claim = "the SDK raises `RuntimeError`, and the workflow task fails for ever: one update has stopped the workflow"
    lines = ("workflow.continue_as_new([])",)
    scenarios = (Scenario("Basket", ([],), sent=(Sent(0.1, "update", "reset"),), ends="too_long", seconds=2.0),)
    harm = hangs("RuntimeError: Cannot continue as new from an update handler")
    clean = goes_on() & answers("reset: None")
    rewritten = REPAIR


class OneUpdateStopsTheWorkflowThroughAHelper(WorkerProof):
    """A call away."""

    code = "KEL717"
    claim = "through a method that the update calls, it stops the workflow too"
    lines = ("self.begin_again",)
    scenarios = (Scenario("Basket", ([],), sent=(Sent(0.1, "update", "add", ("lamp",)),), ends="too_long", seconds=2.0),)
    harm = hangs("RuntimeError: Cannot continue as new from an update handler")
    clean = goes_on() & answers("add: None")
    rewritten = REPAIR
