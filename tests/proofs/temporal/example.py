"""A workflow that uses most of what the judges keep a history of; its tests compare what they make of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

SECOND = timedelta(seconds=1)


@activity.defn
async def listens() -> str:
    for beat in range(30):
        activity.heartbeat(beat)
        await asyncio.sleep(0.1)
    return "ran to its end"


@activity.defn
async def is_deaf() -> str:
    await asyncio.sleep(1)
    return "ran to its end"


@workflow.defn
class Everything:
    def __init__(self) -> None:
        self.total = 0

    @workflow.signal
    def add(self, amount: int) -> None:
        self.total += amount

    @workflow.run
    async def run(self) -> int:
        soon = RetryPolicy(initial_interval=timedelta(milliseconds=50))
        await workflow.execute_activity("flaky", 7, start_to_close_timeout=SECOND, retry_policy=soon)
        await workflow.execute_local_activity("quick", start_to_close_timeout=SECOND)
        workflow.patched("fees")
        await asyncio.sleep(0.2)
        try:
            await workflow.execute_activity(
                "hopeless", start_to_close_timeout=SECOND, retry_policy=RetryPolicy(maximum_attempts=1)
            )
        except ActivityError:
            self.total += 1
        await workflow.wait_condition(lambda: self.total >= 3)
        return self.total


@workflow.defn
class Cancels:
    @workflow.run
    async def run(self, name: str) -> str:
        handle = workflow.start_activity(
            name,
            start_to_close_timeout=10 * SECOND,
            heartbeat_timeout=2 * SECOND if name == "listens" else None,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await asyncio.sleep(0.3)
        handle.cancel()
        try:
            result: str = await handle
        except ActivityError as error:
            result = f"ended by {type(error.cause).__name__}"
        return result


@workflow.defn
class Talks:
    def __init__(self) -> None:
        self.total = 0

    @workflow.query
    def read(self) -> int:
        return self.total

    @workflow.update
    async def put(self, amount: int) -> int:
        if amount > 100:
            raise ApplicationError("too much")
        await asyncio.sleep(0.05)
        self.total = amount
        return amount

    @put.validator
    def check(self, amount: int) -> None:
        if amount < 0:
            raise ValueError("negative")

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.total > 0 and workflow.all_handlers_finished())
        return self.total
