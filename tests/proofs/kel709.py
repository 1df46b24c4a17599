"""KEL709: a handler may run before the first line of the run."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class ASignalComesFirst(TemporalProof):
    """A signal with the start."""

    code = "KEL709"
    claim = "a signal that comes with the start finds no attribute, and the workflow task fails for ever"
    scenarios = (Scenario("Basket", ("ann",), sent=tuple(Sent(-1, "signal", "add", (item,)) for item in "abcd")),)
    harm = hangs("AttributeError", "items")
    on_server = False  # the judge's client starts first, and signals then
