"""What several rules of the pack read in the code of a call or of a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.dispatches import Dispatch
    from keel_lint.jobs.tasks import Task

ON_COMMIT = "django.db.transaction.on_commit"
OPTIONS = frozenset({
    "args", "compression", "countdown", "eta", "exchange", "expires", "headers", "ignore_result", "kwargs", "link",
    "link_error", "priority", "queue", "retry", "retry_policy", "routing_key", "serializer", "shadow", "soft_time_limit",
    "task_id", "time_limit",
})  # fmt: skip
"""The options of `apply_async`: https://docs.celeryq.dev/en/stable/reference/celery.app.task.html"""
_SHORT = 40
_PARAMETERS = re.compile(rb"[ \t\f\r\n\\]*\(")


def parameters_start(text: bytes, name_end: int) -> int | None:
    """Where the parameters of a function begin whose name ends at an offset; `None` behind type parameters (PEP 695)."""
    found = _PARAMETERS.match(text, name_end)
    return found.end() if found is not None else None


def keywords(call: cst.Call) -> dict[str, cst.Arg]:
    """The arguments of a call that are given by keyword."""
    return {argument.keyword.value: argument for argument in call.args if argument.keyword is not None}


def first(call: cst.Call, keyword: str) -> cst.BaseExpression | None:
    """The value of the first argument, which may be given by keyword too."""
    if call.args and call.args[0].keyword is None and not call.args[0].star:
        return call.args[0].value
    given = keywords(call).get(keyword)
    return given.value if given is not None else None


def is_spread(call: cst.Call) -> bool:
    """Whether a `*` or `**` may give the call other arguments than those that can be read."""
    return any(argument.star for argument in call.args)


def last_name(node: cst.CSTNode) -> str:
    """The last part of a name or attribute; empty for any other expression."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def shown(definition: Definition, node: cst.CSTNode) -> str:
    """The source of a node for a message, where it is short: ` `like this``, else nothing."""
    code = definition.code(node)
    return f" `{code}`" if len(code) <= _SHORT and "\n" not in code else ""


def dispatch_at(definition: Definition, node: cst.Call) -> Dispatch | None:
    """The dispatch that a call is."""
    fact = definition.call_fact(node)
    return definition.jobs.dispatches.of(definition.path, fact) if fact is not None else None


def dispatch_with_options(definition: Definition, node: cst.Call) -> Dispatch | None:
    """The dispatch that a call is, where it is one that takes options: not `delay`, whose keywords are the task's."""
    dispatch = dispatch_at(definition, node)
    return None if dispatch is None or dispatch.method.startswith("delay") else dispatch


def is_retry(definition: Definition, node: cst.Call) -> bool:
    """Whether a call is `self.retry()` in a bound task or a class of tasks, or `retry` of a task by its name."""
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value != "retry" or not isinstance(func.value, cst.Name):
        return False
    owner = func.value.value
    if definition.name(func.value) == "celery.current_task":
        return True
    task = definition.task
    if task is not None and task.is_bound and owner == next((one.name for one in task.definition.parameters), None):
        return True
    if owner == "self" and definition.jobs.tasks.as_base(definition.path, definition.position) is not None:
        return True
    symbol = definition.project.resolve(definition.path, owner, definition.scope(node))
    return definition.jobs.tasks.of(symbol) is not None


def task_decorator(definition: Definition, task: Task | None) -> cst.Decorator | None:
    """The decorator that makes the definition a task; `None` for a class of tasks."""
    node = definition.node
    if task is None or task.decorator is None or not isinstance(node, cst.FunctionDef):
        return None
    # By order: where a node stands costs more to find out than all the rest.
    known = definition.fact.decorators
    at = known.index(task.decorator) if task.decorator in known else len(node.decorators)
    return node.decorators[at] if at < len(node.decorators) else None


def call_later(builder: FixBuilder, definition: Definition, call: cst.Call) -> bool:
    """Turn `f(a, b)` into `partial(f, a, b)`, and `f()` into `f`; whether that can be done."""
    if any(isinstance(argument.value, cst.GeneratorExp) and not argument.value.lpar for argument in call.args):
        return False
    if not call.args:
        builder.replace_span(definition.span(call.func)[1], definition.span(call)[1], "")
        return True
    builder.hand_over(call, builder.name("functools.partial", call))
    return True


def seconds(value: object) -> float | None:
    """A number of seconds, `None` for anything else."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
