"""A loop without an end fills the history of a run.

## What it does

Reports `while True` in a workflow that waits or gives commands in each round, that nothing leaves (`break`, `return`, `raise`),
in a class that never calls `workflow.continue_as_new`.

## Why is this bad?

Each timer and each activity adds events to the history: about five a round. The server warns at 10,240 events and terminates
the run at 51,200, or at 50 MB: what the workflow was to look after is then looked after by nobody. Long before that each replay
takes seconds, because a worker that does not have the run in its cache goes through all of it again.

`continue_as_new` ends the run and starts the next one with a history that is empty.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Watch:
    @workflow.run
    async def run(self, order_id: str) -> None:
        while True:  # KEL701
            await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))
            await workflow.sleep(60)
```

## Use instead

### Begin anew before the history is long

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Watch:
    @workflow.run
    async def run(self, order_id: str) -> None:
        while True:
            await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))
            await workflow.sleep(60)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(order_id)
```

### A loop that has an end

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Watch:
    @workflow.run
    async def run(self, order_id: str) -> str:
        while True:
            state = await workflow.execute_activity("check", order_id, start_to_close_timeout=timedelta(minutes=1))
            if state == "done":
                return order_id
            await workflow.sleep(60)
```

### A loop that waits for nothing

```python
from temporalio import workflow


@workflow.defn
class Watch:
    def __init__(self) -> None:
        self.orders: list[str] = []

    @workflow.run
    async def run(self) -> int:
        found = 0
        while self.orders:
            found += len(self.orders.pop())
            await workflow.sleep(1)
        return found
```

## Fix safety

No fix is offered: what the next run must be given is for you to say.

## Known missed alarms

Loops that something leaves, however unlikely, loops with a condition that never ends, and helpers that continue as new.

## Options

None.

## References

- https://docs.temporal.io/workflow-execution/limits
- https://docs.temporal.io/develop/python/workflows/continue-as-new
- https://docs.temporal.io/workflow-execution/event#event-history-limits
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.rule import Rule
from keel_lint_temporal._errors import COMMANDS, calls_in
from keel_lint_temporal._handlers import methods_of, walk

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method

CONDITION = "temporalio.workflow.wait_condition"
_LEAVING = (cst.Break, cst.Raise, cst.Return)


class UnboundedHistory(Rule):
    code = "KEL701"
    slug = "unbounded-history"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there is a loop, and nothing that begins anew."""
        return b"while" in glance.text and b"continue_as_new" not in glance.text and b"ContinueAsNew" not in glance.text

    def visit_While(self, node: cst.While) -> None:
        """Judge a loop."""
        method = self.methods.round(node)
        if method is None or method.kind in {"activity", "query", "validator"} or self.methods.inherits():
            return
        if self.definition.nearest(node, cst.FunctionDef) is not method.node or not self.is_endless(node):
            return
        if self.adds_events(node) and not self.calls_out(node) and not self.may_be_cancelled(method):
            message = (
                "this loop adds events to the history until the server terminates the run at 51,200; "
                "`workflow.continue_as_new(...)` when `workflow.info().is_continue_as_new_suggested()`"
            )
            start = self.definition.span(node)[0]
            self.report((start, start + len("while")), message)

    def is_endless(self, node: cst.While) -> bool:
        """Whether nothing ends a loop."""
        if self.definition.value(node.test) not in (True, 1):
            return False
        return not any(isinstance(one, _LEAVING) for one in walk(node.body))

    def adds_events(self, node: cst.While) -> bool:
        """Whether each round gives a command that goes into the history."""
        names = {self.definition.called(call) or "" for call in calls_in(node.body)}
        return any(name in COMMANDS and name != CONDITION for name in names) or self.waits_with_timeout(node)

    def waits_with_timeout(self, node: cst.While) -> bool:
        calls = (call for call in calls_in(node.body) if self.definition.called(call) == CONDITION)
        return any(
            argument.keyword is not None and argument.keyword.value == "timeout" for call in calls for argument in call.args
        )

    def calls_out(self, node: cst.While) -> bool:
        """Whether functions outside the class are called in the loop, one of which may begin anew or raise."""
        for call in (one for one in descendants(node.body) if isinstance(one, cst.Call)):
            written = self.definition.code(call.func)
            symbol = self.definition.project.resolve(self.definition.path, written, self.definition.scope(call))
            is_elsewhere = symbol.state == "internal" and symbol.definition >= 0 and symbol.path != self.definition.path
            if is_elsewhere and self.definition.project.facts(symbol.path).definitions[symbol.definition].kind == "function":
                return True
        return False

    def may_be_cancelled(self, method: Method) -> bool:
        """Whether the workflow runs a method as a task of its own, which it can cancel."""
        if method.kind or self.methods.owner is None:
            return False
        named = (one for one in self.methods.attributes(self.methods.owner) if one.attr.value == method.name)
        return not all(self.is_awaited(one) for one in named)

    def is_awaited(self, node: cst.Attribute) -> bool:
        call = self.definition.parent(node)
        return isinstance(call, cst.Call) and isinstance(self.definition.parent(call), cst.Await)
