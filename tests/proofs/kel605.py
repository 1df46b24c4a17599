"""KEL605: heartbeats are compared with a limit, and without one with nothing."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import ends, goes_on


class NobodyNoticesTheSilence(WorkerProof):
    """The first attempt falls silent: that is all that a server sees of a worker that has died."""

    code = "KEL605"
    claim = "an attempt that sends no more heartbeats is not noticed, and the run waits; with a limit the next one completes it"
    scenarios = (Scenario("Export", (3,), seconds=6.0),)
    harm = goes_on()
    clean = ends("completed")
    rewritten = {
        "        activity.heartbeat(page)\n": (
            "        activity.heartbeat(page)\n"
            "        if activity.info().attempt == 1:\n"
            "            import asyncio\n\n"
            "            await asyncio.sleep(3600)\n"
        )
    }
    shortened = {"heartbeat_timeout=timedelta(minutes=1)": "heartbeat_timeout=timedelta(seconds=0.5)"}
