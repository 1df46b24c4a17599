"""Whether arguments fit a function, as Python binds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE
from keel_lint.index.tables import Names
from keel_lint.jobs.tasks import DECORATORS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from keel_lint.index.facts import Parameter
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.tasks import Task

_CHANGES_ARGUMENTS = ("apply_async", "delay", "s", "si", "signature")


def misfit(parameters: Sequence[Parameter], positional: int, keywords: Collection[str], *, partial: bool = False) -> str | None:
    """Why a call with so many positional arguments and these keywords raises `TypeError`, in Python's words; `None` if it fits.

    With `partial` others may come before and beside them, so that none is missing and none need fit twice.
    """
    by_position = [one for one in parameters if one.kind in {"posonly", "plain"}]
    by_keyword = {one.name for one in parameters if one.kind in {"plain", "kwonly"}}
    takes_any = {one.kind for one in parameters}
    if positional > len(by_position) and "vararg" not in takes_any:
        return f"takes {_counted(len(by_position), 'positional argument')} but {positional} {_were(positional)} given"
    strange = [] if "kwarg" in takes_any else [name for name in keywords if name not in by_keyword]
    if strange:
        return f"got an unexpected keyword argument '{strange[0]}'"
    if partial:
        return None
    filled = {one.name for one in by_position[:positional]}
    twice = [one.name for one in by_position[:positional] if one.name in keywords and one.kind == "plain"]
    if twice:
        return f"got multiple values for argument '{twice[0]}'"
    wanted = [one for one in parameters if one.kind not in {"vararg", "kwarg"} and not one.default]
    missing = [one.name for one in wanted if one.name not in filled and (one.name not in keywords or one.kind == "posonly")]
    if not missing:
        return None
    names = " and ".join(f"'{name}'" for name in missing)
    return f"missing {_counted(len(missing), 'required argument')}: {names}"


def is_typed(jobs: Jobs, task: Task) -> bool:
    """Whether Celery checks the arguments where the task is dispatched by reference."""
    typing = jobs.tasks.option(task, "typing")
    return not jobs.settings.get("strict_typing") and (typing is None or typing.value is True)


def parameters_of(jobs: Jobs, task: Task, *, at_once: bool) -> tuple[Parameter, ...] | None:
    """The parameters that callers of a function's task fill; `None` where something between them may change the arguments.

    Celery checks a dispatch `at_once` against the function itself; later a `__call__` of the base class stands before it.
    """
    bind = task.given.get("bind")
    if task.definition.kind == "class" or task.opaque or (bind is not None and not isinstance(bind.value, bool)):
        return None
    if "pydantic" in task.given or len(task.definition.decorators) != 1 or not _is_celerys(jobs, task):
        return None
    names = Names.of(jobs.project.facts(task.path)).definitions
    if len(names[task.definition.parent, task.definition.name]) != 1 or jobs.tasks.is_opaque(task):
        return None
    changing = _CHANGES_ARGUMENTS if at_once else ("__call__", *_CHANGES_ARGUMENTS)
    if any(jobs.tasks.overriding(task, method) is not None for method in changing):
        return None
    if task.is_bound and not task.definition.parameters:
        return None
    return task.parameters


def shown(name: str, parameters: Sequence[Parameter]) -> str:
    """A function as it is called: `send(order_id, to, *, retry=...)`."""
    stars = {"vararg": "*", "kwarg": "**"}
    parts: list[str] = []
    is_marked = False
    for one in parameters:
        if one.kind == "kwonly" and not is_marked:
            parts.append("*")
        is_marked = is_marked or one.kind in {"vararg", "kwonly"}
        parts.append(f"{stars.get(one.kind, '')}{one.name}{'=...' if one.default else ''}")
    return f"{name}({', '.join(parts)})"


def _is_celerys(jobs: Jobs, task: Task) -> bool:
    """Whether the task's decorator is Celery's own, and none that the project has made."""
    if task.decorator is None:
        return False
    symbol = jobs.project.resolve(task.path, task.decorator.callee, task.definition.parent)
    return symbol.name in DECORATORS or symbol.definition == MODULE or symbol.state != "internal"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
