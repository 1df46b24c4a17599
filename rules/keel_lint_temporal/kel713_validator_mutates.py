"""The validator of an update changes the workflow.

## What it does

Reports update validators that assign to an attribute of the workflow, delete one, or call a method that changes the list, dict
or set in it, in the validator itself or in a method that it calls.

## Why is this bad?

The SDK does not notice. A validator runs before the update is accepted, and not again when the workflow is replayed; an update
that it rejects leaves no trace in the history at all. After the worker restarts or evicts the workflow from its cache, the
state is rebuilt without the change, and when the changed value decides over a command, the replay fails with a nondeterminism
error.

## Example

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.rejected = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    def add(self, item: str) -> None:
        self.items.append(item)

    @add.validator
    def check(self, item: str) -> None:
        if not item:
            self.rejected += 1  # KEL713
            raise ValueError("no item")
        self.items.append(item)  # KEL713
```

## Use instead

### A validator that only looks

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    def add(self, item: str) -> None:
        self.items.append(item)

    @add.validator
    def check(self, item: str) -> None:
        if not item or item in self.items:
            raise ValueError("no item, or one that is there")
```

### The change in the update

```python
from temporalio import workflow
from temporalio.exceptions import ApplicationError


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.rejected = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    def add(self, item: str) -> None:
        if not item:
            self.rejected += 1
            raise ApplicationError("no item")
        self.items.append(item)
```

### Local values

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    def add(self, item: str) -> None:
        self.items.append(item)

    @add.validator
    def check(self, item: str) -> None:
        after = [*self.items]
        after.append(item)
        if len(after) > 10:
            raise ValueError("too many")
```

## Fix safety

No fix is offered: the change may belong into the update, or nowhere.

## Known missed alarms

Changes through a local name (`items = self.items`), through functions outside the class, of objects that attributes hold, and
validators that are set with `workflow.set_update_handler`.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#updates
- https://docs.temporal.io/encyclopedia/workflow-message-passing#update-validators
"""

from __future__ import annotations

from keel_lint_temporal._read_only import MutationRule


class ValidatorMutates(MutationRule):
    code = "KEL713"
    slug = "validator-mutates"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.4"
    fix = None
    judges = ("workflow",)
    proof = "worker"

    kind = "validator"
    harm = (
        "a validator does not run again on replay, so the state is rebuilt without the change and can stray from its history; "
        "only look here, and change it in the update"
    )
