"""KEL509: what is made at import is made anew for every replay."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import (
    differs_on_replay,
)


class AnotherValueOnReplay(TemporalProof):
    """In the workflow's own module."""

    code = "KEL509"
    claim = "the module is imported anew for a replay, which finds another value"
    scenarios = (Scenario("Order", ("order-1",), elsewhere={"DRY_RUN": "1"}),)
    harm = differs_on_replay()
    unshown = {"batch = ": "nothing in the example uses it", "def note": "nothing in the example uses it"}
    rewritten = {
        "batch = str(uuid.uuid4())  # KEL509": 'batch = "b"',
        "if not DRY_RUN:  # KEL509": "if order:",
        "return STARTED  # KEL509": "return 1.0",
        "at: float = time.time()) -> None:  # KEL509": "at: float = 0.0) -> None:",
    }


class AnotherValueOnAnotherWorker(TemporalProof):
    """In a module that is passed through."""

    code = "KEL509"
    claim = "in a module that is passed through, another process has another value"
    example = 2
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = differs_on_replay()
    rewritten = {'{INSTANCE}-{order}"  # KEL509': 'order-{order}"'}
