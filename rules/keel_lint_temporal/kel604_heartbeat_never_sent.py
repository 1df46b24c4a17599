"""An activity call waits for heartbeats that the activity never sends.

## What it does

Reports `heartbeat_timeout` of an activity call whose activity, followed through the functions of the project that it calls,
never calls `activity.heartbeat()`.

## Why is this bad?

With a `heartbeat_timeout` the server takes an attempt for dead as soon as no heartbeat has come for that long. An activity that
sends none and takes longer is timed out although it is healthy, and started again beside the first attempt, which still runs:
the work is done twice, and with every attempt it happens again. Cancellation does not reach the activity either, because it
comes as the answer to a heartbeat.

## Example

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def export(order_id: str) -> None:
    await write(order_id)


async def write(order_id: str) -> None: ...


@workflow.defn
class Export:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            export,
            order_id,
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=30),  # KEL604
        )
```

## Use instead

### Send heartbeats

```python
from datetime import timedelta

from temporalio import activity, workflow


class Exports:
    @activity.defn
    async def export(self, order_id: str) -> None:
        for page in range(100):
            self.write(order_id, page)

    def write(self, order_id: str, page: int) -> None:
        activity.heartbeat(page)


@workflow.defn
class Export:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity_method(
            Exports.export,
            order_id,
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=30),
        )
```

### No heartbeats, where the activity is short

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def mail(order_id: str) -> None: ...


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(mail, order_id, start_to_close_timeout=timedelta(seconds=20))
        await workflow.execute_activity(
            mail, order_id, start_to_close_timeout=timedelta(seconds=20), heartbeat_timeout=timedelta(seconds=30)
        )
```

### A decorator that sends them

```python title="app/beating.py"
import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from temporalio import activity


def beating(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(function)
    async def wrapper(*args: Any) -> Any:
        task = asyncio.ensure_future(function(*args))
        while not task.done():
            activity.heartbeat()
            await asyncio.wait([task], timeout=10)
        return task.result()

    return wrapper
```

```python title="app/order.py"
from datetime import timedelta

from temporalio import activity, workflow

from app.beating import beating


@activity.defn
@beating
async def export(order_id: str) -> None: ...


@workflow.defn
class Export:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            export, order_id, start_to_close_timeout=timedelta(hours=1), heartbeat_timeout=timedelta(seconds=30)
        )
```

## Fix safety

No fix is offered: either the activity must send heartbeats from within its work, or the option is not meant.

## Known missed alarms

Activities that cannot be found, that call something of which nothing is known under a name with *heartbeat* in it, that are
completed from elsewhere, or that have a decorator of their own.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/detecting-activity-failures#activity-heartbeat
- https://docs.temporal.io/develop/python/activities/timeouts#activity-heartbeats
- https://python.temporal.io/temporalio.activity.html#heartbeat
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._activities import ActivityCalls, fact_of, other_decorators, reached_from, text_of
from keel_lint_temporal._commands import ACTIVITIES
from keel_lint_temporal._handlers import keyword

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.flow.classes import Place
    from keel_lint.glance import Glance
    from keel_lint.jobs.activity_options import Options

_SILENCING = ("heartbeat", "raise_complete_async")


class HeartbeatNeverSent(Rule):
    code = "KEL604"
    slug = "heartbeat-never-sent"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("activity-call",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.calls = definition.once(ActivityCalls)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call may set the option."""
        return b"heartbeat_timeout" in glance.text or b"**" in glance.text

    def visit_Call(self, node: cst.Call) -> None:
        """Judge an activity call."""
        name = self.definition.called(node) or ""
        if name not in ACTIVITIES or "_local_" in name:
            return
        options = self.calls.options(node)
        if not self.is_too_late(options):
            return
        target = self.calls.target(node)
        if target is None:
            return
        if self.may_send(target):
            self.decline(node, "the activity, its class or something that it calls may send heartbeats")
        else:
            self.say(node, target, options)

    def is_too_late(self, options: Options) -> bool:
        """Whether an attempt that runs as long as it may would miss a heartbeat."""
        beat, attempt = (options.values.get(f"{name}_timeout") for name in ("heartbeat", "start_to_close"))
        if not isinstance(beat, timedelta) or not beat:
            return False
        return not isinstance(attempt, timedelta) or not attempt or beat < attempt

    def may_send(self, target: Place) -> bool:
        """Whether an activity may send a heartbeat, from wherever."""
        if other_decorators(self.definition, target) or self.definition.jobs.temporal.interceptor_heartbeats:
            return True
        # The whole class: a base of it, or an attribute that another method sets, may send them.
        fact = fact_of(self.definition, target)
        round_it = (target[0], fact.parent) if fact.parent >= 0 else target
        reached = list(reached_from(self.definition, target))
        texts = (text_of(self.definition, place) for place in (round_it, *reached))
        return any(word in text.lower() for text in texts for word in _SILENCING) or any(map(self.calls_one_that_may, reached))

    def calls_one_that_may(self, place: Place) -> bool:
        """Whether a function calls something by the name of what sends heartbeats somewhere in the project."""
        calls = (call for call in self.definition.project.facts(place[0]).calls if call.scope == place[1])
        return any(self.definition.jobs.temporal.may_heartbeat(call.callee.rpartition(".")[2]) for call in calls)

    def say(self, node: cst.Call, target: Place, options: Options) -> None:
        project, fact = self.definition.project, fact_of(self.definition, target)
        beat = options.values["heartbeat_timeout"]
        given = keyword(node, "heartbeat_timeout")
        hop = project.hop(target[0], *fact.name_span, f"`{fact.name}` sends no heartbeat")
        message = (
            f"`{fact.name}` never calls `activity.heartbeat()`: an attempt that takes longer than {beat} is timed out and "
            "started again while it still runs; send heartbeats, or drop `heartbeat_timeout`"
        )
        self.report(given if given is not None else node, message, hops=(hop,))
