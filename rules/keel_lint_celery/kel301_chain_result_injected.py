"""A task is handed the result of the one before it and has no room for it

## What it does
Finds `.s(...)` in a place where Celery puts the result of another task in front of the arguments, where the task cannot take
one more: in a `chain` or behind `|`, as `link=`, and as the body of a `chord`.

## Why is this bad?
`.s()` makes a signature that takes the result of its predecessor as first argument. A task without room for it raises
`TypeError: takes 0 positional arguments but 1 was given`, in the worker, when the first step has done its work.

## Example
### A chain
```python
from celery import chain, shared_task


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
def refresh():
    print("refreshed")


def close(order_id):
    chain(charge.s(order_id), refresh.s()).delay()  # KEL301
    (charge.s(order_id) | refresh.s()).apply_async()  # KEL301
```

### One argument too many
```python
from celery import chain, shared_task


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
def ship(order_id, express=False):
    print(order_id, express)


def close(order_id):
    chain(charge.s(order_id), ship.s(order_id, True)).delay()  # KEL301
    chain([charge.s(order_id), ship.s(order_id=order_id)]).delay()  # KEL301
```

### A callback and the body of a chord
```python
from celery import chord, shared_task


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
def refresh():
    print("refreshed")


def close(order_ids):
    charge.apply_async(args=[order_ids[0]], link=refresh.s())  # KEL301
    chord([charge.s(one) for one in order_ids])(refresh.s())  # KEL301
```

## Use instead
### `si` takes no result
```python
from celery import chain, shared_task


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
def ship(order_id):
    print(order_id)


def close(order_id):
    chain(charge.s(order_id), ship.si(order_id)).delay()
    charge.apply_async(args=[order_id], link=ship.si(order_id))
```

### A parameter for the result
```python
from celery import chain, chord, shared_task


@shared_task
def charge(order_id):
    return order_id


@shared_task(bind=True)
def ship(self, order_id, express=False):
    print(self.request.id, order_id, express)


@shared_task
def sum_up(*results):
    print(results)


def close(order_id):
    chain(charge.s(order_id), ship.s(True)).delay()
    chord([charge.s(order_id)], sum_up.s()).delay()
```

### Steps that are put together elsewhere
```python
from celery import chain, shared_task

from shop.steps import steps_of


@shared_task
def refresh():
    print("refreshed")


def close(order_id):
    chain(*steps_of(order_id)).delay()
    chain(refresh.s()).delay()
    refresh.s().delay()
```

### Another decorator
```python
from celery import chain, shared_task

from shop.results import without_result


@shared_task
def charge(order_id):
    print(order_id)


@shared_task
@without_result
def refresh():
    print("refreshed")


def close(order_id):
    chain(charge.s(order_id), refresh.s()).delay()
```

## Fix safety
Unsafe: `.s` becomes `.si`. Where the task was meant to use the result, it needs a parameter for it instead.

## Known missed alarms
Signatures that a variable holds, tasks under another decorator, and tasks with room for the result that do not want it.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#immutability
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#chains
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.messages import message_of
from keel_lint.rule import Rule
from keel_lint_celery._canvas import fed
from keel_lint_celery._code import keywords

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.messages import Message


class ChainResultInjected(Rule):
    """Finds signatures that are handed a result they cannot take."""

    code = "KEL301"
    slug = "chain-result-injected"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("signature",)
    proof = "celery"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._judged: set[int] = set()

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition puts signatures together."""
        text = glance.text
        return any(word in text for word in (b"chain", b"chord", b"|", b"link="))

    def visit_Call(self, node: cst.Call) -> None:
        """Judge what a call hands a result to."""
        self._judge(node)

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        """Judge what stands behind `|`."""
        self._judge(node)

    def _judge(self, node: cst.CSTNode) -> None:
        for signature in fed(self.definition, node):
            message = message_of(self.definition, signature)
            if message is None or id(signature) in self._judged:
                continue
            self._judged.add(id(signature))
            wrong = self._wrong(message, signature)
            if wrong:
                self._report(signature, message, wrong)

    def _wrong(self, message: Message, signature: cst.Call) -> str:
        """Why the task cannot take the result; empty where it can, or may."""
        task = message.dispatch.task
        if task is None or not message.is_whole or message.method == "si" or "immutable" in keywords(signature):
            return ""
        if task.definition.kind != "function" or len(task.definition.decorators) != 1 or task.opaque:
            return ""
        if any(one.kind == "vararg" for one in task.parameters):
            return ""
        plain = [one.name for one in task.parameters if one.kind in {"posonly", "plain"}]
        given = sum(1 for one in message.passed if one.index >= 0)
        if given + 1 > len(plain):
            return f"takes {len(plain)} positional argument{'' if len(plain) == 1 else 's'} but {given + 1} were given"
        named = {one.keyword for one in message.passed if one.keyword}
        twice = next((name for name in plain[: given + 1] if name in named), "")
        return f"got multiple values for argument '{twice}'" if twice else ""

    def _report(self, signature: cst.Call, message: Message, wrong: str) -> None:
        name = message.dispatch.shown
        text = (
            f"`{name}` is handed the result of the task before it: TypeError in the worker, {wrong}; write "
            f"`{message.dispatch.target}.si(...)`"
        )
        self.report(signature, text, fix=self._fix(signature, message))

    def _fix(self, signature: cst.Call, message: Message) -> FixBuilder | None:
        builder = self.definition.fix("Take no result", "unsafe")
        if message.method != "s" or not isinstance(signature.func, cst.Attribute):
            builder.insert_argument(signature, "immutable=True")
        else:
            builder.replace(signature.func.attr, "si")
        return builder
