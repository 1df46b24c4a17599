"""A command of a workflow is not awaited.

## What it does

Reports calls in workflow code whose coroutine nobody awaits: `workflow.execute_activity`, `execute_child_workflow` and their
like, `workflow.sleep`, `workflow.wait_condition`, signals to other workflows, Nexus operations, and `async def` functions of
the project. A call counts where it stands alone on its line, where the variable that takes the coroutine is never used, and
where `run` or an update returns it. `workflow.start_activity` counts where its handle is dropped.

## Why is this bad?

A coroutine that nobody awaits never begins. The activity is not scheduled, the timer is not set, the condition is not waited
for; the workflow goes on and completes as if it had been. All that is left is `RuntimeWarning: coroutine ... was never awaited`
in the log of the worker.

`start_activity` does schedule, but with its handle the result and the error are gone: the activity can fail without anybody's
notice, and a run that ends before the worker has picked it up ends without it.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL611
        workflow.start_activity("mail", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL611
        done = workflow.execute_activity("ship", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL611
        self.close(order_id)  # KEL611

    async def close(self, order_id: str) -> None:
        handle = workflow.get_external_workflow_handle(order_id)
        handle.signal("closed")  # KEL611
        workflow.sleep(10)  # KEL611
```

## Use instead

### Await it

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> str:
        await workflow.sleep(10)
        await self.close(order_id)
        return await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))

    async def close(self, order_id: str) -> None:
        await workflow.get_external_workflow_handle(order_id).signal("closed")
```

### Start several, await them together

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Orders:
    @workflow.run
    async def run(self, order_ids: list[str]) -> list[str]:
        waiting = []
        for order_id in order_ids:
            waiting.append(workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1)))
        first = workflow.start_activity("mail", order_ids, start_to_close_timeout=timedelta(minutes=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(workflow.sleep(3))
        return [await first, *await asyncio.gather(*waiting)]
```

### A coroutine that is handed on

```python
from collections.abc import Awaitable
from datetime import timedelta

from temporalio import workflow


def charge(order_id: str) -> Awaitable[str]:
    return workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> str:
        workflow.start_activity(
            "mail",
            order_id,
            start_to_close_timeout=timedelta(minutes=1),
            cancellation_type=workflow.ActivityCancellationType.ABANDON,
        )
        return await charge(order_id)
```

## Fix safety

Unsafe: `await` makes the command happen, or the workflow wait, for the first time. A run in flight has no such command in its
history, so guard the change with `workflow.patched` where runs may be open.

## Known missed alarms

Coroutines kept in attributes, lists and dicts that nobody awaits later, and functions whose decorator may await them.

## Options

None.

## References

- https://docs.python.org/3/library/asyncio-dev.html#detect-never-awaited-coroutines
- https://python.temporal.io/temporalio.workflow.html#execute_activity
- https://docs.temporal.io/develop/python/activities/execution
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule
from keel_lint_temporal._commands import COROUTINES, HANDLE_COROUTINES, STARTS
from keel_lint_temporal._handlers import keyword, methods_of

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder

_DROPS = "Python drops the coroutine"
_ENDS_WITHOUT = "its handle is dropped: nobody sees whether the activity fails, and the run can end without it; write `await`"


class CommandNotAwaited(Rule):
    code = "KEL611"
    slug = "command-not-awaited"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow", "activity-call")
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    def visit_Expr(self, node: cst.Expr) -> None:
        """Judge a call that stands alone."""
        if isinstance(node.value, cst.Call):
            self.judge(node.value)

    def visit_Assign(self, node: cst.Assign) -> None:
        """Judge a call whose result nobody looks at."""
        function = self.definition.nearest(node, cst.FunctionDef)
        if function is None or not isinstance(node.value, cst.Call) or len(node.targets) != 1:
            return
        target = node.targets[0].target
        if not isinstance(target, cst.Name) or target.value.startswith("_"):
            return
        uses = [name for name in self.definition.find_all(cst.Name, function) if name.value == target.value]
        if uses == [target] and self.command(node.value) in COROUTINES:
            self.judge(node.value)

    def visit_Return(self, node: cst.Return) -> None:
        """Judge a coroutine that the engine would have to store."""
        method = self.methods.round(node)
        if method is None or method.kind not in {"run", "update"} or not method.is_async:
            return
        if self.definition.nearest(node, cst.FunctionDef, cst.Lambda) is not method.node or not isinstance(
            node.value, cst.Call
        ):
            return
        if self.command(node.value) in COROUTINES:
            written = self.definition.code(node.value.func)
            result = f"`{method.name}` returns the coroutine of `{written}` instead of awaiting it"
            message = f"{result}: the command never happens and the coroutine cannot be serialized; write `return await`"
            self.report(node.value, message, fix=self.insertion(node.value))

    def command(self, call: cst.Call) -> str:
        """The canonical name of what a call calls, also through a handle; empty where it is not known."""
        return self.definition.called(call) or self.definition.once(Receivers).called(call) or ""

    def judge(self, call: cst.Call) -> None:
        method = self.methods.round(call)
        if method is not None and method.kind in {"query", "validator"}:
            return  # No command can be given there at all: that is KEL712.
        written = self.definition.code(call.func)
        name = self.command(call)
        if name in STARTS:
            if keyword(call, "cancellation_type") is None:
                self.report(call, f"`{written}` is not awaited and {_ENDS_WITHOUT}", fix=self.insertion(call))
            return
        is_command = name in COROUTINES or HANDLE_COROUTINES.match(name) is not None
        if is_command or self.is_own(call):
            lost = "and the workflow goes on as if it had happened" if is_command else "and none of its body runs"
            message = f"`{written}` is never awaited: {_DROPS} {lost}; {self.advice(call)}"
            self.report(call, message, fix=self.insertion(call))

    def is_own(self, call: cst.Call) -> bool:
        """Whether a call calls a plain `async def` of the workflow class or of the project."""
        if isinstance(call.func, cst.Attribute) and isinstance(call.func.value, cst.Name) and call.func.value.value == "self":
            method = self.methods.named(call.func.attr.value)
            return method is not None and method.is_async and not method.node.decorators and not _yields(method.node)
        written = self.definition.code(call.func)
        symbol = self.definition.project.resolve(self.definition.path, written, self.definition.scope(call))
        if symbol.state != "internal" or symbol.definition < 0 or "." in written:
            return False
        facts = self.definition.project.facts(symbol.path)
        fact = facts.definitions[symbol.definition]
        if fact.kind != "function" or not fact.is_async or fact.decorators:
            return False
        return "yield" not in self.definition.project.source(symbol.path).slice(fact.body_start, fact.end)

    def advice(self, call: cst.Call) -> str:
        function = self.definition.nearest(call, cst.FunctionDef)
        if function is None or function.asynchronous is not None:
            return "write `await`"
        return f"make `{function.name.value}` an `async def` and write `await`"

    def insertion(self, call: cst.Call) -> FixBuilder | None:
        function = self.definition.nearest(call, cst.FunctionDef, cst.Lambda)
        if not isinstance(function, cst.FunctionDef) or function.asynchronous is None:
            return None
        fix = self.definition.fix("Insert `await`", "unsafe")
        fix.insert(self.definition.span(call)[0], "await ")
        return fix


def _yields(function: cst.FunctionDef) -> bool:
    return any(isinstance(node, cst.Yield) for node in descendants(function.body))
