"""KEL508: asyncio keeps what it waits for in a set, and the sandbox warns of it."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import warns


class TheSandboxWarns(TemporalProof):
    """The warning is certain. The order depends on memory addresses, so that a replay strays now and then only."""

    code = "KEL508"
    claim = "the sandbox warns that the order is not deterministic"
    scenarios = (Scenario("Race", (["a", "b", "c"],)),)
    harm = warns("UserWarning", "asyncio")
