"""KEL616: a dotted name matches no error."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import (
    healthy,
    runs,
    warns,
)


class ItIsTriedAgain(TemporalProof):
    """The retries have no other end."""

    code = "KEL616"
    claim = "the error that was to end the attempts is tried again and again"
    scenarios = (Scenario("Order", ("order-1",), ends="failed"),)
    harm = warns("charge was tried 60 times")
    clean = healthy("failed") & runs("charge", times=1)
    on_server = False  # sixty attempts take hours of its clock
