"""A frontend on loopback for the real client and the real worker, where no server can be had.

It keeps histories, hands out tasks, fires timers, and enforces the limits of activities: what a server does that proofs need,
and no more. `python -m tests.proofs.temporal.frontend` prints its port and serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

import grpc  # type: ignore[import-untyped,import-not-found,unused-ignore]
from temporalio.api.common.v1 import GrpcStatus, WorkflowExecution
from temporalio.api.enums.v1 import CommandType, TimeoutType
from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import History
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Response
from temporalio.api.workflowservice.v1 import request_response_pb2

from tests.proofs.temporal.ledger import START, Ledger

messages: Any = request_response_pb2
SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
POLL = 5.0
BETWEEN_FAILED_TASKS = 0.1
TICK = 0.02
RUNNING, COMPLETED, FAILED, CANCELED, TERMINATED, CONTINUED_AS_NEW = range(1, 7)
CLOSE_EVENTS_ONLY = 2


class Run:
    """One workflow run: its history, and what is under way in it."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.id, self.run_id = request.workflow_id, str(uuid.uuid4())
        self.ledger = Ledger(self.id)
        self.status = RUNNING
        self.changed = asyncio.Condition()
        self.timers: dict[str, tuple[int, asyncio.TimerHandle]] = {}
        self.activities: dict[int, Activity] = {}
        self.updates: dict[str, asyncio.Future[Outcome | None]] = {}
        self.accepted: dict[str, int] = {}
        self.waiting: list[Message] = []
        self.task: str = ""
        self.sticky = ""
        """The queue of the worker that has the run in its cache, and needs no more than what is new."""
        self.attempt = 1
        self.dirty = False

    @property
    def queue(self) -> str:
        return self.sticky or str(self.request.task_queue.name)

    @property
    def execution(self) -> WorkflowExecution:
        return WorkflowExecution(workflow_id=self.id, run_id=self.run_id)


class Activity:
    """One scheduled activity through all its attempts."""

    def __init__(self, run: Run, event: int, command: Any, now: float) -> None:
        self.run, self.event, self.command = run, event, command
        self.attempt = 1
        self.scheduled, self.began, self.beat = now, 0.0, 0.0
        self.cancelled = False
        self.details: Any = None
        self.failure: Failure | None = None
        self.token = b""


