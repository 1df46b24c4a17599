"""A query changes the workflow.

## What it does

Reports queries that assign to an attribute of the workflow, delete one, or call a method that changes the list, dict or set in
it, in the query itself or in a method that it calls. What is only remembered, in an `if` that tests whether the attribute is
there yet, is a cache and does not count.

## Why is this bad?

The SDK does not notice. But a query leaves no trace in the history: after the worker restarts or evicts the workflow from its
cache, the state is rebuilt without it. Two workers then hold two different states of the same run, and when the changed value
decides over a command, the replay fails with a nondeterminism error and the workflow task is retried for ever.

## Example

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.asked = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.asked > 3)

    @workflow.query
    def next_event(self) -> str:
        self.asked += 1  # KEL710
        return self.events.pop(0)  # KEL710

    @workflow.query
    def events_so_far(self) -> list[str]:
        self.note("asked")  # KEL710
        return self.events

    def note(self, event: str) -> None:
        self.events.append(event)
```

## Use instead

### A query that only reads

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.events: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.events))

    @workflow.query
    def events_so_far(self) -> list[str]:
        found = []
        for event in self.events:
            found.append(event)
        found.sort()
        return found
```

### An update, which goes into the history

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.events: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.events))

    @workflow.update
    def next_event(self) -> str:
        return self.events.pop(0)

    @workflow.query
    def count(self) -> int:
        return len(self.events)
```

### A value that is worked out once

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.summary: str | None = None

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(1)

    @workflow.query
    def summary_text(self) -> str:
        if self.summary is None:
            self.summary = "an order"
        return self.summary
```

## Fix safety

No fix is offered: whether the change belongs into an update, a signal or nowhere is for you to say.

## Known missed alarms

Changes through a local name (`events = self.events`), through functions outside the class, of objects that attributes hold, and
handlers that are set with `workflow.set_query_handler`.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#queries
- https://docs.temporal.io/encyclopedia/workflow-message-passing
"""

from __future__ import annotations

from keel_lint_temporal._read_only import MutationRule


class QueryMutates(MutationRule):
    code = "KEL710"
    slug = "query-mutates"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("workflow",)
    proof = "worker"

    kind = "query"
    harm = (
        "a query leaves no trace in the history, so a replay rebuilds the workflow without the change and can stray from its "
        "history; only read here, and change it in an update or a signal"
    )
