"""KEL706: whoever catches everything catches cancellation too."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import ends, runs


class TheRunGoesOn(TemporalProof):
    """A bare except."""

    code = "KEL706"
    claim = "the run is cancelled while it sleeps, wakes up, and charges"
    lines = ("except:",)
    scenarios = (Scenario("Order", ("order-1",), sent=(Sent(2, "cancel"),), ends="cancelled"),)
    harm = runs("charge", times=1)


class TheRunDoesNotBeginAnew(TemporalProof):
    """Leaving a run is an exception as well."""

    code = "KEL706"
    claim = "`continue_as_new` is caught, and the run completes instead of beginning anew"
    lines = ("except BaseException",)
    scenarios = (Scenario("Order", ("order-1",), ends="continued_as_new"),)
    harm = ends("completed")
    on_server = False  # it sleeps for an hour
