"""KEL614: nobody counts the arguments before the activity runs."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import warns


class EachAttemptFails(TemporalProof):
    """Functions and methods."""

    code = "KEL614"
    claim = "the worker raises `TypeError` at each attempt, and Temporal goes on trying"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = warns("was tried 60 times")
    rewritten = {
        "ship, order_id, start_to_close_timeout=MINUTE)  # KEL614": (
            'ship, args=[order_id, "Leipzig"], start_to_close_timeout=MINUTE)'
        ),
        '[order_id, "Leipzig"], start_to_close_timeout=MINUTE)  # KEL614': (
            'args=[order_id, "Leipzig"], start_to_close_timeout=MINUTE)'
        ),
        "args=[order_id, 2], start_to_close_timeout=MINUTE)  # KEL614": "args=[order_id], start_to_close_timeout=MINUTE)",
    }
    on_server = False  # sixty attempts take hours of its clock


class EachAttemptFailsByName(TemporalProof):
    """An activity that is called by its name."""

    code = "KEL614"
    claim = "called by its name, the worker raises `TypeError` at each attempt too"
    example = 2
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = warns("was tried 60 times")
    rewritten = {
        '"ship-order", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL614': (
            '"ship-order", args=[order_id, "Leipzig"], start_to_close_timeout=timedelta(minutes=1))'
        )
    }
    on_server = False
