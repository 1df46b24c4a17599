"""self.retry() is given a text as exc, which cannot be raised

## What it does
Finds `self.retry(exc=...)` with a string, formatted string or `str(...)` in the place of an exception.

## Why is this bad?
After the last retry Celery raises `exc`. A string cannot be raised: the task ends with `TypeError: exceptions must derive from
BaseException`, and the reason of the failure is lost.

## Example
### A text
```python
from celery import shared_task

from shop.crm import push


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    if not push(user_id):
        raise self.retry(exc="crm said no", countdown=30)  # KEL210
    if user_id < 0:
        self.retry(exc=f"bad user {user_id}")  # KEL210
```

### The text of an exception
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    try:
        requests.get(f"https://crm.example/users/{user_id}", timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=str(error))  # KEL210
```

## Use instead
### The exception
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

### A new one
```python
from celery import shared_task

from shop.crm import push


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    if not push(user_id):
        raise self.retry(exc=RuntimeError("crm said no"), countdown=30)
```

### None, or something unknown
```python
from celery import shared_task

from shop.crm import push


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id, reason=None):
    if not push(user_id):
        self.retry(exc=reason)
    self.retry(exc=None)
```

## Fix safety
Safe: a text becomes `Exception(text)`, and `str(error)` the error that was caught. As it stood the task ended in `TypeError`.

## Known missed alarms
A name that holds a string.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.retry
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.bindings import Bindings
from keel_lint.rule import Rule
from keel_lint_celery._code import is_retry, keywords

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_TEXTS = (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)
_MAKE_TEXT = frozenset({"builtins.str", "builtins.repr", "traceback.format_exc"})


class RetryExcNotException(Rule):
    """Finds retries that are given a text to raise."""

    code = "KEL210"
    slug = "retry-exc-not-exception"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition may retry with a text."""
        return b".retry(" in glance.text and glance.may_hold(ast.keyword, _may_be_text)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `self.retry()`."""
        exc = keywords(node).get("exc")
        if exc is None or not self._is_text(exc.value) or not is_retry(self.definition, node):
            return
        message = (
            "`exc` is a text: after the last retry the task ends with TypeError, exceptions must derive from BaseException, "
            "and the reason is lost; pass an exception"
        )
        self.report(exc, message, fix=self._fix(exc.value))

    def _is_text(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.BinaryOperation):
            return self._is_text(node.left)
        if isinstance(node, cst.Call):
            func = node.func
            if isinstance(func, cst.Attribute) and func.attr.value == "format":
                return self._is_text(func.value)
            return self.definition.called(node) in _MAKE_TEXT
        return isinstance(node, _TEXTS)

    def _fix(self, node: cst.BaseExpression) -> FixBuilder:
        builder = self.definition.fix("Pass an exception", "safe")
        caught = self._caught(node)
        start, end = self.definition.span(node)
        if caught:
            builder.replace_span(start, end, caught)
        else:
            builder.insert(start, "Exception(")
            builder.insert(end, ")")
        return builder

    def _caught(self, node: cst.BaseExpression) -> str:
        """The name of the exception whose text is passed; empty where it is another text."""
        if not isinstance(node, cst.Call) or len(node.args) != 1 or not isinstance(node.args[0].value, cst.Name):
            return ""
        name = node.args[0].value
        bound = self.definition.once(Bindings).reaching(name)
        return name.value if len(bound) == 1 and isinstance(bound[0].node, cst.ExceptHandler) else ""


def _may_be_text(node: ast.keyword) -> bool:
    """Whether an argument is an `exc` that `_is_text` may be true of."""
    return node.arg == "exc" and isinstance(node.value, (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call))
