"""KEL705: a cancellation that comes through an activity looks like a failure."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario, Sent
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import goes_on


class TheRunGoesOn(TemporalProof):
    """In a loop, which goes on."""

    code = "KEL705"
    claim = "the run is cancelled while it waits for an activity, and goes on as if nobody had asked it to stop"
    scenarios = (Scenario("Health", ("order-1",), acts={"check": Act(seconds=5)}, sent=(Sent(2, "cancel"),), ends="cancelled"),)
    harm = goes_on()
    unshown = {"except ActivityError": "the loop before it takes 100 rounds"}
    on_server = False  # the loop sleeps for a minute
