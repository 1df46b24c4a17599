"""A `def` activity asks for the Temporal client.

## What it does

Reports `activity.client()` in activities that are no `async def`, in functions inside them, and in functions of the project
that they call.

## Why is this bad?

The client is there for `async def` activities only: it belongs to the event loop of the worker, and a `def` activity runs in a
thread or a process. `RuntimeError: No client available. The client is only available in async def activities` fails the
attempt, and every other attempt as well: the activity is retried until its timeouts are over, or for ever.

## Example

```python
import asyncio

from temporalio import activity


@activity.defn
def remind(order_id: str) -> None:
    client = activity.client()  # KEL624
    asyncio.run(client.get_workflow_handle(order_id).signal("remind"))


@activity.defn
def stop(order_id: str) -> None:
    handle = activity.client().get_workflow_handle(order_id)  # KEL624
    activity.logger.info("stopping %s", handle.id)
```

## Use instead

### An async activity

```python
from temporalio import activity


@activity.defn
async def remind(order_id: str) -> None:
    client = activity.client()
    await client.get_workflow_handle(order_id).signal("remind")
```

### A client that the activity is given

```python
import asyncio

from temporalio import activity
from temporalio.client import Client


class Reminders:
    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop

    @activity.defn
    def remind(self, order_id: str) -> None:
        handle = self.client.get_workflow_handle(order_id)
        asyncio.run_coroutine_threadsafe(handle.signal("remind"), self.loop).result()
```

### A function that async activities call

```python
from temporalio import activity
from temporalio.client import WorkflowHandle


def order(order_id: str) -> WorkflowHandle:
    return activity.client().get_workflow_handle(order_id)


@activity.defn
async def remind(order_id: str) -> None:
    await order(order_id).signal("remind")


@activity.defn
def check(order_id: str) -> bool:
    return bool(order_id)
```

## Fix safety

Unsafe: the activity becomes an `async def`, where nothing in it runs an event loop of its own. What blocks in it then blocks
the event loop of the worker, which KEL608 reports.

## Known missed alarms

Functions that get the client in a way that cannot be followed.

## Options

None.

## References

- https://python.temporal.io/temporalio.activity.html#client
- https://docs.temporal.io/develop/python/python-sdk-sync-vs-async
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.finding import Hop
from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.rule import Rule
from keel_lint_temporal._activities import calls_of, reached_from
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.classes import Place

CLIENT = f"{ACTIVITY}.client"
_RUNS_A_LOOP = ("asyncio.", "anyio.", "asgiref.", "trio.")
_LOOP_METHODS = frozenset({"run_until_complete", "run_forever", "run_coroutine_threadsafe"})


class ClientInSyncActivity(Rule):
    code = "KEL624"
    slug = "client-in-sync-activity"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.10"
    fix = "unsafe"
    judges = ("activity",)
    proof = "PENDING"

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Judge an activity."""
        if node.asynchronous is not None or not is_activity(self.definition, node):
            return
        for call in self.definition.find_all(cst.Call, node.body):
            if self.definition.called(call) == CLIENT:
                self.report(call, _message(node, ""), fix=self.awaiting(node))
        if not self.definition.jobs.temporal.helper_asks_for_client:
            return
        for edge in self.definition.flow.calls.callees(self.definition.path, self.definition.scope(node.body)):
            hop = self.asks(edge.target)
            if hop is not None:
                self.report((edge.start, edge.end), _message(node, f"`{edge.written}` calls "), hops=(hop,))

    def asks(self, place: Place) -> Hop | None:
        """Where a function, or one that it calls, asks for the client."""
        project = self.definition.project
        for here in reached_from(self.definition, place):
            for call, name in calls_of(self.definition, here):
                if name == CLIENT:
                    return Hop(
                        project.absolute(here[0]), project.source(here[0]).span(call.start, call.end), "it is called here"
                    )
        return None

    def names_called(self, node: cst.FunctionDef) -> Iterator[str]:
        """The names of what an activity calls, and of what the functions of the project call that it leads to."""
        for call in self.definition.find_all(cst.Call, node.body):
            yield self.definition.called(call) or self.definition.code(call.func)
        for edge in self.definition.flow.calls.callees(self.definition.path, self.definition.scope(node.body)):
            for here in reached_from(self.definition, edge.target):
                yield from (name or call.callee for call, name in calls_of(self.definition, here))

    def awaiting(self, node: cst.FunctionDef) -> FixBuilder | None:
        if any(_runs_a_loop(name) for name in self.names_called(node)):
            return None
        fix = self.definition.fix("Make it an `async def`", "unsafe")
        name = self.definition.span(node.name)[0]
        fix.insert(self.definition.source.text.rindex(b"def", 0, name), "async ")
        return fix


def _runs_a_loop(name: str) -> bool:
    """Whether a call runs an event loop, which fails in an `async def`, or waits for the one that it would then stand in."""
    return name.startswith(_RUNS_A_LOOP) or name.rpartition(".")[2] in _LOOP_METHODS


def _message(node: cst.FunctionDef, through: str) -> str:
    called = f"{through}`activity.client()`" if through else "`activity.client()` is called"
    return (
        f"{called} in the `def` activity `{node.name.value}`: RuntimeError `No client available` fails every attempt; make it "
        "an `async def`, or hand a client to the class of the activity"
    )
