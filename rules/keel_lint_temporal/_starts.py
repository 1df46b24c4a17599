"""What a call starts: the activity or workflow that it names, by reference or as a string, and on which task queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.facts import MODULE
from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.jobs.values import UNKNOWN
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.index.facts import Definition as DefinitionFacts
    from keel_lint.jobs.workers import Kind

_ACTIVITIES = frozenset(f"temporalio.workflow.{name}" for name in ACTIVITY_CALLS)
_CHILDREN = frozenset({"temporalio.workflow.execute_child_workflow", "temporalio.workflow.start_child_workflow"})
_CLIENT = frozenset({"execute_workflow", "start_workflow"})


class Start(Record, frozen=True):
    """A call that starts an activity or a workflow.

    `name` is that of the activity or workflow, `None` where it cannot be told; `target` is where it is defined, `None` for a
    name given as a string. `written` is the first argument. `queue` is the value of `task_queue=`, `None` where there is none.
    """

    kind: Kind
    function: str
    name: str | None
    target: tuple[str, int] | None
    written: cst.BaseExpression
    queue: object
    queue_node: cst.BaseExpression | None

    @property
    def is_local(self) -> bool:
        """Whether it is a local activity, which runs on the worker of its workflow."""
        return "_local_" in self.function


def start_of(definition: Definition, node: cst.Call) -> Start | None:
    """What a call starts; `None` for a call that starts nothing."""
    function = definition.called(node)
    kind: Kind = "activity"
    if function in _CHILDREN or (function not in _ACTIVITIES and _is_of_client(node)):
        kind = "workflow"
    elif function not in _ACTIVITIES:
        return None
    given = {argument.keyword.value: argument.value for argument in node.args if argument.keyword is not None}
    first = node.args[0].value if node.args and node.args[0].keyword is None and not node.args[0].star else given.get(kind)
    if first is None:
        return None
    is_open = any(argument.star == "**" for argument in node.args)
    queue = given.get("task_queue")
    value = definition.value(queue) if queue is not None else UNKNOWN if is_open else None
    target = _target(definition, first, kind)
    name = _name(definition, first, target)
    return Start(kind, (function or "").rpartition(".")[2], name, target, first, value, queue)


def workflow_round(definition: Definition) -> str | None:
    """The name of the workflow that a definition is; `None` for other definitions, and where it cannot be told."""
    if definition.fact.kind != "class" or not definition.jobs.temporal.is_workflow(definition.path, definition.fact):
        return None
    return definition.jobs.workers.name_of(definition.path, definition.fact)[0] or None


def _is_of_client(node: cst.Call) -> bool:
    """`client.start_workflow(...)`: known by its options, as the client comes from anywhere."""
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in _CLIENT:
        return False
    given = {argument.keyword.value for argument in node.args if argument.keyword is not None}
    return {"id", "task_queue"} <= given


def _target(definition: Definition, node: cst.BaseExpression, kind: Kind) -> tuple[str, int] | None:
    """Where the activity function or workflow class is defined; `Order.run` stands for `Order`."""
    if not isinstance(node, (cst.Name, cst.Attribute)) or definition.name(node) is None:
        return None
    symbol = definition.project.resolve(definition.path, definition.code(node), definition.scope(node))
    if symbol.state != "internal" or symbol.definition < 0:
        return None
    position = symbol.definition
    fact = definition.project.facts(symbol.path).definitions[position]
    if kind == "workflow" and fact.kind == "function":
        position = fact.parent
    return (symbol.path, position) if position != MODULE else None


def fact_of(definition: Definition, target: tuple[str, int]) -> DefinitionFacts:
    """What the index knows of the definition at a place."""
    return definition.project.facts(target[0]).definitions[target[1]]


def _name(definition: Definition, node: cst.BaseExpression, target: tuple[str, int] | None) -> str | None:
    if target is not None:
        return definition.jobs.workers.name_of(target[0], fact_of(definition, target))[0] or None
    value = definition.value(node)
    return value if isinstance(value, str) and value else None
