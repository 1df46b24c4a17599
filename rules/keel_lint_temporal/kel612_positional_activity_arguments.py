"""An activity or workflow is given several arguments one after the other.

## What it does

Reports calls of `workflow.execute_activity`, `start_activity`, their `_method`, `_class` and `local_activity` forms,
`execute_child_workflow`, `start_child_workflow`, `continue_as_new`, and of `start_workflow` and `execute_workflow` of a client,
that pass more than one argument for the activity or workflow by position.

## Why is this bad?

These functions take the activity and *one* argument; several go into `args=[...]`. Python raises `TypeError: execute_activity()
takes from 1 to 2 positional arguments but 3 were given`. In a workflow that is a failure of the workflow *task*, which is tried
again for ever: the run goes on looking Running, and the activity is never scheduled.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str, amount: int) -> None:
        limit = timedelta(minutes=1)
        await workflow.execute_activity("charge", order_id, amount, start_to_close_timeout=limit)  # KEL612
        await workflow.execute_child_workflow("Ship", order_id, amount, id=order_id)  # KEL612
        workflow.continue_as_new(order_id, amount)  # KEL612


async def begin(client: Client, order_id: str) -> None:
    await client.start_workflow("Order", order_id, 5, id=order_id, task_queue="orders")  # KEL612
```

## Use instead

### A list of arguments

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str, amount: int) -> None:
        limit = timedelta(minutes=1)
        await workflow.execute_activity("charge", args=[order_id, amount], start_to_close_timeout=limit)
        workflow.continue_as_new(args=[order_id, amount])
```

### One argument that holds all

```python
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow


@dataclass
class Charge:
    order_id: str
    amount: int


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: Charge) -> None:
        await workflow.execute_activity("charge", order, start_to_close_timeout=timedelta(minutes=1))
        workflow.continue_as_new(order)
```

### A wrapper that takes what it is given

```python
from datetime import timedelta
from typing import Any

from temporalio import workflow


async def call(name: str, *args: Any) -> Any:
    return await workflow.execute_activity(name, *args, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await call("charge", order_id)
```

## Fix safety

Safe: the call raises as it stands, so no history holds what it would have done.

## Known missed alarms

Calls through wrappers of the project, and `*args`, of which there may be one.

## Options

None.

## References

- https://docs.temporal.io/develop/python/activities/execution
- https://python.temporal.io/temporalio.workflow.html#execute_activity
- https://github.com/temporalio/sdk-python#invoking-activities
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._arguments import given

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.fixing import FixBuilder
    from keel_lint_temporal._arguments import Given


class PositionalActivityArguments(Rule):
    code = "KEL612"
    slug = "positional-activity-arguments"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("activity-call", "workflow-start", "workflow")
    proof = "replay"

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that hands arguments over."""
        found = given(self.definition, node) if len(node.args) > 1 else None
        if found is None or sum(not argument.star for argument in found.plain) < 2:
            return
        written = self.definition.code(node.func)
        values = ", ".join(argument.star + self.definition.code(argument.value) for argument in found.plain)
        shown = values if len(values) <= 40 and "\n" not in values else "..."
        message = f"`{written}` takes one argument to hand over, not {len(found.plain)}: TypeError is raised {found.then}"
        self.report(node, f"{message}; write `args=[{shown}]`", fix=self.gathered(found))

    def gathered(self, found: Given) -> FixBuilder | None:
        """Put `args=[...]` round the arguments; not where arguments by name contradict them."""
        if found.arg is not None or found.args is not None:
            return None
        fix = self.definition.fix("Hand the arguments over as `args=[...]`", "safe")
        fix.insert(self.definition.span(found.plain[0])[0], "args=[")
        fix.insert(self.definition.span(found.plain[-1].value)[1], "]")
        return fix
