"""KEL510: what earlier runs have left behind in the process is there when a run is replayed."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay

CLAIM = "a second replay in the same process finds what the first has left, and gives another result"


class InAModuleThatIsPassedThrough(TemporalProof):
    """All runs of the process share it."""

    code = "KEL510"
    claim = f"in a module that is passed through, {CLAIM}"
    scenarios = (Scenario("Steps", ("pack",)),)
    harm = differs_on_replay()
    unshown = {"remember(name)": "nothing in the example depends on it"}
    rewritten = {"remember(name)  # KEL510": "workflow.logger.info(name)", "count_step(name)  # KEL510": "1"}


class WithoutTheSandbox(TemporalProof):
    """Even the workflow's own module is shared."""

    code = "KEL510"
    claim = f"without the sandbox, {CLAIM}"
    example = 2
    scenarios = (Scenario("Sum", (3,)),)
    harm = differs_on_replay()
    rewritten = {"global total\n        total += number  # KEL510": "total = number"}
