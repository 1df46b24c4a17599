"""KEL601: an activity without a timeout is never scheduled, and the run hangs."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class IsNeverScheduled(TemporalProof):
    """Each of the calls, local ones too."""

    code = "KEL601"
    claim = "the SDK raises `ValueError` when the workflow makes the call, and the workflow task fails for ever"
    scenarios = (Scenario("Order", ("o-1",)),)
    harm = hangs("ValueError", "Activity must have start_to_close_timeout or schedule_to_close_timeout")
