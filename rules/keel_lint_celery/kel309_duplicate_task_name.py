"""Two functions are registered as tasks under one name

## What it does
Reports a task whose registered name another task of the same package has: both give the same `name=`, one gives the name that
the other gets from its module, or one module defines two tasks of one name. The finding stands at the later one; the path
leads to the other.

## Why is this bad?
Celery keeps one function for a name and drops the other, without a word before 5.7 and with a `DuplicateTaskNameWarning`
since. Which one it keeps depends on the order of imports. Every call of the one that is dropped runs the other, with its
arguments.

## Example
### The same name twice
```python title="shop/__init__.py"
```
```python title="shop/invoices.py"
from celery import shared_task


@shared_task(name="shop.send")
def send_invoice(order_id):
    print(order_id)
```
```python title="shop/reminders.py"
from celery import shared_task


@shared_task(name="shop.send")  # KEL309
def send_reminder(order_id):
    print(order_id)
```

### Two functions of one name
```python
from celery import shared_task


@shared_task
def send(order_id):
    print(order_id)


@shared_task
def send(invoice_id):  # KEL309
    print(invoice_id)
```

## Use instead
### A name for each
```python title="shop/__init__.py"
```
```python title="shop/invoices.py"
from celery import shared_task


@shared_task(name="shop.invoices.send")
def send(order_id):
    print(order_id)
```
```python title="shop/reminders.py"
from celery import shared_task


@shared_task
def send(order_id):
    print(order_id)
```

### One of two is defined
```python
from celery import shared_task

try:
    import stripe
except ImportError:

    @shared_task(name="shop.charge")
    def charge(order_id):
        print(order_id)

else:

    @shared_task(name="shop.charge")
    def charge(order_id):
        stripe.Charge.create(order=order_id)
```

### Two programs
```python title="orders/tasks.py"
from celery import Celery

app = Celery("orders")


@app.task(name="ship")
def ship(order_id):
    print(order_id)
```
```python title="stock/tasks.py"
from celery import Celery

app = Celery("stock")


@app.task(name="ship")
def ship(order_id):
    print(order_id)
```

## Fix safety
There is none: a new name is a contract with messages that are already queued.

## Known missed alarms
Tasks that are classes, tasks made by calls, and modules that are imported under two names.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#names
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-naming-and-relative-imports
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task


class DuplicateTaskName(Rule):
    """Finds tasks whose name is taken."""

    code = "KEL309"
    slug = "duplicate-task-name"
    group = "correctness"
    engine = "celery"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether another task has the name of this one."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        name = glance.jobs.names.of(task) if task is not None else None
        if task is None or name is None or not ("name" in task.given or _may_be_taken(glance, task)):
            return False
        return len(glance.jobs.names.places(name)) > 1

    def finish(self) -> None:
        """Compare the task with those of the same name that come before it."""
        task = self.definition.task
        name = self.definition.jobs.names.of(task) if task is not None else None
        if task is None or name is None or not _is_always_made(task):
            return
        places = self.definition.jobs.names.places(name)
        before = [place for place in places if place < (task.path, task.position)]
        others = (self.definition.jobs.tasks.at(*place) for place in before)
        other = next((one for one in others if one is not None and self._is_beside(task, one)), None)
        if other is not None:
            self._say(task, other, name)

    def _is_beside(self, task: Task, other: Task) -> bool:
        """Whether one program holds both: the same file, or the same package with the same application."""
        if not _is_always_made(other):
            return False
        if task.path == other.path:
            return True
        return self._package(task) == self._package(other) and self._application(task) == self._application(other)

    def _package(self, task: Task) -> str:
        """The folder of the outermost package that holds a task, or the file that is in none."""
        inside = self.definition.project.module_name(task.path).count(".")
        stem = task.path.removesuffix("/__init__.py")
        return stem.rsplit("/", inside)[0]

    def _application(self, task: Task) -> tuple[str, str]:
        callee = task.decorator.callee if task.decorator is not None else ""
        symbol = self.definition.project.resolve(task.path, callee.partition(".")[0], task.definition.parent)
        return symbol.name, symbol.path

    def _say(self, task: Task, other: Task, name: str) -> None:
        project = self.definition.project
        given = task.given.get("name")
        where = (given.start, given.end) if given is not None and given.path == task.path else task.definition.name_span
        hop = project.hop(other.path, *other.definition.name_span, f"`{other.definition.name}` is registered as `{name}` here")
        message = (
            f"two tasks are registered as `{name}`: Celery keeps the function that is imported first and drops the other "
            "(DuplicateTaskNameWarning since 5.7), so every call runs that one; give each a name of its own"
        )
        self.report(where, message, hops=(hop,))


def _is_always_made(task: Task) -> bool:
    """Whether a task is made whenever its module is imported: not in a function, under `if` or in `try`."""
    return task.definition.parent == MODULE and task.definition.depth == 0 and task.decorator is not None


def _may_be_taken(glance: Glance, task: Task) -> bool:
    """Whether another function has the name of the task's, or a text that is given a name ends in it."""
    if task.definition.kind == "class":
        return True
    name = task.definition.name.encode()
    files = dict.fromkeys((glance.path, *glance.project.naming(task.definition.name)))
    texts = [glance.project.raw(path) for path in files]
    if sum(text.count(b"def %s(" % name) for text in texts) > 1:
        return True
    stated = rb"""=\s*["'](?:[\w.]*\.)?%s["']""" % re.escape(name)
    return any(re.search(stated, text) for text in texts if name + b'"' in text or name + b"'" in text)
