"""Work is sent to a task queue that no worker of the project polls

## What it does
Compares `task_queue=` of `start_workflow`, `execute_workflow`, child workflows and activity calls with the task queues of all
`Worker(...)` calls of the project. Constants are followed through modules, classes, enums and settings. A call is reported
where workers of the project list the very workflow or activity that it starts, all of them poll other queues, and none has a
queue that cannot be told.

## Why is this bad?
Temporal makes the queue when it is first named and tells nobody that no one polls it. The workflow stays Running with nothing
but `WorkflowTaskScheduled` in its history, the activity waits until a timeout: by default there is none for that.

## Example
```python title="app/orders.py"
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        print(order_id)
```
```python title="app/worker.py"
from temporalio.worker import Worker

from app.orders import Order

QUEUE = "orders"


def worker(client):
    return Worker(client, task_queue=QUEUE, workflows=[Order])
```
```python title="app/start.py"
from temporalio.client import Client

from app.orders import Order


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow(Order.run, order_id, id=order_id, task_queue="order")  # KEL804
```

## Use instead
### One constant
```python title="app/orders.py"
from temporalio import workflow

QUEUE = "orders"


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        print(order_id)
```
```python title="app/worker.py"
from temporalio.worker import Worker

from app.orders import QUEUE, Order


def worker(client):
    return Worker(client, task_queue=QUEUE, workflows=[Order])
```
```python title="app/start.py"
from temporalio.client import Client

from app import orders


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow(orders.Order.run, order_id, id=order_id, task_queue=orders.QUEUE)
```

### The queue of another service
```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.worker import Worker


@activity.defn
async def reserve(order_id: str) -> None:
    raise NotImplementedError


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(reserve, order_id, task_queue="stock", start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_child_workflow("Pack", order_id, id="pack", task_queue="packing")


def worker(client):
    return Worker(client, task_queue="orders", workflows=[Order])
```

### A queue from the environment
```python
import os

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = os.environ["QUEUE"]


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        print(order_id)


def worker(client):
    return Worker(client, task_queue=QUEUE, workflows=[Order])


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow(Order.run, order_id, id=order_id, task_queue="orders")
```

## Fix safety
There is none: which of the two queues is meant is yours to say.

## Known missed alarms
Workflows and activities that no worker of the project lists, and queues that are read when the program runs.

## Options
None.

## References
- https://docs.temporal.io/task-queue
- https://docs.temporal.io/develop/python/workers/run-worker-process
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._starts import Start, start_of

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.finding import Hop
    from keel_lint.glance import Glance
    from keel_lint.jobs.workers import WorkerCall


class TaskQueueNotPolled(Rule):
    """Finds task queues that nobody polls."""

    code = "KEL804"
    slug = "task-queue-not-polled"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("activity-call", "workflow-start")
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition names a task queue and the project makes workers."""
        return b"task_queue" in glance.text and bool(glance.jobs.workers.registered.workers)

    def visit_Call(self, node: cst.Call) -> None:
        """Look for the workers of the queue that a call names."""
        start = start_of(self.definition, node)
        if start is None or start.name is None or start.target is None or not isinstance(start.queue, str):
            return
        workers = self.definition.jobs.workers
        listing = workers.listing(start.kind, start.name)
        if listing and workers.polling(start.queue, start.kind, start.name) == []:
            self._say(start, listing)

    def _say(self, start: Start, listing: list[WorkerCall]) -> None:
        queues = " and ".join(f"`{queue}`" for queue in sorted({worker.queue for worker in listing if worker.queue})[:3])
        message = (
            f"no worker polls task queue `{start.queue}`: the {start.kind} `{start.name}` waits there and nothing is logged; "
            f"its worker polls {queues}"
        )
        assert start.queue_node is not None
        self.report(start.queue_node, message, hops=tuple(self._hop(worker) for worker in listing[:3]))

    def _hop(self, worker: WorkerCall) -> Hop:
        project = self.definition.project
        return project.hop(worker.path, worker.start, worker.end, f"this worker polls `{worker.queue}`")
