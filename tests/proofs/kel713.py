"""KEL713: a validator does not run on replay."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import differs_on_replay


class ItIsGoneOnReplay(WorkerProof):
    """Each item counts twice, until the workflow is rebuilt."""

    code = "KEL713"
    claim = "the run ends by what validators have changed, and a replay, which does not run them, fails"
    scenarios = (Scenario("Order", sent=tuple(Sent(0.1, "update", "add", (item,)) for item in "abcd")),)
    harm = differs_on_replay()
    unshown = {"self.rejected": "nothing in the example depends on it"}
    rewritten = {
        "self.rejected += 1  # KEL713": "workflow.logger.info('refused')",
        "self.items.append(item)  # KEL713": "workflow.logger.info(item)",
    }
