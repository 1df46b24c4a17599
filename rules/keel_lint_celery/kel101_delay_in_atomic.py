"""A task is published inside a transaction that has not committed yet

## What it does
Finds `.delay()`, `.apply_async()` and `send_task()` that run while a Django transaction is open: inside a `with
transaction.atomic()` block, in a function under `@transaction.atomic`, in a nested function that is called there, and under
the context managers and decorators that a project builds on `atomic`. The path says where the transaction is opened.

## Why is this bad?
The message leaves at once, the rows only when the transaction commits. A worker that is quicker than the commit looks for a
row that is not there and ends with `DoesNotExist`. When the transaction is rolled back, the task runs all the same: a mail
goes out for an order that never existed. A `countdown` makes the first one rarer and leaves the second one as it is.

## Example
### In a block
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay(order.pk)  # KEL101
```

### Under the decorator
```python
from celery import shared_task
from django.db.transaction import atomic

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


@atomic
def place_order(cart):
    order = Order.objects.create(total=cart.total)
    send_receipt.apply_async(args=[order.pk], countdown=5)  # KEL101
```

### Under a context manager of the project
```python title="shop/tracing.py"
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def traced_transaction():
    with transaction.atomic():
        yield
```
```python title="shop/orders.py"
from shop.models import Order
from shop.tasks import send_receipt
from shop.tracing import traced_transaction


def place_order(cart):
    with traced_transaction():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay(order.pk)  # KEL101
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
```

### With another database
```python
from celery import shared_task
from django.db import transaction

from shop.models import Event


@shared_task
def count_event(event_id):
    print(event_id)


def record(kind):
    with transaction.atomic(using="events"):
        event = Event.objects.create(kind=kind)
        count_event.delay(event.pk)  # KEL101
```

## Use instead
### Celery's own method
`delay_on_commit` waits for the commit of the default database and is dropped on rollback. Outside a transaction it publishes
at once. It returns `None`: there is no task id yet.
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay_on_commit(order.pk)
```

### `on_commit`
```python
from functools import partial

from celery import shared_task
from django.db import transaction

from shop.models import Event


@shared_task
def count_event(event_id):
    print(event_id)


def record(kind):
    with transaction.atomic(using="events"):
        event = Event.objects.create(kind=kind)
        transaction.on_commit(partial(count_event.delay, event.pk), using="events")
        transaction.on_commit(lambda: count_event.delay(event.pk), using="events")
```

### After the block
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
    send_receipt.delay(order.pk)
```

### A base class that waits
```python
from celery import Task, shared_task
from django.db import transaction

from shop.models import Order


class CommitTask(Task):
    def apply_async(self, *args, **kwargs):
        transaction.on_commit(lambda: super(CommitTask, self).apply_async(*args, **kwargs))


@shared_task(base=CommitTask)
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


@transaction.atomic
def place_order(cart):
    order = Order.objects.create(total=cart.total)
    send_receipt.delay(order.pk)
```

## Fix safety
Unsafe. The call returns `None` instead of an `AsyncResult`, so there is no fix where its value is used. In Django's
`TestCase` the callbacks never run (`captureOnCommitCallbacks` runs them). `delay_on_commit` waits for the default database;
for another one, for tasks whose class does not have it, and for Celery before 5.4, the fix is
`transaction.on_commit(partial(...))`, which binds the arguments where the call stood.

## Known missed alarms
Transactions that another function opens round its call of this one, those of `ATOMIC_REQUESTS` and of Django's admin, an
`ExitStack`, `set_autocommit(False)`, and a task under a name that cannot be followed.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
- https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html#trigger-tasks-at-the-end-of-the-database-transaction
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.deferral import has_on_commit, is_deferred
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.transactions import OpenTransaction
    from keel_lint.glance import Glance
    from keel_lint.jobs.dispatches import Dispatch


class DelayInAtomic(Rule):
    """Finds dispatches that run inside an open transaction."""

    code = "KEL101"
    slug = "delay-in-atomic"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition dispatches in an open transaction."""
        found = ((call, glance.jobs.dispatches.of(glance.path, call)) for call in glance.calls)
        return any(
            dispatch is not None and glance.flow.transactions.round_call(glance.path, call) is not None
            for call, dispatch in found
        )

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be a dispatch."""
        fact = self.definition.call_fact(node)
        dispatch = self.definition.jobs.dispatches.of(self.definition.path, fact) if fact is not None else None
        if fact is None or dispatch is None or is_deferred(self.definition.jobs, dispatch):
            return
        opened = self.definition.flow.transactions.round_call(self.definition.path, fact)
        # A replica is only read: no commit is waited for there.
        if opened is None or "replica" in opened.alias.lower():
            return
        short = not opened.alias and has_on_commit(self.definition.jobs, dispatch)
        instead = _instead(node, dispatch, opened, short)
        message = (
            f"`{dispatch.shown}` is published before the transaction commits: a quick worker gets DoesNotExist, "
            f"and after a rollback the task still runs; write `{instead}`"
        )
        self.report(node, message, fix=self._fix(node, dispatch, opened, short), hops=opened.hops)

    def _fix(self, node: cst.Call, dispatch: Dispatch, opened: OpenTransaction, short: bool) -> FixBuilder | None:
        if not isinstance(self.definition.parent(node), cst.Expr) or not _can_spell(opened):
            return None
        builder = self.definition.fix("Publish when the transaction has committed", "unsafe")
        if short and isinstance(node.func, cst.Attribute):
            builder.replace(node.func.attr, f"{dispatch.method}_on_commit")
            return builder
        return self._with_partial(builder, node, opened)

    def _with_partial(self, builder: FixBuilder, node: cst.Call, opened: OpenTransaction) -> FixBuilder | None:
        """`on_commit(partial(task.delay, ...))` with the arguments as they are written, comments and line breaks too."""
        if any(isinstance(argument.value, cst.GeneratorExp) and not argument.value.lpar for argument in node.args):
            return None
        using = f", using={opened.alias}" if opened.alias else ""
        on_commit = f"{builder.name('django.db.transaction', node)}.on_commit"
        start, end = self.definition.span(node)
        if not node.args:
            builder.insert(start, f"{on_commit}(")
            builder.replace_span(self.definition.span(node.func)[1], end, f"{using})")
            return builder
        text = self.definition.source.text
        opening = text.index(b"(", self.definition.span(node.func)[1])
        gap = "" if text[opening + 1 : opening + 2] in {b"\n", b"\r"} else " "
        builder.insert(start, f"{on_commit}({builder.name('functools.partial', node)}(")
        builder.replace_span(opening, opening + 1, f",{gap}")
        builder.insert(end, f"{using})")
        return builder


def _can_spell(opened: OpenTransaction) -> bool:
    """Whether the alias means the same at the dispatch as where the transaction is opened."""
    return not opened.alias or opened.alias[0] in "\"'" or len(opened.hops) == 1


def _instead(node: cst.Call, dispatch: Dispatch, opened: OpenTransaction, short: bool) -> str:
    if short:
        return f"{dispatch.target}.{dispatch.method}_on_commit(...)"
    using = f", using={opened.alias}" if opened.alias else ""
    called = f"{dispatch.target}.{dispatch.method}".replace("()", "(...)")
    return f"transaction.on_commit(partial({called}, ...){using})" if node.args else f"transaction.on_commit({called}{using})"
