"""KEL503: the sandbox refuses `time.sleep`, and the deadlock detector stops what the sandbox does not see."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class IsRefusedByTheSandbox(TemporalProof):
    """In the workflow's own file."""

    code = "KEL503"
    claim = "the sandbox refuses the call, and the workflow task fails for ever"
    scenarios = (Scenario("Reminder", (1,)),)
    harm = hangs("RestrictedWorkflowAccessError")
    on_server = False  # the repaired workflow waits for a day
    rewritten = {"time.sleep(1)  # KEL503": "workflow.logger.info('a pause')"}


class TripsTheDeadlockDetector(TemporalProof):
    """In a module that is passed through."""

    code = "KEL503"
    claim = "in a module that is passed through the sandbox it stops the thread, until the deadlock detector fails the task"
    example = 2
    scenarios = (Scenario("Retry", tries=1),)
    harm = hangs("[TMPRL1101] Potential deadlock detected")
    rewritten = {"wait_a_little()  # KEL503": "await workflow.sleep(5)"}
    on_server = False  # five seconds of sleep, and the same detector
