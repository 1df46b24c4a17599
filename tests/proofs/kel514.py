"""KEL514: what a workflow's module imports, the sandbox imports."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import refused


class TheWorkerDoesNotStart(TemporalProof):
    """The module of activities brings a client of the web along."""

    code = "KEL514"
    claim = "the worker does not start: the sandbox refuses what a library does while it is imported"
    scenarios = (Scenario("Order", ("order-1",), acts={"charge": Act()}),)
    harm = refused("Failed validating workflow", "Cannot access")
    needs = ("requests",)
