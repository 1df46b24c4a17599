"""A query is an `async def`.

## What it does

Reports `@workflow.query` methods that are `async def`.

## Why is this bad?

A query only reads. The SDK still takes an `async def`, with no more than a `DeprecationWarning` when the worker starts, but
what the query could await is refused: timers, activities and conditions raise `ReadOnlyContextError`, and the caller gets an
error instead of an answer. A future version of the SDK may refuse the definition itself.

## Example

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.state = "new"

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.state == "done")

    @workflow.query
    async def status(self) -> str:  # KEL711
        return self.state

    @workflow.query(name="later")
    async def status_later(self) -> str:  # KEL711
        await workflow.sleep(1)
        return self.state
```

## Use instead

### A plain function

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.state = "new"

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.state == "done")

    @workflow.query
    def status(self) -> str:
        return self.state
```

### An update, where something is to be awaited

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.state = "new"

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.state == "done")

    @workflow.update
    async def finished(self) -> str:
        await workflow.wait_condition(lambda: self.state == "done")
        return self.state
```

### A method that is called by the workflow only

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self) -> str:
        return await self.query("state")

    async def query(self, name: str) -> str:
        await workflow.sleep(1)
        return name
```

## Fix safety

Safe: `async` is removed where nothing is awaited in the query and nothing in the class awaits it. The answer is the same.

## Known missed alarms

Handlers that are set with `workflow.set_query_handler`, and queries of base classes that are no workflows themselves.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#queries
- https://python.temporal.io/temporalio.workflow.html#query
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._handlers import methods_of, name_span, waits, without_async

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method


class AsyncQuery(Rule):
    code = "KEL711"
    slug = "async-query"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there may be a query."""
        return b"query" in glance.text

    def finish(self) -> None:
        """Judge the queries."""
        for method in self.methods.of("query"):
            if method.is_async:
                self.judge(method)

    def judge(self, method: Method) -> None:
        does = "what it awaits raises ReadOnlyContextError" if waits(method.node.body) else "it must not wait for anything"
        message = (
            f"query `{method.name}` is an `async def`: the SDK warns that this is deprecated, and {does}; use a plain `def`"
        )
        self.report(name_span(self.definition, method), message, fix=self.removal(method))

    def removal(self, method: Method) -> FixBuilder | None:
        if waits(method.node.body) or method.name in self.awaited():
            return None
        return without_async(self.definition, method, "safe")

    def awaited(self) -> set[str]:
        """The methods that the class awaits, by name."""
        calls = (node.expression for node in self.definition.find_all(cst.Await) if isinstance(node.expression, cst.Call))
        return {call.func.attr.value for call in calls if isinstance(call.func, cst.Attribute)}
