"""A dispatch is given both eta and countdown, and eta is dropped

## What it does
Finds a dispatch with an `eta` and a `countdown` that are both surely given.

## Why is this bad?
Celery computes the time from `countdown` and overwrites `eta` with it, without a word. The task does not run when the code
says it should.

## Example
### In one call
```python
from datetime import datetime, timezone

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(
        args=[user_id],
        eta=datetime(2030, 1, 1, tzinfo=timezone.utc),  # KEL112
        countdown=60,
    )
```

### By the name of the task
```python
from datetime import timedelta

from celery import Celery
from django.utils import timezone

app = Celery("shop", broker="redis://localhost")


def register(user_id):
    noon = timezone.now() + timedelta(hours=2)
    app.send_task("shop.remind", args=[user_id], countdown=5 * 60, eta=noon)  # KEL112
```

## Use instead
### One of the two
```python
from datetime import datetime, timezone

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime(2030, 1, 1, tzinfo=timezone.utc))
    remind.apply_async(args=[user_id], countdown=60)
```

### Handed on
Where a caller chooses, one of the two is `None`.
```python
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def schedule(user_id, eta=None, countdown=None):
    remind.apply_async(args=[user_id], eta=eta, countdown=countdown)
```

### None or nothing
```python
from datetime import timedelta

from celery import shared_task
from django.utils import timezone


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id, soon):
    later = timezone.now() + timedelta(hours=1)
    remind.apply_async(args=[user_id], eta=later, countdown=None)
    remind.apply_async(args=[user_id], eta=later, countdown=0)
    remind.apply_async(args=[user_id], eta=None if soon else later, countdown=60 if soon else None)
```

## Fix safety
There is no fix: which of the two is meant cannot be told.

## Known missed alarms
Options that come from a parameter, a dict or a setting.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#eta-and-countdown
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.apply_async
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_with_options, is_retry, keywords

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_CLOCKS = ("datetime.", "django.utils.timezone.", "celery.utils.time.")


class EtaAndCountdown(Rule):
    """Finds dispatches with both an eta and a countdown."""

    code = "KEL112"
    slug = "eta-and-countdown"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("dispatch", "task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition names both options."""
        return b"eta=" in glance.text and b"countdown=" in glance.text

    @cached_property
    def _bindings(self) -> Bindings:
        return self.definition.once(Bindings)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may say when a task is to run."""
        given = keywords(node)
        if "eta" not in given or "countdown" not in given:
            return
        if dispatch_with_options(self.definition, node) is None and not is_retry(self.definition, node):
            return
        if self._is_given(given["eta"].value) and self._is_given(given["countdown"].value):
            message = "`countdown` overwrites `eta`: the task does not run at the time that `eta` says; keep one of the two"
            self.report(given["eta"], message)

    def _is_given(self, node: cst.BaseExpression) -> bool:
        """Whether an expression surely gives a time or a delay."""
        value = self.definition.value(node)
        if value is not UNKNOWN:
            return bool(value)
        if isinstance(node, cst.BinaryOperation):
            return True
        if isinstance(node, cst.Call):
            return (self.definition.called(node) or "").startswith(_CLOCKS)
        if not isinstance(node, cst.Name):
            return False
        bound = self._bindings.reaching(node)
        sources = [one.source for one in bound if one.how == "value" and isinstance(one.source, cst.BaseExpression)]
        return bool(bound) and len(sources) == len(bound) and all(map(self._is_given, sources))
