"""What passes between the worker and the workflow's code: each activation with its completion, warnings, and the worker's log.

A replayer that reports no failure proves little. A history that is still open and whose last task failed passes; arguments,
timer lengths and results are not compared; a deadlock is told to the log only. So everything is listened to, and compared here.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

if TYPE_CHECKING:
    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_commands import WorkflowCommand
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

DEADLOCK = "TMPRL1101"


class WaitsForLocalActivityError(Exception):
    """Raised in the place of a completion that core would answer by running a local activity, which a replayer cannot."""


class Tap:
    """Collects what passes. `runner` is given to the worker.

    With `stops_at_local`, a workflow task ends where it needs a local activity that is not `marked` in the history yet; then
    `in_history` is the number of completions that the history has already.
    """

    def __init__(self, *, sandbox: bool, stops_at_local: bool = False) -> None:
        self.passed: list[tuple[WorkflowActivation, WorkflowActivationCompletion]] = []
        self.stops_at_local = stops_at_local
        self.local: list[Any] = []
        self.marked: set[int] = set()
        self.in_history: int | None = None
        inner: WorkflowRunner = SandboxedWorkflowRunner() if sandbox else UnsandboxedWorkflowRunner()
        self.runner = _Runner(inner, self)
        self.unsandboxed = _Runner(UnsandboxedWorkflowRunner(), self)

    def clear(self) -> None:
        """Forget what has passed."""
        self.passed.clear()
        self.local.clear()

    def prepare(self, activation: WorkflowActivation) -> None:
        """What follows a local activity in its task is no replay, though its marker must be in the history by then."""
        if self.in_history is not None and len(self.completions(replaying=True)) >= self.in_history and not _evicts(activation):
            activation.is_replaying = False

    def note(self, activation: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        """Take in one activation with its completion."""
        self.passed.append((activation, completion))
        local = [
            one.schedule_local_activity for one in completion.successful.commands if one.HasField("schedule_local_activity")
        ]
        new = [command for command in local if command.seq not in self.marked]
        if new and self.stops_at_local:
            self.local = new
            raise WaitsForLocalActivityError

    def failures(self) -> list[str]:
        """How the code failed workflow tasks, as type and message."""
        failed = [completion.failed.failure for _, completion in self.passed if completion.HasField("failed")]
        return [f"{failure.application_failure_info.type}: {failure.message}" for failure in failed]

    def completions(self, *, replaying: bool) -> list[WorkflowActivationCompletion]:
        """The completions so far, in their order; with or without those where the code was replaying."""
        passed = [pair for pair in self.passed if not _evicts(pair[0])]
        return [completion for activation, completion in passed if replaying or not activation.is_replaying]

    def commands(self, *, replaying: bool = True) -> list[str]:
        """The commands that have passed, each as one line; with or without those that the code gave back while replaying."""
        return [told(one) for completion in self.completions(replaying=replaying) for one in completion.successful.commands]


def _evicts(activation: WorkflowActivation) -> bool:
    return any(job.HasField("remove_from_cache") for job in activation.jobs)


class _Runner(WorkflowRunner):
    def __init__(self, inner: WorkflowRunner, tap: Tap) -> None:
        self.inner, self.tap = inner, tap

    def prepare_workflow(self, defn: Any) -> None:
        self.inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return cast("WorkflowInstance", _Instance(self.inner.create_instance(det), self.tap))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self.inner.set_worker_level_failure_exception_types(types)


class _Instance:
    """The real instance, with a witness to each activation."""

    def __init__(self, inner: WorkflowInstance, tap: Tap) -> None:
        self.inner, self.tap = inner, tap

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self.tap.prepare(act)
        completion = self.inner.activate(act)
        self.tap.note(act, completion)
        return completion

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def told(command: WorkflowCommand) -> str:
    """A command as one line: its kind and all that a replay must give back, arguments and lengths included."""
    kind = str(command.WhichOneof("variant"))
    tell = _WORDS.get(kind)
    return f"{kind} {tell(getattr(command, kind))}" if tell else kind


def _texts(payloads: Sequence[Any]) -> str:
    return ", ".join(payload.data.decode(errors="replace") for payload in payloads)


_WORDS: dict[str, Callable[[Any], str]] = {
    "schedule_activity": lambda body: f"{body.activity_type}({_texts(body.arguments)})",
    "schedule_local_activity": lambda body: f"{body.activity_type}({_texts(body.arguments)})",
    "start_timer": lambda body: f"{body.start_to_fire_timeout.ToMilliseconds()} ms",
    "complete_workflow_execution": lambda body: _texts([body.result]),
    "fail_workflow_execution": lambda body: str(body.failure.message),
    "continue_as_new_workflow_execution": lambda body: f"{body.workflow_type}({_texts(body.arguments)})",
    "start_child_workflow_execution": lambda body: f"{body.workflow_type}({_texts(body.input)}) as {body.workflow_id}",
    "set_patch_marker": lambda body: str(body.patch_id),
}


class Notes(logging.Handler):
    """The warnings of the worker and of Python, wherever they are raised, as texts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in {"temporalio.workflow", "temporalio.activity"}:
            return  # that is the project's own word
        error = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"{type(error).__name__}: {error}" if error is not None else record.getMessage())

    def install(self) -> None:
        """Listen from now on."""
        logger = logging.getLogger("temporalio")
        logger.addHandler(self)
        logger.propagate = False
        for name in ("temporalio.workflow", "temporalio.activity"):
            logging.getLogger(name).setLevel(logging.DEBUG)  # as where somebody looks for something
        logging.getLogger("asyncio").addHandler(self)
        logging.getLogger("asyncio").propagate = False
        warnings.simplefilter("always")
        warnings.showwarning = self.warned  # type: ignore[assignment] # one for all threads, which `catch_warnings` is not

    def warned(self, message: Warning | str, category: type[Warning], *_: Any) -> None:
        self.lines.append(f"{category.__name__}: {message}")

    @property
    def deadlock(self) -> str:
        """What the worker says of a deadlock, which core is told as well, and nobody else."""
        return next((line for line in self.lines if DEADLOCK in line), "")


def value_of(payload: Any) -> Any:
    """What a payload holds, as plain data; its text where it is no JSON."""
    try:
        return json.loads(payload.data) if payload.data else None
    except ValueError:
        return payload.data.decode(errors="replace")
