"""A task catches every exception, logs it, and counts as done

## What it does
Finds tasks whose work stands in a `try` that catches `Exception`, or everything, and only logs or drops it.

## Why is this bad?
A task that returns has succeeded: its state is `SUCCESS`, the next step of a chain runs on what was not done, `on_failure`,
`link_error` and retries never come, and every dashboard is green. The only trace is a line in a log.

## Example
### All of the work
```python
import logging

from celery import shared_task

from shop.storage import upload

logger = logging.getLogger(__name__)


@shared_task
def back_up(name):
    try:
        upload(name)
    except Exception:  # KEL213
        logger.exception("no backup: %s", name)
```

### The end of the work
```python
from celery import shared_task

from shop.models import Order


@shared_task
def close(order_id):
    order = Order.objects.get(pk=order_id)
    try:
        order.close()
        order.save()
    except:  # KEL213
        print("not closed", order_id)
        return False
```

## Use instead
### Raise again
```python
import logging

from celery import shared_task

from shop.storage import upload

logger = logging.getLogger(__name__)


@shared_task
def back_up(name):
    try:
        upload(name)
    except Exception:
        logger.exception("no backup: %s", name)
        raise
```

### Keep the failure where somebody looks
```python
from celery import shared_task

from shop.models import Backup
from shop.storage import upload


@shared_task
def back_up(backup_id):
    backup = Backup.objects.get(pk=backup_id)
    try:
        upload(backup.name)
    except Exception as error:
        backup.failed = str(error)
        backup.save()
```

### Catch what is expected
```python
import logging

from celery import shared_task

from shop.models import Order

logger = logging.getLogger(__name__)


@shared_task
def close(order_id):
    try:
        Order.objects.get(pk=order_id).close()
    except Order.DoesNotExist:
        logger.info("gone: %s", order_id)
```

### Somebody is told
```python
import sentry_sdk
from celery import shared_task

from shop.storage import upload


@shared_task
def back_up(name):
    try:
        upload(name)
    except Exception as error:
        sentry_sdk.capture_exception(error)
```

### What comes after the work
```python
import os

from celery import shared_task

from shop.storage import upload


@shared_task
def back_up(name):
    upload(name)
    try:
        os.remove(name)
    except Exception:
        print("still there", name)
```

### A part of the work, and one of many items
```python
import logging

from celery import shared_task

from shop.storage import count, upload

logger = logging.getLogger(__name__)


@shared_task
def back_up(names):
    try:
        count(names)
    except Exception:
        logger.exception("not counted")
    for name in names:
        try:
            upload(name)
        except Exception:
            logger.exception("no backup: %s", name)
```

## Fix safety
There is no fix: tasks that fail where they succeeded before may be retried, and stop chains.

## Known missed alarms
Handlers for one kind of exception, handlers that return something else than nothing, and a `try` behind other calls than
lookups or round other handlers. A failure that is sent to an error tracker is not hidden. Where the task has `autoretry_for`,
it is KEL208.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#states
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#handlers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import last_name
from keel_lint_celery._handlers import BROAD, catching, may_hide_all, only_logs, own, work_of

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_TELLS = frozenset({"capture_exception", "capture_message", "mail_admins", "notice_error", "report_exc_info"})
_LOOKS = frozenset({
    "_", "all", "debug", "error", "exclude", "filter", "first", "get", "get_logger", "getLogger", "gettext", "info", "now",
    "order_by", "select_related", "time", "timedelta", "today", "values_list", "warning",
})  # fmt: skip
_NOTHING: tuple[object, ...] = (None, (), [], False)


class FailureHidden(Rule):
    """Finds tasks that succeed whatever happens."""

    code = "KEL213"
    slug = "failure-hidden"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task may catch something and only log it, and is not retried for it."""
        task = glance.jobs.tasks.at(glance.path, glance.position) if b"except" in glance.text else None
        option = glance.jobs.tasks.option(task, "autoretry_for") if task is not None else None
        return task is not None and (option is None or option.value in _NOTHING) and may_hide_all(glance)

    def finish(self) -> None:
        """Judge the handlers round the work of the task."""
        node = self.definition.node
        if self.definition.task is None or not isinstance(node, cst.FunctionDef):
            return
        for tried in work_of(node):
            handler = catching(self.definition, tried, BROAD)
            if handler is None or not only_logs(self.definition, handler) or self._is_told(handler):
                continue
            if self._is_the_work(node, tried):
                self._report(handler, node.name.value)

    def _is_told(self, handler: cst.ExceptHandler) -> bool:
        """Whether the failure is sent to a service that tells somebody."""
        calls = (node for node in own(handler.body) if isinstance(node, cst.Call))
        return any(last_name(call.func) in _TELLS for call in calls)

    def _is_the_work(self, function: cst.FunctionDef, tried: cst.Try) -> bool:
        """Whether nothing is done before the `try`, and what it holds does not deal with failures itself."""
        if any(isinstance(node, cst.Try) for node in own(tried.body)):
            return False
        within = {id(node) for node in own(tried)}
        before = (node for node in own(function.body) if isinstance(node, cst.Call) and id(node) not in within)
        return all(self._only_looks(call) for call in before)

    def _only_looks(self, call: cst.Call) -> bool:
        name = last_name(call.func)
        return name in _LOOKS or name[:1].isupper() or (self.definition.called(call) or "").startswith("builtins.")

    def _report(self, handler: cst.ExceptHandler, task: str) -> None:
        start = self.definition.span(handler)[0]
        end = self.definition.span(handler.type)[1] if handler.type is not None else start + len("except")
        message = (
            f"whatever goes wrong, `{task}` ends as SUCCESS: callbacks run on work that is not done, and no retry and no "
            "on_failure comes; raise again after logging"
        )
        self.report((start, end), message)
