"""An update continues the workflow as new.

## What it does

Reports `workflow.continue_as_new` in an update, and in methods of the workflow that an update calls.

## Why is this bad?

Only the run, or a signal, may end a run that way. In an update the SDK raises `RuntimeError: Cannot continue as new from an
update handler`. That fails the workflow *task*, which is tried again for ever: the run goes on looking Running, no other
message gets through, and whoever sent the update waits until it times out.

## Example

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self, items: list[str]) -> None:
        self.items = items
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    async def reset(self) -> None:
        workflow.continue_as_new([])  # KEL717

    @workflow.update
    async def add(self, item: str) -> None:
        self.items.append(item)
        self.begin_again()  # KEL717

    def begin_again(self) -> None:
        workflow.continue_as_new(self.items)
```

## Use instead

### The update asks, the run does it

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.is_reset = False

    @workflow.run
    async def run(self, items: list[str]) -> None:
        await workflow.wait_condition(lambda: self.is_reset)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new([])

    @workflow.update
    async def reset(self) -> None:
        self.is_reset = True
```

### When the history has grown long

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self, items: list[str]) -> None:
        self.items = items
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        self.begin_again()

    @workflow.update
    async def add(self, item: str) -> None:
        self.items.append(item)

    def begin_again(self) -> None:
        workflow.continue_as_new(self.items)
```

### From a signal

```python
from temporalio import workflow


@workflow.defn
class Basket:
    @workflow.run
    async def run(self, items: list[str]) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    async def reset(self) -> None:
        workflow.continue_as_new([])
```

## Fix safety

No fix is offered: the run must be told to continue as new, and how is for you to say.

## Known missed alarms

Calls in functions outside the class, and updates that are set with `workflow.set_update_handler`.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/continue-as-new
- https://python.temporal.io/temporalio.workflow.html#continue_as_new
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._commands import CONTINUE_AS_NEW, RETRIED_FOR_EVER
from keel_lint_temporal._handlers import methods_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method


class ContinueAsNewInUpdate(Rule):
    code = "KEL717"
    slug = "continue-as-new-in-update"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.4"
    fix = None
    judges = ("workflow",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there is an update."""
        return b"update" in glance.text

    def finish(self) -> None:
        """Judge the updates."""
        for method in self.methods.of("update"):
            for found in self.methods.found(method, self.continues):
                raised = "RuntimeError `Cannot continue as new from an update handler`"
                then = f"the SDK raises {raised} and {RETRIED_FOR_EVER}; let `run` wait for a flag that the update sets"
                self.report(found.where, f"update `{method.name}` calls `continue_as_new`: {then}", hops=found.hops)

    def continues(self, method: Method) -> Iterator[tuple[cst.Call, str]]:
        """Where a method continues as new."""
        for node in walk(method.node.body):
            if isinstance(node, cst.Call) and self.definition.called(node) == CONTINUE_AS_NEW:
                yield node, "continue_as_new"
