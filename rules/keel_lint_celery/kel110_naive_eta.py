"""A time without a zone is given as eta or expires

## What it does
Finds `datetime.now()` and its kin, without a time zone, as the `eta` or `expires` of a dispatch, of `self.retry()` or of a
signature's options, itself or with a `timedelta` added, directly or through a local name.

## Why is this bad?
`datetime.now()` is local time that does not say so, and Celery takes a time without a zone for UTC. On a machine in Tokyo a
task that is due in an hour runs in ten; in New York it runs at once. On a machine whose clock is UTC nothing is wrong, so the
tests pass.

## Example
### In the call
```python
from datetime import datetime, timedelta

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime.now() + timedelta(hours=1))  # KEL110
    remind.apply_async((user_id,), expires=datetime.today() + timedelta(days=1))  # KEL110
```

### Through a name
```python
import datetime

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    tomorrow = datetime.datetime.now() + datetime.timedelta(days=1)
    at_nine = tomorrow.replace(hour=9, minute=0)
    remind.apply_async(args=[user_id], eta=at_nine)  # KEL110
```

### In a retry
```python
from datetime import datetime, timedelta

from celery import shared_task


@shared_task(bind=True)
def remind(self, user_id):
    if user_id is None:
        raise self.retry(eta=datetime.now() + timedelta(minutes=5))  # KEL110
```

## Use instead
### An aware time
```python
from datetime import datetime, timedelta, timezone

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime.now(timezone.utc) + timedelta(hours=1))
    local = datetime.now().astimezone()
    remind.apply_async(args=[user_id], eta=local + timedelta(hours=1))
```

### `countdown`
```python
from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], countdown=60 * 60, expires=2 * 60 * 60)
```

### Django's `timezone.now`
```python
from datetime import timedelta

from celery import shared_task
from django.utils import timezone


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=timezone.now() + timedelta(hours=1))
```

### Naive, but UTC
```python
from datetime import datetime, timedelta

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime.utcnow() + timedelta(hours=1))
```

### Django keeps the clock at UTC
Django sets the time zone of its processes to `TIME_ZONE`.
```python title="shop/celery.py"
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```
```python title="shop/settings.py"
TIME_ZONE = "UTC"
CELERY_BROKER_URL = "redis://localhost"
```
```python title="shop/tasks.py"
from datetime import datetime, timedelta

from celery import shared_task


@shared_task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime.now() + timedelta(hours=1))
```

### A project that has turned UTC off
```python
from datetime import datetime, timedelta

from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.enable_utc = False


@app.task
def remind(user_id):
    print(user_id)


def register(user_id):
    remind.apply_async(args=[user_id], eta=datetime.now() + timedelta(hours=1))
```

## Fix safety
Safe where `datetime.now()` stands in the argument: the zone is added. Unsafe where a local name holds the time: what else
reads it may compare it with a naive one.

## Known missed alarms
Times that are put together (`datetime(2030, 1, 1)`, `datetime.combine(...)`), parsed, taken from a model or returned by a
function.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#eta-and-countdown
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#std-setting-enable_utc
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.values import fold
from keel_lint.record import Record
from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_with_options, is_retry, is_spread, keywords

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_UTC: tuple[object, ...] = ("UTC", "Etc/UTC", "GMT")
_NOW = frozenset({"datetime.datetime.now", "datetime.datetime.today"})


class _Naive(Record, frozen=True):
    """The call that makes a naive time, and whether it stands in the very argument."""

    call: cst.Call
    is_here: bool


class NaiveEta(Rule):
    """Finds times without a zone that say when a task is to run."""

    code = "KEL110"
    slug = "naive-eta"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("dispatch", "task", "task-class", "signature")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition reads the clock and says when a task is to run."""
        text = glance.text
        return (b"eta=" in text or b"expires=" in text) and (b"now(" in text or b"today(" in text)

    @cached_property
    def _bindings(self) -> Bindings:
        return self.definition.once(Bindings)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may say when a task is to run."""
        given = keywords(node)
        options = [given[name] for name in ("eta", "expires") if name in given]
        if not options or not self._takes_options(node) or self._local_time_is_right():
            return
        for option in options:
            found = self._naive(option.value)
            if found is not None:
                self._report(option, found)

    def _local_time_is_right(self) -> bool:
        """Whether Celery takes such a time for local time, or local time is UTC."""
        jobs = self.definition.jobs
        if jobs.settings.value("enable_utc") is False:
            return True
        zones = [fold(assignment.value) for _, assignment in jobs.django_settings.assignments("TIME_ZONE")]
        return bool(zones) and all(zone in _UTC for zone in zones)

    def _takes_options(self, node: cst.Call) -> bool:
        return dispatch_with_options(self.definition, node) is not None or is_retry(self.definition, node)

    def _naive(self, node: cst.BaseExpression, *, is_here: bool = True) -> _Naive | None:
        """What makes the time naive that an expression gives; `None` where it is aware, UTC or not known."""
        if isinstance(node, cst.BinaryOperation):
            return self._naive(node.left, is_here=is_here) or self._naive(node.right, is_here=is_here)
        if isinstance(node, cst.Name):
            bound = self._bindings.reaching(node)
            source = bound[0].source if len(bound) == 1 and bound[0].how == "value" else None
            return self._naive(source, is_here=False) if isinstance(source, cst.BaseExpression) else None
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return None
        if node.func.attr.value == "replace":
            keeps = "tzinfo" not in keywords(node) and not is_spread(node)
            return self._naive(node.func.value, is_here=is_here) if keeps else None
        return _Naive(node, is_here) if not node.args and self.definition.called(node) in _NOW else None

    def _report(self, option: cst.Arg, found: _Naive) -> None:
        name = option.keyword.value if option.keyword is not None else "eta"
        code = self.definition.code(found.call)
        late = "runs hours late or at once" if name == "eta" else "expires hours late or at once"
        message = (
            f"`{code}` has no time zone and Celery takes it for UTC: where the clock is not UTC the task {late}; "
            "write `datetime.now(timezone.utc)`"
        )
        self.report(option, message, fix=self._fix(found))

    def _fix(self, found: _Naive) -> FixBuilder:
        builder = self.definition.fix("Say that the time is UTC", "safe" if found.is_here else "unsafe")
        func = found.call.func
        if isinstance(func, cst.Attribute) and func.attr.value == "today":
            builder.replace(func.attr, "now")
        builder.insert_argument(found.call, f"{builder.name('datetime.timezone', found.call)}.utc")
        return builder
