"""Workflow code blocks its thread with `time.sleep()`

## What it does

Reports `time.sleep()`, `gevent.sleep()` and `eventlet.sleep()` in workflow code and in what it calls, in other modules too.
What workflow code is: see KEL501.

## Why is this bad?

`time.sleep()` makes no timer: nothing of it stands in the history, so the wait is gone when a worker restarts and is waited
again on every replay. The Python sandbox refuses it: the workflow *task* fails and is tried again for ever, while the run
goes on looking Running. In a helper of a passed-through module, or without the sandbox, it really stops the worker's
thread, and after two seconds the deadlock detector fails the task: `[TMPRL1101] Potential deadlock detected`.

`asyncio.sleep()` and `workflow.sleep()` start a durable timer. They are deterministic in a workflow, like the rest of what
asyncio builds on timers and tasks, and can wait for months.

## Example

```python
import time

from temporalio import workflow


@workflow.defn
class Reminder:
    @workflow.run
    async def run(self, days: int) -> None:
        time.sleep(days * 86400)  # KEL503
        self.pause()

    def pause(self) -> None:
        time.sleep(1)  # KEL503
```

### In a helper of a module that is passed through the sandbox

```python title="shop/waiting.py"
import time


def wait_a_little() -> None:
    time.sleep(5)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.waiting import wait_a_little


@workflow.defn
class Retry:
    @workflow.run
    async def run(self) -> None:
        wait_a_little()  # KEL503
```

## Use instead

### A timer

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Reminder:
    @workflow.run
    async def run(self, days: int) -> None:
        await asyncio.sleep(days * 86400)
        await workflow.sleep(timedelta(days=1))
```

### In an activity it only blocks the activity

```python
import time
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def poll() -> None:
    time.sleep(5)


@workflow.defn
class Poll:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(poll, start_to_close_timeout=timedelta(minutes=1))
```

### A sleep of no time where nothing refuses it

```python
import time

from temporalio import workflow


@workflow.defn(sandboxed=False)
class Retry:
    @workflow.run
    async def run(self) -> None:
        time.sleep(0)
```

### A helper that waits only outside a workflow

```python title="shop/waiting.py"
import time

from temporalio import workflow


def wait_a_little() -> None:
    if workflow.in_workflow():
        return
    time.sleep(5)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.waiting import wait_a_little


@workflow.defn
class Retry:
    @workflow.run
    async def run(self) -> None:
        wait_a_little()
```

## Fix safety

Safe in an `async def` that runs in the sandbox: no run can have come past the call. Where the sandbox may be off the timer
is a new command, which runs in flight do not have in their history: unsafe. No fix in a plain `def`, which cannot wait.

## Known missed alarms

Loops that spin until a time has come, and functions of third parties that sleep.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/timers
- https://docs.temporal.io/develop/python/python-sdk-sandbox
- https://github.com/temporalio/rules/blob/main/rules/TMPRL1101.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.nondeterminism import Reading


class BlockingSleep(ReadingRule):
    code = "KEL503"
    slug = "blocking-sleep"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("sleep",)
    reads = "blocks the thread"
    replayed = "the worker's thread stands still: after two seconds the deadlock detector fails the workflow task ([TMPRL1101])"
    elsewhere = "`await asyncio.sleep(...)`, a timer that lasts"

    def does(self, node: cst.Call, name: str, place: Place, reading: Reading) -> str | None:
        """What a call does; nothing where it does not wait, unless the sandbox refuses it all the same."""
        given = self.definition.value(node.args[0].value) if node.args else None
        if given == 0 and place.sandbox != "on":
            return None
        return super().does(node, name, place, reading)

    def instead(self, node: cst.BaseExpression, name: str, place: Place) -> tuple[str, FixBuilder | None]:
        """A timer, where the code can wait for one."""
        function = self.definition.nearest(node, cst.FunctionDef, cst.Lambda)
        waits = isinstance(function, cst.FunctionDef) and function.asynchronous is not None
        if name != "time.sleep" or not waits or not isinstance(self.definition.parent(node), cst.Expr):
            return self.elsewhere, None
        fix = self.definition.fix("Use `await asyncio.sleep(...)`", "safe" if place.sandbox == "on" else "unsafe")
        assert isinstance(node, cst.Call)
        fix.replace(node.func, f"await {fix.name('asyncio.sleep', node)}")
        return self.elsewhere, fix
