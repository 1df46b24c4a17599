"""Options for automatic retries on a task that never retries automatically

## What it does
Finds `retry_backoff`, `retry_backoff_max`, `retry_jitter`, `retry_kwargs` and `dont_autoretry_for` on a task that has no
`autoretry_for`, neither of its own nor from its base class or the application.

## Why is this bad?
Celery reads these options only together with `autoretry_for`. Without it the task is not retried at all: it fails once and is
gone, while the decorator says it backs off. `self.retry()` ignores them too.

## Example
### A decorator
```python
import requests
from celery import shared_task


@shared_task(retry_backoff=30, retry_kwargs={"max_retries": 5})  # KEL206
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### Beside `self.retry()`
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5, retry_backoff=True, retry_jitter=True)  # KEL206
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error)
```

## Use instead
### `autoretry_for`
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30, retry_kwargs={"max_retries": 5})
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### The base class says it
```python title="shop/base.py"
import requests
from celery import Task


class SyncTask(Task):
    autoretry_for = (requests.RequestException,)
```
```python title="shop/tasks.py"
import requests
from celery import shared_task

from shop.base import SyncTask


@shared_task(base=SyncTask, retry_backoff=30)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### The task reads them itself
```python
import requests
from celery import shared_task


@shared_task(bind=True, retry_backoff=30, retry_kwargs={"max_retries": 5})
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=self.retry_backoff * 2**self.request.retries, **self.retry_kwargs)
```

### A helper is given the task
```python
from celery import shared_task

from shop.webhooks import send_or_retry


@shared_task(bind=True, retry_backoff=10, retry_kwargs={"max_retries": 5})
def send(self, delivery_id):
    send_or_retry(self, delivery_id)
```

## Fix safety
There is no fix: which exceptions are worth another try is a choice.

## Known missed alarms
Options of a base class that no task uses, and a helper that is given the task but reads none of them.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.retry_backoff
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task

_OPTIONS = ("retry_backoff", "retry_kwargs", "retry_jitter", "retry_backoff_max", "dont_autoretry_for")
_READ = re.compile(rb"\.(?:retry_backoff|retry_kwargs|retry_jitter|retry_backoff_max)\b")
_NEVER = "Celery ignores them and never retries it by itself; add `autoretry_for=(...)`"
_BY_HAND = (
    "Celery ignores them, and `retry()` waits `default_retry_delay` (180 s) each time; give it a growing `countdown=`, or add "
    "`autoretry_for=(...)`"
)
_OFF: tuple[object, ...] = (None, False, (), [], 0)


class RetryOptionsWithoutAutoretry(Rule):
    """Finds options for automatic retries that nothing reads."""

    code = "KEL206"
    slug = "retry-options-without-autoretry"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task has such an option of its own, and no exceptions to retry on."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        if task is None or not any(name in task.given for name in _OPTIONS) or glance.jobs.tasks.is_opaque(task):
            return False
        retries_on = glance.jobs.tasks.option(task, "autoretry_for")
        return (retries_on is None or retries_on.value in _OFF) and not _READ.search(glance.text)

    def finish(self) -> None:
        """Judge the options of the task."""
        task = self.definition.task
        options = [task.given[name] for name in _OPTIONS if name in task.given] if task is not None else []
        given = [one for one in options if one.value is UNKNOWN or one.value not in _OFF]
        if task is None or not given or self._hands_itself_on(task):
            return
        names = " and ".join(f"`{name}`" for name in _OPTIONS[:2] if name in task.given) or f"`{_first(task)}`"
        has = f"`{task.definition.name}` has {names} but no `autoretry_for`: "
        message = has + (_BY_HAND if b".retry(" in self.definition.text else _NEVER)
        self.report((given[0].start, given[0].end), message)

    def _hands_itself_on(self, task: Task) -> bool:
        """Whether the task gives itself to a function, which may read its options."""
        own = task.definition.parameters[0].name if task.is_bound and task.definition.parameters else "current_task"
        arguments = self.definition.find_all(cst.Arg)
        return any(isinstance(one.value, cst.Name) and one.value.value == own for one in arguments)


def _first(task: Task) -> str:
    return next(name for name in _OPTIONS if name in task.given)
