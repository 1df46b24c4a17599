"""A loop in a task catches everything, and the soft time limit with it

## What it does
Finds a task with a soft time limit (its own, its base class's, the settings') that catches `Exception`, or everything, inside
a loop and goes on with the next round.

## Why is this bad?
The soft limit raises `SoftTimeLimitExceeded` once, wherever the code stands, and that is an `Exception`. The handler takes it
for the failure of one item and the loop goes on. In a prefork worker the hard limit then kills the process in the middle of
another item: a `finally` has a tenth of a second, between SIGTERM and SIGKILL. Without a hard limit the task simply runs on.

## Example
### A limit of its own
```python
import logging

from celery import shared_task

from shop.crm import push

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=300, time_limit=330)
def sync_users(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except Exception:  # KEL216
            logger.exception("no sync: %s", user_id)
```

### The limit of the settings
```python
from celery import Celery

from shop.crm import push

app = Celery("shop", broker="redis://localhost")
app.conf.task_soft_time_limit = 600


@app.task
def sync_users(user_ids):
    failed = []
    while user_ids:
        user_id = user_ids.pop()
        try:
            push(user_id)
        except:  # KEL216
            failed.append(user_id)
            continue
    return failed
```

## Use instead
### Let it through
```python
import logging

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from shop.crm import push

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=300, time_limit=330)
def sync_users(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            logger.exception("no sync: %s", user_id)
```

### Catch what the item can raise
```python
import logging

import requests
from celery import shared_task

from shop.crm import push

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=300, time_limit=330)
def sync_users(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except requests.RequestException:
            logger.exception("no sync: %s", user_id)
```

### The handler ends the task
```python
import logging

from celery import shared_task

from shop.crm import push

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=300, time_limit=330)
def sync_users(user_ids):
    try:
        for user_id in user_ids:
            push(user_id)
    except Exception:
        logger.exception("no sync")


@shared_task(soft_time_limit=300, time_limit=330)
def sync_some(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except Exception:
            break
```

### A pool that has no soft limits
Only processes can be interrupted. The pool of threads runs each task to its end.
```python title="shop/settings.py"
from celery import Celery

app = Celery("shop")
app.conf.worker_pool = "threads"
```
```python title="shop/tasks.py"
from shop.crm import push
from shop.settings import app


@app.task(soft_time_limit=300)
def sync_users(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except Exception:
            print("no sync", user_id)
```

### No soft limit
```python
from celery import shared_task

from shop.crm import push


@shared_task(time_limit=330)
def sync_users(user_ids):
    for user_id in user_ids:
        try:
            push(user_id)
        except Exception:
            print("no sync", user_id)
```

## Fix safety
Unsafe: `except SoftTimeLimitExceeded: raise` is put before the handler. The task then ends at its soft limit, with the rest of
the items undone.

## Known missed alarms
Functions that the task calls, and handlers outside a loop: they end the task soon anyway.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/workers.html#time-limits
- https://docs.celeryq.dev/en/stable/reference/celery.exceptions.html#celery.exceptions.SoftTimeLimitExceeded
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._handlers import BROAD, catching, insert_handler, lets_go_on, own

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_LIMIT = "celery.exceptions.SoftTimeLimitExceeded"
_CATCHING = frozenset({*BROAD, _LIMIT, "billiard.exceptions.SoftTimeLimitExceeded"})
_LEAVING = (cst.Break, cst.Return)


class SwallowedSoftTimeLimit(Rule):
    """Finds loops that take the soft time limit for a failure of one item."""

    code = "KEL216"
    slug = "swallowed-soft-time-limit"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task has a soft limit, a loop and a handler."""
        text = glance.text
        if b"except" not in text or (b"for " not in text and b"while " not in text):
            return False
        if not glance.jobs.settings.can_limit_softly:
            return False
        task = glance.jobs.tasks.at(glance.path, glance.position)
        limit = glance.jobs.tasks.option(task, "soft_time_limit") if task is not None else None
        return limit is not None and bool(limit.value)

    def visit_Try(self, node: cst.Try) -> None:
        """Judge the handlers of a `try` in a loop."""
        handler = catching(self.definition, node, _CATCHING)
        if handler is None or not self._is_in_loop(node) or not self._is_of_task(node):
            return
        if lets_go_on(self.definition, handler) or any(isinstance(one, _LEAVING) for one in own(handler.body)):
            return
        start = self.definition.span(handler)[0]
        end = self.definition.span(handler.type)[1] if handler.type is not None else start + len("except")
        then = "until the hard one kills the process" if self._is_killed() else "and no hard one ends the task"
        message = (
            f"this catches SoftTimeLimitExceeded too and the loop goes on: the limit has no effect, {then}; "
            "write `except SoftTimeLimitExceeded: raise` first"
        )
        builder = self.definition.fix("Let the limit through", "unsafe")
        insert_handler(builder, self.definition, handler, _LIMIT)
        self.report((start, end), message, fix=builder)

    def _is_killed(self) -> bool:
        """Whether the task has a hard time limit too."""
        task = self.definition.task
        limit = self.definition.jobs.tasks.option(task, "time_limit") if task is not None else None
        return limit is not None and bool(limit.value)

    def _is_in_loop(self, node: cst.Try) -> bool:
        """Whether the `try` is a part of a loop's body: what comes behind the handler is the next round."""
        below: cst.CSTNode = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.For, cst.While)):
                return below is above.body
            if isinstance(above, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
                return False
            below = above
        return False

    def _is_of_task(self, node: cst.Try) -> bool:
        """Whether the task's own body holds a node, not a function that it defines."""
        return self.definition.nearest(node, cst.FunctionDef, cst.ClassDef) is self.definition.node