class Frontend:
    """The service. Everything runs in one event loop, so that nothing needs a lock."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.zero = self.loop.time()
        self.runs: dict[str, Run] = {}
        self.workflow_tasks: dict[str, asyncio.Queue[Run | tuple[Run, Any, bytes]]] = defaultdict(asyncio.Queue)
        self.activity_tasks: dict[str, asyncio.Queue[Activity]] = defaultdict(asyncio.Queue)
        self.started: dict[bytes, tuple[Run, int]] = {}
        self.at_work: dict[bytes, Activity] = {}
        self.queries: dict[bytes, asyncio.Future[Any]] = {}
        self.watch = self.loop.create_task(self.enforce_limits())

    def now(self) -> float:
        return self.loop.time() - self.zero

    def add(self, run: Run, kind: str, **attributes: Any) -> int:
        """Add an event to a run's history, and wake who waits for it."""
        run.ledger.seconds = self.now()
        number = run.ledger.add(kind, **attributes)
        self.loop.create_task(_wake(run))
        return number

    def kick(self, run: Run) -> None:
        """Something has happened that the workflow must hear of."""
        if run.status != RUNNING:
            return
        if run.task:
            run.dirty = True
            return
        run.task = "scheduled"
        self.add(run, "WORKFLOW_TASK_SCHEDULED", task_queue=run.request.task_queue, attempt=run.attempt)
        self.workflow_tasks[run.queue].put_nowait(run)

    # -- what clients ask -------------------------------------------------------------------------------------------------

    async def GetSystemInfo(self, request: Any, context: Any) -> Any:
        able = ("sdk_metadata", "activity_failure_include_heartbeat", "encoded_failure_attributes", "signal_and_query_header")
        capabilities = messages.GetSystemInfoResponse.Capabilities(**dict.fromkeys(able, True))
        return messages.GetSystemInfoResponse(server_version="1.29.0", capabilities=capabilities)

    async def DescribeNamespace(self, request: Any, context: Any) -> Any:
        return messages.DescribeNamespaceResponse()

    async def ShutdownWorker(self, request: Any, context: Any) -> Any:
        return messages.ShutdownWorkerResponse()

    async def StartWorkflowExecution(self, request: Any, context: Any) -> Any:
        before = self.runs.get(request.workflow_id)
        if before is not None and before.status == RUNNING:
            context.set_trailing_metadata((("grpc-status-details-bin", _already_started(before)),))
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "Workflow execution is already running.")
        run = self.runs[request.workflow_id] = Run(request)
        self.add(
            run,
            "WORKFLOW_EXECUTION_STARTED",
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            input=request.input,
            original_execution_run_id=run.run_id,
            first_execution_run_id=run.run_id,
            workflow_id=run.id,
            workflow_task_timeout={"seconds": 10},
            attempt=1,
        )
        self.kick(run)
        return messages.StartWorkflowExecutionResponse(run_id=run.run_id, started=True)

    async def SignalWorkflowExecution(self, request: Any, context: Any) -> Any:
        run = self.runs[request.workflow_execution.workflow_id]
        self.add(run, "WORKFLOW_EXECUTION_SIGNALED", signal_name=request.signal_name, input=request.input)
        self.kick(run)
        return messages.SignalWorkflowExecutionResponse()

    async def RequestCancelWorkflowExecution(self, request: Any, context: Any) -> Any:
        run = self.runs[request.workflow_execution.workflow_id]
        self.add(run, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
        self.kick(run)
        return messages.RequestCancelWorkflowExecutionResponse()

    async def TerminateWorkflowExecution(self, request: Any, context: Any) -> Any:
        run = self.runs[request.workflow_execution.workflow_id]
        if run.status != RUNNING:  # a run that goes on as a new one ends here: the new one is not kept
            return messages.TerminateWorkflowExecutionResponse()
        self.close(run, TERMINATED, "WORKFLOW_EXECUTION_TERMINATED")
        return messages.TerminateWorkflowExecutionResponse()

    async def DescribeWorkflowExecution(self, request: Any, context: Any) -> Any:
        run = self.runs[request.execution.workflow_id]
        response = messages.DescribeWorkflowExecutionResponse()
        info = response.workflow_execution_info
        info.execution.CopyFrom(run.execution)
        info.type.CopyFrom(run.request.workflow_type)
        info.status = run.status
        info.start_time.FromDatetime(START)
        response.pending_workflow_task.attempt = run.attempt
        for activity in run.activities.values():
            pending = response.pending_activities.add()
            pending.activity_id, pending.attempt = activity.command.activity_id, activity.attempt
            pending.activity_type.CopyFrom(activity.command.activity_type)
            if activity.failure is not None:
                pending.last_failure.CopyFrom(activity.failure)
        return response

    async def GetWorkflowExecutionHistory(self, request: Any, context: Any) -> Any:
        run = self.runs[request.execution.workflow_id]
        closed_only = request.history_event_filter_type == CLOSE_EVENTS_ONLY
        if request.wait_new_event:
            await _within(POLL, self._closed(run))
        events = run.ledger.events
        if closed_only:
            events = events[-1:] if run.status != RUNNING else []
        more = b"more" if request.wait_new_event and run.status == RUNNING else b""
        return messages.GetWorkflowExecutionHistoryResponse(history=History(events=events), next_page_token=more)

    async def _closed(self, run: Run) -> None:
        async with run.changed:
            await run.changed.wait_for(lambda: run.status != RUNNING)

    async def QueryWorkflow(self, request: Any, context: Any) -> Any:
        run = self.runs[request.execution.workflow_id]
        token = uuid.uuid4().bytes
        answer = self.queries[token] = self.loop.create_future()
        self.workflow_tasks[run.queue].put_nowait((run, request.query, token))
        told = await answer
        if told.completed_type == 1:
            return messages.QueryWorkflowResponse(query_result=told.query_result)
        return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, told.error_message)

    async def RespondQueryTaskCompleted(self, request: Any, context: Any) -> Any:
        self.queries.pop(request.task_token).set_result(request)
        return messages.RespondQueryTaskCompletedResponse()

    async def UpdateWorkflowExecution(self, request: Any, context: Any) -> Any:
        run = self.runs[request.workflow_execution.workflow_id]
        update_id = request.request.meta.update_id
        if run.status != RUNNING:
            return await context.abort(grpc.StatusCode.NOT_FOUND, "the run is closed")
        run.updates[update_id] = self.loop.create_future()
        message = Message(id=f"{update_id}/request", protocol_instance_id=update_id)
        message.body.Pack(request.request)
        run.waiting.append(message)
        self.kick(run)
        outcome = await run.updates[update_id]
        if outcome is None:
            return await context.abort(grpc.StatusCode.NOT_FOUND, "the run is closed")
        stage = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"
        response = messages.UpdateWorkflowExecutionResponse(outcome=outcome, stage=stage)
        response.update_ref.workflow_execution.CopyFrom(run.execution)
        response.update_ref.update_id = update_id
        return response

    # -- workflow tasks ---------------------------------------------------------------------------------------------------

    async def PollWorkflowTaskQueue(self, request: Any, context: Any) -> Any:
        task = await _within(POLL, self.workflow_tasks[request.task_queue.name].get())
        if isinstance(task, tuple):
            return self.query_task(*task)
        if task is None or task.status != RUNNING:
            return messages.PollWorkflowTaskQueueResponse()
        return self.workflow_task(task)

    def workflow_task(self, run: Run) -> Any:
        """Start the task that is scheduled."""
        started = self.add(run, "WORKFLOW_TASK_STARTED", scheduled_event_id=run.ledger.last, identity="frontend")
        run.task, token = "started", uuid.uuid4().bytes
        self.started[token] = (run, started)
        response = self.task_of(run, token)
        response.started_event_id = started
        response.attempt = run.attempt
        if run.sticky:
            del response.history.events[: response.previous_started_event_id]
        for message in run.waiting:
            message.event_id = started - 1
            response.messages.append(message)
        return response

    def query_task(self, run: Run, query: Any, token: bytes) -> Any:
        """A task that asks something, on all that is settled of the history."""
        response = self.task_of(run, token)
        starts = [event.event_id for event in run.ledger.events if event.HasField("workflow_task_started_event_attributes")]
        done = [event.event_id for event in run.ledger.events if event.HasField("workflow_task_completed_event_attributes")]
        if run.status == RUNNING and done:
            del response.history.events[done[-1] :]
            starts = [number for number in starts if number < done[-1]]
        response.started_event_id = response.previous_started_event_id = starts[-1] if starts else 0
        if run.sticky:
            del response.history.events[:]
        response.query.CopyFrom(query)
        return response

    def task_of(self, run: Run, token: bytes) -> Any:
        done = [event for event in run.ledger.events if event.HasField("workflow_task_completed_event_attributes")]
        previous = done[-1].workflow_task_completed_event_attributes.started_event_id if done else 0
        return messages.PollWorkflowTaskQueueResponse(
            task_token=token,
            workflow_execution=run.execution,
            workflow_type=run.request.workflow_type,
            previous_started_event_id=previous,
            history=History(events=run.ledger.events),
            workflow_execution_task_queue=run.request.task_queue,
            attempt=1,
        )

    async def RespondWorkflowTaskFailed(self, request: Any, context: Any) -> Any:
        """The task is tried again; as a server does, the history keeps the first failure and no trace of later tries."""
        run, started = self.started.pop(request.task_token)
        if run.status != RUNNING:
            return messages.RespondWorkflowTaskFailedResponse()
        late = run.ledger.events[started:]
        first = run.attempt == 1
        del run.ledger.events[started if first else started - 2 :]
        if first:
            links = {"scheduled_event_id": started - 1, "started_event_id": started}
            self.add(run, "WORKFLOW_TASK_FAILED", **links, cause=request.cause, failure=request.failure)
        self.append(run, late)
        run.attempt, run.task, run.sticky = run.attempt + 1, "", ""
        self.loop.call_later(BETWEEN_FAILED_TASKS, self.kick, run)
        return messages.RespondWorkflowTaskFailedResponse()

    async def RespondWorkflowTaskCompleted(self, request: Any, context: Any) -> Any:
        run, started = self.started.pop(request.task_token)
        if run.status != RUNNING:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the run is closed")
        late = run.ledger.events[started:]
        del run.ledger.events[started:]
        run.attempt, run.task = 1, ""
        run.sticky = request.sticky_attributes.worker_task_queue.name
        done = self.add(
            run,
            "WORKFLOW_TASK_COMPLETED",
            scheduled_event_id=started - 1,
            started_event_id=started,
            sdk_metadata=request.sdk_metadata,
        )
        run.waiting = [message for message in run.waiting if message.event_id != started - 1]
        told = {message.id: message for message in request.messages}
        for message in request.messages:
            self.reject(run, message)
        for command in request.commands:
            self.carry_out(run, command, done, told)
        self.append(run, late)
        if late or run.dirty or run.waiting or request.force_create_new_workflow_task:
            run.dirty = False
            self.kick(run)
        return messages.RespondWorkflowTaskCompletedResponse()

    def append(self, run: Run, late: list[Any]) -> None:
        """Put what came while a task was under way behind it."""
        for event in late:
            event.event_id = run.ledger.last + 1
            run.ledger.events.append(event)

    # -- commands ---------------------------------------------------------------------------------------------------------

    def carry_out(self, run: Run, command: Any, done: int, told: dict[str, Message]) -> None:
        kind = CommandType.Name(command.command_type).removeprefix("COMMAND_TYPE_").lower()
        body = getattr(command, command.WhichOneof("attributes"))
        if kind == "protocol_message":
            self.settle(run, told[body.message_id])
        else:
            play: Callable[[Run, Any, int], None] = getattr(self, f"on_{kind}")
            play(run, body, done)

    def on_schedule_activity_task(self, run: Run, body: Any, done: int) -> None:
        limits = ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")
        event = self.add(
            run,
            "ACTIVITY_TASK_SCHEDULED",
            activity_id=body.activity_id,
            activity_type=body.activity_type,
            task_queue=body.task_queue,
            input=body.input,
            retry_policy=body.retry_policy,
            workflow_task_completed_event_id=done,
            **{limit: getattr(body, limit) for limit in limits if body.HasField(limit)},
        )
        activity = run.activities[event] = Activity(run, event, body, self.now())
        self.activity_tasks[body.task_queue.name].put_nowait(activity)

    def on_request_cancel_activity_task(self, run: Run, body: Any, done: int) -> None:
        event = body.scheduled_event_id
        self.add(run, "ACTIVITY_TASK_CANCEL_REQUESTED", scheduled_event_id=event, workflow_task_completed_event_id=done)
        activity = run.activities.get(event)
        if activity is not None:
            activity.cancelled = True
            if not activity.token:  # between two attempts nobody is there to be told
                self.end(activity, "ACTIVITY_TASK_CANCELED")

    def on_start_timer(self, run: Run, body: Any, done: int) -> None:
        timeout = body.start_to_fire_timeout
        event = self.add(
            run,
            "TIMER_STARTED",
            timer_id=body.timer_id,
            start_to_fire_timeout=timeout,
            workflow_task_completed_event_id=done,
        )
        fires = self.loop.call_later(_seconds(timeout), self.fire, run, body.timer_id)
        run.timers[body.timer_id] = (event, fires)

    def fire(self, run: Run, timer: str) -> None:
        if run.status == RUNNING and timer in run.timers:
            self.add(run, "TIMER_FIRED", timer_id=timer, started_event_id=run.timers.pop(timer)[0])
            self.kick(run)

    def on_cancel_timer(self, run: Run, body: Any, done: int) -> None:
        event, fires = run.timers.pop(body.timer_id)
        fires.cancel()
        self.add(run, "TIMER_CANCELED", timer_id=body.timer_id, started_event_id=event, workflow_task_completed_event_id=done)

    def on_record_marker(self, run: Run, body: Any, done: int) -> None:
        self.add(
            run,
            "MARKER_RECORDED",
            marker_name=body.marker_name,
            details=dict(body.details),
            failure=body.failure if body.HasField("failure") else None,
            workflow_task_completed_event_id=done,
        )

    def on_upsert_workflow_search_attributes(self, run: Run, body: Any, done: int) -> None:
        self.add(
            run,
            "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
            search_attributes=body.search_attributes,
            workflow_task_completed_event_id=done,
        )

    def on_complete_workflow_execution(self, run: Run, body: Any, done: int) -> None:
        self.close(run, COMPLETED, "WORKFLOW_EXECUTION_COMPLETED", result=body.result, workflow_task_completed_event_id=done)

    def on_fail_workflow_execution(self, run: Run, body: Any, done: int) -> None:
        self.close(run, FAILED, "WORKFLOW_EXECUTION_FAILED", failure=body.failure, workflow_task_completed_event_id=done)

    def on_cancel_workflow_execution(self, run: Run, body: Any, done: int) -> None:
        self.close(run, CANCELED, "WORKFLOW_EXECUTION_CANCELED", details=body.details, workflow_task_completed_event_id=done)

    def on_continue_as_new_workflow_execution(self, run: Run, body: Any, done: int) -> None:
        self.close(
            run,
            CONTINUED_AS_NEW,
            "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
            new_execution_run_id=str(uuid.uuid4()),
            workflow_type=body.workflow_type,
            input=body.input,
            workflow_task_completed_event_id=done,
        )

    def close(self, run: Run, status: int, kind: str, **attributes: Any) -> None:
        run.status = status
        self.add(run, kind, **attributes)
        for _, fires in run.timers.values():
            fires.cancel()
        for waiting in run.updates.values():
            if not waiting.done():
                waiting.set_result(None)

    # -- updates ----------------------------------------------------------------------------------------------------------

    def reject(self, run: Run, message: Message) -> None:
        """A validator has refused an update, which leaves no trace in the history."""
        rejection = Rejection()
        if message.body.Unpack(rejection):
            run.updates[message.protocol_instance_id].set_result(Outcome(failure=rejection.failure))

    def settle(self, run: Run, message: Message) -> None:
        """An update has been accepted, or has come to its end."""
        update_id, acceptance, response = message.protocol_instance_id, Acceptance(), Response()
        if message.body.Unpack(acceptance):
            run.accepted[update_id] = self.add(
                run,
                "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
                protocol_instance_id=update_id,
                accepted_request_message_id=acceptance.accepted_request_message_id,
                accepted_request_sequencing_event_id=acceptance.accepted_request_sequencing_event_id,
                accepted_request=acceptance.accepted_request,
            )
        elif message.body.Unpack(response):
            self.add(
                run,
                "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
                meta=response.meta,
                accepted_event_id=run.accepted.get(update_id),
                outcome=response.outcome,
            )
            run.updates[update_id].set_result(response.outcome)

    # -- activities -------------------------------------------------------------------------------------------------------

    async def PollActivityTaskQueue(self, request: Any, context: Any) -> Any:
        activity = await _within(POLL, self.activity_tasks[request.task_queue.name].get())
        if activity is None or activity.event not in activity.run.activities or activity.run.status != RUNNING:
            return messages.PollActivityTaskQueueResponse()
        activity.token = uuid.uuid4().bytes
        activity.began = activity.beat = self.now()
        self.at_work[activity.token] = activity
        return _activity_task(activity)

    def end(self, activity: Activity, kind: str, **attributes: Any) -> None:
        """The activity is over, for good."""
        run = activity.run
        self.at_work.pop(activity.token, None)
        if run.activities.pop(activity.event, None) is None or run.status != RUNNING:
            return
        started = self.add(run, "ACTIVITY_TASK_STARTED", scheduled_event_id=activity.event, attempt=activity.attempt)
        self.add(run, kind, scheduled_event_id=activity.event, started_event_id=started, **attributes)
        self.kick(run)

    def try_again(self, activity: Activity, failure: Failure, kind: str) -> None:
        """An attempt has failed: the next one, by the policy, or the end."""
        policy, limit = activity.command.retry_policy, _seconds(activity.command.schedule_to_close_timeout)
        first = _seconds(policy.initial_interval) or 1.0
        longest = _seconds(policy.maximum_interval) or first * 100
        wait = min(first * (policy.backoff_coefficient or 2.0) ** (activity.attempt - 1), longest)
        info = failure.application_failure_info
        over = (
            info.non_retryable
            or (info.type and info.type in policy.non_retryable_error_types)
            or (policy.maximum_attempts and activity.attempt >= policy.maximum_attempts)
            or (limit and self.now() - activity.scheduled + wait >= limit)
        )
        if over or activity.cancelled:
            self.end(activity, kind, failure=failure, retry_state="RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED")
            return
        self.at_work.pop(activity.token, None)
        activity.token, activity.attempt, activity.failure = b"", activity.attempt + 1, failure
        self.loop.call_later(wait, self.activity_tasks[activity.command.task_queue.name].put_nowait, activity)

    async def known(self, token: bytes, context: Any) -> Activity:
        """The activity of a token that is still good; else the call is answered with NOT_FOUND."""
        activity = self.at_work.get(token)
        if activity is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the activity has timed out, or its run is closed")
            raise AssertionError
        return activity

    async def RespondActivityTaskCompleted(self, request: Any, context: Any) -> Any:
        self.end(await self.known(request.task_token, context), "ACTIVITY_TASK_COMPLETED", result=request.result)
        return messages.RespondActivityTaskCompletedResponse()

    async def RespondActivityTaskFailed(self, request: Any, context: Any) -> Any:
        self.try_again(await self.known(request.task_token, context), request.failure, "ACTIVITY_TASK_FAILED")
        return messages.RespondActivityTaskFailedResponse()

    async def RespondActivityTaskCanceled(self, request: Any, context: Any) -> Any:
        self.end(await self.known(request.task_token, context), "ACTIVITY_TASK_CANCELED", details=request.details)
        return messages.RespondActivityTaskCanceledResponse()

    async def RecordActivityTaskHeartbeat(self, request: Any, context: Any) -> Any:
        activity = await self.known(request.task_token, context)
        activity.beat, activity.details = self.now(), request.details
        return messages.RecordActivityTaskHeartbeatResponse(cancel_requested=activity.cancelled)

    async def enforce_limits(self) -> None:
        """Time out what has not been heard of for too long."""
        while True:
            await asyncio.sleep(TICK)
            for activity in list(self.at_work.values()):
                kind = self.limit_passed(activity)
                if kind:
                    failure = Failure(message=f"activity {kind} timeout")
                    failure.timeout_failure_info.timeout_type = TimeoutType.Value(f"TIMEOUT_TYPE_{kind}")
                    self.try_again(activity, failure, "ACTIVITY_TASK_TIMED_OUT")

    def limit_passed(self, activity: Activity) -> str:
        limits = (
            ("HEARTBEAT", activity.command.heartbeat_timeout, activity.beat),
            ("START_TO_CLOSE", activity.command.start_to_close_timeout, activity.began),
            ("SCHEDULE_TO_CLOSE", activity.command.schedule_to_close_timeout, activity.scheduled),
        )
        return next((kind for kind, limit, since in limits if _seconds(limit) and self.now() - since > _seconds(limit)), "")


