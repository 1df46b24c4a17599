"""Workflow code waits with `asyncio.wait()` or `asyncio.as_completed()`

## What it does

Reports `asyncio.wait()` and `asyncio.as_completed()` in workflow code and in what it calls, in other modules too. What
workflow code is: see KEL501.

## Why is this bad?

Both keep what they wait for in a set, whose order depends on memory addresses. Tasks go on in another order on replay, so
commands come in another order than the history has them, and the workflow task fails with a nondeterminism error. The
Python sandbox does not refuse these two, it only warns.

`workflow.wait()` and `workflow.as_completed()` take the same arguments and keep the order. The rest of asyncio (`gather`,
`create_task`, `TaskGroup`, `wait_for`, `timeout`, `Lock`) is deterministic as it is.

## Example

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Race:
    @workflow.run
    async def run(self, names: list[str]) -> list[str]:
        tasks = [asyncio.create_task(self.fetch(name)) for name in names]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # KEL508
        for next_one in asyncio.as_completed(tasks):  # KEL508
            await next_one
        return [task.result() for task in done]

    async def fetch(self, name: str) -> str:
        return await workflow.execute_activity("fetch", name, start_to_close_timeout=timedelta(seconds=5))
```

## Use instead

### The workflow's own

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Race:
    @workflow.run
    async def run(self, names: list[str]) -> list[str]:
        tasks = [asyncio.create_task(self.fetch(name)) for name in names]
        done, _ = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for next_one in workflow.as_completed(tasks):
            await next_one
        return [task.result() for task in done]

    async def fetch(self, name: str) -> str:
        return await workflow.execute_activity("fetch", name, start_to_close_timeout=timedelta(seconds=5))
```

### What keeps the order by itself

```python
import asyncio
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class All:
    @workflow.run
    async def run(self, names: list[str]) -> list[str]:
        return list(await asyncio.gather(*(self.fetch(name) for name in names)))

    async def fetch(self, name: str) -> str:
        call = workflow.execute_activity("fetch", name, start_to_close_timeout=timedelta(seconds=5))
        return await asyncio.wait_for(call, timeout=60)
```

### In an activity

```python
import asyncio

from temporalio import activity


@activity.defn
async def fetch_all(names: list[str]) -> int:
    done, _ = await asyncio.wait([asyncio.create_task(asyncio.sleep(1)) for _ in names])
    return len(done)
```

## Fix safety

Safe: the arguments and the result are the same, and the only change is the order, which was not fixed before.

## Known missed alarms

Loops over a set of tasks that the code makes itself (KEL507).

## Options

None.

## References

- https://github.com/temporalio/sdk-python#asyncio-and-determinism
- https://python.temporal.io/temporalio.workflow.html#wait
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder

SINCE = (1, 7)
"""The release that brought `workflow.wait()` and `workflow.as_completed()`."""


class AsyncioWait(ReadingRule):
    code = "KEL508"
    slug = "asyncio-wait"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("waits",)
    reads = "keeps its tasks in a set"
    replayed = "a replay goes on with them in another order, which ends in a nondeterminism error"
    elsewhere = "`workflow.wait()` or `workflow.as_completed()`"

    def instead(self, node: cst.BaseExpression, name: str, place: Place) -> tuple[str, FixBuilder | None]:  # noqa: ARG002
        """The function of the same name that keeps the order."""
        target = f"temporalio.workflow.{name.rpartition('.')[2]}"
        spelling = f"`{target.removeprefix('temporalio.')}()`"
        if not isinstance(node, cst.Call) or self.definition.jobs.version("temporalio").release < SINCE:
            return spelling, None
        fix = self.definition.fix(f"Use {spelling}", "safe")
        fix.replace(node.func, fix.name(target, node))
        return spelling, fix
