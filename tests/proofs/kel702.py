"""KEL702: a plain exception ends no run."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class TheRunHangs(TemporalProof):
    """In the run, and in a helper of it."""

    code = "KEL702"
    claim = "the workflow task fails for ever, and the run looks Running; with `ApplicationError` the run fails"
    lines = ("amount is",)
    scenarios = (Scenario("Order", (-1,), ends="failed"),)
    harm = hangs("ValueError: amount is -1")


class TheRunHangsInAHelper(TemporalProof):
    """The same, a call away."""

    code = "KEL702"
    claim = "raised by a method that the run calls, it makes the run hang too"
    lines = ("raise NoStock",)
    scenarios = (Scenario("Order", (11,), ends="failed"),)
    harm = hangs("NoStock")
