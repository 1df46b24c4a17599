"""KEL613: the SDK takes one argument or a list of them."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class TheTaskFails(TemporalProof):
    """In a workflow."""

    code = "KEL613"
    claim = "the SDK raises `ValueError`, and the workflow task fails for ever"
    scenarios = (Scenario("Order", ("order-1", 40), ends="continued_as_new"),)
    harm = hangs("ValueError: Cannot have arg and args")
    rewritten = {
        "order_id, args=[amount], start_to_close_timeout=limit)  # KEL613": (
            "args=[order_id, amount], start_to_close_timeout=limit)"
        ),
        "arg=order_id, args=(order_id, amount), start_to_close_timeout=limit)  # KEL613": (
            "args=(order_id, amount), start_to_close_timeout=limit)"
        ),
        "continue_as_new(order_id, args=[order_id, amount])  # KEL613": "continue_as_new(args=[order_id, amount])",
    }
