"""A file, a data frame or an unbounded list of rows travels through the broker

## What it does
Finds arguments of a dispatch or signature that hold a whole payload: the content of a file (`.read()`, `read_bytes()`,
`base64.b64encode(...)` of one), an uploaded file, the body of an HTTP request, a pandas or polars data frame or what it is
dumped to, and `list(...)` of the rows of a query without a limit.

## Why is this bad?
The payload is encoded, sent to the broker, kept there in memory until a worker takes it, and sent again with every retry.
JSON carries bytes as base64, a third larger. A megabyte in an argument takes the room of a thousand ordinary messages: when
the queue backs up, Redis runs out of memory, and RabbitMQ blocks every publisher. Uploaded files and data frames are not JSON
serializable at all: the call raises `EncodeError`.

## Example
### The content of a file
```python
from pathlib import Path

from celery import shared_task


@shared_task
def import_products(content):
    print(len(content))


def upload(path):
    with open(path) as file:
        import_products.delay(file.read())  # KEL109


def upload_again(path):
    content = Path(path).read_bytes()
    import_products.apply_async(args=[content], countdown=10)  # KEL109
```

### An uploaded file
```python
import base64

from celery import shared_task
from django.http import HttpRequest


@shared_task
def scan(content):
    print(len(content))


def receive(request: HttpRequest):
    upload = request.FILES["document"]
    scan.delay(base64.b64encode(upload.read()).decode())  # KEL109
```

### A data frame
```python
import pandas as pd
from celery import shared_task


@shared_task
def summarise(rows):
    print(rows)


def load(path):
    frame = pd.read_csv(path).dropna()
    summarise.delay(frame.to_dict("records"))  # KEL109
```

### All rows of a query
```python
from celery import shared_task

from shop.models import Order


@shared_task
def export(rows):
    print(rows)


def export_all():
    export.delay(list(Order.objects.values("pk", "total", "email")))  # KEL109
```

## Use instead
### Where the payload is
Store it (object storage, a shared volume, a row) and pass its name or key.
```python
from celery import shared_task
from django.core.files.storage import default_storage
from django.http import HttpRequest


@shared_task
def scan(name):
    with default_storage.open(name) as document:
        print(len(document.read()))


def receive(request: HttpRequest):
    name = default_storage.save("inbox/document", request.FILES["document"])
    scan.delay(name)
```

### The query in the task
```python
from celery import shared_task

from shop.models import Order


@shared_task
def export(minimum):
    for order in Order.objects.filter(total__gte=minimum).iterator():
        print(order.total)


def export_all():
    export.delay(100)
```

### A limited list of keys
```python
from celery import shared_task

from shop.models import Order


@shared_task
def export(order_ids):
    print(Order.objects.filter(pk__in=order_ids))


def export_first():
    export.delay(list(Order.objects.values_list("pk", flat=True)[:500]))
```

## Fix safety
There is no fix: where the payload is to be kept is a choice.

## Known missed alarms
Payloads that another function returns, whole request data (`request.data`, `request.POST`), flat lists of keys, columns of a
data frame, and large strings and dicts that are built in code. An argument that cannot be encoded because it is a row is
KEL106.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#data-locality
- https://docs.celeryq.dev/en/stable/userguide/canvas.html
- https://docs.djangoproject.com/en/stable/topics/files/
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst  # noqa: TC002 -- rules import it alike

from keel_lint.jobs.messages import message_of, sends_more_than_keys, serializer
from keel_lint.jobs.types import Types
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.messages import Message, Passed
    from keel_lint.jobs.types import Value


_WHAT = {
    "content": "the whole content{shown}",
    "upload": "the uploaded file{shown}",
    "file": "the open file{shown}",
    "frame": "the data frame{shown} (EncodeError with JSON)",
    "dump": "all rows of a data frame{shown}",
}


class LargeObjectArgument(Rule):
    """Finds arguments of a task that hold a whole payload."""

    code = "KEL109"
    slug = "large-object-argument"
    group = "performance"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("dispatch", "signature")
    proof = "celery, publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a message of the definition holds more than keys and constants."""
        return sends_more_than_keys(glance)

    @cached_property
    def types(self) -> Types:
        """The types of the definition's expressions."""
        return self.definition.once(Types)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge what a call sends."""
        message = message_of(self.definition, node)
        for passed in message.passed if message is not None else ():
            value = self.types.of(passed.value)
            payload = self._payload(passed, value) if value is not None else None
            if message is not None and payload is not None and not self._is_refused(message, node, value):
                what, instead = payload
                why = "the broker holds all of it in memory, and every retry sends it again"
                self.report(passed.value, f"`{message.dispatch.shown}` is given {what}: {why}; {instead}")

    def _is_refused(self, message: Message, node: cst.Call, value: Value | None) -> bool:
        """Whether it is a file that the serializer refuses: it never gets to the broker, and KEL107 speaks of it."""
        is_file = value is not None and value.kind in {"file", "upload"}
        return is_file and serializer(self.definition, message, node) == "json"

    def _payload(self, passed: Passed, value: Value) -> tuple[str, str] | None:
        """What is passed, and what to do instead; `None` for what is not large."""
        code = self.definition.code(passed.value)
        shown = f" `{code}`" if len(code) <= 40 and "\n" not in code else ""
        if value.kind == "rows":
            what = f"all rows of a query{shown}"
            return None if value.small else (what, "run the query in the task, or pass keys in limited batches")
        what = _WHAT.get(value.kind, "").format(shown=shown)
        return (what, "store it and pass its path or key") if what else None
