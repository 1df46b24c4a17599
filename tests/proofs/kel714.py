"""KEL714: a run that ends cuts its handlers off."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import healthy, runs, warns


class TheHandlerIsCutOff(TemporalProof):
    """The charge is lost."""

    code = "KEL714"
    claim = "the run ends while the signal's handler waits for its activity, which is not recorded: `[TMPRL1102]`"
    scenarios = (Scenario("Order", ("order-1",), sent=(Sent(0.1, "signal", "pay", (40,)),)),)
    harm = warns("TMPRL1102") & runs("charge", times=0)
    clean = healthy() & runs("charge", times=1)
