"""KEL627: Temporal's loggers are those of the standard library."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import (
    hangs,
)


class TheTaskFails(TemporalProof):
    """Where the level is switched on."""

    code = "KEL627"
    claim = "`Logger._log()` raises `TypeError`, and the workflow task fails for ever"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = hangs("TypeError: Logger._log() got an unexpected keyword argument")
    unshown = {"activity.logger": "the workflow of the example does not call it"}
