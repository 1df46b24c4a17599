"""A task returns what its result backend cannot store

## What it does
Finds `return` in a task of something that the JSON of Celery cannot carry: sets, generators, `timedelta`, `Path`, members of
an `Enum`, dataclasses, exceptions, ORM objects and querysets, and tasks that `yield`. Only where a result backend is set, the
task does not ignore its result, and results are JSON.

## Why is this bad?
The task has done its work when its result is encoded. That fails with `kombu.exceptions.EncodeError`, so the task ends as
`FAILURE` after all its effects: callbacks do not run, and whoever reads the state does the work again. A task that yields
returns a generator: its body does not even begin.

## Example
### Values
```python
from datetime import timedelta

from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task
def keys(rows):
    print(rows)
    return {row["pk"] for row in rows}  # KEL232


@app.task
def age(seconds):
    return {"age": timedelta(seconds=seconds)}  # KEL232
```

### ORM objects
```python title="shop/models.py"
from django.db import models


class Order(models.Model):
    total = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import Celery

from shop.models import Order

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task
def close(order_id):
    order = Order.objects.get(pk=order_id)
    order.save()
    return order  # KEL232


@app.task
def open_orders():
    return Order.objects.filter(total=0)  # KEL232
```

### A generator
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task
def keys(rows):  # KEL232
    for row in rows:
        yield row["pk"]
```

## Use instead
### Plain data
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task
def keys(rows):
    return sorted({row["pk"] for row in rows})
```

### The result is ignored
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task(ignore_result=True)
def keys(rows):
    return {row["pk"] for row in rows}
```

### No result backend
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


@app.task
def keys(rows):
    return {row["pk"] for row in rows}
```

### Pickled results
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")
app.conf.result_serializer = "pickle"


@app.task
def keys(rows):
    def unique():
        return {row["pk"] for row in rows}

    return unique()
```

## Fix safety
There is no fix: who reads the result decides what it should be.

## Known missed alarms
Values that a function returns, and tasks under a decorator that changes what they return.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#std-setting-result_serializer
- https://docs.celeryq.dev/en/stable/userguide/calling.html#serializers
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.types import Types
from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_celery._code import shown
from keel_lint_celery._handlers import own
from keel_lint_celery._payloads import Payloads, has_own_encoding

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.tasks import Task

_KINDS = {
    "model": "an ORM object", "models": "ORM objects", "queryset": "a queryset", "row queryset": "a queryset",
    "manager": "a manager", "frame": "a data frame", "request": "a request", "upload": "an uploaded file", "file": "a file",
}  # fmt: skip


class UnserializableReturn(Rule):
    """Finds results that cannot be stored."""

    code = "KEL232"
    slug = "unserializable-return"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task gives something back that is stored as JSON."""
        if b"return " not in glance.text and b"yield" not in glance.text:
            return False
        task = glance.jobs.tasks.at(glance.path, glance.position)
        return task is not None and len(task.definition.decorators) == 1 and _stores_json(glance.jobs, task)

    @cached_property
    def _payloads(self) -> Payloads:
        return self.definition.once(Payloads)

    def finish(self) -> None:
        """Judge what the task returns."""
        node, task = self.definition.node, self.definition.task
        if not isinstance(node, cst.FunctionDef) or task is None:
            return
        if any(isinstance(one, cst.Yield) for one in own(node.body)):
            message = (
                f"`{node.name.value}` yields, so it returns a generator: its body never runs, and the task ends in EncodeError"
            )
            self.report(node.name, message)
            return
        for one in own(node.body):
            if isinstance(one, cst.Return) and one.value is not None:
                self._judge(one.value, task)

    def _judge(self, value: cst.BaseExpression, task: Task) -> None:
        payload = self._payloads.of(value)
        if payload is not None and not (payload.is_pydantic and "pydantic" in task.given):
            self._report(value, payload.what, payload.instead.replace("pass", "return"))
            return
        kind = self.definition.once(Types).of(value)
        if payload is None and kind is not None and kind.kind in _KINDS:
            self._report(value, _KINDS[kind.kind], "return keys or plain values")

    def _report(self, value: cst.BaseExpression, what: str, instead: str) -> None:
        name = shown(self.definition, value)
        message = f"the task returns {what}{name}: EncodeError, the task ends as FAILURE after its work is done; {instead}"
        self.report(value, message)


def _stores_json(jobs: Jobs, task: Task) -> bool:
    """Whether the result of a task is stored, and as JSON."""
    backends = jobs.settings.get("result_backend")
    if not backends or any(one.value in {"None", "''", '""', "'disabled'", '"disabled"'} for one in backends):
        return False
    ignored = jobs.tasks.option(task, "ignore_result")
    is_kept = not jobs.tasks.is_opaque(task) if ignored is None else ignored.value is not UNKNOWN and not ignored.value
    serializer = jobs.settings.get("result_serializer")
    own_serializer = jobs.tasks.option(task, "serializer") if "serializer" in task.given else None
    is_json = all(one.value.strip("\"'") == "json" for one in serializer) and own_serializer is None
    return is_kept and is_json and not has_own_encoding(jobs)
