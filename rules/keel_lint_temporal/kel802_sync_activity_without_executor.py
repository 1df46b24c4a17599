"""A worker lists an activity that is not async and has no executor to run it

## What it does
Reports a `Worker(...)` without `activity_executor=` that lists a plain `def` activity. Lists are followed through variables,
constants, functions that return a list, `*` and `+`; methods of instances count.

## Why is this bad?
The worker does not start: it raises `ValueError: Activity ... is not async so an activity_executor must be present`.

## Example
```python
from temporalio import activity
from temporalio.worker import Worker


@activity.defn
def resize(image_id: str) -> None:
    print(image_id)


class Mail:
    @activity.defn
    def send(self, order_id: str) -> None:
        print(order_id)


def workers(client):
    return [
        Worker(client, task_queue="images", activities=[resize]),  # KEL802
        Worker(client, task_queue="mail", activities=[Mail().send]),  # KEL802
    ]
```

## Use instead
### An executor
```python
from concurrent.futures import ThreadPoolExecutor

from temporalio import activity
from temporalio.worker import Worker


@activity.defn
def resize(image_id: str) -> None:
    print(image_id)


def worker(client):
    return Worker(client, task_queue="images", activities=[resize], activity_executor=ThreadPoolExecutor(max_workers=100))
```

### Async activities
```python
from temporalio import activity
from temporalio.worker import Worker


@activity.defn
async def resize(image_id: str) -> None:
    print(image_id)


def worker(client):
    return Worker(client, task_queue="images", activities=[resize])
```

### Options that may hold one
```python
from temporalio import activity
from temporalio.worker import Worker


@activity.defn
def resize(image_id: str) -> None:
    print(image_id)


def worker(client, **options):
    return Worker(client, task_queue="images", activities=[resize], **options)
```

## Fix safety
Unsafe: the fix adds a pool of 100 threads, as many as a worker runs activities at a time by default. Code that is not safe in
threads needs another number, or a process pool.

## Known missed alarms
Activities under other decorators, objects with `__call__`, and workers with plugins or `**options`.

## Options
None.

## References
- https://docs.temporal.io/develop/python/python-sdk-sync-vs-async
- https://github.com/temporalio/sdk-python#activities
- https://python.temporal.io/temporalio.worker.Worker.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._worker_code import workers_in

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Definition as DefinitionFacts
    from keel_lint.jobs.workers import Item, WorkerCall

_POOL = "concurrent.futures.ThreadPoolExecutor"


class SyncActivityWithoutExecutor(Rule):
    """Finds workers that cannot run their activities."""

    code = "KEL802"
    slug = "sync-activity-without-executor"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("worker",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a worker without executor is made here."""
        return any(worker.executor == "missing" for worker in workers_in(glance))

    def finish(self) -> None:
        """Look at the activities of each worker that has no executor."""
        for worker in workers_in(self.definition):
            if worker.executor == "missing":
                found = next((item for item in worker.activities.items if self._is_sync(item)), None)
                if found is not None:
                    self._say(worker, found)

    def _fact(self, item: Item) -> DefinitionFacts:
        return self.definition.project.facts(item.path).definitions[item.position]

    def _is_sync(self, item: Item) -> bool:
        fact = self._fact(item)
        if fact.kind != "function" or fact.is_async or len(fact.decorators) != 1:
            return False
        return self.definition.jobs.temporal.is_activity(item.path, fact)

    def _say(self, worker: WorkerCall, item: Item) -> None:
        project = self.definition.project
        name = self._fact(item).name
        hop = project.hop(item.path, *self._fact(item).name_span, f"`{name}` is not async")
        message = (
            f"`{name}` is not async and the worker has no `activity_executor`: it raises ValueError and does not start; "
            "give it a ThreadPoolExecutor"
        )
        self.report((worker.start, worker.end), message, fix=self._fix(worker), hops=(hop,))

    def _fix(self, worker: WorkerCall) -> FixBuilder | None:
        node = self.definition.call_at(worker.start, worker.end)
        if node is None:
            return None
        fix = self.definition.fix("Run its activities in 100 threads", "unsafe")
        fix.insert_argument(node, f"activity_executor={fix.name(_POOL, node)}(max_workers=100)")
        return fix
