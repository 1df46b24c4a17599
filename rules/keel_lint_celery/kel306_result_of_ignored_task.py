"""The result of a task is read that never stores one

## What it does
Finds `.get()` and `.result` on the `AsyncResult` of a task with `ignore_result=True`, whether the task, its base class or the
settings say so.

## Why is this bad?
A task that ignores its result stores none, and its `AsyncResult` knows that: `get()` returns `None` at once. It does not wait
and does not raise when the task fails, so the code takes work for done that has not begun.

## Example
### The task ignores it
```python
from celery import shared_task


@shared_task(ignore_result=True)
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.delay(order_id).get(timeout=10)  # KEL306
```

### The settings ignore it
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")
app.conf.task_ignore_result = True


@app.task
def price(order_id):
    return 10 * order_id


def show(order_id):
    result = price.apply_async(args=[order_id])
    result.wait()  # KEL306
    return result.result  # KEL306
```

## Use instead
### Keep the result
```python
from celery import shared_task


@shared_task
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.delay(order_id).get(timeout=10)
```

### Keep it for this call
```python
from celery import shared_task


@shared_task(ignore_result=True)
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.apply_async(args=[order_id], ignore_result=False).get(timeout=10)
```

### The task overrides the settings
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")
app.conf.task_ignore_result = True


@app.task(ignore_result=False)
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.delay(order_id).get(timeout=10)
```

### Only the id is used
```python
from celery import shared_task


@shared_task(ignore_result=True)
def price(order_id):
    return 10 * order_id


def show(order_id):
    return price.delay(order_id).id
```

## Fix safety
There is no fix: whether the result is kept or not waited for is a choice.

## Known missed alarms
A result that is read elsewhere by its id, and canvases.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.ignore_result
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#std-setting-task_ignore_result
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_at, is_spread, keywords
from keel_lint_celery._results import WAITING, made_by

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call
    from keel_lint.jobs.dispatches import Dispatch

_READ = WAITING | {"result"}


class ResultOfIgnoredTask(Rule):
    """Finds results that are read and were never kept."""

    code = "KEL306"
    slug = "result-of-ignored-task"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = None
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition reads any result, and publishes a task whose result may be ignored."""
        text = glance.text
        return any(f".{name}".encode() in text for name in _READ) and any(_may_ignore(glance, call) for call in glance.calls)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        """Judge what may read a result."""
        if node.attr.value not in _READ or (node.attr.value != "result" and not self._is_called(node)):
            return
        made = made_by(self.definition, node.value)
        dispatch = dispatch_at(self.definition, made) if made is not None else None
        if made is None or dispatch is None or not self._is_ignored(made, dispatch):
            return
        message = (
            f"`{dispatch.shown}` ignores its result: `{node.attr.value}` gives None at once and neither waits nor raises; take "
            "`ignore_result` away, or do not read it"
        )
        self.report(node, message)

    def _is_called(self, node: cst.Attribute) -> bool:
        above = self.definition.parent(node)
        return isinstance(above, cst.Call) and above.func is node

    def _is_ignored(self, made: cst.Call, dispatch: Dispatch) -> bool:
        task = dispatch.task
        if task is None or "()" in dispatch.target or is_spread(made):
            return False
        own = keywords(made).get("ignore_result") if not dispatch.method.startswith("delay") else None
        if own is not None:
            return self.definition.value(own.value) is True
        option = self.definition.jobs.tasks.option(task, "ignore_result")
        return option is not None and option.value is True


def _may_ignore(glance: Glance, call: Call) -> bool:
    dispatch = glance.jobs.dispatches.of(glance.path, call)
    if dispatch is None or dispatch.task is None:
        return False
    option = glance.jobs.tasks.option(dispatch.task, "ignore_result")
    return (option is not None and option.value is True) or any(one.keyword == "ignore_result" for one in call.arguments)
