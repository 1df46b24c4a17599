"""Workflow code starts threads or processes

## What it does

Reports threads, executors and processes in workflow code and in what it calls, in other modules too: `threading`,
`concurrent.futures`, `multiprocessing`, `asyncio.to_thread()`, `loop.run_in_executor()`, `sync_to_async()` and the like.
What workflow code is: see KEL501.

## Why is this bad?

What a thread does, and when it is done, does not stand in the history. The workflow's event loop has no executor, so
`asyncio.to_thread()`, `run_in_executor()` and what is built on them raise `NotImplementedError` (with an empty message),
and the Python sandbox refuses `threading`, `concurrent.futures` and `multiprocessing`: either way the workflow *task* fails
and is tried again for ever, while the run goes on looking Running. In a module that is passed through the sandbox the
thread does start, and outlives the workflow task.

Tasks are fine: `asyncio.create_task()`, `gather()`, `TaskGroup` and `asyncio.Lock` are deterministic in a workflow.

## Example

```python
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from temporalio import workflow


def resize(name: str) -> None: ...


@workflow.defn
class Thumbnails:
    @workflow.run
    async def run(self, names: list[str]) -> None:
        await asyncio.to_thread(resize, names[0])  # KEL506
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, resize, names[1])  # KEL506
        threading.Thread(target=resize, args=names[2:]).start()  # KEL506
        with ThreadPoolExecutor() as pool:  # KEL506
            pool.map(resize, names)
```

### In a helper of a module that is passed through the sandbox

```python title="shop/images.py"
from concurrent.futures import ThreadPoolExecutor


def resize_all(names: list[str]) -> None:
    with ThreadPoolExecutor() as pool:
        pool.map(str.lower, names)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop import images


@workflow.defn
class Thumbnails:
    @workflow.run
    async def run(self, names: list[str]) -> None:
        images.resize_all(names)  # KEL506
```

## Use instead

### Activities, side by side

```python
import asyncio
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def resize(name: str) -> None: ...


@workflow.defn
class Thumbnails:
    @workflow.run
    async def run(self, names: list[str]) -> None:
        calls = [workflow.execute_activity(resize, name, start_to_close_timeout=timedelta(minutes=1)) for name in names]
        await asyncio.gather(*calls)
```

### Tasks and locks of asyncio

```python
import asyncio

from temporalio import workflow


@workflow.defn
class Queue:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    @workflow.run
    async def run(self) -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(self.step())

    async def step(self) -> None:
        async with self.lock:
            await asyncio.sleep(1)
```

### Threads of the worker and of activities

```python
import asyncio
from concurrent.futures import ThreadPoolExecutor

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def resize(name: str) -> None:
    await asyncio.to_thread(print, name)


@workflow.defn
class Thumbnails:
    @workflow.run
    async def run(self) -> None: ...


async def main(client: Client) -> None:
    with ThreadPoolExecutor() as pool:
        await Worker(client, task_queue="images", workflows=[Thumbnails], activities=[resize], activity_executor=pool).run()
```

## Fix safety

No fix is offered: work that needs a thread belongs into an activity.

## Known missed alarms

Threads that a third party starts. Locks and events of `threading` in a passed-through module are let through: nothing there
waits.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/python-sdk-sandbox
- https://github.com/temporalio/sdk-python#asyncio-and-determinism
"""

from __future__ import annotations

from keel_lint_temporal._workflow_code import ReadingRule


class ThreadsInWorkflow(ReadingRule):
    code = "KEL506"
    slug = "threads-in-workflow"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("threads",)
    reads = "needs threads or processes"
    replayed = "what it does is not in the history, is done again on every replay, and outlives the workflow task"
    elsewhere = "an activity, or `asyncio` tasks"
