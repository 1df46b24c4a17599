"""self.retry(throw=False) publishes another try and lets this one succeed

## What it does
Finds `self.retry(throw=False)` whose result is not raised.

## Why is this bad?
`throw=False` publishes the next try and returns the `Retry` instead of raising it. The code goes on with what should only
happen after success, the task ends as `SUCCESS`, and then it runs again: three runs, three successes.

## Example
### And the task goes on
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    response = requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    if response.status_code == 429:
        self.retry(countdown=60, throw=False)  # KEL209
    print("synced", user_id)
```

### And it is returned
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        return self.retry(exc=error, throw=False)  # KEL209
```

## Use instead
### Let it raise
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error)
```

### Raise what it returns
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        again = self.retry(exc=error, throw=False)
        print("later", again.when)
        raise again
    if user_id < 0:
        raise self.retry(throw=False)
```

### `retry` of something else
```python
from celery import shared_task

from shop.clients import Client


@shared_task
def sync_user(user_id):
    Client().retry(user_id, throw=False)
```

## Fix safety
Safe: without `throw=False` the call ends this try, which is what it is for.

## Known missed alarms
A value for `throw` that is not a constant, and a result that is handed to another function.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.retry
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._code import is_retry, keywords

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_THROW = re.compile(rb"\bthrow\s*=")


class RetryThrowFalse(Rule):
    """Finds retries that let the present try succeed."""

    code = "KEL209"
    slug = "retry-throw-false"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition passes it."""
        return _THROW.search(glance.text) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `self.retry()`."""
        throw = keywords(node).get("throw")
        if throw is None or self.definition.value(throw.value) is not False or not is_retry(self.definition, node):
            return
        above = self.definition.parent(node)
        if not isinstance(above, (cst.Expr, cst.Return)):
            return
        builder = self.definition.fix("Let it raise", "safe")
        builder.remove_argument(node, throw)
        message = (
            "`throw=False` publishes another try and lets this one go on: the task ends as SUCCESS and runs again; leave it out"
        )
        self.report(node, message, fix=builder)
