"""What a forked process can play. Each takes the project's folder and a scenario, and returns plain data."""

from __future__ import annotations

from pathlib import Path

# The bulk of what a case needs is imported here, once, before any fork.
import temporalio.testing
import temporalio.worker.workflow_sandbox  # noqa: F401

from tests.proofs.temporal import live, recorder
from tests.proofs.temporal.observation import Observation, Scenario
from tests.proofs.temporal.stage import Stage
from tests.proofs.temporal.tap import Notes


async def record(folder: Path, scenario: Scenario) -> Observation:
    """Grow the history of one run."""
    notes = Notes()
    notes.install()
    try:
        stage = Stage(folder, scenario)
    except Exception as error:  # a decorator of the SDK may refuse the code, and so may Python
        return Observation("refused", f"{type(error).__name__}: {error}", warnings=notes.lines)
    recording = recorder.Recorder(stage, notes)
    try:
        seen = await recording.record()
    except recorder.UnplayedError as error:
        return Observation("unplayed", str(error))
    except RuntimeError as error:
        if "Failed validating workflow" not in str(error):
            raise
        return Observation("refused", f"{error} <- {error.__cause__}", warnings=notes.lines)
    seen.warnings, seen.calls = notes.lines, dict(stage.calls)
    return seen


async def replay(folder: Path, scenario: Scenario, history: str) -> list[tuple[list[str], str]]:
    """Replay a closed history, and once more in the same process, as a worker does that has thrown the run out of its cache."""
    notes = Notes()
    notes.install()
    stage = Stage(folder, scenario)
    return [await recorder.replay(stage, notes, history) for _ in range(2)]


async def serve(folder: Path, scenario: Scenario, address: str) -> Observation:
    """One run with the real client and worker, against a server."""
    notes = Notes()
    notes.install()
    try:
        stage = Stage(folder, scenario)
    except Exception as error:  # a decorator of the SDK may refuse the code, and so may Python
        return Observation("refused", f"{type(error).__name__}: {error}", warnings=notes.lines)
    seen = await live.Live(stage, notes, address).play()
    seen.warnings, seen.calls = notes.lines, dict(stage.calls)
    return seen
