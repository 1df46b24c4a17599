"""A task is defined inside the function that dispatches it, where no worker finds it

## What it does
Finds a task that is defined in a function which also dispatches it, unless that function is called when its module is
imported.

## Why is this bad?
A worker knows the tasks that are registered when its modules are imported. This one is registered when the function runs, in
the process that publishes: the worker logs `Received unregistered task of type ... The message has been ignored and
discarded`, and the work is lost.

## Example
### In a view
```python
from celery import shared_task


def close(request):
    @shared_task
    def send_receipt(order_id):  # KEL225
        print(order_id)

    send_receipt.delay(request.GET["order"])
```

### In a method
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


class Orders:
    def close(self, order):
        @app.task(ignore_result=True)
        def send_receipt(order_id):  # KEL225
            print(order_id, "closed")

        send_receipt.apply_async(args=[order.pk], countdown=5)
```

## Use instead
### At module level
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(request):
    send_receipt.delay(request.GET["order"])
```

### A factory that runs in the worker too
```python
from celery import Celery


def create_app(name):
    app = Celery(name, broker="redis://localhost")

    @app.task
    def send_receipt(order_id):
        print(order_id)

    return app


app = create_app("shop")
```

### A function that is called on import
```python
from celery import shared_task


def register():
    @shared_task
    def warm_up():
        print("warm")

    warm_up.delay()


register()
```

## Fix safety
There is no fix: the task may use what the function holds.

## Known missed alarms
A task that is defined in one function and dispatched in another, and one under an `if`.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#how-it-works
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.facts import MODULE
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_FACTORY = re.compile(r"(?:create|make|build|init|setup|register|configure|ready|connect|get_\w*app|on_after)", re.IGNORECASE)


class TaskNotAtModuleLevel(Rule):
    """Finds tasks that only the process which publishes them knows."""

    code = "KEL225"
    slug = "task-not-at-module-level"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition has decorated functions inside."""
        return any(one.decorators and one.kind == "function" for one in glance.inside)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Judge a function that is nested in another one."""
        outer = self.definition.nearest(node, cst.FunctionDef)
        if outer is None or not node.decorators:
            return
        position = self._position(node)
        task = self.definition.jobs.tasks.at(self.definition.path, position) if position >= 0 else None
        if task is None or not self._is_dispatched(outer, node.name.value) or self._runs_on_import():
            return
        message = (
            f"`{node.name.value}` is registered when `{outer.name.value}` runs, and never in a worker: Received unregistered "
            "task, the message is discarded; define it at module level"
        )
        self.report(node.name, message)

    def _position(self, node: cst.FunctionDef) -> int:
        start = self.definition.span(node.name)[0]
        found = (at for at, one in enumerate(self.definition.facts.definitions) if one.name_start == start)
        return next(found, -1)

    def _is_dispatched(self, outer: cst.FunctionDef, name: str) -> bool:
        calls = self.definition.find_all(cst.Call, outer)
        return any(
            isinstance(call.func, cst.Attribute)
            and isinstance(call.func.value, cst.Name)
            and call.func.value.value == name
            and call.func.attr.value in {"delay", "apply_async", "delay_on_commit"}
            for call in calls
        )

    def _runs_on_import(self) -> bool:
        """Whether the function round the task makes an application, by its name, or is called when the module is imported."""
        name = self.definition.fact.name
        called = (call.callee for call in self.definition.facts.calls if call.scope == MODULE)
        return _FACTORY.search(name) is not None or name in called
