"""A history service without a server: grows a history out of the commands that the workflow itself emits.

Only the bookkeeping is ours: events, a virtual clock, retries by the policy in the command. What judges the workflow is
Temporal's own: the core with its state machines, the sandbox, the event loop, the deadlock detector, the converter. Every
workflow task is played from the first event, as on a worker that has lost its cache, so code that is not deterministic is
caught on the way.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, WorkflowReplayResult

from tests.proofs.temporal.ledger import QUEUE, Ledger
from tests.proofs.temporal.observation import Observation, Run, Scenario, Sent
from tests.proofs.temporal.stage import Stage, definition_name
from tests.proofs.temporal.tap import Notes, Tap, told, value_of

TRIES_UNTIL_ENDLESS = 60
SUGGEST_CONTINUE_AS_NEW = 4096
CORE_FLAGS = [1, 3]  # without them core does not compare the ids and types of activities
ENDINGS = (
    "complete_workflow_execution",
    "fail_workflow_execution",
    "cancel_workflow_execution",
    "continue_as_new_workflow_execution",
)
CONVERTER = DataConverter.default

if TYPE_CHECKING:
    from temporalio.bridge.proto.workflow_commands import WorkflowCommand
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

Action = Callable[[], Any]


class UnplayedError(Exception):
    """The workflow asks for something that this history service does not keep."""


def replayer(stage: Stage, tap: Tap) -> Replayer:
    """A replayer of the stage's workflow to which `tap` listens. Core's own log, noise on standard error, is off."""
    assert stage.workflow is not None
    return Replayer(
        workflows=[stage.workflow],
        workflow_runner=tap.runner,
        unsandboxed_workflow_runner=tap.unsandboxed,
        workflow_failure_exception_types=[Exception] if stage.scenario.failure_types else [],
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )


class Recorder:
    """Records one run of a workflow."""

    def __init__(self, stage: Stage, notes: Notes) -> None:
        self.stage, self.notes = stage, notes
        self.scenario: Scenario = stage.scenario
        self.tap = Tap(sandbox=self.scenario.sandbox, stops_at_local=True)
        self.ledger = Ledger(f"proof-{self.scenario.workflow}")
        self.seen = Observation("stuck")
        self.agenda: list[tuple[float, int, Action]] = []
        self.order = itertools.count()
        self.timers: dict[int, int] = {}
        self.scheduled: dict[int, int] = {}
        self.done: int | None = None

    # -- the run ----------------------------------------------------------------------------------------------------------

    async def record(self) -> Observation:
        """Play the run until it is closed, hopeless, or longer than the scenario allows."""
        self.begin()
        fed: asyncio.Queue[WorkflowHistory | None] = asyncio.Queue()

        async def histories() -> AsyncIterator[WorkflowHistory]:
            while (history := await fed.get()) is not None:
                yield history

        async with replayer(self.stage, self.tap).workflow_replay_iterator(histories()) as results:
            self.seen.outcome = await self.play(lambda: self.attempt(fed, results))
            await fed.put(None)
            async for _ in results:
                pass
        self.seen.events, self.seen.seconds = self.ledger.last, self.ledger.seconds
        self.seen.history = self.ledger.history().to_json()
        return self.seen

    def begin(self) -> None:
        """The event that starts the run, and what clients will send."""
        assert self.stage.workflow is not None
        run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, self.ledger.workflow_id))
        self.ledger.add(
            "WORKFLOW_EXECUTION_STARTED",
            workflow_type={"name": definition_name(self.stage.workflow)},
            task_queue=QUEUE,
            input=payloads(self.scenario.args),
            original_execution_run_id=run_id,
            first_execution_run_id=run_id,
            workflow_id=self.ledger.workflow_id,
            workflow_task_timeout={"seconds": 10},
            attempt=1,
        )
        for sent in self.scenario.sent:
            if sent.at < 0:
                self.deliver(sent)
            else:
                self.at(sent.at, partial(self.deliver, sent))

    async def play(self, attempt: Callable[[], Any]) -> Any:
        """Task by task; returns the outcome."""
        for _ in range(self.scenario.max_tasks):
            self.open_task()
            failure = await self.task(attempt)
            if failure:
                self.seen.detail = failure
                return "task_failed"
            outcome = await self.carry_out()
            if outcome:
                return outcome
            if self.tap.local:
                await self.mark_local_activities()
            elif not await self.move_on():
                self.seen.detail = "nothing is scheduled, and nothing will ever arrive"
                return "stuck"
        self.seen.detail = f"{self.ledger.last} events after {self.scenario.max_tasks} workflow tasks"
        return "too_long"

    def open_task(self) -> None:
        scheduled = self.ledger.add("WORKFLOW_TASK_SCHEDULED", task_queue=QUEUE, attempt=1)
        self.ledger.add(
            "WORKFLOW_TASK_STARTED",
            scheduled_event_id=scheduled,
            identity="recorder",
            history_size_bytes=self.ledger.size(),
            suggest_continue_as_new=self.ledger.last > SUGGEST_CONTINUE_AS_NEW,
        )

    async def task(self, attempt: Callable[[], Any]) -> str:
        """Try one workflow task as often as the scenario says. Returns the last failure, empty where a try passed."""
        failure = ""
        for _ in range(self.scenario.tries):
            failure = await attempt()
            if not failure:
                break
            self.seen.task_failures.append(failure)
        return failure

    async def attempt(self, fed: asyncio.Queue[WorkflowHistory | None], results: AsyncIterator[WorkflowReplayResult]) -> str:
        """Replay the open history once. What a replayer itself says of an open history is not enough."""
        self.tap.clear()
        heard = len(self.notes.lines)
        await fed.put(self.ledger.history())
        result = await results.__anext__()
        if self.tap.local:
            return ""
        deadlock = self.notes.deadlock
        if deadlock:
            return deadlock
        for failure in self.tap.failures():
            return failure
        if result.replay_failure is not None and self.tap.in_history is None:
            return f"{type(result.replay_failure).__name__}: {result.replay_failure}"
        # Core answers a task by itself that holds nothing for the code, such as the end of an activity that it has given up.
        said = self.notes.lines[heard:]
        return f"no completion: {said}" if said and not self.fresh() else ""

    # -- commands ---------------------------------------------------------------------------------------------------------

    def fresh(self) -> list[WorkflowActivationCompletion]:
        """The completions that are not in the history yet."""
        if self.tap.in_history is None:
            return self.tap.completions(replaying=False)
        return self.tap.completions(replaying=True)[self.tap.in_history :]

    def close_task(self) -> tuple[int, list[WorkflowCommand]]:
        """The event that completes the task; returns its number and the commands, an ending last."""
        fresh = self.fresh()
        commands = [command for completion in fresh for command in completion.successful.commands]
        flags = sorted({flag for completion in fresh for flag in completion.successful.used_internal_flags})
        if self.done is None:
            self.done = self.ledger.add(
                "WORKFLOW_TASK_COMPLETED",
                scheduled_event_id=self.ledger.last - 1,
                started_event_id=self.ledger.last,
                identity="recorder",
                sdk_metadata={"core_used_flags": CORE_FLAGS, "lang_used_flags": flags},
            )
        else:  # the task was closed with the markers of local activities, and what came behind them belongs to it
            del self.ledger.events[-2:]
        done = self.done
        self.done = self.done if self.tap.local else None
        self.tap.in_history = len(self.tap.completions(replaying=True)) if self.tap.local else None
        endings = [command for command in commands if command.WhichOneof("variant") in ENDINGS]
        return done, [command for command in commands if command not in endings] + endings[:1]

    async def carry_out(self) -> str:
        """Write down what the task's commands lead to. Returns the outcome where they end the run."""
        done, commands = self.close_task()
        for command in commands:
            self.seen.commands.append(told(command))
            if command.HasField("schedule_local_activity"):
                continue  # leaves a marker only, when it has run
            kind = str(command.WhichOneof("variant"))
            play = getattr(self, f"on_{kind}", None)
            if play is None:
                self.seen.detail = f"the recorder does not play {kind}"
                return "unplayed"
            outcome = play(getattr(command, kind), done)
            if outcome:
                return str(outcome)
        return ""

    def on_start_timer(self, command: Any, done: int) -> None:
        timeout = command.start_to_fire_timeout
        self.timers[command.seq] = self.ledger.add(
            "TIMER_STARTED", timer_id=str(command.seq), start_to_fire_timeout=timeout, workflow_task_completed_event_id=done
        )
        self.after(timeout.ToTimedelta().total_seconds(), lambda: self.fire(command.seq))

    def fire(self, seq: int) -> bool:
        started = self.timers.pop(seq, None)
        if started is not None:
            self.ledger.add("TIMER_FIRED", timer_id=str(seq), started_event_id=started)
        return started is not None

    def on_cancel_timer(self, command: Any, done: int) -> None:
        started = self.timers.pop(command.seq)
        self.ledger.add(
            "TIMER_CANCELED", timer_id=str(command.seq), started_event_id=started, workflow_task_completed_event_id=done
        )

    def on_schedule_activity(self, command: Any, done: int) -> None:
        limits = ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")
        event = self.ledger.add(
            "ACTIVITY_TASK_SCHEDULED",
            activity_id=command.activity_id,
            activity_type={"name": command.activity_type},
            task_queue=QUEUE,
            input={"payloads": list(command.arguments)},
            workflow_task_completed_event_id=done,
            **{limit: getattr(command, limit) for limit in limits if command.HasField(limit)},
        )
        self.scheduled[command.seq] = event
        act = self.scenario.acts.get(command.activity_type)
        self.after(act.seconds if act else 0.0, lambda: self.execute(command))

    async def execute(self, command: Any) -> bool:
        """Run a scheduled activity, unless it has been cancelled meanwhile."""
        event = self.scheduled.pop(command.seq, None)
        if event is None:
            return False
        attempt, result, failure = await self.try_activity(command)
        started = self.ledger.add("ACTIVITY_TASK_STARTED", scheduled_event_id=event, attempt=attempt)
        links = {"scheduled_event_id": event, "started_event_id": started}
        if failure is None:
            self.ledger.add("ACTIVITY_TASK_COMPLETED", **links, result=payloads([result]))
        else:
            self.ledger.add(
                "ACTIVITY_TASK_FAILED", **links, failure=failure, retry_state="RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"
            )
        return True

    async def try_activity(self, command: Any) -> tuple[int, Any, Failure | None]:
        """Run an activity under the policy that its command carries. Returns the last attempt, the result, the failure."""
        name, began = command.activity_type, self.ledger.seconds
        hints = self.stage.hints(name)
        fitting = hints if hints and len(hints) == len(command.arguments) else None  # as the worker does
        args = CONVERTER.payload_converter.from_payloads(list(command.arguments), fitting)
        for attempt in itertools.count(1):
            try:
                result = await self.stage.run_activity(name, args, attempt)
                self.ran(name, command, attempt, "")
                return attempt, result, None
            except Exception as error:  # an activity may raise anything
                self.ran(name, command, attempt, f"{type(error).__name__}: {error}")
                wait = wait_before_retry(command, error, attempt, self.ledger.seconds - began)
                if wait is None:
                    return attempt, None, failure_of(error)
                if attempt == TRIES_UNTIL_ENDLESS:
                    self.notes.lines.append(
                        f"{name} was tried {attempt} times in {self.ledger.seconds - began:.0f} s, and goes on"
                    )
                    return attempt, None, failure_of(error)
                self.ledger.seconds += wait
        raise AssertionError

    def ran(self, name: str, command: Any, attempt: int, error: str) -> None:
        args = [value_of(payload) for payload in command.arguments]
        self.seen.runs.append(Run(name, args, attempt, self.ledger.seconds, error))

    def on_request_cancel_activity(self, command: Any, done: int) -> None:
        event = self.scheduled.pop(command.seq, None)
        if event is not None:
            requested = self.ledger.add(
                "ACTIVITY_TASK_CANCEL_REQUESTED", scheduled_event_id=event, workflow_task_completed_event_id=done
            )
            links = {"scheduled_event_id": event, "latest_cancel_requested_event_id": requested}
            self.after(0.0, lambda: self.ledger.add("ACTIVITY_TASK_CANCELED", **links))

    def on_start_child_workflow_execution(self, command: Any, done: int) -> None:
        kind = {"name": command.workflow_type}
        initiated = self.ledger.add(
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
            namespace="default",
            workflow_id=command.workflow_id,
            workflow_type=kind,
            task_queue=QUEUE,
            input={"payloads": list(command.input)},
            parent_close_policy=command.parent_close_policy,
            workflow_task_completed_event_id=done,
        )
        links = {
            "initiated_event_id": initiated,
            "workflow_execution": {"workflow_id": command.workflow_id, "run_id": "child"},
            "workflow_type": kind,
        }
        result = payloads([self.scenario.children.get(command.workflow_type)])

        def ends() -> bool:
            started = self.ledger.add("CHILD_WORKFLOW_EXECUTION_STARTED", **links)
            self.ledger.add("CHILD_WORKFLOW_EXECUTION_COMPLETED", **links, started_event_id=started, result=result)
            return True

        self.after(0.0, ends)

    def on_set_patch_marker(self, command: Any, done: int) -> None:
        body = {"id": command.patch_id, "deprecated": command.deprecated}
        data = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(body).encode())
        self.ledger.add(
            "MARKER_RECORDED",
            marker_name="core_patch",
            details={"patch-data": Payloads(payloads=[data])},
            workflow_task_completed_event_id=done,
        )

    def on_signal_external_workflow_execution(self, command: Any, done: int) -> None:
        links = {"workflow_execution": {"workflow_id": command.workflow_execution.workflow_id}, "namespace": "default"}
        initiated = self.ledger.add(
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            **links,
            signal_name=command.signal_name,
            input={"payloads": list(command.args)},
            workflow_task_completed_event_id=done,
        )
        kind = "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"
        self.after(0.0, lambda: self.ledger.add(kind, **links, initiated_event_id=initiated))

    def on_upsert_workflow_search_attributes(self, command: Any, done: int) -> None:
        self.ledger.add(
            "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
            search_attributes=command.search_attributes,
            workflow_task_completed_event_id=done,
        )

    def on_complete_workflow_execution(self, command: Any, done: int) -> str:
        self.ledger.add(
            "WORKFLOW_EXECUTION_COMPLETED", result={"payloads": [command.result]}, workflow_task_completed_event_id=done
        )
        self.seen.result = value_of(command.result)
        return "completed"

    def on_fail_workflow_execution(self, command: Any, done: int) -> str:
        self.ledger.add("WORKFLOW_EXECUTION_FAILED", failure=command.failure, workflow_task_completed_event_id=done)
        cause = f" <- {command.failure.cause.message}" if command.failure.HasField("cause") else ""
        self.seen.detail = f"{command.failure.message}{cause}"
        return "failed"

    def on_cancel_workflow_execution(self, _: Any, done: int) -> str:
        self.ledger.add("WORKFLOW_EXECUTION_CANCELED", workflow_task_completed_event_id=done)
        return "cancelled"

    def on_continue_as_new_workflow_execution(self, command: Any, done: int) -> str:
        self.ledger.add(
            "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
            new_execution_run_id="next",
            workflow_type={"name": command.workflow_type},
            input={"payloads": list(command.arguments)},
            workflow_task_completed_event_id=done,
        )
        self.seen.result = [value_of(payload) for payload in command.arguments]
        return "continued_as_new"

    # -- local activities -------------------------------------------------------------------------------------------------

    async def mark_local_activities(self) -> None:
        """Run what the task waits for, and write the markers that a worker would send with the rest of the task's commands."""
        for command in self.tap.local[:]:
            attempt, result, failure = await self.try_activity(command)
            self.tap.marked.add(command.seq)
            self.ledger.add(
                "MARKER_RECORDED",
                marker_name="core_local_activity",
                details=local_details(command, attempt, result),
                failure=failure,
                workflow_task_completed_event_id=self.done,
            )

    # -- the agenda -------------------------------------------------------------------------------------------------------

    def at(self, seconds: float, action: Action) -> None:
        """Do something at a moment of the run."""
        heapq.heappush(self.agenda, (seconds, next(self.order), action))

    def after(self, seconds: float, action: Action) -> None:
        """Do something after a while."""
        self.at(self.ledger.seconds + seconds, action)

    async def move_on(self) -> bool:
        """Do all that is due at the next moment at which anything happens. Returns whether there was one."""
        happened = False
        while self.agenda and not happened:
            moment = self.agenda[0][0]
            while self.agenda and self.agenda[0][0] <= moment:
                _, _, action = heapq.heappop(self.agenda)
                clock, self.ledger.seconds = self.ledger.seconds, max(self.ledger.seconds, moment)
                result = action()
                did = bool(await result if asyncio.iscoroutine(result) else result)
                self.ledger.seconds = self.ledger.seconds if did else clock
                happened |= did
        return happened

    def deliver(self, sent: Sent) -> bool:
        if sent.kind == "signal":
            self.ledger.add("WORKFLOW_EXECUTION_SIGNALED", signal_name=sent.name, input=payloads(sent.args))
        elif sent.kind == "cancel":
            self.ledger.add("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
        else:
            raise UnplayedError(f"a {sent.kind} needs a client and a worker")
        return True


def wait_before_retry(command: Any, error: Exception, attempt: int, elapsed: float) -> float | None:
    """The seconds until the next attempt, by the policy in the command and a server's defaults; `None` where there is none."""
    policy = command.retry_policy
    kind = error.type if isinstance(error, ApplicationError) and error.type else type(error).__name__
    if getattr(error, "non_retryable", False) or kind in policy.non_retryable_error_types:
        return None
    if policy.maximum_attempts and attempt >= policy.maximum_attempts:
        return None
    first = policy.initial_interval.ToTimedelta().total_seconds() or 1.0
    longest = policy.maximum_interval.ToTimedelta().total_seconds() or first * 100
    wait = min(first * (policy.backoff_coefficient or 2.0) ** (attempt - 1), longest)
    limit = command.schedule_to_close_timeout.ToTimedelta().total_seconds()
    return None if limit and elapsed + wait >= limit else wait


def payloads(values: Any) -> Payloads:
    """Plain values as the default converter writes them."""
    return Payloads(payloads=CONVERTER.payload_converter.to_payloads(list(values)))


def failure_of(error: Exception) -> Failure:
    """An exception as the default converter writes it."""
    failure = Failure()
    CONVERTER.failure_converter.to_failure(error, CONVERTER.payload_converter, failure)
    return failure


def local_details(command: Any, attempt: int, result: Any) -> dict[str, Payloads]:
    """The marker that core writes for a local activity that has run."""
    data = {
        "seq": command.seq,
        "attempt": attempt,
        "activity_id": command.activity_id,
        "activity_type": command.activity_type,
        "complete_time": None,
        "backoff": None,
        "original_schedule_time": None,
    }
    encoded = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(data).encode())
    return {"data": Payloads(payloads=[encoded]), "result": payloads([result])}


async def replay(stage: Stage, notes: Notes, history: str) -> tuple[list[str], str]:
    """Replay a closed history. Returns the commands that the code emitted, and the error, empty where there was none."""
    tap = Tap(sandbox=stage.scenario.sandbox)
    events = WorkflowHistory.from_json("", history).events
    parsed = WorkflowHistory(events[0].workflow_execution_started_event_attributes.workflow_id, events)
    result = await replayer(stage, tap).replay_workflow(parsed, raise_on_replay_failure=False)
    error = f"{type(result.replay_failure).__name__}: {result.replay_failure}" if result.replay_failure else ""
    return tap.commands(), error or next(iter(tap.failures()), "") or notes.deadlock
