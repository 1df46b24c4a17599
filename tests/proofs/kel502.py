"""KEL502: the sandbox refuses most sources of random values; those that it lets through differ on replay."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay, hangs


class IsRefusedByTheSandbox(TemporalProof):
    """What the sandbox knows."""

    code = "KEL502"
    claim = "the sandbox refuses the call, and the workflow task fails for ever"
    scenarios = (Scenario("Raffle", (["ann", "bob", "cyd"],)),)
    harm = hangs("RestrictedWorkflowAccessError")


class DiffersOnReplay(TemporalProof):
    """What it does not."""

    code = "KEL502"
    claim = "the sandbox lets it through, and the value differs on replay, of which core says nothing"
    example = 2
    scenarios = (Scenario("Lottery"),)
    harm = differs_on_replay("no error was raised")
    unshown = {"getnode()": "both workers of the judge run on the same machine"}
    rewritten = {
        "generator = Random()  # KEL502": "generator = workflow.random()",
        "SystemRandom()  # KEL502": "workflow.random()",
        "getnode()]  # KEL502": "7]",
    }
