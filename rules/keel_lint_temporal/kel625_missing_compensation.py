"""A workflow takes money and does not give it back when a later step fails.

## What it does

Reports an activity that charges or captures, followed in the same function by another activity or child workflow, where neither
stands in a `try` with a handler and nothing in the workflow speaks of refunding, cancelling or undoing. Off by default, because
somebody may do that by hand.

## Why is this bad?

The steps of a workflow are no transaction. When the step behind the charge fails for good, because the item is out of stock or
the retries are used up, the workflow ends as failed and the money stays with you. A saga remembers for each step what undoes
it, and does that in the opposite order when a later step fails.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("charge_customer", order_id, start_to_close_timeout=minute)  # KEL625
        await workflow.execute_activity("reserve_stock", order_id, start_to_close_timeout=minute)
```

## Use instead

### Give it back

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("charge_customer", order_id, start_to_close_timeout=minute)
        try:
            await workflow.execute_activity("reserve_stock", order_id, start_to_close_timeout=minute)
        except Exception:
            await workflow.execute_activity("refund_customer", order_id, start_to_close_timeout=minute)
            raise
```

### Take it last

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("reserve_stock", order_id, start_to_close_timeout=minute)
        await workflow.execute_activity("charge_customer", order_id, start_to_close_timeout=minute)
```

### A saga

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.compensations: list[str] = []

    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        try:
            self.compensations.append("refund_customer")
            await workflow.execute_activity("charge_customer", order_id, start_to_close_timeout=minute)
            await workflow.execute_activity("reserve_stock", order_id, start_to_close_timeout=minute)
        except Exception:
            for name in reversed(self.compensations):
                await workflow.execute_activity(name, order_id, start_to_close_timeout=minute)
            raise
```

## Fix safety

No fix is offered: what undoes a step is for you to say.

## Known missed alarms

Charges under names that say nothing of money, and workflows that undo something, but not the charge.

## Options

None.

## References

- https://docs.temporal.io/evaluate/use-cases-design-patterns#saga
- https://temporal.io/blog/saga-pattern-made-easy
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.payments import paying_verb
from keel_lint.rule import Rule
from keel_lint_temporal._commands import ACTIVITIES, CHILDREN
from keel_lint_temporal._handlers import keyword, methods_of, positional

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance

_TAKES = frozenset({"charge", "capture"})
_UNDOES = re.compile(rb"refund|compensat|roll_?back|revert|undo|void_|cancel_(?:charge|payment|order)|saga", re.IGNORECASE)


class MissingCompensation(Rule):
    code = "KEL625"
    slug = "missing-compensation"
    group = "practice"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether money may be taken, and nothing gives it back."""
        return any(word in glance.text for word in (b"charge", b"capture")) and _UNDOES.search(glance.text) is None

    def visit_Call(self, node: cst.Call) -> None:
        """Judge an activity call."""
        name = self.activity(node)
        verb = paying_verb("", name.removesuffix("_activity"), "payment") if name is not None else None
        if self.methods.round(node) is None or verb not in _TAKES:
            return
        then = self.step_after(node)
        if then is not None and not self.is_caught(node) and not self.is_caught(then):
            what = self.activity(then) or "a child workflow"
            line = self.definition.source.row(self.definition.span(then)[0])
            message = (
                f"`{name}` takes the money, and when `{what}` on line {line} fails after it nothing gives it back; "
                "catch the failure and refund, or charge last"
            )
            self.report(node, message)

    def activity(self, node: cst.Call) -> str | None:
        """The name of the activity that a call runs."""
        if self.definition.called(node) not in ACTIVITIES:
            return None
        first = next(iter(positional(node)), None) or keyword(node, "activity")
        if first is None:
            return None
        value = self.definition.value(first.value)
        return value if isinstance(value, str) else self.definition.code(first.value).rpartition(".")[2]

    def step_after(self, node: cst.Call) -> cst.Call | None:
        """The next call in the same function that can fail."""
        function = self.definition.nearest(node, cst.FunctionDef)
        start = self.definition.span(node)[1]
        for call in self.definition.find_all(cst.Call, function.body if function is not None else None):
            if (self.definition.called(call) or "") in ACTIVITIES | CHILDREN and self.definition.span(call)[0] > start:
                return call
        return None

    def is_caught(self, node: cst.CSTNode) -> bool:
        """Whether a `try` with a handler or an end stands round a node."""
        below = node
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.Try) and below is above.body:
                return True
            below = above
        return False
