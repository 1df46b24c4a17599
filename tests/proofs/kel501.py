"""KEL501: the sandbox refuses most clocks; those that it lets through differ on replay."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay, hangs


class IsRefusedByTheSandbox(TemporalProof):
    """What the sandbox knows."""

    code = "KEL501"
    claim = "the sandbox refuses the call, and the workflow task fails for ever"
    scenarios = (Scenario("Invoice", (0.0,)),)
    harm = hangs("RestrictedWorkflowAccessError")
    unshown = {"strftime": "the sandbox lets it through, and a day would have to pass before the replay"}


class DiffersOnReplay(TemporalProof):
    """What it does not."""

    code = "KEL501"
    claim = "the sandbox lets it through, and the value differs on replay, of which core says nothing"
    example = 2
    scenarios = (Scenario("Letter", later=1.1),)
    harm = differs_on_replay("no error was raised")
    unshown = {"gmtime": "a year would have to pass before the replay"}
