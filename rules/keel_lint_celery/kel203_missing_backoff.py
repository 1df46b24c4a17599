"""A task retries after the same delay every time

## What it does
Finds `autoretry_for` without `retry_backoff`, in the decorator or in a base class of tasks, and `self.retry()` after an error
with a short fixed `countdown` or with none. The options of base classes, spread dicts and annotations count.

## Why is this bad?
When a service is down, all the messages that need it fail together and come back together, again and again, at the moment at
which the service tries to get up. With a short delay the retries are used up within seconds (six runs in 0.04 s with
`countdown=0`), long before the service is back, and the task is a `FAILURE`. Without a `countdown` the delay is
`default_retry_delay`: 180 seconds, every time, for everybody. A growing delay with jitter spreads the messages and outlasts
the outage.

## Example
### `autoretry_for` alone
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), max_retries=5)  # KEL203
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### The same arguments again
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(args=[user_id], exc=error, countdown=5)  # KEL203
```

### A short fixed `countdown`
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=5)  # KEL203
```

### No `countdown` at all
```python
import requests
from celery import shared_task


@shared_task(bind=True)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error)  # KEL203
```

### In a base class
```python
from celery import Task


class CrmTask(Task):
    autoretry_for = (ConnectionError,)  # KEL203
    retry_kwargs = {"max_retries": 5}
```

## Use instead
### `retry_backoff`
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), max_retries=5, retry_backoff=60)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### A `countdown` that grows
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=30 * 2**self.request.retries)
```

### A base class in another file that backs off
```python title="shop/base.py"
from celery import Task


class PatientTask(Task):
    retry_backoff = 30
    retry_backoff_max = 3600
```
```python title="shop/tasks.py"
import requests
from celery import shared_task

from shop.base import PatientTask


@shared_task(base=PatientTask, autoretry_for=(requests.RequestException,))
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### Polling
A task that asks whether something is ready does not fail, and may ask at a steady pace.
```python
from celery import shared_task

from shop.exports import is_ready, publish


@shared_task(bind=True, max_retries=100)
def publish_export(self, export_id):
    if not is_ready(export_id):
        raise self.retry(countdown=10)
    publish(export_id)
```

### Options from a dict, for a row that is not there yet
```python
from celery import shared_task
from opensearchpy.exceptions import NotFoundError

from shop.search import update

PARTIAL_UPDATE = {"autoretry_for": (NotFoundError,), "retry_kwargs": {"max_retries": 5}, "default_retry_delay": 2}


@shared_task(**PARTIAL_UPDATE)
def update_product(product_id):
    update(product_id)
```

### What is left over, and a race with another task
The second message is not the first one again, and no service is down where two tasks write the same row.
```python
from celery import shared_task
from django.db import IntegrityError

from shop.models import Document, Order


@shared_task(bind=True)
def export_orders(self, order_ids):
    for position, order_id in enumerate(order_ids):
        try:
            Order.objects.get(pk=order_id).export()
        except ValueError as error:
            remaining = order_ids[position + 1 :]
            raise self.retry(exc=error, countdown=2, args=(remaining,))


@shared_task(bind=True)
def add_document(self, order_id):
    try:
        Document.objects.create(order_id=order_id)
    except IntegrityError as error:
        raise self.retry(exc=error)
```

## Fix safety
Unsafe: it changes when the task runs again. `retry_backoff` begins with the delay that the task had, or with a minute; its
jitter makes each delay a random one below that, and it stops growing at ten minutes (`retry_backoff_max`). A `countdown`
becomes its value times `2**self.request.retries`, without jitter.

## Known missed alarms
A fixed delay of a minute or more that is written down (`countdown=60`, `default_retry_delay=300`) is taken for a decision,
and so is a `countdown` that is no constant. `self.retry()` outside an `except` without `exc=` is taken for polling, and so is
waiting for a lock or for a row (`except DoesNotExist`), for another task that writes the same row (`except IntegrityError`), or
for the task's own time limit, and a retry with `args` that the task made itself. Tasks with a single retry are left
alone, and so are those that keep up the default delay for an hour (`max_retries=20`). `retry_backoff` has no effect on
`self.retry()`; a task that has both is left to the rule for options that do nothing.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.retry_backoff
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#using-a-custom-retry-delay
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import task_decorator

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.tasks import Option, Task

_DEFAULT_DELAY = 180
_DELIBERATE = 60
_FIRST_DELAY = 60
_MANY = 10
_LONG = 3600
_WAITING_FOR = re.compile(
    r"DoesNotExist|NotFound|NoResultFound|Lock|NotReady|NotYet|Throttl|RateLimit|TooMany|Pending", re.IGNORECASE
)
_OWN_LIMIT = re.compile(r"TimeLimitExceeded")
_RACE = re.compile(r"IntegrityError|UniqueViolation|DeadlockDetected|SerializationFailure")
_OWN_AFFAIRS = (_WAITING_FOR, _OWN_LIMIT, _RACE)
_WAITS = re.compile(r"nowait=True|\.acquire\(|\block", re.IGNORECASE)
_FAILED = re.compile(r"status_code|\.ok\b|is_error|is_server_error|is_success|error", re.IGNORECASE)
_NO_EXCEPTIONS: tuple[object, ...] = ((), [], None, False)
_NO_BACKOFF: tuple[object, ...] = (None, False, 0)


class MissingBackoff(Rule):
    """Finds retries whose delay does not grow."""

    code = "KEL203"
    slug = "missing-backoff"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition speaks of retries, or inherits them, and their delay is not known to grow."""
        tasks = glance.jobs.tasks
        task = tasks.at(glance.path, glance.position) or tasks.as_base(glance.path, glance.position)
        retries = any(call.callee.endswith("retry") for call in glance.calls)
        if task is None or not (retries or tasks.option(task, "autoretry_for") is not None):
            return False
        return not _backs_off(glance.jobs, task)

    @cached_property
    def _task(self) -> Task | None:
        """The task, or the class that tasks can inherit from."""
        definition = self.definition
        return definition.task or definition.jobs.tasks.as_base(definition.path, definition.position)

    def finish(self) -> None:
        """Judge what the decorator or the class says."""
        task = self._task
        retries_on = self._option("autoretry_for")
        if task is None or retries_on is None or retries_on.value in _NO_EXCEPTIONS or not self._is_here(task, retries_on):
            return
        if (
            _backs_off(self.definition.jobs, task)
            or self._is_single(self._option("max_retries"))
            or _is_own_affair(retries_on.text)
        ):
            return
        delay = self._autoretry_delay(task)
        if delay is None or self._outlasts(delay):
            return
        message = (
            f"`{task.definition.name}` retries {_pace(delay)}: when a service is down, all its messages hit it together "
            f"and give up before it is back; add `retry_backoff={self._factor(delay)}`"
        )
        self.report((retries_on.start, retries_on.end), message, fix=self._fix(task, delay))

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `self.retry()`."""
        task = self._task
        if task is None or not self._is_retry(node) or not self._is_after_error(node):
            return
        if _backs_off(self.definition.jobs, task) or self.definition.jobs.tasks.overriding(task, "retry") is not None:
            return
        given = {argument.keyword.value: argument for argument in node.args if argument.keyword is not None}
        if any(argument.star for argument in node.args) or "eta" in given or self._is_single_call(given.get("max_retries")):
            return
        if self._goes_on(node, given):
            return
        delay = self._retry_delay(task, given.get("countdown"))
        if delay is None or self._outlasts(delay):
            return
        owner = self.definition.code(node.func.value) if isinstance(node.func, cst.Attribute) else "self"
        message = (
            f"`{owner}.retry()` runs `{task.definition.name}` again {_pace(delay)}: when a service is down, all its messages "
            f"hit it together and give up before it is back; write `countdown={self._countdown(delay, owner)}`"
        )
        self.report(node, message, fix=self._fix_of_call(node, given.get("countdown"), delay, owner))

    # -- options ----------------------------------------------------------------------------------------------------------

    def _option(self, name: str) -> Option | None:
        return self.definition.jobs.tasks.option(self._task, name) if self._task is not None else None

    def _is_here(self, task: Task, option: Option) -> bool:
        """Whether an option is given in the definition itself; one that is inherited is judged where it stands."""
        here = self.definition.fact
        return option.path == task.path and here.start <= option.start < here.end

    def _is_single(self, option: Option | None) -> bool:
        return option is not None and isinstance(option.value, int) and option.value <= 1

    def _autoretry_delay(self, task: Task) -> float | None:
        """The fixed delay between automatic retries; `None` where it is not known, was chosen, or does not matter."""
        keywords = self._option("retry_kwargs")
        if keywords is None:
            return self._default_delay(task)
        if not isinstance(keywords.value, dict):
            return None
        tries = keywords.value.get("max_retries")
        if isinstance(tries, int) and tries <= 1:
            return None
        if "countdown" not in keywords.value:
            return self._default_delay(task) if "eta" not in keywords.value else None
        return _short(keywords.value["countdown"])

    def _default_delay(self, task: Task) -> float | None:
        """The delay where a retry names none; `None` where it is not known or was chosen."""
        option = self._option("default_retry_delay")
        if option is None:
            return None if task.opaque else _DEFAULT_DELAY
        return _short(option.value)

    def _outlasts(self, delay: float) -> bool:
        """Whether a task with a steady pace goes on for so long that somebody must have reckoned it up."""
        tries = self._option("max_retries")
        if delay < _DELIBERATE or tries is None:
            return False
        return not isinstance(tries.value, int) or tries.value * delay >= _LONG

    # -- calls ------------------------------------------------------------------------------------------------------------

    def _is_retry(self, node: cst.Call) -> bool:
        func = node.func
        if not isinstance(func, cst.Attribute) or func.attr.value != "retry" or not isinstance(func.value, cst.Name):
            return False
        if func.value.value in {"self", *self._bound_name()}:
            return True
        if self.definition.name(func.value) == "celery.current_task":
            return True
        symbol = self.definition.project.resolve(self.definition.path, func.value.value, self.definition.scope(node))
        return self.definition.jobs.tasks.of(symbol) is not None

    def _bound_name(self) -> tuple[str, ...]:
        task = self.definition.task
        parameters = task.definition.parameters if task is not None and task.is_bound else ()
        return tuple(one.name for one in parameters[:1])

    def _is_after_error(self, node: cst.Call) -> bool:
        """Whether the retry answers a failure, and is no waiting for something that is not ready yet."""
        tests = (self.definition.code(one.test) for one in self.definition.ancestors(node) if isinstance(one, cst.If))
        if any("retries" in test for test in tests):
            return False
        handler = self.definition.nearest(node, cst.ExceptHandler)
        if handler is not None:
            return not self._waits(handler)
        if any(argument.keyword is not None and argument.keyword.value == "exc" for argument in node.args):
            return True
        test = self.definition.nearest(node, cst.If)
        return test is not None and _FAILED.search(self.definition.code(test.test)) is not None

    def _goes_on(self, node: cst.Call, given: dict[str, cst.Arg]) -> bool:
        """Whether the next run is given what this one has left over, and not the same message again."""
        function = self.definition.nearest(node, cst.FunctionDef)
        parameters = self.definition.find_all(cst.Param, function.params) if isinstance(function, cst.FunctionDef) else ()
        same = {"self", *(parameter.name.value for parameter in parameters)}
        handed = (given[name].value for name in ("args", "kwargs") if name in given)
        names = (name for value in handed for name in self.definition.find_all(cst.Name, value) if self._is_read(name))
        return any(name.value not in same and self.definition.name(name) is None for name in names)

    def _is_read(self, name: cst.Name) -> bool:
        """Whether a name stands for a value, and is no attribute and no keyword."""
        above = self.definition.parent(name)
        if isinstance(above, cst.Attribute):
            return above.value is name
        return not (isinstance(above, cst.Arg) and above.keyword is name)

    def _waits(self, handler: cst.ExceptHandler) -> bool:
        """Whether what is caught says that something is not ready, a row or a lock, or that two got in each other's way."""
        caught = self.definition.code(handler.type) if handler.type is not None else ""
        if _WAITING_FOR.search(caught) or _is_own_affair(caught):
            return True
        tried = self.definition.nearest(handler, cst.Try)
        return tried is not None and _WAITS.search(self.definition.code(tried.body)) is not None

    def _is_single_call(self, argument: cst.Arg | None) -> bool:
        value = self.definition.value(argument.value) if argument is not None else None
        if argument is None or value is None:
            return argument is None and self._is_single(self._option("max_retries"))
        return isinstance(value, int) and value <= 1

    def _retry_delay(self, task: Task, countdown: cst.Arg | None) -> float | None:
        value = self.definition.value(countdown.value) if countdown is not None else None
        return _short(value) if value is not None else self._default_delay(task)

    # -- fixes ------------------------------------------------------------------------------------------------------------

    def _factor(self, delay: float) -> int:
        """The `retry_backoff` that keeps to the delay that there was, where it was chosen."""
        return int(delay) if 1 <= delay < _DELIBERATE else _FIRST_DELAY

    def _fix(self, task: Task, delay: float) -> FixBuilder | None:
        decorator = task_decorator(self.definition, task)
        if decorator is None or not isinstance(decorator.decorator, cst.Call):
            return None
        builder = self.definition.fix("Let the delay grow", "unsafe")
        text = f"retry_backoff={self._factor(delay)}"
        old = next((one for one in decorator.decorator.args if one.keyword and one.keyword.value == "retry_backoff"), None)
        if old is not None:
            builder.replace(old.value, str(self._factor(delay)))
        elif "retry_backoff" in task.given:
            return None
        else:
            builder.insert_decorator_arguments(decorator, text)
        return builder

    def _countdown(self, delay: float, owner: str) -> str:
        """A countdown that grows from the delay, and not for ever where the task retries often."""
        tries = self._option("max_retries")
        often = tries is not None and not (isinstance(tries.value, int) and tries.value <= _MANY)
        grows = f"{self._factor(delay)} * 2**{owner}.request.retries"
        return f"min({grows}, 3600)" if often else grows

    def _fix_of_call(self, node: cst.Call, countdown: cst.Arg | None, delay: float, owner: str) -> FixBuilder:
        builder = self.definition.fix("Let the delay grow", "unsafe")
        if countdown is None:
            builder.insert_argument(node, f"countdown={self._countdown(delay, owner)}")
        else:
            builder.replace(countdown.value, self._countdown(delay, owner))
        return builder


def _backs_off(jobs: Jobs, task: Task) -> bool:
    """Whether the delay grows, or may."""
    backoff = jobs.tasks.option(task, "retry_backoff")
    return backoff.value not in _NO_BACKOFF if backoff is not None else jobs.tasks.is_opaque(task)


def _short(value: object) -> float | None:
    """A delay in seconds that is too short to have been chosen for an outage; `None` for another, and where it is not known."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value >= _DELIBERATE:
        return None
    return float(value)


def _pace(delay: float) -> str:
    if delay <= 0:
        return "at once each time"
    return "every second" if delay == 1 else f"every {delay:g} seconds"


def _is_own_affair(exceptions: str) -> bool:
    """Whether all exceptions, as source, say that something is not ready, that the task took too long, or that another one
    wrote the same row: no service is down.
    """
    names = [name for name in exceptions.strip("()[] \n").split(",") if name.strip()]
    return bool(names) and all(any(known.search(name) for known in _OWN_AFFAIRS) for name in names)
