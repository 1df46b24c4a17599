"""A query or a validator gives a command.

## What it does

Reports queries and update validators, and the methods of the workflow that they call, that run an activity or a child workflow,
wait, continue as new, signal, start a task of the event loop, set a handler, write search attributes or the memo, or ask for
`workflow.random()`, `workflow.uuid4()` or `workflow.patched()`.

## Why is this bad?

Queries and validators only read. All of these raise `ReadOnlyContextError: While in read-only function, action attempted`. A
query answers its caller with that error, every time. In a validator it fails the workflow *task*, which is tried again for
ever: the run goes on looking Running, and one update has stopped it.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.item = ""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.item != "")

    @workflow.query
    def ticket(self) -> str:
        return str(workflow.uuid4())  # KEL712

    @workflow.query
    def shipped(self) -> bool:
        workflow.start_activity("check", start_to_close_timeout=timedelta(minutes=1))  # KEL712
        return self.is_new()  # KEL712

    def is_new(self) -> bool:
        return workflow.patched("new")

    @workflow.update
    def change(self, item: str) -> None:
        self.item = item

    @change.validator
    def check(self, item: str) -> None:
        workflow.upsert_memo({"checked": item})  # KEL712
```

## Use instead

### Answer with what the run has found

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.ticket = ""
        self.shipped = False

    @workflow.run
    async def run(self) -> None:
        self.ticket = str(workflow.uuid4())
        self.shipped = await workflow.execute_activity("check", start_to_close_timeout=timedelta(minutes=1))

    @workflow.query
    def state(self) -> tuple[str, bool]:
        return self.ticket, self.shipped
```

### An update, which may do all that

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(60)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update
    async def shipped(self) -> bool:
        return await workflow.execute_activity("check", start_to_close_timeout=timedelta(minutes=1))
```

### What may be asked in a query

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(60)

    @workflow.query
    def age(self) -> float:
        workflow.logger.info("asked for %s", workflow.info().workflow_id)
        return (workflow.now() - workflow.info().start_time).total_seconds()
```

## Fix safety

No fix is offered: what the query is to answer with must be found by the run, a signal or an update.

## Known missed alarms

Commands in functions outside the class and in methods of other objects.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#queries
- https://python.temporal.io/temporalio.workflow.ReadOnlyContextError.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.receivers import Receivers
from keel_lint.jobs.temporal import WORKFLOW
from keel_lint.rule import Rule
from keel_lint_temporal._commands import (
    ACTIVITIES,
    CHILDREN,
    CONTINUE_AS_NEW,
    COROUTINES,
    HANDLE_COROUTINES,
    RETRIED_FOR_EVER,
)
from keel_lint_temporal._handlers import methods_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint_temporal._handlers import Method

_OTHERS = (
    "as_completed", "deprecate_patch", "new_random", "patched", "random", "set_current_details", "set_dynamic_query_handler",
    "set_dynamic_signal_handler", "set_dynamic_update_handler", "set_query_handler", "set_signal_handler", "set_update_handler",
    "upsert_memo", "upsert_search_attributes", "uuid4", "uuid7",
)  # fmt: skip
REFUSED = frozenset({
    *ACTIVITIES, *CHILDREN, *COROUTINES, CONTINUE_AS_NEW, *(f"{WORKFLOW}.{name}" for name in _OTHERS), "asyncio.create_task",
    "asyncio.ensure_future", "asyncio.sleep",
})  # fmt: skip
"""What raises in a query and in a validator, by canonical name."""

_THEN = {
    "query": "it raises ReadOnlyContextError, which is all that the caller gets; let the run keep the value and return that",
    "validator": f"it raises ReadOnlyContextError and {RETRIED_FOR_EVER}; do it in the update",
}


class CommandInQuery(Rule):
    code = "KEL712"
    slug = "command-in-query"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("workflow",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    def finish(self) -> None:
        """Judge the queries and validators."""
        for method in self.methods.of("query", "validator"):
            for found in self.methods.found(method, self.commands):
                through = f" through `{self.definition.code(found.where)}`" if found.hops else ""
                message = f"{method.kind} `{method.name}` calls `{found.what}`{through}: {_THEN[method.kind]}"
                self.report(found.where, message, hops=found.hops)

    def commands(self, method: Method) -> Iterator[tuple[cst.Call, str]]:
        """The calls of a method that are refused, each as it is written."""
        for node in walk(method.node.body):
            if not isinstance(node, cst.Call):
                continue
            name = self.definition.called(node) or self.definition.once(Receivers).called(node) or ""
            if name in REFUSED or HANDLE_COROUTINES.match(name):
                yield node, f"{self.definition.code(node.func)}()"
