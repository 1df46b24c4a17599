"""A task is retried without end

## What it does
Finds tasks that retry with `max_retries=None`: in the decorator, the base class, `retry_kwargs` or the call of `self.retry()`.

## Why is this bad?
A message that can never succeed comes back for ever: a row that was deleted, an account that was closed. Such messages pile
up, each takes its turn of the workers, and with a short delay they leave no room for others. No failure is ever reported.

## Example
### In the decorator
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30, max_retries=None)  # KEL204
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### In `retry_kwargs`
```python
import requests
from celery import shared_task


@shared_task(
    autoretry_for=(requests.RequestException,),
    retry_kwargs={"max_retries": None, "countdown": 60},  # KEL204
)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### In the call
```python
import requests
from celery import shared_task


@shared_task(bind=True)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=60, max_retries=None)  # KEL204
```

## Use instead
### A number
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30, retry_backoff_max=3600, max_retries=20)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### The task counts itself
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=None)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        if self.request.retries > 10:
            raise
        raise self.retry(exc=error, countdown=60)
```

### The message expires
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30, max_retries=None, expires=86400)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### Nothing is retried
```python
from celery import shared_task


@shared_task(max_retries=None)
def sync_user(user_id):
    print(user_id)
```

## Fix safety
There is no fix: how long to try is a choice.

## Known missed alarms
A task that publishes itself again, and numbers that are as good as none.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.max_retries
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import is_retry, keywords

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Option, Task

_IN_A_RETRY = re.compile(rb"\.retry\(.*\bmax_retries\b", re.DOTALL)
_MESSAGE = (
    "without a limit a message that can never succeed is retried for ever, takes a worker each time, and no failure is "
    "reported; give a number, or an `expires`"
)
_NOTHING: tuple[object, ...] = (None, (), [], False)


class UnboundedRetries(Rule):
    """Finds retries without a limit."""

    code = "KEL204"
    slug = "unbounded-retries"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition may take the limit away and does not count."""
        text = glance.text
        if b"max_retries" not in text or b"request.retries" in text:
            return False
        return _IN_A_RETRY.search(text) is not None or any(_limits(glance))

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `self.retry()`."""
        limit = keywords(node).get("max_retries")
        if limit is not None and self.definition.value(limit.value) is None and is_retry(self.definition, node):
            self._report(self.definition.span(limit))

    def finish(self) -> None:
        """Judge the options of the task."""
        own = _own(self.definition)
        if own is None:
            return
        retries_on = self.definition.jobs.tasks.option(own, "autoretry_for")
        by_itself = retries_on is not None and retries_on.value not in _NOTHING
        for option in self._unbounded(by_itself):
            if option.path == self.definition.path and self.definition.fact.start <= option.start < self.definition.fact.end:
                self._report((option.start, option.end))

    def _unbounded(self, by_itself: bool) -> list[Option]:
        """The options that take the limit away, where the task retries at all."""
        limit, more = _limits(self.definition)
        found = []
        if limit is not None and (by_itself or self._retries_without_limit()):
            found.append(limit)
        if by_itself and more is not None:
            found.append(more)
        return found

    def _retries_without_limit(self) -> bool:
        calls = self.definition.find_all(cst.Call)
        return any(is_retry(self.definition, call) and "max_retries" not in keywords(call) for call in calls)

    def _report(self, place: tuple[int, int]) -> None:
        task = self.definition.task
        expires = self.definition.jobs.tasks.option(task, "expires") if task is not None else None
        if expires is None or expires.value is None:
            self.report(place, _MESSAGE)


def _own(where: Glance) -> Task | None:
    """The task, or the base class of tasks, that a definition is."""
    tasks = where.jobs.tasks
    return tasks.at(where.path, where.position) or tasks.as_base(where.path, where.position)


def _limits(where: Glance) -> tuple[Option | None, Option | None]:
    """The options that say that there is no limit: `max_retries`, and `retry_kwargs`, which holds one too."""
    own = _own(where)
    if own is None:
        return None, None
    limit, more = (where.jobs.tasks.option(own, name) for name in ("max_retries", "retry_kwargs"))
    is_without = more is not None and isinstance(more.value, dict) and more.value.get("max_retries", 0) is None
    return (limit if limit is not None and limit.value is None else None), (more if is_without else None)
