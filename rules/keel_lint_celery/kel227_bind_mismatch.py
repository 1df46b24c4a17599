"""bind=True and the first parameter of a task do not agree

## What it does
Finds a task with `bind=True` whose function has no parameter for the task, or whose first one is evidently something else, and
a task without `bind=True` that uses its first parameter `self` as the task (`self.retry`, `self.request`).

## Why is this bad?
With `bind=True` Celery passes the task first: a function without room for it raises `TypeError` at every call, and one with
another first parameter gets the task in its place. Without `bind=True` nobody passes `self`: `TypeError: missing 1 required
positional argument: 'self'`, or the first argument is asked for its `retry`.

## Example
### No parameter
```python
from celery import shared_task


@shared_task(bind=True)
def refresh():  # KEL227
    print("refreshed")
```

### Another first parameter
```python
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def close(order_id, reason=""):  # KEL227
    print(order_id, reason)
```

### No `bind`
```python
import requests
from celery import shared_task


@shared_task(max_retries=3)
def sync_user(self, user_id):  # KEL227
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error)


@shared_task
def log_user(self, user_id):  # KEL227
    print(self.request.id, user_id)
```

## Use instead
### Both
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error)
```

### Another name for the task
```python
from celery import shared_task


@shared_task(bind=True)
def close(task, order_id):
    print(task.request.id, order_id)


@shared_task(bind=True)
def reopen(_, order_id):
    print(order_id)


@shared_task(bind=True)
def forget(*args):
    print(args)
```

### A parameter named `self` that is something else
```python
from celery import shared_task


@shared_task
def describe(self):
    print(self["name"])
```

### A decorator may add it
```python
from celery import shared_task

from shop.tasks import with_task


@shared_task
@with_task
def close(self, order_id):
    print(self.request.id, order_id)
```

## Fix safety
Safe: `bind=True` is added, or a first parameter `self`. As it stands each call of the task ends in `TypeError`, or works on
the wrong value.

## Known missed alarms
A first parameter whose name does not end in `id`, `pk` or `uuid` and that has no plain annotation, and tasks under another
decorator.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#bound-tasks
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.bind
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import parameters_start, task_decorator

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Parameter
    from keel_lint.jobs.tasks import Task

_OF_A_TASK = frozenset({
    "apply_async", "backend", "max_retries", "replace", "request", "retry", "send_event", "update_state",
})  # fmt: skip
_KEY = re.compile(r"(?:.*_)?(?:id|ids|pk|pks|uuid)\Z")
_PLAIN = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})


class BindMismatch(Rule):
    """Finds functions that do not take what Celery passes."""

    code = "KEL227"
    slug = "bind-mismatch"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("task",)
    proof = "celery, publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the first parameter and `bind` may not agree."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        if task is None or task.opaque or len(task.definition.decorators) != 1:
            return False
        first = next(iter(task.definition.parameters), None)
        if task.is_bound:
            return first is None or _is_data(first)
        return first is not None and first.name == "self" and "bind" not in task.given

    def finish(self) -> None:
        """Judge the task."""
        task, node = self.definition.task, self.definition.node
        if task is None or not isinstance(node, cst.FunctionDef):
            return
        if task.is_bound:
            self._judge_bound(task, node)
        elif task.definition.parent < 0 and self._uses_self(node):
            message = (
                f"`{node.name.value}` uses `self` as the task, but nobody passes it: TypeError, missing 1 required positional "
                "argument; add `bind=True`"
            )
            self.report(node.name, message, fix=self._bind(task))

    def _judge_bound(self, task: Task, node: cst.FunctionDef) -> None:
        parameters = task.definition.parameters
        if parameters and self._reads_task(node, parameters[0].name):
            return
        what = f"in the place of `{parameters[0].name}`" if parameters else "and it takes no argument: TypeError at every call"
        message = f"with `bind=True` `{node.name.value}` is passed the task first, {what}; write `def {node.name.value}(self"
        message += ", ...)`" if parameters else ")`"
        self.report(node.name, message, fix=self._take(node, "self, " if parameters else "self"))

    def _take(self, node: cst.FunctionDef, parameter: str) -> FixBuilder | None:
        opening = parameters_start(self.definition.source.text, self.definition.span(node.name)[1])
        if opening is None:
            return None
        builder = self.definition.fix("Take the task first", "safe")
        builder.insert(opening, parameter)
        return builder

    def _uses_self(self, node: cst.FunctionDef) -> bool:
        return self._reads_task(node, "self")

    def _reads_task(self, node: cst.FunctionDef, name: str) -> bool:
        """Whether a name is asked for what a task has."""
        return any(
            isinstance(one.value, cst.Name) and one.value.value == name and one.attr.value in _OF_A_TASK
            for one in self.definition.find_all(cst.Attribute, node.body)
        )

    def _bind(self, task: Task) -> FixBuilder | None:
        decorator = task_decorator(self.definition, task)
        if decorator is None:
            return None
        builder = self.definition.fix("Bind the task", "safe")
        builder.insert_decorator_arguments(decorator, "bind=True")
        return builder


def _is_data(parameter: Parameter) -> bool:
    """Whether a parameter is no task, by its name or annotation, or cannot be filled by position."""
    if parameter.kind == "vararg":
        return False
    if parameter.kind in {"kwonly", "kwarg"}:
        return True
    return _KEY.match(parameter.name) is not None or parameter.annotation.partition("[")[0] in _PLAIN
