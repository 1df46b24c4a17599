"""KEL723: the SDK refuses a class of the wrong shape when its module is imported."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import refused


class IsRefused(TemporalProof):
    """Each mistake for itself."""

    code = "KEL723"
    claim = "the decorators raise `ValueError` when the module is imported"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = refused("ValueError")
    rewritten = {
        "class Forgotten:  # KEL723\n": "class Forgotten:\n    @workflow.run\n",
        "    def run(self) -> None: ...  # KEL723": "    async def run(self, order_id: str) -> None: ...",
        "    def cancel(self) -> None: ...  # KEL723": "    def cancel_all(self) -> None: ...",
        "    async def check(self, item: str) -> None: ...  # KEL723": "    def check(self, item: str) -> None: ...",
    }
    unshown = {"def __init__": "what is wrong with it is that `run` takes no argument, which is the line after it"}
