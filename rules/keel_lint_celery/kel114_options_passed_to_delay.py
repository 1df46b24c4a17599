"""Options of apply_async are passed to delay, which hands them to the task

## What it does
Finds `task.delay(..., countdown=60)`: keywords that are options of `apply_async` and no parameters of the task.

## Why is this bad?
`delay` has no options: all its arguments are the task's. The task has no such parameter, so the call raises `TypeError: got an
unexpected keyword argument 'countdown'`, or, with `typing=False`, the worker does.

## Example
### A delay
```python
from celery import shared_task


@shared_task
def remind(user_id, text=""):
    print(user_id, text)


def register(user_id):
    remind.delay(user_id, countdown=60)  # KEL114
    remind.delay(user_id, text="hello", queue="mail", priority=3)  # KEL114
```

### Nothing but options
```python
from celery import shared_task


@shared_task(bind=True)
def refresh(self):
    print(self.request.id)


def start():
    refresh.delay(countdown=10)  # KEL114
```

### The form of `apply_async`
```python
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.delay(args=[user_id], expires=600)  # KEL114
```

## Use instead
### `apply_async`
```python
from celery import shared_task


@shared_task
def remind(user_id, text=""):
    print(user_id, text)


def register(user_id):
    remind.apply_async(args=(user_id,), kwargs={"text": "hello"}, countdown=60)
```

### The task has such a parameter
```python
from celery import shared_task


@shared_task
def remind(user_id, priority=0, eta=None):
    print(user_id, priority, eta)


def register(user_id):
    remind.delay(user_id, priority=3, eta="soon")
```

### The task takes any keyword
```python
from celery import shared_task


@shared_task
def remind(user_id, **options):
    print(user_id, options)


def register(user_id):
    remind.delay(user_id, queue="printed, not used")
```

### A decorator may take it
```python
from celery import shared_task

from shop.tracing import traced


@shared_task
@traced
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.delay(user_id, headers={"trace": "1"})
```

## Fix safety
Safe: the call as it stands ends in `TypeError`. There is no fix where the call holds comments, or where `args` or `kwargs` are
among the keywords.

## Known missed alarms
Tasks that take `**kwargs`, tasks under another decorator, tasks of another package, and `.s(...)`.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#basics
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.delay
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_at

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task

OPTIONS = frozenset({
    "args", "compression", "countdown", "eta", "exchange", "expires", "headers", "ignore_result", "kwargs", "link",
    "link_error", "priority", "queue", "retry", "retry_policy", "routing_key", "serializer", "shadow", "soft_time_limit",
    "task_id", "time_limit",
})  # fmt: skip
"""The options of `apply_async`: https://docs.celeryq.dev/en/stable/reference/celery.app.task.html"""


class OptionsPassedToDelay(Rule):
    """Finds options of a message among the arguments of `delay`."""

    code = "KEL114"
    slug = "options-passed-to-delay"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("dispatch",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a `delay` of the definition has such a keyword."""
        delays = (call for call in glance.calls if call.callee.endswith((".delay", ".delay_on_commit")))
        return any(argument.keyword in OPTIONS for call in delays for argument in call.arguments)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `delay`."""
        named = [one for one in node.args if one.keyword is not None and one.keyword.value in OPTIONS]
        dispatch = dispatch_at(self.definition, node) if named else None
        if dispatch is None or not dispatch.method.startswith("delay") or dispatch.task is None:
            return
        options = [one for one in named if one.keyword is not None and not _may_take(dispatch.task, one.keyword.value)]
        if not options:
            return
        names = ", ".join(f"`{one.keyword.value}`" for one in options if one.keyword is not None)
        later = dispatch.method.replace("delay", "apply_async")
        message = (
            f"`{dispatch.method}` hands {names} to `{dispatch.shown}`, which has no such parameter: TypeError, unexpected "
            f"keyword argument; write `{dispatch.target}.{later}(args=..., {self.definition.code(options[0]).rstrip(', ')})`"
        )
        self.report(node, message, fix=self._fix(node, options, later))

    def _fix(self, node: cst.Call, options: list[cst.Arg], method: str) -> FixBuilder | None:
        source = self.definition.source.slice(*self.definition.span(node))
        if "#" in source or not isinstance(node.func, cst.Attribute):
            return None
        if any(one.keyword is not None and one.keyword.value in {"args", "kwargs"} for one in options):
            return None
        builder = self.definition.fix(f"Pass the options to `{method}`", "safe")
        builder.replace(node, f"{self.definition.code(node.func.value)}.{method}({', '.join(self._arguments(node, options))})")
        return builder

    def _arguments(self, node: cst.Call, options: list[cst.Arg]) -> list[str]:
        """The arguments of `apply_async` that send the same as the call of `delay` was meant to."""
        own = [one for one in node.args if one not in options]
        values = [f"{one.star}{self._value(one)}" for one in own if one.keyword is None and one.star != "**"]
        pairs = [f'"{one.keyword.value}": {self._value(one)}' for one in own if one.keyword is not None]
        pairs += [f"**{self._value(one)}" for one in own if one.star == "**"]
        given = [f"args=({', '.join(values)}{',' if len(values) == 1 else ''})"] if values else []
        given += [f"kwargs={{{', '.join(pairs)}}}"] if pairs else []
        return given + [f"{one.keyword.value}={self._value(one)}" for one in options if one.keyword is not None]

    def _value(self, argument: cst.Arg) -> str:
        return self.definition.code(argument.value)


def _may_take(task: Task, keyword: str) -> bool:
    """Whether the task has the parameter, or may have: what another decorator does is not known."""
    if len(task.definition.decorators) != 1 or task.definition.kind != "function":
        return True
    return any(one.name == keyword or one.kind == "kwarg" for one in task.definition.parameters)
