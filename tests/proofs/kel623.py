"""KEL623: a cancellation is an exception as well."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import ends

CANCELS = """\
import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError


@workflow.defn
class Cancels:
    @workflow.run
    async def run(self) -> str:
        exporting = workflow.start_activity(
            "export",
            [str(row) for row in range(30)],
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.sleep(0.5)
        exporting.cancel()
        try:
            await exporting
        except ActivityError as error:
            return type(error.cause).__name__
        return "ran to its end"
"""


class TheThreadGoesOn(WorkerProof):
    """In a thread of the worker, where the cancellation is an `Exception`."""

    code = "KEL623"
    claim = "a `def` activity is cancelled, takes that for a bad row, and runs to its end"
    scenarios = (Scenario("Cancels", seconds=15.0),)
    harm = ends("completed", "ran to its end")
    clean = ends("completed", "CancelledError")
    rewritten = {"time.sleep(1)": "time.sleep(0.1)"}
    beside = {"cancels.py": CANCELS}


class TheTaskGoesOn(TheThreadGoesOn):
    """In the event loop, where it is a `BaseException`."""

    claim = "an `async def` activity that catches everything runs to its end as well"
    example = 2
    rewritten = {"asyncio.sleep(1)": "asyncio.sleep(0.1)"}
