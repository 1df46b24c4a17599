"""KEL618: the default converter writes JSON."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import hangs, waits_for

REPAIR = {
    "OPENING = date(2026, 12, 1)\n\n\n@activity.defn\nasync def is_open(day: date) -> bool:  # KEL618": (
        'OPENING = "2026-12-01"\n\n\n@activity.defn\nasync def is_open(day: str) -> bool:'
    ),
    'price(order_id: str) -> Decimal:  # KEL618\n    return Decimal("1.50")': 'price(order_id: str) -> str:\n    return "1.50"',
}


class TheTaskFails(WorkerProof):
    """What a workflow sends."""

    code = "KEL618"
    claim = "the workflow that sends the parameter gets `TypeError`, and its task fails for ever"
    lines = ("def is_open",)
    scenarios = (Scenario("Order", ("order-1",), seconds=4.0),)
    harm = hangs("TypeError: Object of type date is not JSON serializable")
    rewritten = REPAIR


class EachAttemptFails(WorkerProof):
    """What an activity returns."""

    code = "KEL618"
    claim = "the result of an activity fails each attempt with `TypeError` when its work is done, and Temporal goes on trying"
    lines = ("def price",)
    scenarios = (Scenario("Order", ("order-1",), seconds=3.0),)
    harm = waits_for("price", "TypeError", "Decimal is not JSON serializable")
    rewritten = REPAIR
