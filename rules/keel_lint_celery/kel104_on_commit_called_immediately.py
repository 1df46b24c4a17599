"""on_commit() is given the result of a dispatch, not a function to call after the commit

## What it does
Finds `transaction.on_commit(task.delay(...))`: the dispatch is called where it stands, and `on_commit` gets what it returns.

## Why is this bad?
The message leaves at once, while the transaction is still open. Then `on_commit` is handed an `AsyncResult` and raises
`TypeError: on_commit()'s callback must be a callable.`, so the transaction rolls back: a worker runs a task for rows that
never come to be.

## Example
### A dispatch with arguments
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        transaction.on_commit(send_receipt.delay(order.pk))  # KEL104
```

### A dispatch without arguments
```python
from celery import shared_task
from django.db.transaction import on_commit


@shared_task
def refresh_totals():
    print("refreshed")


def place_order():
    on_commit(refresh_totals.apply_async())  # KEL104
    on_commit(func=refresh_totals.delay(), using="orders")  # KEL104
```

### A canvas
```python
from celery import chain, shared_task
from django.db import transaction


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
def ship(order_id):
    print(order_id)


def place_order(order):
    transaction.on_commit(chain(charge.si(order.pk), ship.si(order.pk)).delay())  # KEL104
```

## Use instead
### `partial`
```python
from functools import partial

from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(order):
    transaction.on_commit(partial(send_receipt.delay, order.pk))
```

### A lambda, or the method itself
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id=None):
    print(order_id)


def place_order(order):
    transaction.on_commit(lambda: send_receipt.delay(order.pk))
    transaction.on_commit(send_receipt.delay)
```

### A function that makes the callback
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


def receipt_of(order):
    def send():
        send_receipt.delay(order.pk)

    return send


def place_order(order):
    transaction.on_commit(receipt_of(order))
```

## Fix safety
Safe: the call as it stands raises `TypeError` each time. `partial` binds the arguments where the call stood.

## Known missed alarms
A result that a variable holds, and a function of the project that dispatches and returns what the dispatch returned.

## Options
None.

## References
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#django.db.transaction.on_commit
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import ON_COMMIT, call_later, first

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.dispatches import Dispatch


class OnCommitCalledImmediately(Rule):
    """Finds dispatches whose result is given to `on_commit`."""

    code = "KEL104"
    slug = "on-commit-called-immediately"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition registers anything to be done on commit."""
        return any(call.callee.endswith("on_commit") for call in glance.calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `on_commit`."""
        callback = first(node, "func")
        if not isinstance(callback, cst.Call) or self.definition.called(node) != ON_COMMIT:
            return
        fact = self.definition.call_fact(callback)
        dispatch = self.definition.jobs.dispatches.of(self.definition.path, fact) if fact is not None else None
        if dispatch is not None:
            self._judge(node, callback, dispatch)

    def _judge(self, node: cst.Call, callback: cst.Call, dispatch: Dispatch) -> None:
        called = f"{dispatch.target}.{dispatch.method}".replace("()", "(...)")
        if dispatch.method.endswith("_on_commit"):
            self.report(node, f"`{called}()` waits for the commit itself and returns None: on_commit() raises TypeError")
            return
        instead = f"partial({called}, ...)" if callback.args else called
        message = (
            f"`{dispatch.shown}` is published at once, before the commit, and on_commit() raises TypeError for its "
            f"AsyncResult; write `on_commit({instead})`"
        )
        builder = self.definition.fix("Publish when the transaction has committed", "safe")
        self.report(node, message, fix=builder if call_later(builder, self.definition, callback) else None)
