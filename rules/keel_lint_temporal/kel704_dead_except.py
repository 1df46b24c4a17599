"""An `except` round an activity or child workflow can never match.

## What it does

Reports handlers for `ApplicationError`, `TimeoutError`, exceptions of the project, of other packages and some built-in ones in
a `try` that does nothing but run activities or child workflows; `ActivityError` where there are only child workflows, and
`ChildWorkflowError` where there are only activities.

## Why is this bad?

What the activity raised does not arrive as such. The workflow gets an `ActivityError`, or a `ChildWorkflowError`, whose `cause`
is an `ApplicationError` that carries the name of the class in `type`, or a `TimeoutError`. So the handler is dead: the
compensation it holds never runs, and the workflow fails.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError


class NoStock(Exception): ...


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        except ApplicationError:  # KEL704
            workflow.logger.warning("refused")
        try:
            await workflow.execute_activity("ship", order_id, start_to_close_timeout=timedelta(minutes=1))
        except NoStock:  # KEL704
            workflow.logger.warning("no stock")
        except ChildWorkflowError as error:  # KEL704
            workflow.logger.warning("failed: %s", error)
```

## Use instead

### The error that arrives, and its cause

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        except ActivityError as error:
            if not isinstance(error.cause, ApplicationError) or error.cause.type != "NoStock":
                raise
            workflow.logger.warning("no stock")
```

### A handler for what the block itself may raise

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError


def total(order_id: str) -> int:
    if not order_id:
        raise ApplicationError("no order")
    return int(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            amount = total(order_id)
            await workflow.execute_activity("charge", amount, start_to_close_timeout=timedelta(minutes=1))
        except (ApplicationError, ValueError):
            workflow.logger.warning("refused")
```

### A timeout of the workflow

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        charging = workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        try:
            await asyncio.wait_for(charging, 30)
        except TimeoutError:
            workflow.logger.warning("late")
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        except Exception as error:
            workflow.logger.warning("failed: %s", error)
            raise
```

## Fix safety

Unsafe: the handler catches `ActivityError` or `ChildWorkflowError` and raises it again unless its cause is what was meant, so
what it holds runs for the first time.

## Known missed alarms

Blocks that call anything else that could raise, such as functions of the project, and handlers with a type that can match
beside one that cannot.

## Options

None.

## References

- https://docs.temporal.io/references/failures#activity-failure
- https://docs.temporal.io/develop/python/best-practices/error-handling
- https://python.temporal.io/temporalio.exceptions.ActivityError.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.jobs.temporal import WORKFLOW
from keel_lint.rule import Rule
from keel_lint_temporal._commands import ACTIVITIES, CHILDREN
from keel_lint_temporal._errors import EVERYTHING, TEMPORAL_ERRORS, Errors, calls_in, caught, in_workflow
from keel_lint_temporal._handlers import indent_of, walk

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

ACTIVITY_ERROR, CHILD_ERROR = f"{TEMPORAL_ERRORS}ActivityError", f"{TEMPORAL_ERRORS}ChildWorkflowError"
_INSIDE = frozenset(
    f"{TEMPORAL_ERRORS}{name}" for name in ("ApplicationError", "ServerError", "TerminatedError", "TimeoutError")
)
_BUILTIN = frozenset({"ConnectionError", "OSError", "PermissionError", "RuntimeError", "TimeoutError", "ValueError"})
_LOCAL = re.compile(r"(?:asyncio|concurrent|json|pydantic|dataclasses|typing|decimal|zoneinfo|jsonschema)\.")
_QUIET = frozenset({
    "asyncio.gather", "datetime.timedelta", "temporalio.common.RetryPolicy",
    *(f"builtins.{name}" for name in ("bool", "dict", "isinstance", "len", "list", "print", "repr", "set", "str", "tuple")),
})  # fmt: skip
_QUIET_METHODS = frozenset({"append", "extend", "format", "get", "items", "join", "keys", "values"})
_MAY_RAISE_TIMEOUT = frozenset({f"{WORKFLOW}.wait_condition", f"{WORKFLOW}.wait"})


class DeadExcept(Rule):
    code = "KEL704"
    slug = "dead-except"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow", "activity-call")
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.errors = definition.once(Errors)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether anything is caught."""
        return b"except" in glance.text

    def visit_Try(self, node: cst.Try) -> None:
        """Judge the handlers of a `try`."""
        arrives = self.arrives(node)
        if arrives is None or not in_workflow(self.definition, node):
            return
        for handler in node.handlers:
            types = caught(handler)
            if types and all(self.is_dead(one, arrives) for one in types):
                self.say(handler, types[0], arrives)

    def arrives(self, node: cst.Try) -> set[str] | None:
        """What the calls in a `try` fail with; `None` where something else in it may raise."""
        found: set[str] = set()
        if any(isinstance(one, (cst.Raise, cst.Assert)) for one in walk(node.body)):
            return None
        if any(isinstance(one, cst.Await) and not isinstance(one.expression, cst.Call) for one in walk(node.body)):
            return None
        for call in calls_in(node.body):
            name = self.definition.called(call) or ""
            if name in ACTIVITIES or name in CHILDREN:
                found.add(ACTIVITY_ERROR if name in ACTIVITIES else CHILD_ERROR)
            elif name in _MAY_RAISE_TIMEOUT or not self.is_quiet(call, name):
                return None
        return found or None

    def is_quiet(self, call: cst.Call, name: str) -> bool:
        """Whether a call raises nothing that a handler is written for."""
        if name in _QUIET or name.startswith(f"{WORKFLOW}."):
            return True
        if isinstance(call.func, cst.Attribute) and call.func.attr.value in _QUIET_METHODS:
            return True
        project = self.definition.project
        symbol = project.resolve(self.definition.path, self.definition.code(call.func), self.definition.scope(call))
        if symbol.state != "internal" or symbol.definition < 0:
            return False
        fact = project.facts(symbol.path).definitions[symbol.definition]
        checks = "__post_init__" in project.source(symbol.path).slice(fact.start, fact.end)
        is_data = any(decorator.callee.rpartition(".")[2] == "dataclass" for decorator in fact.decorators)
        return fact.kind == "class" and is_data and not checks

    def is_dead(self, node: cst.BaseExpression, arrives: set[str]) -> bool:
        """Whether an exception class can never match what arrives."""
        names = self.errors.names(node)
        if not names:
            return False
        if names[0].startswith(TEMPORAL_ERRORS):
            return names[0] in _INSIDE or (names[0] in {ACTIVITY_ERROR, CHILD_ERROR} and names[0] not in arrives)
        if any(name.startswith("temporalio.") for name in names) or not EVERYTHING.isdisjoint(names[:1]):
            return False
        if names[0].startswith("builtins."):
            return names[0].removeprefix("builtins.") in _BUILTIN
        return names[0] == "asyncio.TimeoutError" or self.comes_from_afar(names)

    def comes_from_afar(self, names: list[str]) -> bool:
        """Whether an exception is one of the project, or of a package that workflow code does not use here."""
        if _LOCAL.match(names[0]):
            return False
        is_error = names[0].endswith(("Error", "Exception", "Timeout"))
        return self.errors.kind_of(names) == "plain" or (len(names) == 1 and is_error)

    # -- reporting --------------------------------------------------------------------------------------------------------

    def say(self, handler: cst.ExceptHandler, node: cst.BaseExpression, arrives: set[str]) -> None:
        written = self.definition.code(handler.type) if handler.type is not None else ""
        come = " or ".join(f"`{name.rpartition('.')[2]}`" for name in sorted(arrives))
        cause = "look at its `cause`" if self.errors.names(node)[0] not in {ACTIVITY_ERROR, CHILD_ERROR} else "catch that"
        message = f"`except {written}` never matches: what the workflow gets is {come}, so the handler does not run; {cause}"
        self.report(node, message, fix=self.rewritten(handler, node, arrives))

    def rewritten(self, handler: cst.ExceptHandler, node: cst.BaseExpression, arrives: set[str]) -> FixBuilder | None:
        """Catch what arrives and raise it again unless its cause is the one that was meant."""
        holder = self.definition.parent(handler)
        others = [one for one in holder.handlers if one is not handler] if isinstance(holder, cst.Try) else []
        if others or len(arrives) != 1 or handler.type is not node or not isinstance(handler.body, cst.IndentedBlock):
            return None
        fix = self.definition.fix("Catch the error that arrives and look at its cause", "unsafe")
        arriving, name = next(iter(arrives)), self.errors.names(node)[0]
        fix.replace(node, fix.name(arriving, node))
        if name in {ACTIVITY_ERROR, CHILD_ERROR}:
            return fix
        if handler.name is not None and self.is_used(handler):
            return None
        error = "error"
        if handler.name is not None and isinstance(handler.name.name, cst.Name):
            error = handler.name.name.value
        else:
            fix.insert(self.definition.span(node)[1], " as error")
        start = self.definition.span(handler.body.body[0])[0]
        indent = indent_of(self.definition, handler.body.body[0])
        step = indent[len(indent_of(self.definition, handler)) :]
        fix.insert(start, f"if {self.test(error, name, node, fix)}:\n{indent}{step}raise\n{indent}")
        return fix

    def test(self, error: str, name: str, node: cst.BaseExpression, fix: FixBuilder) -> str:
        if name.startswith(TEMPORAL_ERRORS):
            return f"not isinstance({error}.cause, {self.definition.code(node)})"
        if name in {"asyncio.TimeoutError", "builtins.TimeoutError"}:
            return f"not isinstance({error}.cause, {fix.name(f'{TEMPORAL_ERRORS}TimeoutError', node)})"
        return f'getattr({error}.cause, "type", None) != "{name.rpartition(".")[2]}"'

    def is_used(self, handler: cst.ExceptHandler) -> bool:
        name = handler.name.name if handler.name is not None else None
        names = (one for one in descendants(handler.body) if isinstance(one, cst.Name))
        return isinstance(name, cst.Name) and any(one.value == name.value for one in names)
