"""KEL504: the sandbox refuses files, programs and the network."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class IsRefusedByTheSandbox(TemporalProof):
    """What the sandbox knows."""

    code = "KEL504"
    claim = "the sandbox refuses the call, and the workflow task fails for ever"
    scenarios = (Scenario("Import", ("/etc/hostname",)),)
    harm = hangs("RestrictedWorkflowAccessError")
    rewritten = {
        'subprocess.run(["sync", name])  # KEL504': "workflow.logger.info(name)",
        "with open(name) as file:  # KEL504\n            head = file.readline()": "head = name",
        "Path(name).read_text()  # KEL504": "name",
    }
