"""KEL612: the SDK takes one positional argument."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class TheTaskFails(TemporalProof):
    """In a workflow."""

    code = "KEL612"
    claim = "Python raises `TypeError`, and the workflow task fails for ever"
    scenarios = (Scenario("Order", ("order-1", 40), ends="continued_as_new"),)
    harm = hangs("TypeError", "positional arguments but")
    unshown = {"client.start_workflow": "it is not in a workflow: the caller gets the same error at once"}
    on_server = False  # nobody works for the child
