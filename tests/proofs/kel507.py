"""KEL507: a set is gone through in another order by another worker."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay

NAMES = ["ann", "bob", "cara", "dan", "eve", "fay", "gil", "hal"]


class AnotherOrder(TemporalProof):
    """Two workers, two hash seeds."""

    code = "KEL507"
    claim = "on a worker with another hash seed the commands come in another order than the history has them"
    scenarios = (Scenario("Notify", (NAMES, ["bob"])),)
    harm = differs_on_replay()
