"""KEL712: queries and validators may give no command."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import answers, goes_on, hangs

REPAIR = {
    "str(workflow.uuid4())  # KEL712": '"7"',
    'workflow.start_activity("check", start_to_close_timeout=timedelta(minutes=1))  # KEL712': "workflow.logger.info('asked')",
    "self.is_new()  # KEL712": "True",
    'workflow.upsert_memo({"checked": item})  # KEL712': "workflow.logger.info(item)",
}


class TheCallerGetsAnError(WorkerProof):
    """Drawing a number."""

    code = "KEL712"
    claim = "the query answers its caller with `ReadOnlyContextError`"
    lines = ("workflow.uuid4",)
    scenarios = (Scenario("Order", sent=(Sent(0.1, "query", "ticket"),), ends="too_long", seconds=1.0),)
    harm = answers("ticket", "read-only")
    clean = goes_on() & answers("ticket: '7'")
    rewritten = REPAIR


class TheCallerGetsAnErrorToo(WorkerProof):
    """Starting an activity, and a patch in a helper."""

    code = "KEL712"
    claim = "a query that starts an activity, or asks for a patch, answers its caller with `ReadOnlyContextError`"
    lines = ("start_activity", "self.is_new")
    scenarios = (Scenario("Order", sent=(Sent(0.1, "query", "shipped"),), ends="too_long", seconds=1.0),)
    harm = answers("shipped", "read-only")
    clean = goes_on() & answers("shipped: True")
    rewritten = REPAIR


class OneUpdateStopsTheWorkflow(WorkerProof):
    """In a validator."""

    code = "KEL712"
    claim = "in a validator it makes the workflow task fail for ever: one update has stopped the workflow"
    lines = ("upsert_memo",)
    scenarios = (Scenario("Order", sent=(Sent(0.1, "update", "change", ("lamp",)),)),)
    harm = hangs("read-only")
    rewritten = REPAIR
