"""A task catches the very exception it is retried for, so it never is

## What it does
Finds a task with `autoretry_for` whose body catches one of these exceptions, or all, round its work, and only logs it.

## Why is this bad?
Automatic retries see only what leaves the task. An exception that is caught inside is no failure: the task runs once, ends as
`SUCCESS` with nothing done, and is never retried.

## Example
### The same exception
```python
import logging

import requests
from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30, max_retries=5)
def sync_user(user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException:  # KEL208
        logger.exception("no sync")
```

### All exceptions
```python
import logging

import requests
from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(requests.Timeout, requests.ConnectionError), retry_backoff=30)
def sync_user(user_id):
    logger.info("sync %s", user_id)
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except Exception as error:  # KEL208
        logger.warning("no sync: %s", error)
        return None
```

### By the base class
```python
import logging

import requests
from celery import Task, shared_task

logger = logging.getLogger(__name__)


class SyncTask(Task):
    autoretry_for = (requests.RequestException,)
    retry_backoff = True


@shared_task(base=SyncTask)
def sync_user(user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except (ValueError, requests.RequestException):  # KEL208
        logger.exception("no sync")
```

## Use instead
### Let it out
```python
import logging

import requests
from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30)
def sync_user(user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException:
        logger.exception("no sync")
        raise
```

### A fallback
```python
import requests
from celery import shared_task

from shop.cache import last_known_rate


@shared_task(autoretry_for=(ConnectionError,), retry_backoff=30)
def rate(currency):
    try:
        return requests.get(f"https://rates.example/{currency}", timeout=10).json()
    except Exception:
        return last_known_rate(currency)
```

### Another exception
```python
import logging

import requests
from celery import shared_task

from shop.models import User

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30)
def sync_user(user_id):
    try:
        user = User.objects.get(pk=user_id)
        requests.post("https://crm.example/users", json={"id": user.pk}, timeout=10)
    except User.DoesNotExist:
        logger.warning("gone: %s", user_id)
```

### A part of the work
```python
import logging

import requests
from celery import shared_task

from shop.crm import update

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=30)
def sync_user(user_id):
    try:
        requests.post("https://metrics.example/sync", timeout=10)
    except requests.RequestException:
        logger.warning("not counted")
    update(user_id)
```

## Fix safety
There is no fix: whether the task should fail is a choice.

## Known missed alarms
A handler that does more than to log, one round a part of the work, and an exception that is caught by its base class,
`Exception` aside.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.autoretry_for
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.tasks import Option  # noqa: TC001 -- a small record
from keel_lint.rule import Rule
from keel_lint_celery._handlers import BROAD, caught, may_only_log, only_logs, work_of

if TYPE_CHECKING:
    from keel_lint.glance import Glance


class SwallowedAutoretry(Rule):
    """Finds exceptions that a task is retried for and catches itself."""

    code = "KEL208"
    slug = "swallowed-autoretry"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task is retried by itself and may catch something and only log it."""
        task = glance.jobs.tasks.at(glance.path, glance.position) if b"except" in glance.text else None
        is_retried = task is not None and glance.jobs.tasks.option(task, "autoretry_for") is not None
        return is_retried and may_only_log(glance)

    def finish(self) -> None:
        """Judge the handlers round the work of the task."""
        task = self.definition.task
        node = self.definition.node
        retries_on = self.definition.jobs.tasks.option(task, "autoretry_for") if task is not None else None
        if task is None or retries_on is None or not isinstance(node, cst.FunctionDef):
            return
        names = self._names(retries_on)
        for tried in work_of(node) if names else ():
            handler = next((one for one in tried.handlers if self._catches(one, names)), None)
            if handler is not None and only_logs(self.definition, handler):
                self._report(handler, task.definition.name)

    def _catches(self, handler: cst.ExceptHandler, names: frozenset[str]) -> bool:
        return not (names | BROAD).isdisjoint(caught(self.definition, handler))

    def _names(self, option: Option) -> frozenset[str]:
        """The canonical names of the exceptions that the task is retried for."""
        parts = (part.strip() for part in option.text.strip("()[] \\n").split(","))
        resolve = self.definition.project.resolve
        return frozenset(resolve(option.path, part).name for part in parts if part.replace(".", "").isidentifier())

    def _report(self, handler: cst.ExceptHandler, task: str) -> None:
        start = self.definition.span(handler)[0]
        end = self.definition.span(handler.type)[1] if handler.type is not None else start + len("except")
        message = (
            f"`autoretry_for` never sees what is caught here: `{task}` is not retried and ends as SUCCESS although it "
            "failed; raise again after logging"
        )
        self.report((start, end), message)
