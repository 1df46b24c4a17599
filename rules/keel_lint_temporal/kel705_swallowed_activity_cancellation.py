"""A cancellation that comes through an activity is swallowed.

## What it does

Reports `except Exception`, `except ActivityError` and the like round an activity or child workflow, where the handler neither
raises, nor leaves, nor asks whether it has caught a cancellation, and the workflow then goes on: with the next round of a loop,
or with another activity or child workflow in the same function.

## Why is this bad?

While a workflow waits for an activity, its cancellation arrives as `ActivityError` with a `CancelledError` as its cause, and
that is an `Exception`. A handler that is meant for failures takes it for one: the run goes on, does what comes next, and
completes as if nobody had asked it to stop. In a loop it can only be cancelled by chance, or never.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError


@workflow.defn
class Health:
    @workflow.run
    async def run(self, order_id: str) -> None:
        for _ in range(100):
            try:
                await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))
            except Exception:  # KEL705
                workflow.logger.warning("not healthy")
            await workflow.sleep(60)
        try:
            await workflow.execute_activity("mail", order_id, start_to_close_timeout=timedelta(minutes=1))
        except ActivityError as error:  # KEL705
            workflow.logger.warning("no mail: %s", error)
        await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
```

## Use instead

### Let a cancellation through

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception


@workflow.defn
class Health:
    @workflow.run
    async def run(self, order_id: str) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            try:
                await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.warning("not healthy")
        workflow.continue_as_new(order_id)
```

### Compensate, and stop

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> str:
        minute = timedelta(minutes=1)
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=minute)
        except Exception:
            await workflow.execute_activity("refund", order_id, start_to_close_timeout=minute)
            raise
        try:
            await workflow.execute_activity("ship", order_id, start_to_close_timeout=minute)
        except Exception as error:
            return f"not shipped: {error}"
        return await workflow.execute_activity("mail", order_id, start_to_close_timeout=minute)
```

### The last thing that the workflow does

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.sleep(60)
        except Exception:
            workflow.logger.warning("woken up")
        try:
            await workflow.execute_activity("mail", order_id, start_to_close_timeout=timedelta(minutes=1))
        except Exception as error:
            workflow.logger.warning("no mail: %s", error)
```

## Fix safety

Unsafe: `if is_cancelled_exception(error): raise` comes first in the handler, so a run that is cancelled there now ends.

## Known missed alarms

Functions that call the activity elsewhere, handlers that leave or that run an activity themselves, and what comes next in
another function.

## Options

None.

## References

- https://python.temporal.io/temporalio.exceptions.html#is_cancelled_exception
- https://docs.temporal.io/develop/python/workflows/cancellation
- https://github.com/temporalio/sdk-python#workflow-cancellation
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._commands import ACTIVITIES, CHILDREN
from keel_lint_temporal._errors import TEMPORAL_ERRORS, asks_for_cancellation, calls_in, caught, in_workflow
from keel_lint_temporal._handlers import indent_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_FAILURES = ("ActivityError", "ChildWorkflowError", "FailureError", "TemporalError")
_CATCH_IT = frozenset({"builtins.Exception", *(f"{TEMPORAL_ERRORS}{name}" for name in _FAILURES)})
_LEAVING = (cst.Raise, cst.Return, cst.Break)
_ASKS = f"{TEMPORAL_ERRORS}is_cancelled_exception"


class SwallowedActivityCancellation(Rule):
    code = "KEL705"
    slug = "swallowed-activity-cancellation"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow", "activity-call")
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether anything is caught."""
        return b"except" in glance.text

    def visit_Try(self, node: cst.Try) -> None:
        """Judge the first handler that a cancellation comes to."""
        if not self.runs_something(node.body) or not in_workflow(self.definition, node):
            return
        for handler in node.handlers:
            names = {self.definition.name(one) for one in caught(handler)}
            if not names or "builtins.BaseException" in names:
                return  # That is KEL706.
            if not _CATCH_IT.isdisjoint(names):
                self.judge(node, handler)
                return

    def runs_something(self, node: cst.CSTNode) -> bool:
        return any((self.definition.called(call) or "") in ACTIVITIES | CHILDREN for call in calls_in(node))

    def judge(self, node: cst.Try, handler: cst.ExceptHandler) -> None:
        if any(isinstance(one, _LEAVING) for one in walk(handler.body)) or self.runs_something(handler.body):
            return
        goes_on = self.goes_on(node)
        if goes_on is None or asks_for_cancellation(self.definition, handler):
            self.decline(handler, "it asks for a cancellation, or the workflow does nothing more after it")
            return
        written = self.definition.code(handler.type) if handler.type is not None else ""
        swallowed = f"`except {written}` swallows the cancellation that arrives as ActivityError"
        start = self.definition.span(handler)[0]
        then = f"the workflow goes on with {goes_on}"
        message = f"{swallowed}: {then}; begin with `if is_cancelled_exception(error): raise` (temporalio.exceptions)"
        self.report((start, start + len("except")), message, fix=self.insertion(handler))

    def goes_on(self, node: cst.Try) -> str | None:
        """What the workflow does after the `try`; `None` where that is not much."""
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.FunctionDef):
                break
            if isinstance(above, (cst.While, cst.For)):
                return "the next round of the loop"
        for statement in self.after(node):
            if self.runs_something(statement):
                call = next(one for one in calls_in(statement) if (self.definition.called(one) or "") in ACTIVITIES | CHILDREN)
                return f"`{self.definition.code(call.func)}` on line {self.row(call)}"
        return None

    def after(self, node: cst.Try) -> Iterator[cst.CSTNode]:
        """The statements that come after a `try` in the same function, nearest first; none of cleaning up."""
        below: cst.CSTNode = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.FunctionDef, cst.Finally, cst.ExceptHandler)):
                return
            if isinstance(above, cst.IndentedBlock):
                yield from above.body[next(index for index, one in enumerate(above.body) if one is below) + 1 :]
                if isinstance(self.definition.parent(above), cst.FunctionDef):
                    return
            below = above

    def row(self, node: cst.CSTNode) -> int:
        return self.definition.source.row(self.definition.span(node)[0])

    def insertion(self, handler: cst.ExceptHandler) -> FixBuilder | None:
        """Raise a cancellation again before anything else."""
        if not isinstance(handler.body, cst.IndentedBlock) or handler.type is None:
            return None
        fix = self.definition.fix("Raise a cancellation again", "unsafe")
        error = "error"
        if handler.name is not None and isinstance(handler.name.name, cst.Name):
            error = handler.name.name.value
        elif not isinstance(handler.type, cst.Tuple) or handler.type.lpar:
            end = self.definition.span(handler.type)[1]
            fix.insert(end + isinstance(handler.type, cst.Tuple), " as error")
        first = handler.body.body[0]
        inner = indent_of(self.definition, first)
        step = inner[len(indent_of(self.definition, handler)) :]
        asks = fix.name(_ASKS, first)
        fix.insert(self.definition.span(first)[0], f"if {asks}({error}):\n{inner}{step}raise\n{inner}")
        return fix
