"""KEL615: the SDK looks at a retry policy when it is used."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class TheTaskFails(TemporalProof):
    """Each mistake for itself."""

    code = "KEL615"
    claim = "the SDK refuses the policy when the workflow uses it, and the workflow task fails for ever"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = hangs("ValueError: Backoff coefficient") | hangs("TypeError") | hangs("AttributeError")
    unshown = {"SLOW": "nothing in the example uses it"}
    rewritten = {
        "initial_interval=timedelta(minutes=5), maximum_interval=timedelta(minutes=1))  # KEL615": (
            "initial_interval=timedelta(minutes=1), maximum_interval=timedelta(minutes=5))"
        ),
        "backoff_coefficient=0.5,  # KEL615": "backoff_coefficient=1.5,",
        "maximum_interval=30,  # KEL615": "maximum_interval=timedelta(seconds=30),",
    }
