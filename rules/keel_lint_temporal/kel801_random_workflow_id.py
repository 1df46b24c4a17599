"""A workflow is started under a random identifier.

## What it does

Reports `start_workflow` and `execute_workflow` of a client with an `id` that is drawn at random or made from the clock:
`uuid4()`, `secrets`, `random`, `time.time()`, `datetime.now()`, alone or in a text, also through a local variable. Off by
default, because some jobs have no name of their own.

## Why is this bad?

The identifier of a workflow is what keeps it from being started twice. A request that is sent again, a double click, a message
that is delivered twice: each starts another workflow, and the order is charged twice. With an identifier that comes from the
order the second start is refused, or joins the first.

## Example

```python
import uuid

from temporalio.client import Client


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow("Order", order_id, id=f"order-{uuid.uuid4()}", task_queue="orders")  # KEL801


async def order_and_wait(client: Client, order_id: str) -> None:
    workflow_id = str(uuid.uuid4())
    await client.execute_workflow("Order", order_id, id=workflow_id, task_queue="orders")  # KEL801
```

## Use instead

### A name from what the workflow is about

```python
from temporalio.client import Client


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow("Order", order_id, id=f"order-{order_id}", task_queue="orders")
```

### A key that whoever asks has chosen

```python
import uuid

from temporalio.client import Client


async def order(client: Client, order_id: str, request_id: str) -> None:
    order = uuid.uuid5(uuid.NAMESPACE_URL, request_id)
    await client.start_workflow("Order", order_id, id=f"order-{order}", task_queue="orders")
```

### A key of a request that brings none

```python
import uuid

from temporalio.client import Client


async def order(client: Client, order_id: str, key: str | None) -> None:
    await client.start_workflow("Order", order_id, id=key or str(uuid.uuid4()), task_queue="orders")
```

## Fix safety

No fix is offered: only you know what the workflow is about.

## Known missed alarms

Identifiers that a function of the project makes, clients whose class cannot be told, and child workflows, whose identifiers are
taken from the history.

## Options

None.

## References

- https://docs.temporal.io/workflow-execution/workflowid-runid
- https://docs.temporal.io/develop/python/client/temporal-client#workflow-id
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule
from keel_lint_temporal._commands import CLIENT_STARTS
from keel_lint_temporal._handlers import keyword

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition

_FRESH = re.compile(
    r"uuid\.uuid[147]|secrets\.\w+|random\.\w+|os\.urandom|time\.time(?:_ns)?|datetime\.datetime\.(?:now|utcnow)"
    r"|(?:shortuuid|nanoid|ulid)\.\w+"
)


class RandomWorkflowId(Rule):
    code = "KEL801"
    slug = "random-workflow-id"
    group = "practice"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("workflow-start",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.receivers = definition.once(Receivers)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge the start of a workflow."""
        given = keyword(node, "id")
        if given is None or not CLIENT_STARTS.match(self.receivers.called(node) or ""):
            return
        fresh = next(self.fresh(given.value), None)
        if fresh is not None:
            written = self.definition.code(fresh)
            message = (
                f"the id of the workflow comes from `{written}`: a request that is sent twice starts a second workflow; "
                "make it from what the workflow is about, as in `order-{order_id}`"
            )
            self.report(given, message)

    def fresh(self, value: cst.BaseExpression) -> Iterator[cst.Call]:
        """What is new at every call in an expression, and in the variables that it holds."""
        if any(isinstance(one, (cst.BooleanOperation, cst.IfExp)) for one in descendants(value)):
            return
        for one in descendants(value):
            if isinstance(one, cst.Call) and _FRESH.fullmatch(self.definition.called(one) or ""):
                yield one
            bound = self.receivers.bindings.reaching(one) if isinstance(one, cst.Name) else []
            if len(bound) == 1 and bound[0].how == "value" and isinstance(bound[0].source, cst.BaseExpression):
                yield from self.fresh(bound[0].source)
