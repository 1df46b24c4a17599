"""What a Temporal judge is asked to run, and what it saw: plain data, which crosses process borders as JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Outcome = Literal[
    "completed",
    "failed",
    "cancelled",
    "continued_as_new",
    "task_failed",  # the workflow *task* failed at every try: a server would try for ever, and the run looks Running
    "stuck",  # nothing is scheduled, and nothing will ever arrive
    "too_long",  # still going when the judge stopped looking
    "refused",  # not importable, or not accepted by a worker
    "unplayed",  # the judge cannot play this part of a server: no verdict
]
CLOSED = frozenset({"completed", "failed", "cancelled", "continued_as_new"})


class Act(msgspec.Struct, frozen=True):
    """How an activity behaves in a scenario: what it returns, after how many failures (-1: it never works), in how long."""

    returns: Any = None
    failures: int = 0
    error: str = "RuntimeError"
    final: bool = False
    """Whether a failure says that it must not be tried again."""
    seconds: float = 0.0


class Sent(msgspec.Struct, frozen=True):
    """Something that a client sends to the workflow, in seconds from its start; where that is negative, with the start."""

    at: float
    kind: Literal["signal", "cancel", "query", "update"]
    name: str = ""
    args: tuple[Any, ...] = ()


class Scenario(msgspec.Struct, frozen=True):
    """One run of one workflow. Activities that neither the code nor `acts` has are stand-ins that return `None`."""

    workflow: str = ""
    """Its class. Empty where a program of the project does all there is to do."""
    args: tuple[Any, ...] = ()
    ends: Outcome = "completed"
    """How the run should end."""
    acts: dict[str, Act] = {}
    sent: tuple[Sent, ...] = ()
    children: dict[str, Any] = {}
    """What child workflows return, by type."""
    program: str = ""
    """A function of the project that makes workers of a client, or connects and works by itself."""
    queue: str = ""
    """The task queue of the run, where the program's workers have one of their own."""
    start: str = ""
    """A function of the project that starts the run `args[0]`, given a client and `args`, when the workers are there."""
    failure_types: bool = False
    """Whether the worker lets every exception fail the run (`workflow_failure_exception_types=[Exception]`)."""
    sandbox: bool = True
    watch: tuple[str, ...] = ()
    """Functions of the project whose calls are counted, however they are called."""
    tries: int = 2
    """How often a failing workflow task is tried before it is called hopeless."""
    later: float = 0.0
    """Seconds that pass before a replay, for what changes with the second."""
    elsewhere: dict[str, str] = {}
    """What the environment of the worker that replays has more than that of the first."""
    cached: bool = False
    """Whether a live worker keeps the workflow between two of its tasks."""
    max_tasks: int = 40
    seconds: float = 10.0
    """How long a judge on a real clock waits for the run's end."""

    @property
    def name(self) -> str:
        """What it is about."""
        return self.workflow or self.start or self.program


class Run(msgspec.Struct, frozen=True):
    """One execution of an activity."""

    name: str
    args: list[Any]
    attempt: int
    at: float
    error: str = ""


class Observation(msgspec.Struct):
    """What was seen of one run. Times are the run's own seconds: virtual where the judge keeps the clock."""

    outcome: Outcome
    detail: str = ""
    result: Any = None
    commands: list[str] = []
    """The commands of the first run, each as one line."""
    replays: list[list[str]] = []
    """The commands of each replay of a closed history."""
    replay_errors: list[str] = []
    task_failures: list[str] = []
    """Failed tries of workflow tasks, even where a later try passed."""
    runs: list[Run] = []
    calls: dict[str, int] = {}
    pending: list[str] = []
    """Activities that an open run waits for, with the attempt that is under way and why the last one failed."""
    warnings: list[str] = []
    printed: list[str] = []
    """What the run and its replays have written to their standard output and error."""
    answers: list[str] = []
    """What queries and updates were answered."""
    events: int = 0
    seconds: float = 0.0
    history: str = ""

    @property
    def closed(self) -> bool:
        """Whether the run came to an end, so that its history can be replayed."""
        return self.outcome in CLOSED

    def ran(self, activity: str) -> list[Run]:
        """The executions of one activity."""
        return [run for run in self.runs if run.name == activity]

    @property
    def diverged(self) -> str:
        """How a replay differed from the run, core's word first; empty where none did."""
        for error in self.replay_errors:
            return error
        for again in self.replays:
            for first, second in zip(_lasting(self.commands), _lasting(again), strict=False):
                if first != second:
                    return f"the run said `{first}`, its replay `{second}`, and no error was raised"
        return ""


def _lasting(commands: list[str]) -> list[str]:
    """Without answers to updates, as one that a validator has refused leaves no trace; and with an end to compare."""
    return [*(command for command in commands if command != "update_response"), "nothing"]
