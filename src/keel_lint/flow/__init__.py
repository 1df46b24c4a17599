"""Facts that cross functions and files."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from keel_lint.flow.blocking import Blocking
from keel_lint.flow.calls import Calls
from keel_lint.flow.canonical import CanonicalNames
from keel_lint.flow.determinism import Determinism
from keel_lint.flow.event_loop import EventLoop
from keel_lint.flow.transactions import Transactions

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.jobs import Jobs


class Flow:
    """The flow facts of one project, each computed when a rule first asks."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.looked_into: dict[tuple[str, int], Definition] = {}

    @cached_property
    def calls(self) -> Calls:
        """Which functions a function runs, and which run it."""
        return Calls(self._jobs.project)

    @cached_property
    def transactions(self) -> Transactions:
        """Which calls run inside an open database transaction."""
        return Transactions(self._jobs.project, self.calls, self._counts)

    @cached_property
    def determinism(self) -> Determinism:
        """What functions do that a replay of a workflow cannot give back."""
        return Determinism(self._jobs, self.calls, self.names, self._jobs.functions)

    @cached_property
    def names(self) -> CanonicalNames:
        """The canonical names of what calls call."""
        return CanonicalNames(self._jobs.project, self.calls.classes)

    @cached_property
    def blocking(self) -> Blocking:
        """Which functions stop the thread that they run in, and so the event loop that lives there."""
        return Blocking(self._jobs.project, self.calls, self.names, self.event_loop)

    @cached_property
    def event_loop(self) -> EventLoop:
        """Which calls run in an event loop that others need."""
        return EventLoop(self._jobs, self.calls, self.names)

    def _counts(self, path: str) -> bool:
        """Whether what a module of Django's settings holds is in force in production."""
        return self._jobs.settings_modules.counts(path)