def _activity_task(activity: Activity) -> Any:
    command, run = activity.command, activity.run
    task = messages.PollActivityTaskQueueResponse(
        task_token=activity.token,
        workflow_namespace="default",
        workflow_type=run.request.workflow_type,
        workflow_execution=run.execution,
        activity_type=command.activity_type,
        activity_id=command.activity_id,
        input=command.input,
        heartbeat_details=activity.details,
        attempt=activity.attempt,
        schedule_to_close_timeout=command.schedule_to_close_timeout,
        start_to_close_timeout=command.start_to_close_timeout,
        heartbeat_timeout=command.heartbeat_timeout,
    )
    for moment in (task.scheduled_time, task.current_attempt_scheduled_time, task.started_time):
        moment.GetCurrentTime()
    return task


def _already_started(run: Run) -> bytes:
    """The refusal of a second run under one identifier, as a client reads it."""
    failure = WorkflowExecutionAlreadyStartedFailure(start_request_id=run.request.request_id, run_id=run.run_id)
    status = GrpcStatus(code=grpc.StatusCode.ALREADY_EXISTS.value[0])
    status.details.add().Pack(failure)
    return bytes(status.SerializeToString())


async def _wake(run: Run) -> None:
    async with run.changed:
        run.changed.notify_all()


async def _within(seconds: float, waiting: Coroutine[Any, Any, Any]) -> Any:
    """What is waited for, or `None` where it takes too long."""
    try:
        return await asyncio.wait_for(waiting, seconds)
    except asyncio.TimeoutError:
        return None


def _seconds(duration: Any) -> float:
    return float(duration.ToTimedelta().total_seconds())


def handlers(frontend: Frontend) -> grpc.GenericRpcHandler:
    """The service's methods, by their names; all others are answered with UNIMPLEMENTED."""
    methods = {name: getattr(frontend, name) for name in vars(Frontend) if name[0].isupper()}
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=getattr(messages, f"{name}Request").FromString,
                response_serializer=getattr(messages, f"{name}Response").SerializeToString,
            )
            for name, method in methods.items()
        },
    )


async def serve() -> None:
    """Serve until standard input is closed."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handlers(Frontend()),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
