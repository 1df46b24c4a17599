"""KEL625: the steps of a workflow are no transaction."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import fails, healthy, runs

CHARGE = '"charge_customer", order_id, start_to_close_timeout=minute)'
RESERVE = 'await workflow.execute_activity("reserve_stock", order_id, start_to_close_timeout=minute)'
REFUND = 'await workflow.execute_activity("refund_customer", order_id, start_to_close_timeout=minute)'


class TheMoneyStays(TemporalProof):
    """The step behind the charge fails for good."""

    code = "KEL625"
    claim = "the next step fails for good, the run fails, and the customer has paid"
    scenarios = (
        Scenario("Order", ("order-1",), acts={"reserve_stock": Act(failures=-1, error="NoStock", final=True)}, ends="failed"),
    )
    harm = fails("reserve_stock does not work") & runs("charge_customer", times=1) & runs("refund_customer", times=0)
    clean = healthy("failed") & runs("charge_customer", times=1) & runs("refund_customer", times=1)
    rewritten = {
        f"{CHARGE}  # KEL625\n        {RESERVE}\n": (
            f"{CHARGE}\n"
            f"        try:\n            {RESERVE}\n"
            f"        except Exception:\n            {REFUND}\n            raise\n"
        )
    }
