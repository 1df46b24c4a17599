"""KEL609: nobody can stop a thread that waits for an answer."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import fails, healthy, runs


class TheThreadsAreUsedUp(WorkerProof):
    """The worker has eight threads, and the service takes connections and says nothing."""

    code = "KEL609"
    claim = "each attempt keeps a thread after it has timed out, until other activities time out without having begun"
    scenarios = (Scenario("Order", ("order-1",), seconds=20.0),)
    harm = fails("timed out")
    clean = healthy() & runs("count", times=1)
    shortened = {"timeout=10": "timeout=0.1"}
    needs = ("requests",)
    beside = {
        "orders.py": """\
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

MOMENT = timedelta(milliseconds=400)
EIGHT = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1, maximum_attempts=8)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("fall_silent", start_to_close_timeout=timedelta(seconds=10))
        try:
            await workflow.execute_activity("load", order_id, start_to_close_timeout=MOMENT, retry_policy=EIGHT)
        except ActivityError:
            workflow.logger.info("not loaded")
        once = RetryPolicy(maximum_attempts=1)
        try:
            await workflow.execute_activity("count", start_to_close_timeout=timedelta(seconds=2), retry_policy=once)
        finally:
            await workflow.execute_activity("hang_up", start_to_close_timeout=timedelta(seconds=10))
""",
        "others.py": """\
import os
import socket

from temporalio import activity

LISTENING = []


@activity.defn
def fall_silent() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    LISTENING.append(listening)
    os.environ["HTTPS_PROXY"] = f"http://127.0.0.1:{listening.getsockname()[1]}"


@activity.defn
async def hang_up() -> None:
    # So that the worker can end, for which it waits for its threads.
    LISTENING.pop().close()


@activity.defn
def count() -> int:
    return 1
""",
    }
