"""Reject is raised by a task whose message is acknowledged already

## What it does
Finds `raise Reject(...)` in a task for which `acks_late` is not set: not by its decorator, its base class or the settings.

## Why is this bad?
A task without `acks_late` is acknowledged before it runs, so there is nothing left to reject: nothing is requeued and no dead
letter is written. The result stays `PENDING`, and whoever waits for it waits for ever.

## Example
### A decorator without it
```python
from celery import shared_task
from celery.exceptions import Reject

from shop.stock import is_ready


@shared_task(bind=True)
def ship(self, order_id):
    if not is_ready(order_id):
        raise Reject("not ready", requeue=True)  # KEL212
```

### Turned off by the task
```python
from celery import Celery, exceptions

app = Celery("shop", broker="amqp://localhost")
app.conf.task_acks_late = True


@app.task(acks_late=False)
def ship(order_id):
    try:
        print(1 / order_id)
    except ZeroDivisionError as error:
        raise exceptions.Reject(error, requeue=False)  # KEL212
```

## Use instead
### With `acks_late`
```python
from celery import shared_task
from celery.exceptions import Reject

from shop.stock import is_ready


@shared_task(bind=True, acks_late=True)
def ship(self, order_id):
    if not is_ready(order_id):
        raise Reject("not ready", requeue=True)
```

### In the settings
```python
from celery import Celery
from celery.exceptions import Reject

app = Celery("shop", broker="amqp://localhost", task_acks_late=True)


@app.task
def ship(order_id):
    raise Reject("no shipping on Sundays", requeue=False)
```

### By the base class
```python
from celery import Task, shared_task
from celery.exceptions import Reject


class CarefulTask(Task):
    acks_late = True


@shared_task(base=CarefulTask)
def ship(order_id):
    raise Reject("no shipping on Sundays", requeue=False)
```

### Another Reject
```python
from celery import shared_task

from shop.orders import Reject


@shared_task
def ship(order_id):
    raise Reject(order_id)
```

## Fix safety
Unsafe: with `acks_late=True` a task whose worker dies runs again from its beginning.

## Known missed alarms
`Reject` that is raised by a function that the task calls.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#reject
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.acks_late
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index import expressions
from keel_lint.index.facts import known_as
from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_celery._code import keywords, task_decorator

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task

_REJECT = "celery.exceptions.Reject"


class RejectWithoutAcksLate(Rule):
    """Finds `Reject` where the message is acknowledged already."""

    code = "KEL212"
    slug = "reject-without-acks-late"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition raises anything of that name."""
        names = known_as(glance.facts, frozenset({"Reject"}))
        return b"raise" in glance.text and glance.may_hold(ast.Raise, lambda node: _raised(node) in names)

    def visit_Raise(self, node: cst.Raise) -> None:
        """Judge what is raised."""
        raised = node.exc.func if isinstance(node.exc, cst.Call) else node.exc
        task = self.definition.task
        if raised is None or task is None or self.definition.name(raised) != _REJECT or not self._is_acked_early(task):
            return
        message = (
            "a task without `acks_late` is acknowledged before it runs: Reject has no effect, the message is gone and the "
            "result stays PENDING for ever; add `acks_late=True`"
        )
        self.report(node, message, fix=self._fix(task))

    def _is_acked_early(self, task: Task) -> bool:
        jobs = self.definition.jobs
        option = jobs.tasks.option(task, "acks_late")
        if option is not None:
            return option.value is not UNKNOWN and not option.value
        return not jobs.tasks.is_opaque(task) and not jobs.settings.opaque

    def _fix(self, task: Task) -> FixBuilder | None:
        decorator = task_decorator(self.definition, task)
        if decorator is None:
            return None
        builder = self.definition.fix("Acknowledge when the task has run", "unsafe")
        given = keywords(decorator.decorator).get("acks_late") if isinstance(decorator.decorator, cst.Call) else None
        if given is not None:
            builder.replace(given.value, "True")
        else:
            builder.insert_decorator_arguments(decorator, "acks_late=True")
        return builder


def _raised(node: ast.Raise) -> str:
    """The last name of what is raised; empty for another expression."""
    return expressions.last_name(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
