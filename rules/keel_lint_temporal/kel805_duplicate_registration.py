"""A worker lists two workflows or activities of one name

## What it does
Reads the `workflows` and `activities` of each `Worker(...)`, through variables, constants, functions that return a list, `*`
and `+`, and reports an entry whose registered name an earlier entry of the same list has.

## Why is this bad?
The worker does not start: it raises `ValueError: More than one activity named ...` (or `workflow named ...`), and so does
every restart. The name counts, not the function: two functions of one name in two modules clash, and so does one that is
listed twice.

## Example
```python title="app/mail.py"
from temporalio import activity


@activity.defn
async def send(order_id: str) -> None:
    print(order_id)
```
```python title="app/parcels.py"
from temporalio import activity


@activity.defn
async def send(order_id: str) -> None:
    print(order_id)
```
```python title="app/worker.py"
from temporalio.worker import Worker

from app import mail, parcels

ACTIVITIES = [mail.send]


def worker(client):
    return Worker(client, task_queue="orders", activities=[*ACTIVITIES, parcels.send])  # KEL805
```

## Use instead
### A name for each
```python title="app/mail.py"
from temporalio import activity


@activity.defn(name="send-mail")
async def send(order_id: str) -> None:
    print(order_id)
```
```python title="app/parcels.py"
from temporalio import activity


@activity.defn
async def send(order_id: str) -> None:
    print(order_id)
```
```python title="app/worker.py"
from temporalio.worker import Worker

from app import mail, parcels


def worker(client):
    return Worker(client, task_queue="orders", activities=[mail.send, parcels.send])
```

### Two workers
```python
from temporalio import activity
from temporalio.worker import Worker


@activity.defn
async def send(order_id: str) -> None:
    print(order_id)


def workers(client):
    return [
        Worker(client, task_queue="orders", activities=[send]),
        Worker(client, task_queue="refunds", activities=[send]),
    ]
```

### One or the other
```python
from temporalio import activity
from temporalio.worker import Worker


@activity.defn(name="send")
async def send_mail(order_id: str) -> None:
    print(order_id)


@activity.defn(name="send")
async def send_letter(order_id: str) -> None:
    print(order_id)


def worker(client, by_mail):
    return Worker(client, task_queue="orders", activities=[send_mail] if by_mail else [send_letter])
```

## Fix safety
There is none: which name is to change, workflows that run already decide.

## Known missed alarms
Lists that are put together when the program runs.

## Options
None.

## References
- https://docs.temporal.io/develop/python/workers/run-worker-process
- https://python.temporal.io/temporalio.activity.html#defn
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._worker_code import place_of, workers_in

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.workers import Item, Kind, WorkerCall


class DuplicateRegistration(Rule):
    """Finds entries of a worker's lists whose name is taken."""

    code = "KEL805"
    slug = "duplicate-registration"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("worker",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a worker is made here."""
        return bool(workers_in(glance))

    def finish(self) -> None:
        """Compare the entries of each list."""
        for worker in workers_in(self.definition):
            self._judge(worker, "workflow")
            self._judge(worker, "activity")

    def _judge(self, worker: WorkerCall, kind: Kind) -> None:
        seen: dict[str, Item] = {}
        listing = worker.of(kind)
        if listing.is_either:
            return
        for item in listing.items:
            if item.name in seen:
                self._say(worker, kind, item, seen[item.name])
            elif item.name:
                seen[item.name] = item

    def _say(self, worker: WorkerCall, kind: Kind, item: Item, first: Item) -> None:
        again = (
            "is listed twice" if (item.path, item.position) == (first.path, first.position) else "is the name of two of them"
        )
        listed = "activities" if kind == "activity" else "workflows"
        message = (
            f"`{item.name}` {again} in this worker's {listed}: the worker does not start "
            f"(ValueError: More than one {kind} named {item.name})"
        )
        project = self.definition.project
        path, start, end = first.listed
        hop = project.hop(path, start, end, "the first is listed here")
        self.report(place_of(self.definition, worker, item), message, hops=(hop,))
