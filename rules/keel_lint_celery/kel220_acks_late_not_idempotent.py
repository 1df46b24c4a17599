"""A task with acks_late creates a row each time it runs

## What it does
Finds tasks with `acks_late` (of their own, of the base class, in the settings) that call `Model.objects.create(...)` without a
look whether the row is there, themselves or in a function that they call.

## Why is this bad?
`acks_late` means that a task runs again: when its worker is killed, is restarted by a deployment, or holds the message for
longer than the visibility timeout. What it did the first time stays done. The second run writes a second row, or ends in
`IntegrityError` each time it comes back.

## Example
### In the task
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField()
    total = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.models import Receipt
from shop.prices import total_of


@shared_task(acks_late=True)
def write_receipt(order_id):
    total = total_of(order_id)
    Receipt.objects.create(order_id=order_id, total=total)  # KEL220
```

### In a function that the task calls, by the settings
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField()
```
```python title="shop/receipts.py"
from shop.models import Receipt


def add_receipt(order_id):
    Receipt.objects.create(order_id=order_id)
```
```python title="shop/tasks.py"
from celery import Celery

from shop.receipts import add_receipt

app = Celery("shop", broker="redis://localhost")
app.conf.task_acks_late = True


@app.task
def write_receipt(order_id):
    add_receipt(order_id)  # KEL220
```

## Use instead
### `get_or_create`, `update_or_create`
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField(unique=True)
    total = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.models import Receipt
from shop.prices import total_of


@shared_task(acks_late=True)
def write_receipt(order_id):
    Receipt.objects.update_or_create(order_id=order_id, defaults={"total": total_of(order_id)})
```

### Look first
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField(unique=True)
```
```python title="shop/tasks.py"
from celery import shared_task
from django.db import IntegrityError

from shop.models import Receipt


@shared_task(acks_late=True)
def write_receipt(order_id):
    if Receipt.objects.filter(order_id=order_id).exists():
        return
    Receipt.objects.create(order_id=order_id)


@shared_task(acks_late=True)
def write_receipt_once(order_id):
    try:
        Receipt.objects.create(order_id=order_id)
    except IntegrityError:
        print("there already")
```

### All or nothing
A transaction that has not committed when the worker dies leaves no row.
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task
from django.db import transaction

from shop.models import Receipt
from shop.prices import total_of


@shared_task(acks_late=True)
def write_receipts(order_ids):
    with transaction.atomic():
        for order_id in order_ids:
            Receipt.objects.create(order_id=total_of(order_id))
```

### Acknowledged early
```python title="shop/models.py"
from django.db import models


class Receipt(models.Model):
    order_id = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.models import Receipt


@shared_task
def write_receipt(order_id):
    Receipt.objects.create(order_id=order_id)
```

### A log
```python title="shop/models.py"
from django.db import models


class ReceiptEvent(models.Model):
    order_id = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.models import ReceiptEvent


@shared_task(acks_late=True)
def note(order_id):
    ReceiptEvent.objects.create(order_id=order_id)
```

## Fix safety
There is no fix: by which of its columns the row is found again is a choice.

## Known missed alarms
Rows that are saved with `save()`, mails, counters, and functions more than one call away. Money is KEL201. Models that are
named after logs, events and attempts are taken to hold one row for each run.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.acks_late
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
- https://docs.djangoproject.com/en/stable/ref/models/querysets/#get-or-create
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import UnparsableError, dotted
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.guards import Guards
from keel_lint.jobs.types import MANAGERS
from keel_lint.rule import Rule
from keel_lint_celery._code import keywords
from keel_lint_celery._handlers import own, tries_round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.flow.calls import Edge
    from keel_lint.glance import Glance

_CREATES = frozenset({"acreate", "bulk_create", "create"})
_PER_RUN = re.compile(
    r"(?:Log|Logs|LogEntry|Event|History|Audit\w*|Attempt|Activity|Metric|Stat|Stats|Statistics|Snapshot|Run|Report|Export|Message"
    r"|Notification)\Z"
)
_REFUSED = re.compile(r"Integrity|Exists|Duplicate|Unique|\bexcept\s*:|\bException\b")
_OPENS = re.compile(r"atomic|transaction", re.IGNORECASE)


class AcksLateNotIdempotent(Rule):
    """Finds tasks that run again and create a row each time."""

    code = "KEL220"
    slug = "acks-late-not-idempotent"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task is acknowledged late."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        if task is None or task.definition.kind != "function":
            return False
        option = glance.jobs.tasks.option(task, "acks_late")
        return option is not None and option.value is True

    def finish(self) -> None:
        """Judge what the task creates, and then the functions that it calls."""
        for node, model in _creations(self.definition):
            self.report(node, _message(model))
        definition = self.definition
        for edge in definition.flow.calls.callees(definition.path, definition.position):
            call = definition.call_at(edge.start, edge.end) if edge.how == "call" else None
            if call is not None and not _is_safe(definition, call):
                self._judge_callee(call, edge)

    def _judge_callee(self, node: cst.Call, edge: Edge) -> None:
        path, position = edge.target
        here = self.definition
        facts = here.project.facts(path)
        fact = facts.definitions[position]
        text = here.project.source(path).text[fact.start : fact.end]
        if b"create(" not in text or b"atomic" in text:
            return
        try:
            callee = here.elsewhere(path, position)
        except UnparsableError:
            return
        found = next(_creations(callee), None)
        if found is not None:
            created, model = found
            self.report(node, _message(model), hops=(here.project.hop(path, *callee.span(created), f"creates a `{model}`"),))


def _creations(definition: Definition) -> Iterator[tuple[cst.Call, str]]:
    """The rows that a function creates each time it runs, with the name of the model."""
    if not isinstance(definition.node, cst.FunctionDef):
        return
    for node in own(definition.node.body):
        if isinstance(node, cst.Call) and not {"ignore_conflicts", "update_conflicts"} & set(keywords(node)):
            model = _model(definition, node)
            if model and not _PER_RUN.search(model) and not _is_safe(definition, node):
                yield node, model


def _model(definition: Definition, node: cst.Call) -> str:
    """The project's model of which `Model.objects.create(...)` makes a row; empty for another call."""
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in _CREATES or not isinstance(func.value, cst.Attribute):
        return ""
    owner = dotted(func.value.value)
    if func.value.attr.value not in MANAGERS or owner is None:
        return ""
    symbol = definition.project.resolve(definition.path, owner, definition.scope(node))
    model = definition.jobs.models.of(symbol)
    return model.name if model is not None and model.kind == "django" else ""


def _is_safe(definition: Definition, node: cst.Call) -> bool:
    """Whether a second run does no harm: something is looked up before, a refusal is caught, a transaction holds it all."""
    guards = Guards(definition, definition.once(Bindings))
    if guards.guarded(node):
        return True
    tries = tries_round(definition, node)
    if any(_REFUSED.search(_head(definition, one)) for tried in tries for one in tried.handlers):
        return True
    blocks = (above for above in definition.ancestors(node) if isinstance(above, cst.With))
    opened = [definition.code(item.item) for block in blocks for item in block.items]
    decorators = definition.node.decorators if isinstance(definition.node, cst.FunctionDef) else ()
    opened += [definition.code(one.decorator) for one in decorators]
    return any(_OPENS.search(code) for code in opened)


def _head(definition: Definition, handler: cst.ExceptHandler) -> str:
    """The line of a handler, as source."""
    return f"except {definition.code(handler.type)}:" if handler.type is not None else "except:"


def _message(model: str) -> str:
    return (
        f"with `acks_late` the task runs again when its worker dies, and creates another `{model}` or ends in IntegrityError; "
        "write `get_or_create` or `update_or_create`"
    )
