"""A task waits for the result of another task

## What it does
Finds `.get()`, `.join()` and their kin on the result of a dispatch, of an applied group or of `AsyncResult(...)` in the body
of a task.

## Why is this bad?
Celery refuses: `RuntimeError: Never call result.get() within a task!`. Where the check is off (gevent, eventlet,
`disable_sync_subtasks=False`) the task holds its worker process while the other one waits for a free process: with enough of
them all processes wait for each other, for ever.

## Example
### On the dispatch
```python
from celery import shared_task


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_id):
    total = price.delay(order_id).get(timeout=10)  # KEL218
    print(total)
```

### Through a name
```python
from celery import shared_task


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_id):
    result = price.apply_async(args=[order_id])
    print("waiting")
    print(result.get())  # KEL218
```

### A group, and a result by its id
```python
from celery import group, shared_task
from celery.result import AsyncResult


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_ids, other):
    prices = group(price.s(one) for one in order_ids)()
    print(prices.join())  # KEL218
    print(AsyncResult(other).get(disable_sync_subtasks=True))  # KEL218
```

## Use instead
### A chain
```python
from celery import chain, shared_task


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def write(total):
    print(total)


@shared_task
def invoice(order_id):
    chain(price.s(order_id), write.s()).delay()
```

### Call the function
```python
from celery import shared_task


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_id):
    print(price(order_id))
    print(price.apply(args=[order_id]).get())
```

### `get` of something else
```python
from celery import shared_task
from django.core.cache import cache

from shop.models import Order


@shared_task
def invoice(order_id, options):
    order = Order.objects.filter(pk=order_id).get()
    print(order, options.get("total"), cache.get("rate"))
```

### Outside a task
```python
from celery import shared_task


@shared_task
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.delay(order_id).get(timeout=10)
```

### Allowed on purpose
```python
from celery import shared_task
from celery.result import allow_join_result


@shared_task
def price(order_id):
    return 10 * order_id


@shared_task
def invoice(order_id):
    with allow_join_result():
        print(price.delay(order_id).get(timeout=10))
```

## Fix safety
There is no fix: the task must be cut in two at this place.

## Known missed alarms
A function that waits and is called by a task, and results that come from elsewhere.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#avoid-launching-synchronous-subtasks
- https://docs.celeryq.dev/en/stable/userguide/canvas.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import keywords, shown
from keel_lint_celery._results import WAITING, made_by, may_wait

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_ALLOW = frozenset({"celery.result.allow_join_result", "celery.allow_join_result"})


class ResultGetInTask(Rule):
    """Finds tasks that wait for another one."""

    code = "KEL218"
    slug = "result-get-in-task"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition is a task that may wait for a result."""
        if not any(call.callee.rpartition(".")[2] in WAITING for call in glance.calls):
            return False
        return glance.jobs.tasks.at(glance.path, glance.position) is not None and may_wait(glance)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may wait for a result."""
        func = node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in WAITING or not self._is_in_task(node):
            return
        made = made_by(self.definition, func.value)
        if made is None or self._is_allowed(node):
            return
        message = (
            f"waiting for{shown(self.definition, func.value) or ' a result'} in a task raises RuntimeError, never call "
            "result.get() within a task; make what comes after it a task of its own, and a `chain`"
        )
        self.report(node, message)

    def _is_in_task(self, node: cst.Call) -> bool:
        """Whether a task's body holds the call: the function, or `run` and `__call__` of a class of tasks."""
        if self.definition.task is None:
            return False
        if isinstance(self.definition.node, cst.FunctionDef):
            return True
        outer = [one for one in self.definition.ancestors(node) if isinstance(one, cst.FunctionDef)]
        return bool(outer) and outer[-1].name.value in {"run", "__call__"}

    def _is_allowed(self, node: cst.Call) -> bool:
        sync = keywords(node).get("disable_sync_subtasks")
        if sync is not None and self.definition.value(sync.value) is not True:
            return True
        blocks = (one for one in self.definition.ancestors(node) if isinstance(one, cst.With))
        return any(
            isinstance(item.item, cst.Call) and self.definition.called(item.item) in _ALLOW
            for block in blocks
            for item in block.items
        )
