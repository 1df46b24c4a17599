"""A task expires before it is due, so it never runs

## What it does
Finds a dispatch whose `expires` (of the call, or of the task) is no longer than its `countdown`.

## Why is this bad?
Both count from now. When the worker may start the task, its message has expired: the worker drops it as `REVOKED`, each time.
The task never runs, and nobody is told.

## Example
### In one call
```python
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], countdown=3600, expires=600)  # KEL113
```

### With constants
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
HOUR = 60 * 60


def register(user_id):
    app.send_task("shop.remind", args=[user_id], countdown=2 * HOUR, expires=HOUR)  # KEL113
```

### The task expires
```python
from celery import shared_task


@shared_task(expires=60)
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], countdown=120)  # KEL113
```

## Use instead
### Room between the two
```python
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], countdown=600, expires=3600)
```

### A call that overrides the task
```python
from celery import shared_task


@shared_task(expires=60)
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], countdown=120, expires=600)
    remind.apply_async(args=[user_id], countdown=30)
```

### Not known
```python
from celery import shared_task
from django.conf import settings


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id, delay):
    remind.apply_async(args=[user_id], countdown=delay, expires=10)
    remind.apply_async(args=[user_id], countdown=60, expires=settings.REMINDER_EXPIRES)
```

## Fix safety
There is no fix: which of the two is wrong cannot be told.

## Known missed alarms
An `eta`, an `expires` that is a `datetime`, and values that are not constants.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#expiration
- https://docs.celeryq.dev/en/stable/userguide/calling.html#eta-and-countdown
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst  # noqa: TC002 -- rules import it alike

from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_with_options, is_spread, keywords, seconds

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.dispatches import Dispatch


class ExpiresBeforeCountdown(Rule):
    """Finds dispatches that expire before they are due."""

    code = "KEL113"
    slug = "expires-before-countdown"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition delays a task."""
        return b"countdown=" in glance.text

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be a dispatch."""
        given = keywords(node)
        if "countdown" not in given or is_spread(node):
            return
        dispatch = dispatch_with_options(self.definition, node)
        countdown = seconds(self.definition.value(given["countdown"].value))
        if dispatch is None or countdown is None:
            return
        expires = self._expires(dispatch, given.get("expires"))
        if expires is None or expires > countdown:
            return
        whose = "" if "expires" in given else f" (of `{dispatch.shown}`)"
        message = (
            f"`expires`{whose} is {expires:g} s and `countdown` {countdown:g} s: the message has expired when it is due, the "
            "worker drops it as REVOKED and the task never runs; let it expire later"
        )
        self.report(given.get("expires", given["countdown"]), message)

    def _expires(self, dispatch: Dispatch, own: cst.Arg | None) -> float | None:
        if own is not None:
            return seconds(self.definition.value(own.value))
        option = self.definition.jobs.tasks.option(dispatch.task, "expires") if dispatch.task is not None else None
        return seconds(option.value) if option is not None else None
