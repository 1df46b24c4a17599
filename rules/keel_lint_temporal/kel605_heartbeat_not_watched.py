"""An activity sends heartbeats that nobody watches.

## What it does

Reports calls of an activity that calls `activity.heartbeat()` itself in a loop, where the call sets no `heartbeat_timeout`
and gives an attempt more than a minute. Options behind `**` are read; local activities are left alone.

## Why is this bad?

Heartbeats are compared with the `heartbeat_timeout` of the call. Without one, a worker that dies in the middle of an attempt is
noticed only when `start_to_close_timeout` is over: an attempt that may take two hours leaves the workflow waiting for two
hours. That is what the heartbeats were meant to prevent.

## Example

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def export(pages: int) -> None:
    for page in range(pages):
        activity.heartbeat(page)


@workflow.defn
class Export:
    @workflow.run
    async def run(self, pages: int) -> None:
        await workflow.execute_activity(export, pages, start_to_close_timeout=timedelta(hours=2))  # KEL605
```

## Use instead

### Say how long to wait for a heartbeat

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def export(pages: int) -> None:
    for page in range(pages):
        activity.heartbeat(page)


@workflow.defn
class Export:
    @workflow.run
    async def run(self, pages: int) -> None:
        await workflow.execute_activity(
            export,
            pages,
            start_to_close_timeout=timedelta(hours=2),
            heartbeat_timeout=timedelta(seconds=30),
        )
```

### Options kept in one place

```python
from datetime import timedelta

from temporalio import activity, workflow

LONG = workflow.ActivityConfig(start_to_close_timeout=timedelta(hours=2), heartbeat_timeout=timedelta(seconds=30))


@activity.defn
async def export(pages: int) -> None:
    for page in range(pages):
        activity.heartbeat(page)


@workflow.defn
class Export:
    @workflow.run
    async def run(self, pages: int, more: workflow.ActivityConfig) -> None:
        await workflow.execute_activity(export, pages, **LONG)
        await workflow.execute_activity(export, pages, start_to_close_timeout=timedelta(hours=2), **more)
```

### An attempt that is short anyway

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def export(pages: int) -> None:
    for page in range(pages):
        activity.heartbeat(page)


@workflow.defn
class Export:
    @workflow.run
    async def run(self, pages: int) -> None:
        await workflow.execute_activity(export, pages, start_to_close_timeout=timedelta(seconds=30))
        await workflow.execute_local_activity(export, pages, start_to_close_timeout=timedelta(minutes=2))
```

### Heartbeats that do not go on while it works

```python
import shutil
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def export(folder: str) -> None:
    activity.heartbeat("begun")
    shutil.make_archive(folder, "zip", folder)
    activity.heartbeat("done")


@workflow.defn
class Export:
    @workflow.run
    async def run(self, folder: str) -> None:
        await workflow.execute_activity(export, folder, start_to_close_timeout=timedelta(minutes=10))
```

## Fix safety

Unsafe: `heartbeat_timeout=timedelta(minutes=1)` is a guess. An activity that sends its heartbeats further apart would be timed
out.

## Known missed alarms

Activities that send heartbeats in another function or in a decorator, or one after each of several steps, and activities that
cannot be found.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/detecting-activity-failures#heartbeat-timeout
- https://docs.temporal.io/develop/python/activities/timeouts#heartbeat-timeout
- https://python.temporal.io/temporalio.activity.html#heartbeat
"""

from __future__ import annotations

import ast
from datetime import timedelta
from typing import TYPE_CHECKING

from keel_lint.index.expressions import parsed_definition
from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_temporal._activities import ActivityCalls, calls_of, fact_of
from keel_lint_temporal._commands import ACTIVITIES

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Call

OPTION = "heartbeat_timeout"
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SHORT = timedelta(minutes=1)


class HeartbeatNotWatched(Rule):
    code = "KEL605"
    slug = "heartbeat-not-watched"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity-call",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.calls = definition.once(ActivityCalls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge an activity call."""
        name = self.definition.called(node) or ""
        if name not in ACTIVITIES or "_local_" in name:
            return
        options = self.calls.options(node)
        if not options.complete or options.values.get(OPTION) is UNKNOWN or options.values.get(OPTION):
            return
        limits = [options.values.get(f"{name}_timeout") for name in ("start_to_close", "schedule_to_close")]
        if any(isinstance(limit, timedelta) and limit <= _SHORT for limit in limits):
            return
        target = self.calls.target(node)
        beat = self.heartbeat(target) if target is not None else None
        if target is not None and beat is not None:
            self.say(node, target, beat)

    def heartbeat(self, target: Place) -> Call | None:
        """Where an activity itself sends heartbeats as it goes on: a timeout would end one that only says "begun"."""
        beats = (call for call, name in calls_of(self.definition, target) if name == f"{ACTIVITY}.heartbeat")
        return next((call for call in beats if self.is_repeated(target, call)), None)

    def is_repeated(self, target: Place, call: Call) -> bool:
        """Whether a call of a function stands in a loop."""
        text, fact = self.definition.project.source(target[0]).text, fact_of(self.definition, target)
        tree, row_of_start = parsed_definition(text, fact.start, fact.end)
        if tree is None:
            return False
        row = text.count(b"\n", fact.start, call.start) + row_of_start
        loops = (node for node in ast.walk(tree) if isinstance(node, _LOOPS))
        return any(node.lineno <= row <= (node.end_lineno or 0) for node in loops)

    def say(self, node: cst.Call, target: Place, beat: Call) -> None:
        project, fact = self.definition.project, fact_of(self.definition, target)
        message = (
            f"`{fact.name}` sends heartbeats, but the call sets no `{OPTION}`: a worker that dies is noticed only when the "
            f"attempt times out; add `{OPTION}=timedelta(minutes=1)`"
        )
        hop = project.hop(target[0], beat.start, beat.end, "a heartbeat is sent here")
        self.report(node, message, fix=self.insertion(node), hops=(hop,))

    def insertion(self, node: cst.Call) -> FixBuilder | None:
        if any(argument.keyword is not None and argument.keyword.value == OPTION for argument in node.args):
            return None
        fix = self.definition.fix(f"Add `{OPTION}=timedelta(minutes=1)`", "unsafe")
        fix.insert_argument(node, f"{OPTION}={fix.name('datetime.timedelta', node)}(minutes=1)")
        return fix
