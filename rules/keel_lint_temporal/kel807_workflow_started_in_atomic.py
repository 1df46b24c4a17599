"""A workflow is started inside a transaction that has not committed yet

## What it does
Finds calls of `start_workflow`, `execute_workflow`, `signal_with_start` and the like that run while a database transaction is
open: in an `atomic` block or function, in whatever is called from there, in a request with `ATOMIC_REQUESTS`, under
SQLAlchemy's `session.begin()`. The path says where the transaction is opened and how the call gets there.

## Why is this bad?
The server has the workflow at once, the rows only when the transaction commits. The first activity looks for a row that is
not there yet and fails. After a rollback the workflow runs all the same, for an order that never existed; and
`execute_workflow` holds the transaction and its locks open until the workflow ends.

## Example
### In a block
```python
from asgiref.sync import async_to_sync
from django.db import transaction

from shop.models import Order
from shop.temporal import client
from shop.workflows import OrderWorkflow


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        async_to_sync(client.start_workflow)(OrderWorkflow.run, order.pk, id=f"order-{order.pk}", task_queue="orders")  # KEL807
```

### In what is called from there
```python title="shop/start.py"
from temporalio.client import Client

from shop.workflows import OrderWorkflow


async def start_order(order_id):
    client = await Client.connect("localhost:7233")
    await client.start_workflow(OrderWorkflow.run, order_id, id=f"order-{order_id}", task_queue="orders")  # KEL807
```
```python title="shop/views.py"
import asyncio

from django.db import transaction

from shop.models import Order
from shop.start import start_order


@transaction.atomic
def checkout(request):
    order = Order.objects.create(user=request.user)
    asyncio.run(start_order(order.pk))
```

### In a session of SQLAlchemy
```python
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from shop.models import Order
from shop.workflows import OrderWorkflow


async def place_order(session: AsyncSession, client: Client, cart):
    async with session.begin():
        order = Order(total=cart.total)
        session.add(order)
        await session.flush()
        await client.start_workflow(OrderWorkflow.run, order.id, id=f"order-{order.id}", task_queue="orders")  # KEL807
```

## Use instead
### After the commit
```python
from functools import partial

from asgiref.sync import async_to_sync
from django.db import transaction

from shop.models import Order
from shop.temporal import client
from shop.workflows import OrderWorkflow


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        start = async_to_sync(client.start_workflow)
        transaction.on_commit(partial(start, OrderWorkflow.run, order.pk, id=f"order-{order.pk}", task_queue="orders"))
```

### After the block
```python
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from shop.models import Order
from shop.workflows import OrderWorkflow


async def place_order(session: AsyncSession, client: Client, cart):
    async with session.begin():
        order = Order(total=cart.total)
        session.add(order)
    await client.start_workflow(OrderWorkflow.run, order.id, id=f"order-{order.id}", task_queue="orders")
```

### A method of that name that starts no workflow of Temporal
```python title="shop/automation.py"
from django.db import transaction

from shop.models import Run


class AutomationHandler:
    def start_workflow(self, automation):
        Run.objects.create(automation=automation)


@transaction.atomic
def toggle(automation):
    automation.save()
    AutomationHandler().start_workflow(automation)
```

### A child workflow
```python
from temporalio import workflow

from shop.workflows import ShipmentWorkflow


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order_id: int) -> None:
        await workflow.start_child_workflow(ShipmentWorkflow.run, order_id)
```

## Fix safety
Unsafe. There is a fix for `async_to_sync(client.start_workflow)(...)` as a statement in Django: `on_commit(partial(...))`. In
Django's `TestCase` the callbacks never run (`captureOnCommitCallbacks` runs them). A process that ends between the commit and
the start leaves a row without its workflow; where that matters, start the workflow from an outbox that is read again.

## Known missed alarms
Clients behind a wrapper of the project whose method has another name and is not defined in the project, and the missed alarms
of KEL101.

## Options
None.

## References
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
- https://docs.temporal.io/develop/python/temporal-client
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.committing import can_spell, wait_for_commit
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.atomic import OpenTransaction
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call

_STARTS = frozenset({
    "execute_update_with_start_workflow", "execute_workflow", "signal_with_start", "start_update_with_start_workflow",
    "start_workflow",
})  # fmt: skip
_ASYNC_TO_SYNC = "asgiref.sync.async_to_sync"


class WorkflowStartedInAtomic(Rule):
    """Finds starts of workflows that run inside an open transaction."""

    code = "KEL807"
    slug = "workflow-started-in-atomic"
    group = "reliability"
    engine = "temporal"
    versions = ">=1"
    fix = "unsafe"
    judges = ("workflow-start",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition starts a workflow in an open transaction."""
        return any(cls._opened(glance, call) is not None for call in glance.calls)

    @classmethod
    def _opened(cls, glance: Glance, call: Call) -> OpenTransaction | None:
        return glance.flow.transactions.round_call(glance.path, call) if _started(glance, call) else None

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may start a workflow."""
        fact = self.definition.call_fact(node)
        opened = self._opened(self.definition, fact) if fact is not None else None
        if fact is None or opened is None:
            return
        instead = "in `transaction.on_commit(...)`" if opened.library == "django" else "after the commit"
        message = f"the workflow is started before the transaction commits: {self._harm(fact)}; start it {instead}"
        self.report(node, message, fix=self._fix(node, opened), hops=opened.hops)

    def _harm(self, call: Call) -> str:
        """What comes of it: to wait for the end of the workflow holds the transaction open."""
        if call.callee.endswith("execute_workflow"):
            return "its locks are held until the workflow ends, and after a rollback that has run all the same"
        return "its first activity looks for a row that is not there yet, and after a rollback it runs all the same"

    def _fix(self, node: cst.Call, opened: OpenTransaction) -> FixBuilder | None:
        is_statement = isinstance(self.definition.parent(node), cst.Expr) and isinstance(node.func, cst.Call)
        if opened.library != "django" or not is_statement or not can_spell(opened):
            return None
        return wait_for_commit(self.definition.fix("Start when the transaction has committed", "unsafe"), node, opened)


def _started(glance: Glance, call: Call) -> bool:
    """Whether a call starts a workflow: on a client, or as `async_to_sync(client.start_workflow)(...)`."""
    owner, _, name = call.callee.rpartition(".")
    if name in _STARTS and owner:
        symbol = glance.project.resolve(glance.path, owner, call.scope)
        return not symbol.name.startswith("temporalio.workflow") and not _is_of_project(glance, call, owner, name)
    if not call.callee.endswith("()"):
        return False
    inner = next((one for one in glance.calls if one.start == call.start and one.end < call.end and one.arguments), None)
    if inner is None or glance.project.resolve(glance.path, inner.callee, call.scope).name != _ASYNC_TO_SYNC:
        return False
    return inner.arguments[0].text.rpartition(".")[2] in _STARTS


def _is_of_project(glance: Glance, call: Call, owner: str, name: str) -> bool:
    """Whether the project itself defines what is called: if that starts a workflow, it does so in its own body."""
    symbol = glance.project.resolve(glance.path, call.callee, call.scope)
    if symbol.state == "internal" and symbol.definition >= 0:
        return True
    instance = glance.flow.calls.classes.of(glance.path, owner, call.scope)
    return instance is not None and glance.project.method(*instance.place, name) is not None
