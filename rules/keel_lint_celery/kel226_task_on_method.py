"""A method is a task, and nobody passes self

## What it does
Finds a task decorator on a method that takes `self` or `cls`, without `bind=True` and without `@staticmethod`.

## Why is this bad?
The task is made of the plain function. `order.send.delay(5)` publishes `5` alone, and the call raises `TypeError: missing 1
required positional argument`; by name the worker raises it. An instance could not travel anyway.

## Example
### A method
```python
from celery import shared_task


class Order:
    @shared_task
    def send(self, address):  # KEL226
        print(self, address)

    def close(self):
        self.send.delay("home")
```

### A class method
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


class Order:
    @app.task(ignore_result=True)
    def send(cls, address):  # KEL226
        print(cls, address)
```

## Use instead
### A function that loads what it needs
```python
from celery import shared_task

from shop.models import Order


@shared_task
def send(order_id, address):
    print(Order.objects.get(pk=order_id), address)
```

### `bind=True` or `@staticmethod`
```python
from celery import shared_task


class Order:
    @shared_task(bind=True)
    def send(self, order_id):
        print(self.request.id, order_id)

    @shared_task
    @staticmethod
    def send_all(order_ids):
        print(order_ids)

    @shared_task
    def refresh(order_id):
        print(order_id)
```

### The instance is passed
```python
from celery import shared_task


class Event:
    @shared_task
    def fire(self, exclude=None):
        print(self, exclude)

    def start(self):
        self.fire.apply_async(args=(self,), serializer="pickle")
```

### A class of tasks
```python
from celery import Task


class Send(Task):
    def run(self, order_id):
        print(self.request.id, order_id)
```

## Fix safety
There is no fix: the task needs a key from which it can load the object.

## Known missed alarms
A first parameter with another name, and a task to which one of the dispatches in the class passes `self`.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
- https://docs.celeryq.dev/en/stable/faq.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task


class TaskOnMethod(Rule):
    """Finds methods that are tasks."""

    code = "KEL226"
    slug = "task-on-method"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition is, or holds, a decorated function in a class."""
        definitions = glance.facts.definitions
        decorated = (one for one in (glance.fact, *glance.inside) if one.decorators)
        return any(one.parent >= 0 and definitions[one.parent].kind == "class" for one in decorated)

    def finish(self) -> None:
        """Judge the methods of the definition."""
        facts, here = self.definition.facts, self.definition.fact
        for position, one in enumerate(facts.definitions):
            if not here.start <= one.start < here.end or one.parent < 0 or facts.definitions[one.parent].kind != "class":
                continue
            task = self.definition.jobs.tasks.at(self.definition.path, position) if one.kind == "function" else None
            if task is not None and self._takes_self(task) and not self._is_given(task):
                self._report(task)

    def _takes_self(self, task: Task) -> bool:
        """Whether the function waits for the instance: no other decorator stands by that may bind it."""
        first = next((one.name for one in task.definition.parameters), "")
        is_bare = len(task.definition.decorators) == 1 and not task.is_bound and not task.opaque
        return is_bare and first in {"self", "cls"} and "filter" not in task.given and "bind" not in task.given

    def _is_given(self, task: Task) -> bool:
        """Whether the class passes the instance itself."""
        owner = self.definition.facts.definitions[task.definition.parent]
        text = self.definition.source.slice(owner.start, owner.end)
        name = re.escape(task.definition.name)
        passed = rf"{name}\.(?:delay|apply_async|s|si)\((?:args=)?\s*[(\[]?\s*(?:self|cls)\b"
        return re.search(passed, text) is not None

    def _report(self, task: Task) -> None:
        first = task.definition.parameters[0].name
        message = (
            f"nobody passes `{first}` to the task `{task.definition.name}`: TypeError, missing 1 required positional argument; "
            "make it a function that is given a key"
        )
        self.report(task.definition.name_span, message)
