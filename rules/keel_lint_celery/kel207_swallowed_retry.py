"""The exception of self.retry() is caught, so a task that runs again counts as done

## What it does
Finds `self.retry()` inside a `try` whose `except Exception`, bare `except`, or `except Retry` does not raise again.

## Why is this bad?
`self.retry()` publishes the next try and then raises `Retry` to end this one. Where that is caught, this try goes on and ends
as `SUCCESS`: the next task of a chain runs now, and again when the retry is through. The failure after the last retry is
swallowed alike, and the task ends as `SUCCESS` though every try failed.

## Example
### A broad handler
```python
import logging

import requests
from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        response = requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
        if response.status_code == 429:
            raise self.retry(countdown=60)  # KEL207
    except Exception:
        logger.exception("no sync")
```

### A retry in an inner handler
```python
import requests
from celery import shared_task


@shared_task(bind=True)
def sync_user(self, user_id):
    try:
        try:
            requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
        except requests.Timeout as error:
            self.retry(exc=error)  # KEL207
    except:
        print("failed", user_id)
```

### `Retry` by name
```python
from celery import shared_task
from celery.exceptions import MaxRetriesExceededError, Retry

from shop.stock import is_ready


@shared_task(bind=True)
def ship(self, order_id):
    try:
        if not is_ready(order_id):
            self.retry(countdown=10)  # KEL207
    except (Retry, MaxRetriesExceededError):
        print("later")
```

## Use instead
### Let it through
```python
import logging

import requests
from celery import shared_task
from celery.exceptions import Retry

logger = logging.getLogger(__name__)


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        response = requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
        if response.status_code == 429:
            raise self.retry(countdown=60)
    except Retry:
        raise
    except Exception:
        logger.exception("no sync")
```

### Retry in the handler
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except Exception as error:
        raise self.retry(exc=error)
```

### A handler that raises, or catches something else
```python
import logging

from celery import shared_task

from shop.stock import is_ready

logger = logging.getLogger(__name__)


@shared_task(bind=True, max_retries=5)
def ship(self, order_id):
    try:
        if not is_ready(order_id):
            self.retry(countdown=10)
    except self.MaxRetriesExceededError:
        logger.warning("never ready")
    except Exception:
        logger.exception("no shipping")
        raise


@shared_task(bind=True, max_retries=5)
def ship_late(self, order_id):
    try:
        if not is_ready(order_id):
            self.retry(countdown=10)
    except ValueError:
        logger.exception("no shipping")
```

### A handler that answers a retry
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        response = requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
        if not response.ok:
            self.retry(countdown=60)
    except Exception as error:
        self.retry(exc=error)
```

## Fix safety
Unsafe: `except Retry: raise` is put before the handler. The task then ends as `RETRY` where it ended as `SUCCESS`, and what
comes after the `try` runs once, not with each try.

## Known missed alarms
A retry in a function that the task calls, and a handler that raises only sometimes.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
- https://docs.celeryq.dev/en/stable/reference/celery.exceptions.html#celery.exceptions.Retry
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import is_retry, keywords
from keel_lint_celery._handlers import BROAD, RETRY, catching, insert_handler, lets_go_on, tries_round

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance


class SwallowedRetry(Rule):
    """Finds retries whose exception is caught."""

    code = "KEL207"
    slug = "swallowed-retry"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition retries, and may catch what that raises."""
        text = glance.text
        return b".retry(" in text and b"except" in text and glance.may_hold(ast.Try, _may_swallow)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `self.retry()`."""
        if not is_retry(self.definition, node) or self._returns(node):
            return
        handler = self._swallowing(node)
        if handler is None:
            return
        start, end = self.definition.span(handler)
        end = min(end, start + len("except"))
        hop = self.definition.project.hop(self.definition.path, start, end, "catches the Retry and goes on")
        message = (
            "the Retry that this raises is caught below: the task ends as SUCCESS and runs again, and the failure after the "
            "last retry is lost; write `except Retry: raise` first"
        )
        self.report(node, message, fix=self._fix(handler), hops=(hop,))

    def _returns(self, node: cst.Call) -> bool:
        """Whether the call is told not to raise."""
        throw = keywords(node).get("throw")
        return throw is not None and self.definition.value(throw.value) is not True

    def _swallowing(self, node: cst.Call) -> cst.ExceptHandler | None:
        """The handler that catches what a retry raises and goes on."""
        for tried in tries_round(self.definition, node):
            handler = catching(self.definition, tried, BROAD | RETRY)
            if handler is not None and not lets_go_on(self.definition, handler):
                return handler
        return None

    def _fix(self, handler: cst.ExceptHandler) -> FixBuilder | None:
        tried = self.definition.parent(handler)
        if not isinstance(tried, cst.Try) or catching(self.definition, tried, RETRY) is handler:
            return None
        builder = self.definition.fix("Let the Retry through", "unsafe")
        insert_handler(builder, self.definition, handler, "celery.exceptions.Retry")
        return builder


def _may_swallow(tried: ast.Try) -> bool:
    """Whether a `try` may be round a retry and have a handler that raises nothing."""
    is_retried = any(isinstance(node, ast.Attribute) and node.attr == "retry" for one in tried.body for node in ast.walk(one))
    return is_retried and any(not any(isinstance(node, ast.Raise) for node in ast.walk(one)) for one in tried.handlers)
