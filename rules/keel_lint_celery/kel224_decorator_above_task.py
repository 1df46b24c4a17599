"""A decorator stands above the task decorator, where the worker never sees it

## What it does
Finds a decorator that wraps a function in another one above `@shared_task` or `@app.task`: `transaction.atomic`,
`functools.cache` and decorators of the project that return a function of their own.

## Why is this bad?
Decorators work from below. The task decorator registers what stands under it, and that is what a worker runs: the decorator
above has no effect there, no transaction, no lock. The module's own name is bound to a plain function: `.delay()` raises
`AttributeError: 'function' object has no attribute 'delay'`.

## Example
### A transaction
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@transaction.atomic
@shared_task  # KEL224
def close(order_id):
    Order.objects.filter(pk=order_id).update(closed=True)
```

### A decorator of the project
```python title="shop/locks.py"
from functools import wraps


def locked(key):
    def decorate(function):
        @wraps(function)
        def wrapper(*args, **kwargs):
            print("lock", key)
            return function(*args, **kwargs)

        return wrapper

    return decorate
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.locks import locked


@locked("orders")
@shared_task(ignore_result=True)  # KEL224
def close(order_id):
    print(order_id)
```

## Use instead
### Below the task decorator
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
@transaction.atomic
def close(order_id):
    Order.objects.filter(pk=order_id).update(closed=True)
```

### A decorator that gives back what it gets
```python
from celery import shared_task

REGISTRY = []


def registered(function):
    REGISTRY.append(function)
    return function


@registered
@shared_task
def close(order_id):
    print(order_id)
```

### A decorator of another package
```python
from beats import periodic
from celery import shared_task


@periodic(minutes=5)
@shared_task
def close(order_id):
    print(order_id)
```

## Fix safety
Safe: the decorator moves below the task decorator. As it stood, the task could not be dispatched by its name.

## Known missed alarms
Decorators of other packages, and decorators that are classes.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
- https://docs.python.org/3/reference/compound_stmts.html#function-definitions
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import task_decorator

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Decorator
    from keel_lint.project import Project, Symbol

_WRAPS = frozenset({
    "asgiref.sync.async_to_sync", "asgiref.sync.sync_to_async", "django.db.transaction.atomic",
    "django.db.transaction.non_atomic_requests", "functools.cache", "functools.lru_cache", "functools.partial",
    "functools.singledispatch",
})  # fmt: skip


class DecoratorAboveTask(Rule):
    """Finds decorators that a worker never sees."""

    code = "KEL224"
    slug = "decorator-above-task"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("task",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a decorator above the one that makes the task puts another function in its place."""
        return _wrapping(glance) is not None

    def finish(self) -> None:
        """Judge what stands above the task decorator."""
        made = task_decorator(self.definition, self.definition.task)
        node = self.definition.node
        at = _wrapping(self.definition)
        if made is None or at is None or not isinstance(node, cst.FunctionDef):
            return
        wrapping, above = node.decorators[at], list(node.decorators[: list(node.decorators).index(made)])
        name = self.definition.code(wrapping.decorator).partition("(")[0]
        message = (
            f"`@{name}` stands above the task decorator: a worker runs the task without it, and `{node.name.value}.delay` "
            f"raises AttributeError, 'function' object has no attribute 'delay'; put `@{name}` below"
        )
        self.report(made.decorator, message, fix=self._fix(above, made) if wrapping is above[-1] else None)

    def _fix(self, above: list[cst.Decorator], made: cst.Decorator) -> FixBuilder | None:
        """The lowest of the decorators above changes places with the task decorator."""
        source = self.definition.source
        upper, lower = (self.definition.span(one.decorator) for one in (above[-1], made))
        first, second = source.slice(*upper), source.slice(*lower)
        if "#" in source.slice(upper[0], lower[0]):
            return None
        builder = self.definition.fix("Put the task decorator on top", "safe")
        builder.replace_span(*upper, second)
        builder.replace_span(*lower, first)
        return builder


def _wrapping(glance: Glance) -> int | None:
    """Which decorator is the first above the task decorator that puts another function in the place of the one that it gets."""
    decorators = glance.fact.decorators
    task = glance.jobs.tasks.at(glance.path, glance.position) if len(decorators) > 1 else None
    if task is None or task.decorator not in decorators:
        return None
    above = decorators[: decorators.index(task.decorator)]
    return next((at for at, one in enumerate(above) if _wraps(glance, one)), None)


def _wraps(glance: Glance, decorator: Decorator) -> bool:
    symbol = glance.project.resolve(glance.path, decorator.callee, glance.fact.parent)
    if symbol.name in _WRAPS and symbol.state != "local":
        return True
    levels = 1 if decorator.arguments is None else 2
    return symbol.state == "internal" and symbol.definition >= 0 and _returns_nested(glance.project, symbol, levels)


def _returns_nested(project: Project, symbol: Symbol, levels: int) -> bool:
    """Whether a function returns one that it defines, and that one, at the second level, again one."""
    if project.facts(symbol.path).definitions[symbol.definition].kind != "function":
        return False
    owners = [symbol.definition]
    for _ in range(levels):
        owners = [at for owner in owners for at in _returned(project, symbol.path, owner)]
    return bool(owners)


def _returned(project: Project, path: str, owner: int) -> list[int]:
    definitions = project.facts(path).definitions
    text = project.source(path).slice(definitions[owner].start, definitions[owner].end)
    nested = [(at, one) for at, one in enumerate(definitions) if one.parent == owner and one.kind == "function"]
    return [at for at, one in nested if re.search(rf"\breturn {re.escape(one.name)}\s*$", text, re.MULTILINE)]
