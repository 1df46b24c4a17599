"""A signature or canvas is made and never sent

## What it does
Finds `task.s(...)`, `chain(...)`, `group(...)`, `chord(...)` and signatures put together with `|` that stand as a statement of
their own, or are assigned to a local name that nothing reads.

## Why is this bad?
A signature only describes a call. Until it is applied nothing is published: the code runs, no error is raised, no task ever
starts.

## Example
### A statement
```python
from celery import chain, group, shared_task


@shared_task
def charge(order_id):
    return order_id


@shared_task
def ship(order_id):
    print(order_id)


def close(order_id):
    charge.s(order_id)  # KEL302
    chain(charge.s(order_id), ship.s())  # KEL302
    charge.s(order_id) | ship.s()  # KEL302
    group(charge.si(one) for one in range(3))  # KEL302
    ship.si(order_id).set(countdown=10)  # KEL302
```

### A name that nothing reads
```python
from celery import chord, shared_task


@shared_task
def charge(order_id):
    return order_id


@shared_task
def sum_up(totals):
    print(totals)


def close(order_ids):
    work = chord([charge.s(one) for one in order_ids], sum_up.s())  # KEL302
    print("closed", len(order_ids))
```

## Use instead
### Apply it
```python
from celery import chain, chord, group, shared_task


@shared_task
def charge(order_id):
    return order_id


@shared_task
def sum_up(totals):
    print(totals)


def close(order_id):
    charge.s(order_id).delay()
    chain(charge.s(order_id), sum_up.s())()
    (charge.s(order_id) | sum_up.s()).apply_async()
    group(charge.s(one) for one in range(3)).delay()
    chord([charge.s(order_id)])(sum_up.s())
```

### Return it, or keep it
```python
from celery import chain, shared_task


@shared_task
def charge(order_id):
    return order_id


STEPS = chain(charge.s(1), charge.s())


class Orders:
    def __init__(self, order_id):
        self.work = charge.s(order_id)


def steps(order_id):
    first = charge.s(order_id)
    both = chain(first, charge.s())
    return both
```

### `chain` and `group` of something else
```python
from itertools import chain

from celery import shared_task


@shared_task
def charge(order_id):
    return order_id


def close(order_ids, others):
    chain(order_ids, others)
    charge.delay(1)
    print(charge.s(1))
```

## Fix safety
Unsafe: `.delay()` is added, so that work is done that was not done before. A name that nothing reads has no fix.

## Known missed alarms
A signature that is handed to a function, kept in a list or in an attribute, and applied nowhere.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#signatures
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#the-primitives
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_celery._canvas import canvas_of, is_canvas, signature_of
from keel_lint_celery._handlers import own

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance


class SignatureNeverApplied(Rule):
    """Finds signatures that are made and dropped."""

    code = "KEL302"
    slug = "signature-never-applied"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("signature",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition is a function or class: at module level others may read a name."""
        return glance.fact.kind != "statement"

    def visit_Expr(self, node: cst.Expr) -> None:
        """Judge a statement that may be a signature and nothing else."""
        if is_canvas(self.definition, node.value):
            self._report(node.value, self._fix(node.value))

    def visit_Assign(self, node: cst.Assign) -> None:
        """Judge an assignment to one name."""
        function = self.definition.nearest(node, cst.FunctionDef, cst.ClassDef)
        target = node.targets[0].target
        if len(node.targets) != 1 or not isinstance(target, cst.Name) or not isinstance(function, cst.FunctionDef):
            return
        if is_canvas(self.definition, node.value) and not self._is_read(function, target):
            self._report(node.value, None)

    def _is_read(self, function: cst.FunctionDef, target: cst.Name) -> bool:
        """Whether the name stands anywhere else, in a nested function or a text too."""
        names = self.definition.find_all(cst.Name, function)
        words = (cst.Global, cst.Nonlocal)
        scoped = any(isinstance(one, words) for one in own(function.body))
        return scoped or any(one.value == target.value and one is not target for one in names)

    def _report(self, node: cst.BaseExpression, fix: FixBuilder | None) -> None:
        signature = signature_of(self.definition, node)
        kind = canvas_of(self.definition, node)
        what = f"the {kind}" if kind else f"the signature of `{signature.shown}`" if signature is not None else "the canvas"
        message = f"{what} is made and never applied: nothing is published, and no error is raised; add `.delay()`"
        self.report(node, message, fix=fix)

    def _fix(self, node: cst.BaseExpression) -> FixBuilder:
        builder = self.definition.fix("Publish it", "unsafe")
        start, end = self.definition.span(node)
        is_pipe = isinstance(node, cst.BinaryOperation)
        if is_pipe:
            builder.insert(start, "(")
        builder.insert(end, ").delay()" if is_pipe else ".delay()")
        return builder
