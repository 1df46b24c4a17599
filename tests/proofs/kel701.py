"""KEL701: a loop without an end fills the history."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import (
    goes_on,
)


class TheHistoryGrows(TemporalProof):
    """The server's limit itself is not reached here: forty tasks are enough to see that nothing ends."""

    code = "KEL701"
    claim = "after 40 workflow tasks the history has more than 200 events, and goes on growing"
    scenarios = (Scenario("Watch", ("order-1",), ends="continued_as_new"),)
    harm = goes_on()
    rewritten = {
        "while True:  # KEL701\n"
        '            await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))\n'
        "            await workflow.sleep(60)": (
            "for _ in range(10):\n"
            '            await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))\n'
            "            await workflow.sleep(60)\n"
            "        workflow.continue_as_new(order_id)"
        ),
    }
    on_server = False  # each round takes a minute of its clock
