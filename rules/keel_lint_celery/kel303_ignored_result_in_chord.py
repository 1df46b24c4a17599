"""A task in the header of a chord ignores its result, and the chord waits for it

## What it does
Finds members of a chord's header, or of a group in front of another task, that ignore their result, where the result backend
is known to be none of Redis.

## Why is this bad?
The body of a chord starts when all members have stored their results. A member with `ignore_result=True` stores none. With a
database or file backend `celery.chord_unlock` looks for it each second, without end and without an error; a cache backend ends
in `ChordError`. The body never runs. Redis counts the members itself and is not affected.

## Example
### A chord
```python
from celery import Celery, chord

app = Celery("shop", broker="amqp://localhost", backend="db+postgresql://localhost/results")


@app.task(ignore_result=True)
def charge(order_id):
    return order_id


@app.task
def sum_up(totals):
    print(totals)


def close(order_ids):
    chord([charge.s(one) for one in order_ids])(sum_up.s())  # KEL303
    chord((charge.s(1), sum_up.s([2])), sum_up.s()).delay()  # KEL303
```

### A group in front of a task, and the settings
```python
from celery import Celery, chain, group

app = Celery("shop", broker="amqp://localhost", backend="file:///var/results")
app.conf.task_ignore_result = True


@app.task
def charge(order_id):
    return order_id


@app.task
def sum_up(totals):
    print(totals)


def close(order_ids):
    chain(group(charge.s(one) for one in order_ids), sum_up.s()).delay()  # KEL303
    (group([charge.s(7)]) | sum_up.s()).delay()  # KEL303
```

## Use instead
### Keep the result
```python
from celery import Celery, chord

app = Celery("shop", broker="amqp://localhost", backend="db+postgresql://localhost/results")


@app.task
def charge(order_id):
    return order_id


@app.task(ignore_result=True)
def sum_up(totals):
    print(totals)


def close(order_ids):
    chord([charge.s(one) for one in order_ids])(sum_up.s())
```

### Keep it for this call
```python
from celery import Celery, chord

app = Celery("shop", broker="amqp://localhost", backend="db+postgresql://localhost/results")


@app.task(ignore_result=True)
def charge(order_id):
    return order_id


@app.task
def sum_up(totals):
    print(totals)


def close(order_ids):
    chord([charge.s(one).set(ignore_result=False) for one in order_ids])(sum_up.s())
```

### Redis
```python
from celery import Celery, chord

app = Celery("shop", broker="redis://localhost", backend="redis://localhost")


@app.task(ignore_result=True)
def charge(order_id):
    return order_id


@app.task
def sum_up(totals):
    print(totals)


def close(order_ids):
    chord([charge.s(one) for one in order_ids])(sum_up.s())
```

### A group alone
```python
from celery import Celery, group

app = Celery("shop", broker="amqp://localhost", backend="db+postgresql://localhost/results")


@app.task(ignore_result=True)
def charge(order_id):
    return order_id


def close(order_ids):
    group(charge.s(one) for one in order_ids).delay()
```

## Fix safety
Unsafe: `.set(ignore_result=False)` is added to the signature: the backend then stores one more result for each member.

## Known missed alarms
A backend whose address is not written down, and headers that a variable holds.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#important-notes
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.ignore_result
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._canvas import canvas_of, listed, members, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs import Jobs

_WAITING = re.compile(r"""["'](?:db\+|file:|cache\+|django-|mongodb|dynamodb|elasticsearch|s3|azureblockblob|couch)""")


class IgnoredResultInChord(Rule):
    """Finds members of a chord whose result never comes."""

    code = "KEL303"
    slug = "ignored-result-in-chord"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = "unsafe"
    judges = ("signature",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition makes a chord, and the backend waits for results."""
        text = glance.text
        return (b"chord" in text or b"group" in text) and _backend_waits(glance.jobs)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may make a chord, or a chain with a group in it."""
        kind = canvas_of(self.definition, node)
        if kind == "chord" and node.args:
            for one in listed(node.args[0].value):
                self._judge(one)
        elif kind == "chain":
            for one in members(node)[:-1]:
                self._judge_group(one)

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        """Judge what stands before `|`."""
        if isinstance(node.operator, cst.BitOr):
            left = node.left
            self._judge_group(left.right if isinstance(left, cst.BinaryOperation) else left)

    def _judge_group(self, node: cst.BaseExpression) -> None:
        for one in self._grouped(node):
            self._judge(one)

    def _grouped(self, node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        if isinstance(node, cst.Call) and canvas_of(self.definition, node) == "group":
            yield from members(node)

    def _judge(self, node: cst.BaseExpression) -> None:
        if canvas_of(self.definition, node) == "group":
            self._judge_group(node)
        signature = signature_of(self.definition, node)
        if signature is None or signature.task is None:
            return
        option = self.definition.jobs.tasks.option(signature.task, "ignore_result")
        if option is None or option.value is not True:
            return
        message = (
            f"`{signature.shown}` ignores its result, for which the chord waits: its body never runs (ChordError, or no error)"
            f"; write `{signature.target}.{signature.method}(...).set(ignore_result=False)`"
        )
        self.report(node, message, fix=self._fix(node))

    def _fix(self, node: cst.BaseExpression) -> FixBuilder:
        builder = self.definition.fix("Keep the result for this call", "unsafe")
        builder.insert(self.definition.span(node)[1], ".set(ignore_result=False)")
        return builder


def _backend_waits(jobs: Jobs) -> bool:
    """Whether the backend is known, and polls for the results of a chord."""
    found = jobs.settings.get("result_backend")
    return bool(found) and all(_WAITING.match(setting.value) for setting in found)
