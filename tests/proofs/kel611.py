"""KEL611: what is not awaited never begins, or is forgotten."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import healthy, runs, sends, warns


class NeverBegins(TemporalProof):
    """Activities, timers, helpers, signals."""

    code = "KEL611"
    claim = "the coroutine never begins: nothing is scheduled, and the workflow completes as if it had been"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = warns("was never awaited")
    clean = healthy() & runs("charge", times=1) & runs("ship", times=1) & sends("start_timer 10000 ms")
    unshown = {"workflow.start_activity": "that one does begin: see the other claim"}
    on_server = False  # no server knows the other workflow


class IsForgotten(TemporalProof):
    """A handle that is dropped."""

    code = "KEL611"
    claim = "an activity that is started and not awaited has not run when the workflow is over, and its error is lost"
    lines = ("workflow.start_activity",)
    scenarios = (Scenario("Order", ("order-1",), acts={"mail": Act(seconds=100)}),)
    harm = runs("mail", times=0)
    clean = healthy() & runs("mail", times=1)
    on_server = False
