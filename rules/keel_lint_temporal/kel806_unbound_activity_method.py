"""A worker lists an activity method taken from its class instead of an instance

## What it does
Reports an entry of a worker's `activities` that is a method of a class (`Shipping.ship`), with `self` and without an
instance. Lists are followed through variables, constants, functions that return a list, `*` and `+`.

## Why is this bad?
The worker starts with no more than a warning. When the activity runs, its first argument is taken for `self` and one is
missing: `TypeError` on each attempt, and Temporal tries it again until it times out.

## Example
```python
from temporalio import activity
from temporalio.worker import Worker


class Shipping:
    @activity.defn
    async def ship(self, order_id: str) -> None:
        print(order_id)


def worker(client):
    return Worker(client, task_queue="orders", activities=[Shipping.ship])  # KEL806
```

## Use instead
### An instance
```python
from temporalio import activity
from temporalio.worker import Worker


class Shipping:
    def __init__(self, database) -> None:
        self.database = database

    @activity.defn
    async def ship(self, order_id: str) -> None:
        print(order_id)


def worker(client, database):
    shipping = Shipping(database)
    return Worker(client, task_queue="orders", activities=[shipping.ship])
```

### A method without `self`
```python
from temporalio import activity
from temporalio.worker import Worker


class Shipping:
    @staticmethod
    @activity.defn
    async def ship(order_id: str) -> None:
        print(order_id)


def worker(client):
    return Worker(client, task_queue="orders", activities=[Shipping.ship])
```

### A name that holds an instance
```python
from temporalio import activity
from temporalio.worker import Worker


class Shipping:
    @activity.defn
    async def ship(self, order_id: str) -> None:
        print(order_id)


shipping = Shipping()


def worker(client):
    return Worker(client, task_queue="orders", activities=[shipping.ship])
```

## Fix safety
Unsafe: the fix makes an instance at the entry (`Shipping().ship`), where the class takes no arguments. One that is shared
with other code may be meant.

## Known missed alarms
Lists that are put together when the program runs.

## Options
None.

## References
- https://github.com/temporalio/sdk-python#activities
- https://docs.temporal.io/develop/python/activities/basics
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._worker_code import place_of, workers_in

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.workers import Item, WorkerCall


class UnboundActivityMethod(Rule):
    """Finds activity methods that are listed without an instance."""

    code = "KEL806"
    slug = "unbound-activity-method"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("worker",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a worker that is made here lists such a method."""
        return any(item.is_unbound for worker in workers_in(glance) for item in worker.activities.items)

    def finish(self) -> None:
        """Look at the activities of each worker."""
        for worker in workers_in(self.definition):
            for item in worker.activities.items:
                fact = self.definition.project.facts(item.path).definitions[item.position]
                if item.is_unbound and self.definition.jobs.temporal.is_activity(item.path, fact):
                    self._say(worker, item)

    def _say(self, worker: WorkerCall, item: Item) -> None:
        project = self.definition.project
        facts = project.facts(item.path)
        fact = facts.definitions[item.position]
        owner = facts.definitions[fact.parent].name
        hop = project.hop(item.path, *fact.name_span, f"`{fact.name}` takes `{fact.parameters[0].name}`")
        message = (
            f"`{owner}.{fact.name}` is listed without an instance: the first argument is taken for `{fact.parameters[0].name}` "
            f"and each attempt fails with TypeError; list the method of an instance, such as `{owner}().{fact.name}`"
        )
        self.report(place_of(self.definition, worker, item), message, fix=self._fix(worker, item), hops=(hop,))

    def _fix(self, worker: WorkerCall, item: Item) -> FixBuilder | None:
        path, start, end = item.listed
        if path != self.definition.path or not worker.start <= start < worker.end or self._wants_arguments(item):
            return None
        nodes = (node for node in self.definition.find_all(cst.Attribute) if self.definition.span(node) == (start, end))
        node = next(nodes, None)
        if node is None:
            return None
        fix = self.definition.fix("List the method of an instance", "unsafe")
        fix.replace(node.value, f"{self.definition.code(node.value)}()")
        return fix

    def _wants_arguments(self, item: Item) -> bool:
        """Whether an instance cannot be made without arguments, as far as can be told."""
        project = self.definition.project
        owner = project.facts(item.path).definitions[item.position].parent
        classes = project.mro(item.path, owner)
        bases = project.base_names(item.path, owner)
        for path, position in classes:
            facts = project.facts(path)
            if facts.definitions[position].decorators:
                return True  # A dataclass, perhaps: its fields are arguments.
            for one in facts.definitions:
                if one.parent == position and one.name == "__init__":
                    return any(not p.default and p.kind not in {"vararg", "kwarg"} for p in one.parameters[1:])
        return len(bases) >= len(classes)
