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

Unsafe: the activity becomes an `async def`, and `asyncio.run(...)` in it becomes `await`. There is no fix where the activity,
or a function of the project that it calls, runs an event loop in some other way. What blocks in it then blocks the event loop
of the worker, which KEL608 reports.

## Known missed alarms

Functions that get the client in a way that cannot be followed.

## Options

None.

## References

- https://python.temporal.io/temporalio.activity.html#client
- https://docs.temporal.io/develop/python/python-sdk-sync-vs-async
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.rule import Rule
from keel_lint_temporal._activities import calls_of, reached_from
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from keel_lint.finding import Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.classes import Place

CLIENT = f"{ACTIVITY}.client"
_RUN = "asyncio.run"
_RUNS_A_LOOP = re.compile(
    r"(?:asyncio|anyio|trio|uvloop)\.(?:run|Runner|new_event_loop|get_event_loop|from_thread\..*)"
    r"|asgiref\.sync\.(?:async_to_sync|AsyncToSync)|(?:.*\.)?run_(?:coroutine_threadsafe|forever|until_complete)"
)


class ClientInSyncActivity(Rule):
    code = "KEL624"
    slug = "client-in-sync-activity"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.10"
    fix = "unsafe"
    judges = ("activity",)
    proof = "worker"

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
                    return project.hop(here[0], call.start, call.end, "it is called here")
        return None

    def awaiting(self, node: cst.FunctionDef) -> FixBuilder | None:
        """The activity as an `async def`; none where it would run an event loop inside of the worker's."""
        runs = [call for call in self.definition.find_all(cst.Call, node.body) if self.runs_a_loop(call)]
        if not all(self.can_be_awaited(call, node) for call in runs) or self.calls_one_that_runs_a_loop(node):
            return None
        fix = self.definition.fix("Make it an `async def`", "unsafe")
        name = self.definition.span(node.name)[0]
        fix.insert(self.definition.source.text.rindex(b"def", 0, name), "async ")
        for call in runs:
            fix.replace(call, f"await {self.definition.code(call.args[0].value)}")
        return fix

    def runs_a_loop(self, call: cst.Call) -> bool:
        """Whether a call may run an event loop, or be one that only a thread without a loop can make."""
        return _RUNS_A_LOOP.fullmatch(self.definition.called(call) or _last(call)) is not None

    def can_be_awaited(self, call: cst.Call, node: cst.FunctionDef) -> bool:
        """Whether a call is `asyncio.run(...)` of a call, on its own, in the activity itself."""
        is_plain = len(call.args) == 1 and call.args[0].keyword is None and isinstance(call.args[0].value, cst.Call)
        is_alone = isinstance(self.definition.parent(call), (cst.AnnAssign, cst.Assign, cst.Expr, cst.Return))
        is_here = self.definition.nearest(call, cst.FunctionDef, cst.Lambda) is node
        return self.definition.called(call) == _RUN and is_plain and is_alone and is_here

    def calls_one_that_runs_a_loop(self, node: cst.FunctionDef) -> bool:
        """Whether a function of the project that an activity calls may run an event loop."""
        here = (self.definition.path, self.definition.scope(node.body))
        others = (place for place in reached_from(self.definition, here) if place != here)
        return any(_RUNS_A_LOOP.fullmatch(name) for place in others for _, name in calls_of(self.definition, place))


def _last(call: cst.Call) -> str:
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else ""


def _message(node: cst.FunctionDef, through: str) -> str:
    called = f"{through}`activity.client()`" if through else "`activity.client()` is called"
    return (
        f"{called} in the `def` activity `{node.name.value}`: RuntimeError `No client available` fails every attempt; make it "
        "an `async def`, or hand a client to the class of the activity"
    )
