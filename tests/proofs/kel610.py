"""KEL610: an activity that is called like a function runs in the workflow."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import calls, healthy, runs, sends_no


class ItRunsInTheWorkflow(TemporalProof):
    """One that is async. Both faces go on after a minute, with a second workflow task."""

    code = "KEL610"
    claim = "nothing is scheduled: the activity runs in the workflow, and again when the next workflow task replays it"
    lines = ("await charge",)
    scenarios = (Scenario("Order", ("order-1",), watch=("charge",)),)
    harm = sends_no("schedule_activity charge") & calls("charge", more_than=1)
    clean = healthy() & runs("charge", times=1) & runs("ship", times=1)
    rewritten = {"        ship(order_id, receipt)": "        await workflow.sleep(60)\n        ship(order_id, receipt)"}
    on_server = False  # the minute


class ItRunsInTheWorkflowToo(TemporalProof):
    """One that is not."""

    code = "KEL610"
    claim = "an activity that is not async runs in the workflow too"
    lines = ("ship(order_id",)
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = sends_no("schedule_activity ship")
    clean = healthy() & runs("charge", times=1) & runs("ship", times=1)
