"""An activity or workflow is started on a task queue whose workers do not register it

## What it does
Joins the calls that start activities, child workflows and workflows with every `Worker(...)` of the project: its task queue
and its lists, followed through variables, constants, functions that return a list, `*` and `+`. A call is reported when the
workers that poll its task queue are known and none of them lists what it starts. An activity call without `task_queue=` goes
to the queue of the workers that list its workflow. Names given as strings count too; those that may be meant are offered.

## Why is this bad?
The worker answers `NotFoundError: Activity function ship ... is not registered on this worker`, and Temporal tries the
activity again until a timeout that may be days away. A workflow fails its first workflow task with `Workflow class ... is not
registered on this worker`, which is retried for ever: the run looks Running and does nothing.

## Example
### An activity that nobody added to the list
```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def charge(order_id: str) -> None:
    print(order_id)


@activity.defn
async def ship(order_id: str) -> None:
    print(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(charge, order_id, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity(ship, order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL803
        await workflow.execute_activity("chargr", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL803


ACTIVITIES = [charge]


async def main() -> None:
    client = await Client.connect("localhost:7233")
    await Worker(client, task_queue="orders", workflows=[Order], activities=[*ACTIVITIES]).run()
```

### A workflow of another worker
```python title="app/orders.py"
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        print(order_id)


@workflow.defn
class Refund:
    @workflow.run
    async def run(self, order_id: str) -> None:
        print(order_id)
```
```python title="app/worker.py"
from temporalio.worker import Worker

from app.orders import Order, Refund


def workers(client):
    return [
        Worker(client, task_queue="orders", workflows=[Order]),
        Worker(client, task_queue="refunds", workflows=[Refund]),
    ]
```
```python title="app/start.py"
from temporalio.client import Client

from app.orders import Refund


async def refund(client: Client, order_id: str) -> None:
    await client.start_workflow(Refund.run, order_id, id=order_id, task_queue="orders")  # KEL803
```

## Use instead
### All in the lists
```python
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


class Shipping:
    @activity.defn(name="ship-order")
    def ship(self, order_id: str) -> None:
        print(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity_method(Shipping.ship, order_id, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity("ship-order", order_id, start_to_close_timeout=timedelta(minutes=1))


async def main() -> None:
    client = await Client.connect("localhost:7233")
    shipping = Shipping()
    activities = [shipping.ship]
    with ThreadPoolExecutor(100) as pool:
        await Worker(client, task_queue="orders", workflows=[Order], activities=activities, activity_executor=pool).run()
```

### Lists that cannot be read
```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.worker import Worker


@activity.defn
async def ship(order_id: str) -> None:
    print(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(ship, order_id, start_to_close_timeout=timedelta(minutes=1))


def worker(client, registry):
    return Worker(client, task_queue="orders", workflows=[Order], activities=registry.all())
```

### Another service polls the queue
```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.worker import Worker

STOCK = "stock-service"


@activity.defn
async def charge(order_id: str) -> None:
    print(order_id)


@activity.defn
async def reserve(order_id: str) -> None:
    raise NotImplementedError


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(charge, order_id, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity(reserve, order_id, task_queue=STOCK, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity("pack", order_id, task_queue=STOCK, start_to_close_timeout=timedelta(minutes=1))


def worker(client):
    return Worker(client, task_queue="orders", workflows=[Order], activities=[charge])
```

### A dynamic activity takes every name
```python
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RawValue
from temporalio.worker import Worker


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> None:
    print(args)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("ship", order_id, start_to_close_timeout=timedelta(minutes=1))


def worker(client):
    return Worker(client, task_queue="orders", workflows=[Order], activities=[anything])
```

## Fix safety
There is none: which worker should run it is yours to say.

## Known missed alarms
Workers whose lists or queues come from parameters, the environment or plugins, and workers of other services.

## Options
None.

## References
- https://docs.temporal.io/develop/python/workers/run-worker-process
- https://docs.temporal.io/task-queue
- https://python.temporal.io/temporalio.worker.Worker.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._starts import Start, start_of, workflow_round

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.finding import Hop
    from keel_lint.glance import Glance
    from keel_lint.jobs.workers import WorkerCall

_THEN = {
    "activity": "the worker answers NotFoundError and the activity is tried again until it times out",
    "workflow": "the worker answers NotFoundError, the workflow task is retried for ever and the run looks Running",
}


class NotRegistered(Rule):
    """Finds activities and workflows that the workers of their task queue do not list."""

    code = "KEL803"
    slug = "not-registered"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("activity-call", "workflow-start")
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the project makes workers."""
        return bool(glance.jobs.workers.registered.workers)

    def visit_Call(self, node: cst.Call) -> None:
        """Look for the workers that may run what a call starts."""
        start = start_of(self.definition, node)
        if start is None or start.name is None or not (start.target is None or self._is_marked(start)):
            return
        workers = self._without(start)
        if workers:
            self._say(node, start, workers)

    def _is_marked(self, start: Start) -> bool:
        """Whether what is started by reference is an activity or a workflow at all: not that it is none is the mistake here."""
        assert start.target is not None
        path, position = start.target
        fact = self.definition.project.facts(path).definitions[position]
        temporal = self.definition.jobs.temporal
        return temporal.is_activity(path, fact) if start.kind == "activity" else temporal.is_workflow(path, fact)

    def _without(self, start: Start) -> list[WorkerCall]:
        """The workers that get the work and do not register it; empty where one that does may get it."""
        if isinstance(start.queue, str):
            return self._on(start.queue, start)
        if start.queue is not None or start.name is None:
            return []
        workers = self.definition.jobs.workers
        workflow = workflow_round(self.definition)
        hosts = workers.listing("workflow", workflow) if workflow is not None else []
        if not hosts:
            return (
                list(workers.registered.workers) if start.target is not None and workers.lacks(start.kind, start.name) else []
            )
        found: list[WorkerCall] = []
        for host in hosts:
            here = self._here(host, start)
            if not here:
                return []
            found += here
        return found

    def _here(self, host: WorkerCall, start: Start) -> list[WorkerCall]:
        if start.name is None or host.of(start.kind).has(start.name):
            return []
        if start.is_local:
            return [host]
        if host.queue is not None:
            return self._on(host.queue, start)
        return [host] if self.definition.jobs.workers.lacks(start.kind, start.name) else []

    def _on(self, queue: str, start: Start) -> list[WorkerCall]:
        """The workers of a queue, where none of them registers what is started."""
        found = self.definition.jobs.workers.polling(queue, start.kind, start.name or "")
        if not found or any(worker.of(start.kind).has(start.name or "") for worker in found):
            return []
        # Where a worker has no activities at all, another program may poll the same queue for them.
        is_theirs = start.target is None and not any(worker.of(start.kind).items for worker in found)
        return [] if is_theirs else found

    def _say(self, node: cst.Call, start: Start, workers: list[WorkerCall]) -> None:
        definition = self.definition
        queues = sorted({worker.queue for worker in workers if worker.queue is not None})
        where = f"no worker of task queue `{queues[0]}`" if len(queues) == 1 else "no worker of the project"
        known = sorted({item.name for worker in workers for item in worker.of(start.kind).items if item.name})
        near = _nearest(start.name or "", known) if start.target is None else None
        instead = (
            f"did you mean `{near}`?"
            if near
            else f"add it to the list of {'activities' if start.kind == 'activity' else 'workflows'}"
        )
        hops = tuple(self._hop(worker) for worker in workers[:3])
        definition.report(
            self, node, f"{where} registers the {start.kind} `{start.name}`: {_THEN[start.kind]}; {instead}", None, hops
        )

    def _hop(self, worker: WorkerCall) -> Hop:
        project = self.definition.project
        return project.hop(worker.path, worker.start, worker.end, "this worker polls it")


def _nearest(name: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, known, 1, 0.7)
    return found[0] if found else None
