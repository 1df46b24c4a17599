"""A run with the real client and the real worker, against whatever listens at an address."""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import lru_cache
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import (
    Client,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import RawValue
from temporalio.exceptions import CancelledError, FailureError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from tests.proofs.temporal.observation import CLOSED, Observation, Outcome, Run, Sent
from tests.proofs.temporal.stage import Stage, definition_name
from tests.proofs.temporal.tap import Notes, Tap, value_of

connect = Client.connect
MOMENT = 0.05
SILENCE = 1.0
HEARTBEATS = timedelta(milliseconds=100)


@lru_cache
def runtime() -> Runtime:
    """The core of this process, without its own log. It must not be there before a fork."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


class Live:
    """One scenario on a real clock."""

    def __init__(self, stage: Stage, notes: Notes, address: str) -> None:
        self.stage, self.notes, self.address = stage, notes, address
        self.scenario = stage.scenario
        self.tap = Tap(sandbox=self.scenario.sandbox)
        self.seen = Observation("too_long")
        self.id = f"proof-{uuid.uuid4()}"
        self.queue = self.scenario.queue or self.id
        self.began = time.monotonic()
        self.tried_again = 0.0

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    async def play(self) -> Observation:
        """Run the scenario until its run is closed, hopeless, or over its time."""
        client = await connect(self.address, runtime=runtime())
        try:
            workers = await self.workers(client)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            return Observation("refused", f"{type(error).__name__}: {error} <- {error.__cause__}", warnings=self.notes.lines)
        async with AsyncExitStack() as stack:
            for worker in workers:
                await stack.enter_async_context(worker)
            if self.stage.workflow is None and self.stage.start is None:
                self.end("completed")  # the workers have started, and that is all
            else:
                await self.run(client)
        self.seen.commands, self.seen.seconds = self.tap.commands(replaying=False), self.now()
        return self.seen

    async def workers(self, client: Client) -> list[Worker]:
        """The project's own workers, where it has a program, and ours for what is left to do."""
        if self.stage.program is None:
            return [self.worker(client)]
        if inspect.iscoroutinefunction(self.stage.program):
            Client.connect = _connects_to(self.address)  # type: ignore[method-assign]
            task = asyncio.create_task(self.stage.program())
            await asyncio.wait([task], timeout=MOMENT)
            return []
        made = self.stage.program(client)
        return [*(made if isinstance(made, list) else [made]), *([self.driver(client)] if self.stage.workflow else [])]

    def driver(self, client: Client) -> Worker:
        """A worker for the workflow alone: the activities are the project's affair."""
        assert self.stage.workflow is not None
        return Worker(client, task_queue=self.queue, workflows=[self.stage.workflow], workflow_runner=self.tap.runner)

    def worker(self, client: Client) -> Worker:
        """Where it keeps no workflow in its cache, each workflow task is a replay of all before it."""
        assert self.stage.workflow is not None
        return Worker(
            client,
            task_queue=self.queue,
            workflows=[self.stage.workflow],
            activities=[*self.real_activities(), self.stand_in()],
            activity_executor=ThreadPoolExecutor(8),
            workflow_runner=self.tap.runner,
            unsandboxed_workflow_runner=self.tap.unsandboxed,
            workflow_failure_exception_types=[Exception] if self.scenario.failure_types else [],
            interceptors=[_Witness(self)],
            max_cached_workflows=10 if self.scenario.cached else 0,
            max_heartbeat_throttle_interval=HEARTBEATS,
            default_heartbeat_throttle_interval=HEARTBEATS,
        )

    def real_activities(self) -> list[Any]:
        return [function for name, function in self.stage.activities.items() if name not in self.scenario.acts]

    def stand_in(self) -> Any:
        """One activity for every name that nothing else has."""

        @activity.defn(dynamic=True)
        async def stand_in(_: Sequence[RawValue]) -> Any:
            info = activity.info()
            act = self.scenario.acts.get(info.activity_type)
            await asyncio.sleep(act.seconds if act else 0)
            return self.stage.behave(info.activity_type, info.attempt)

        return stand_in

    # -- the client -------------------------------------------------------------------------------------------------------

    async def run(self, client: Client) -> None:
        self.began = time.monotonic()
        started = await self.begin(client)
        handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(started.id, run_id=started.first_execution_run_id)
        clients = asyncio.create_task(self.clients(handle))
        result = asyncio.create_task(self.result(handle))
        while not result.done() and self.now() < self.scenario.seconds and not await self.is_hopeless(handle):
            await asyncio.wait([result], timeout=MOMENT)
        for task in (clients, result):
            await _stopped(task, cancel=task is result or self.seen.outcome not in CLOSED)
        if self.seen.outcome not in CLOSED:
            await self.leave(handle)
        elif self.seen.outcome == "continued_as_new":
            await started.terminate()
        history = await handle.fetch_history()
        self.seen.history, self.seen.events = history.to_json(), len(history.events)
        self.seen.task_failures = [
            _failure(event) for event in history.events if event.HasField("workflow_task_failed_event_attributes")
        ]
        if self.seen.outcome == "task_failed":
            self.seen.detail = f"{self.seen.task_failures[-1]} ({self.seen.detail})"

    async def begin(self, client: Client) -> WorkflowHandle[Any, Any]:
        """Start the run, as the project does where it has a way of its own."""
        if self.stage.start is not None:
            await self.stage.start(client, *self.scenario.args)
            return client.get_workflow_handle(self.scenario.args[0])
        assert self.stage.workflow is not None
        name = definition_name(self.stage.workflow)
        return await client.start_workflow(name, args=list(self.scenario.args), id=self.id, task_queue=self.queue)

    async def is_hopeless(self, handle: WorkflowHandle[Any, Any]) -> bool:
        """Whether a workflow task fails and fails: the server says which try is under way, the code has failed that often.

        The SDK reports a first failure only, and then keeps still until the task times out. Where core itself refuses what the
        code does, nothing else can be seen than that silence.
        """
        attempt = (await handle.describe()).raw_description.pending_workflow_task.attempt
        if attempt < self.scenario.tries:
            self.tried_again = self.now()
            return False
        return len(self.tap.failures()) >= self.scenario.tries or self.now() - self.tried_again > SILENCE

    async def leave(self, handle: WorkflowHandle[Any, Any]) -> None:
        """The run is still open: the server says so. It is terminated."""
        described = await handle.describe()
        assert described.status is not None
        attempt = described.raw_description.pending_workflow_task.attempt
        self.seen.pending = [_pending(one) for one in described.raw_description.pending_activities]
        self.seen.outcome = "task_failed" if attempt >= self.scenario.tries else "too_long"
        self.seen.detail = f"after {self.now():.1f} s, at try {attempt}, the server says {described.status.name}"
        await handle.terminate()

    async def result(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Wait for the end, and note which it was."""
        try:
            self.end("completed", await handle.result(follow_runs=False))
        except WorkflowContinuedAsNewError:
            self.end("continued_as_new")
        except WorkflowFailureError as error:
            cause = error.cause
            told = f"{getattr(cause, 'message', cause)}"
            while isinstance(cause, FailureError) and cause.cause is not None:
                cause = cause.cause
                told += f" <- {getattr(cause, 'message', cause)}"
            self.end("cancelled" if isinstance(error.cause, CancelledError) else "failed", detail=told)

    def end(self, outcome: Outcome, result: Any = None, detail: str = "") -> None:
        self.seen.outcome, self.seen.result, self.seen.detail = outcome, result, detail

    async def clients(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Send what the scenario says, when it says so."""
        for sent in sorted(self.scenario.sent, key=lambda one: one.at):
            await asyncio.sleep(max(0.0, sent.at - self.now()))
            answer = await self.send(handle, sent)
            self.seen.answers += [f"{sent.kind} {sent.name}: {answer}"] if answer else []

    async def send(self, handle: WorkflowHandle[Any, Any], sent: Sent) -> str:
        """Send one message; returns the answer of a query or an update."""
        try:
            if sent.kind == "cancel":
                await handle.cancel()
            elif sent.kind == "signal":
                await handle.signal(sent.name, args=list(sent.args))
            elif sent.kind == "query":
                return repr(await handle.query(sent.name, args=list(sent.args), rpc_timeout=timedelta(seconds=3)))
            else:
                update = handle.execute_update(sent.name, args=list(sent.args))
                return repr(await asyncio.wait_for(update, self.scenario.seconds))
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError, WorkflowUpdateFailedError, RPCError) as error:
            return f"{type(error).__name__}: {error} <- {error.__cause__}"
        except (asyncio.TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return "no answer"
        return ""


async def _stopped(task: asyncio.Task[Any], *, cancel: bool) -> None:
    if cancel and not task.done():
        task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()):
        raise error


class _Witness(Interceptor):
    """Notes every execution of an activity."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _ActivityWitness(next, self.live)


class _ActivityWitness(ActivityInboundInterceptor):
    def __init__(self, next_one: ActivityInboundInterceptor, live: Live) -> None:
        super().__init__(next_one)
        self.live = live

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info, at = activity.info(), self.live.now()
        args = _plain(input.args[0] if _is_stand_in(input) else input.args)
        error = ""
        try:
            return await self.next.execute_activity(input)
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            self.live.seen.runs.append(Run(info.activity_type, args, info.attempt, at, error))


def _pending(activity: Any) -> str:
    name, failure = activity.activity_type.name, activity.last_failure
    return f"{name} at attempt {activity.attempt}: {failure.application_failure_info.type}: {failure.message}"


def _connects_to(address: str) -> Any:
    """In the place of `Client.connect`: the address in the project's code is another's."""

    async def connects(_: str, **options: Any) -> Client:
        return await connect(address, **{**options, "runtime": runtime()})

    return connects


def _failure(event: Any) -> str:
    """How a workflow task failed, as the server has it: type and message."""
    failed = event.workflow_task_failed_event_attributes
    kind = failed.failure.application_failure_info.type or WorkflowTaskFailedCause.Name(failed.cause)
    return f"{kind}: {failed.failure.message}"


def _is_stand_in(call: ExecuteActivityInput) -> bool:
    """Whether an activity gets all its arguments as one list of raw values."""
    return len(call.args) == 1 and isinstance(call.args[0], list) and all(isinstance(one, RawValue) for one in call.args[0])


def _plain(value: Any) -> Any:
    """An argument as plain data."""
    if isinstance(value, RawValue):
        return value_of(value.payload)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)
