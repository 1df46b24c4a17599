"""KEL505: the sandbox refuses the environment; behind a module that is passed through, it differs on another worker."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay, hangs


class IsRefusedByTheSandbox(TemporalProof):
    """What the sandbox knows."""

    code = "KEL505"
    claim = "the sandbox refuses the call, and the workflow task fails for ever"
    scenarios = (Scenario("Export"),)
    harm = hangs("RestrictedWorkflowAccessError")
    unshown = {"sys.argv": "the sandbox lets it through, and both workers of the judge are started in the same way"}
    rewritten = {
        'if os.getenv("DRY_RUN"):  # KEL505': "if False:",
        'os.environ["BUCKET"]  # KEL505': '"bucket"',
        'environ.get("REGION", "eu")  # KEL505': '"eu"',
        "os.getpid()  # KEL505": "7",
        '{sys.argv[0]}"  # KEL505': 'export"',
    }


class DiffersOnAnotherWorker(TemporalProof):
    """What it does not see."""

    code = "KEL505"
    claim = "in a module that is passed through, the value is another on a worker with another environment"
    example = 2
    scenarios = (Scenario("Export", elsewhere={"DRY_RUN": "1"}),)
    harm = differs_on_replay("no error was raised")
    rewritten = {
        "async def run(self) -> str": "async def run(self, dry: bool = False) -> str",
        'is_dry_run() else "wet"  # KEL505': 'dry else "wet"',
    }
