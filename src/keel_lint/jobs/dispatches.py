"""Dispatches: the calls that publish a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.roles import DISPATCHES, SIGNATURES
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.index.facts import Call
    from keel_lint.jobs.tasks import Task, Tasks
    from keel_lint.project import Project, Symbol

CANVAS = frozenset(
    f"celery{module}.{name}"
    for module in ("", ".canvas")
    for name in ("chain", "chord", "chunks", "group", "signature", "subtask")
)
"""What makes a signature out of signatures."""


class Dispatch(Record, frozen=True):
    """A call that publishes a task. `target` is how the task is written; `task` is `None` where it is not the project's.

    `is_unbound` says that nothing binds the name of the task: code in a document or a half-typed file.
    """

    call: Call
    method: str
    target: str
    task: Task | None
    is_unbound: bool = False

    @property
    def shown(self) -> str:
        """The task's name for a message."""
        if self.task is not None:
            return self.task.definition.name
        if self.method == "send_task":
            return next((a.text.strip("\"'") for a in self.call.arguments if a.keyword in {"", "name"}), "the task")
        return _under_signature(self.target).rpartition(".")[2].removesuffix("()")


class Dispatches:
    """Answers which calls publish a task; those of which that cannot be told are left unresolved."""

    def __init__(self, project: Project, tasks: Tasks) -> None:
        self._project = project
        self._tasks = tasks

    def of(self, path: str, call: Call) -> Dispatch | None:
        """The dispatch that a call is, or `None`."""
        target, _, method = call.callee.rpartition(".")
        if method not in DISPATCHES or not target:
            return None
        if method == "send_task":
            return self._by_name(path, call, target)
        task_name = _under_signature(target)
        symbol = self._resolve(path, task_name.removesuffix("()"), call.scope)
        if task_name.endswith("()"):
            return Dispatch(call, method, target, None) if symbol.name in CANVAS else None
        task = self._tasks.of(symbol)
        if task is not None:
            return Dispatch(call, method, target, task)
        is_assumed = self._is_assumed(path, call, symbol)
        return Dispatch(call, method, target, None, symbol.state == "unbound") if is_assumed else None

    def _resolve(self, path: str, dotted: str, scope: int) -> Symbol:
        """What a name stands for; `self.send` in a method is what the body of the class defines."""
        head, _, rest = dotted.partition(".")
        if head not in {"self", "cls"} or not rest:
            return self._project.resolve(path, dotted, scope)
        definitions = self._project.facts(path).definitions
        owner = scope
        while owner >= 0 and definitions[owner].kind != "class":
            owner = definitions[owner].parent
        if owner < 0 or definitions[owner].parent >= 0:
            return self._project.resolve(path, dotted, scope)
        found = self._project.resolve(path, f"{definitions[owner].name}.{rest}")
        return found if self._tasks.of(found) is not None else self._project.resolve(path, dotted, scope)

    def _by_name(self, path: str, call: Call, target: str) -> Dispatch | None:
        is_application = self._tasks.is_application(path, target, call.scope)
        return Dispatch(call, "send_task", target, None) if is_application else None

    def _is_assumed(self, path: str, call: Call, symbol: Symbol) -> bool:
        """Whether something the project does not define is a task: an import from outside it, a name that nothing binds."""
        if symbol.state == "unbound" or (symbol.state == "external" and not symbol.name.startswith("builtins.")):
            return True
        if symbol.assignment >= 0 and self._is_made_task(symbol):
            return True
        if symbol.definition < 0:
            self._project.leave_unresolved(path, call.start)
        return False

    def _is_made_task(self, symbol: Symbol) -> bool:
        """`name = app.task(function)`, `name = app.register_task(Class())`."""
        value = self._project.facts(symbol.path).assignments[symbol.assignment].value
        owner, _, last = value.partition("(")[0].rpartition(".")
        if last == "shared_task":
            return True
        return last in {"task", "register_task"} and self._tasks.is_application(symbol.path, owner, -1)


def _under_signature(target: str) -> str:
    """The task of `task.s().set()`; anything else as it is."""
    while target.endswith("()"):
        owner, _, name = target.removesuffix("()").rpartition(".")
        if name not in SIGNATURES and name not in {"set", "clone", "on_error"}:
            return target
        if not owner:
            return target
        target = owner
    return target
