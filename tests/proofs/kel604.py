"""KEL604: an activity that is waited for by its heartbeats must send some."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import (
    waits_for,
)


class AHealthyAttemptIsTimedOut(WorkerProof):
    """The numbers are smaller than in the example: half a second between heartbeats, work of one and a half."""

    code = "KEL604"
    claim = "an attempt that works is timed out for want of heartbeats and started again, and never comes to an end"
    scenarios = (Scenario("Export", ("order-1",), seconds=4.0),)
    harm = waits_for("export", "timeout")
    rewritten = {
        "timedelta(seconds=30)": "timedelta(seconds=0.5)",
        "async def write(order_id: str) -> None: ...": (
            "async def write(order_id: str) -> None:\n    import asyncio\n\n    await asyncio.sleep(1.5)"
        ),
        "            heartbeat_timeout=timedelta(seconds=0.5),  # KEL604\n": "",
    }
