"""KEL711: a query cannot wait for anything."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import answers, goes_on, quiet, warns

REPAIR = {
    "    async def status_later(self) -> str:  # KEL711\n        await workflow.sleep(1)\n": (
        "    def status_later(self) -> str:\n"
    ),
}


class TheSdkWarns(WorkerProof):
    """At the decorator."""

    code = "KEL711"
    claim = "the SDK warns that queries as `async def` are deprecated"
    lines = ("def status(self)",)
    scenarios = (Scenario("Order", sent=(Sent(0.1, "query", "status"),), ends="too_long", seconds=1.0),)
    harm = warns("DeprecationWarning", "async")
    clean = goes_on() & quiet() & answers("status: 'new'")
    rewritten = REPAIR


class TheCallerGetsAnError(WorkerProof):
    """At the call."""

    code = "KEL711"
    claim = "a query that awaits a timer answers its caller with `ReadOnlyContextError`"
    lines = ("def status_later",)
    scenarios = (Scenario("Order", sent=(Sent(0.1, "query", "later"),), ends="too_long", seconds=1.0),)
    harm = answers("later", "read-only")
    clean = goes_on() & answers("later: 'new'")
    rewritten = REPAIR
