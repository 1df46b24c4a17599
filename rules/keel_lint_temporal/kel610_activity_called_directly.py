"""A workflow calls an activity as a plain function.

## What it does

Reports calls of functions and methods that are decorated with `@activity.defn`, in the methods of a workflow class.

## Why is this bad?

`@activity.defn` only marks the function. Called like any other it runs in the workflow itself, inside the sandbox: no timeout,
no retries, no heartbeats, and nothing of it in the history. When the workflow is replayed it runs again, and so a payment is
made once for each workflow task of the run. What it does to the outside is refused by the sandbox, if at all, half-way.

## Example

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def charge(order_id: str) -> str:
    return order_id


@activity.defn
def ship(order_id: str, receipt: str) -> None: ...


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        receipt = await charge(order_id)  # KEL610
        ship(order_id, receipt)  # KEL610
```

## Use instead

### execute_activity

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def charge(order_id: str) -> str:
    return order_id


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(charge, order_id, start_to_close_timeout=timedelta(minutes=1))
```

### What both need in a function of its own

```python
from temporalio import activity, workflow


def price(order_id: str) -> int:
    return len(order_id)


@activity.defn
async def charge(order_id: str) -> int:
    return price(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> int:
        return price(order_id)
```

### An activity that calls another

```python
from temporalio import activity, workflow


@activity.defn
async def charge(order_id: str) -> str:
    return order_id


@activity.defn
async def charge_all(order_ids: list[str]) -> list[str]:
    return [await charge(order_id) for order_id in order_ids]


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> str:
        return order_id

    @activity.defn
    async def again(self, order_id: str) -> str:
        return await charge(order_id)
```

## Fix safety

Unsafe: the call becomes a command, and `start_to_close_timeout=timedelta(minutes=10)` is a guess. Guard the change with
`workflow.patched` where runs may be open.

## Known missed alarms

Calls in functions outside the workflow class, and methods of objects whose class cannot be told.

## Options

None.

## References

- https://docs.temporal.io/develop/python/activities/execution
- https://github.com/temporalio/sdk-python#invoking-activities
- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._activities import ActivityCalls, fact_of, is_activity
from keel_lint_temporal._handlers import methods_of

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.classes import Place


class ActivityCalledDirectly(Rule):
    code = "KEL610"
    slug = "activity-called-directly"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)
        self.calls = definition.once(ActivityCalls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call in a workflow."""
        if self.methods.owner is None or not isinstance(node.func, (cst.Name, cst.Attribute)):
            return
        method = self.methods.round(node)
        if method is None or method.kind == "activity":
            return
        target = self.calls.function(node.func)
        if target is not None and is_activity(self.definition, target):
            self.say(node, target)

    def say(self, node: cst.Call, target: Place) -> None:
        project, fact = self.definition.project, fact_of(self.definition, target)
        hop = project.hop(target[0], *fact.name_span, f"`{fact.name}` is an activity")
        written = self.definition.code(node.func)
        message = (
            f"`{written}` is an activity, and called like this it runs in the workflow, again at every replay, without timeout "
            f"and retries; write `workflow.execute_activity({written}, ...)`"
        )
        self.report(node, message, fix=self.scheduled(node), hops=(hop,))

    def scheduled(self, node: cst.Call) -> FixBuilder | None:
        """Run the activity as one."""
        function = self.definition.nearest(node, cst.FunctionDef, cst.Lambda)
        holder = self.definition.parent(node)
        is_awaited = isinstance(holder, cst.Await)
        if any(argument.keyword is not None or argument.star for argument in node.args):
            return None
        if not isinstance(function, cst.FunctionDef) or function.asynchronous is None:
            return None
        if not is_awaited and not isinstance(holder, (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return)):
            return None
        how = (
            "execute_activity_method" if isinstance(node.func, cst.Attribute) and self.is_of_class(node) else "execute_activity"
        )
        fix = self.definition.fix(f"Run it with `workflow.{how}`", "unsafe")
        execute, delta = fix.name(f"temporalio.workflow.{how}", node), fix.name("datetime.timedelta", node)
        values = [self.definition.code(argument.value) for argument in node.args]
        given = [f"args=[{', '.join(values)}]"] if len(values) > 1 else values
        arguments = ", ".join([self.definition.code(node.func), *given, f"start_to_close_timeout={delta}(minutes=10)"])
        fix.replace(node, f"{'' if is_awaited else 'await '}{execute}({arguments})")
        return fix

    def is_of_class(self, node: cst.Call) -> bool:
        """Whether what is called is a method, and not a function of a module."""
        fact = self.calls.function(node.func)
        return fact is not None and fact_of(self.definition, fact).parent >= 0
