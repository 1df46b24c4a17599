"""An argument of a task cannot be encoded as JSON

## What it does
Finds arguments of a dispatch or signature that the JSON of Celery cannot carry: sets, generators, views of dicts, `timedelta`,
`Path`, members of an `Enum`, dataclasses, pydantic models, exceptions, functions and objects of the project's own classes,
also inside a list or dict of the call. Only where JSON is the serializer in force; where the call asks for pickle, only
objects of the project's own classes.

## Why is this bad?
The call raises `kombu.exceptions.EncodeError: Object of type set is not JSON serializable`, and nothing is published. In a
chain or a callback it is raised later, in a worker. `datetime`, `Decimal`, `UUID` and `bytes` are fine. A pickled object is a
copy of all that it held when it was published, rows of the database too, and can only be read by workers that accept pickle,
which runs whatever code a message names, and that know its class as it was.

## Example
### Collections
```python
from celery import shared_task


@shared_task
def index(keys, names=()):
    print(keys, names)


def publish(rows):
    index.delay({row.pk for row in rows})  # KEL107
    keys = set(rows)
    index.apply_async(args=[keys])  # KEL107
    index.delay([1], names=(row.name for row in rows))  # KEL107
    by_name = {row.name: row for row in rows}
    index.delay(by_name.keys())  # KEL107
```

### A file, through a service
```python title="shop/views.py"
from django.http import HttpRequest

from shop.imports import ImportService


def receive(request: HttpRequest):
    ImportService().start(request.user.pk, request.FILES["prices"])
```
```python title="shop/imports.py"
from shop.tasks import import_prices


class ImportService:
    def start(self, user_id, file):
        import_prices.delay(user_id, file)  # KEL107
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def import_prices(user_id, file):
    print(user_id, file)
```

### Values of the standard library
```python
from datetime import timedelta
from pathlib import Path

from celery import shared_task


@shared_task
def clean(path, older_than=None):
    print(path, older_than)


def clean_all(root: Path):
    clean.delay(root)  # KEL107
    clean.delay("logs", older_than=timedelta(days=7))  # KEL107
    clean.apply_async(kwargs={"path": Path("logs") / "old"})  # KEL107
```

### Classes of the project
```python
from dataclasses import dataclass
from enum import Enum

from celery import shared_task


class Status(Enum):
    OPEN = "open"


@dataclass
class Line:
    price: int


@shared_task
def record(status, lines):
    print(status, lines)


class Order:
    def close(self, line: Line):
        record.delay(Status.OPEN, [])  # KEL107
        record.delay("open", [line])  # KEL107
        record.delay("open", self)  # KEL107
```

### A pickled object
```python
from celery import shared_task


@shared_task
def fire(event):
    print(event)


class Event:
    def __init__(self, user):
        self.user = user

    def fire(self):
        fire.apply_async(args=(self,), serializer="pickle")  # KEL107
```

### An exception
```python
from celery import shared_task


@shared_task
def report(error):
    print(error)


def run(job):
    try:
        job()
    except ValueError as error:
        report.delay(error)  # KEL107
```

## Use instead
### Plain data
```python
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path

from celery import shared_task


class Status(Enum):
    OPEN = "open"


@dataclass
class Line:
    price: int


@shared_task
def record(*values):
    print(values)


def close(line: Line, path: Path, ids: set[int]):
    record.delay(Status.OPEN.value, asdict(line), str(path), sorted(ids), timedelta(days=1).total_seconds())
```

### What Celery's JSON carries
```python
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import uuid4

from celery import shared_task


class Status(str, Enum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


@shared_task
def record(*values):
    print(values)


def close():
    record.delay(datetime.now(timezone.utc), date(2030, 1, 1), Decimal("1.5"), uuid4(), b"raw", (1, 2), Status.OPEN, Level.LOW)
```

### Another serializer
```python
from celery import shared_task


@shared_task(serializer="pickle")
def index(keys):
    print(keys)


def publish(rows):
    index.delay({row.pk for row in rows})
```

### A class that says how it is encoded
```python
from celery import shared_task


class Money:
    def __init__(self, cents):
        self.cents = cents

    def __json__(self):
        return self.cents


@shared_task
def charge(money):
    print(money)


def close():
    charge.delay(Money(100))
```

## Fix safety
Unsafe: a set, a generator or a view becomes a `list`, which has another order and other methods in the task. For other values
the task would have to change too.

## Known missed alarms
Values that a function returns, attributes, elements of collections that are built elsewhere, and classes with a base class of
another package. ORM rows are KEL106, data frames KEL109.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#serializers
- https://docs.celeryq.dev/projects/kombu/en/stable/userguide/serialization.html
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.messages import message_of, sends_more_than_keys, serializer
from keel_lint.rule import Rule
from keel_lint_celery._code import keywords, shown
from keel_lint_celery._payloads import OBJECT, Payloads, has_own_encoding

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.messages import Message, Passed
    from keel_lint_celery._payloads import Payload

_MADE_HERE = (cst.Set, cst.SetComp, cst.GeneratorExp, cst.Call, cst.Name)


class UnserializableArgument(Rule):
    """Finds arguments that JSON cannot carry."""

    code = "KEL107"
    slug = "unserializable-argument"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = "unsafe"
    judges = ("dispatch", "signature")
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a message of the definition holds more than keys and constants."""
        return sends_more_than_keys(glance)

    @cached_property
    def _payloads(self) -> Payloads:
        return self.definition.once(Payloads)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge what a call sends."""
        message = message_of(self.definition, node)
        for passed in message.passed if message is not None else ():
            payload = self._payloads.of(passed.value)
            if message is not None and payload is not None:
                used, is_chosen = serializer(self.definition, message, node), "serializer" in keywords(node)
                self._judge(message, passed, payload, used, is_chosen)

    def _judge(self, message: Message, passed: Passed, payload: Payload, used: object, is_chosen: bool) -> None:
        task = message.dispatch.task
        turns = payload.is_pydantic and task is not None and "pydantic" in task.given
        if turns or has_own_encoding(self.definition.jobs):
            return
        if used == "json":
            self._report(message, passed, payload)
        elif used == "pickle" and payload is OBJECT and is_chosen:
            text = (
                f"`{message.dispatch.shown}` is given a pickled object: a stale copy of all that it holds, which only workers "
                f"that accept pickle can read; {payload.instead}"
            )
            self.report(passed.value, text)

    def _report(self, message: Message, passed: Passed, payload: Payload) -> None:
        text = (
            f"`{message.dispatch.shown}` is given {payload.what}{shown(self.definition, passed.value)}: EncodeError, not JSON "
            f"serializable; {payload.instead}"
        )
        self.report(passed.value, text, fix=self._fix(passed.value) if payload.is_listable else None)

    def _fix(self, node: cst.BaseExpression) -> FixBuilder | None:
        if not isinstance(node, _MADE_HERE):
            return None
        builder = self.definition.fix("Pass a list", "unsafe")
        start, end = self.definition.span(node)
        if isinstance(node, cst.SetComp):
            builder.replace_span(start, start + 1, "[")
            builder.replace_span(end - 1, end, "]")
            return builder
        builder.insert(start, "list(")
        builder.insert(end, ")")
        return builder
