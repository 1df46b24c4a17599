"""An activity or workflow is given both `arg` and `args`.

## What it does

Reports calls that start an activity, a child workflow, a new run or, from a client, a workflow, and that hand over one argument
by position or as `arg=` and others as `args=[...]`. An empty `args` does not count.

## Why is this bad?

The SDK takes one or the other and raises `ValueError: Cannot have arg and args`. In a workflow that fails the workflow *task*,
which is tried again for ever: the run goes on looking Running, and the activity is never scheduled.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str, amount: int) -> None:
        limit = timedelta(minutes=1)
        await workflow.execute_activity("charge", order_id, args=[amount], start_to_close_timeout=limit)  # KEL613
        await workflow.start_activity("ship", arg=order_id, args=(order_id, amount), start_to_close_timeout=limit)  # KEL613
        workflow.continue_as_new(order_id, args=[order_id, amount])  # KEL613
```

## Use instead

### All of them in `args`

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

### One argument

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("charge", order_id, args=[], start_to_close_timeout=timedelta(minutes=1))
        workflow.continue_as_new(order_id)
```

### A function of the project that has an argument of that name

```python
from datetime import timedelta
from typing import Any

from temporalio import workflow


async def call(name: str, args: list[Any]) -> Any:
    return await workflow.execute_activity(name, args=args, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await call("charge", args=[order_id])
```

## Fix safety

No fix is offered: only you know which arguments the activity takes.

## Known missed alarms

Calls through wrappers of the project, and `args` that comes with `**options`.

## Options

None.

## References

- https://python.temporal.io/temporalio.workflow.html#execute_activity
- https://docs.temporal.io/develop/python/activities/execution
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_temporal._arguments import given

if TYPE_CHECKING:
    import libcst as cst


class ArgAndArgs(Rule):
    code = "KEL613"
    slug = "arg-and-args"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("activity-call", "workflow-start", "workflow")
    proof = "replay"

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that hands arguments over."""
        found = given(self.definition, node) if len(node.args) > 1 else None
        if found is None or found.args is None:
            return
        one = found.arg or next((argument for argument in found.plain if not argument.star), None)
        args = self.definition.value(found.args.value)
        if one is None or (args is not UNKNOWN and not args):
            return
        written, value = self.definition.code(node.func), self.definition.code(one.value)
        message = f"`{written}` is given `{value}` and `args`: the SDK raises ValueError {found.then}"
        self.report(node, f"{message}; put all the arguments into `args=[...]`")
