"""Temporal workflows, activities, and the activity calls between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keel_lint.index.facts import Argument, Call, Definition
from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.project import Project, Symbol

WORKFLOW = "temporalio.workflow"
ACTIVITY = "temporalio.activity"


@dataclass(frozen=True)
class ActivityCall:
    """A call that schedules an activity. `spread` says that more options come from `**` something or a variable."""

    call: Call
    function: str
    activity: str
    target: Symbol | None
    options: Mapping[str, Argument]
    spread: bool

    @property
    def is_local(self) -> bool:
        """Whether the activity runs in the workflow's own worker."""
        return "_local_" in self.function


class Temporal:
    """Answers what is a workflow, an activity, an activity call."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def is_workflow(self, path: str, definition: Definition) -> bool:
        """Whether a class is a workflow definition."""
        return self._has_decorator(path, definition, f"{WORKFLOW}.defn")

    def is_activity(self, path: str, definition: Definition) -> bool:
        """Whether a function is an activity definition."""
        return self._has_decorator(path, definition, f"{ACTIVITY}.defn")

    def handler(self, path: str, definition: Definition) -> str | None:
        """`run`, `signal`, `query`, `update` or `init` for a method that the engine calls."""
        for decorator in definition.decorators:
            name = self._project.resolve(path, decorator.callee, definition.parent).name if decorator.callee else ""
            kind = name.removeprefix(f"{WORKFLOW}.") if name.startswith(f"{WORKFLOW}.") else ""
            if kind in {"run", "signal", "query", "update", "init"}:
                return kind
            if decorator.callee.endswith(".validator"):
                return "validator"
        return None

    def _has_decorator(self, path: str, definition: Definition, name: str) -> bool:
        return any(
            self._project.resolve(path, decorator.callee, definition.parent).name == name
            for decorator in definition.decorators
            if decorator.callee.endswith("defn") or decorator.callee
        )

    def activity_call(self, path: str, call: Call) -> ActivityCall | None:
        """The activity call that a call is, or `None`."""
        function = call.callee.rpartition(".")[2]
        if function not in ACTIVITY_CALLS:
            name = self._project.resolve(path, call.callee, call.scope).name if call.callee.isidentifier() else ""
            function = name.rpartition(".")[2]
            if function not in ACTIVITY_CALLS:
                return None
        if self._project.resolve(path, call.callee, call.scope).name != f"{WORKFLOW}.{function}":
            return None
        options = {a.keyword: a for a in call.arguments if a.keyword not in {"", "*", "**"}}
        spread = any(a.keyword in {"*", "**"} for a in call.arguments)
        positional = [a.text for a in call.arguments if not a.keyword]
        named = options.get("activity")
        activity = positional[0] if positional else named.text if named is not None else ""
        target = self._project.resolve(path, activity, call.scope) if activity and activity[0] not in "\"'" else None
        return ActivityCall(call, function, activity, target, options, spread)
