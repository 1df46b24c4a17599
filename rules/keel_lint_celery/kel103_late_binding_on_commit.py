"""Callbacks for the commit are made in a loop and all see the last item

## What it does
Finds a lambda or nested function that is given to `transaction.on_commit` inside a loop and reads a name that the loop binds
again each round.

## Why is this bad?
The callbacks run after the transaction has committed, and the loop has ended by then. A lambda looks a name up when it runs:
all of them see the last item. The last order gets ten receipts, the other nine get none, and nothing fails.

## Example
### A lambda in a loop
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


@transaction.atomic
def close_orders(orders):
    for order in orders:
        order.close()
        transaction.on_commit(lambda: send_receipt.delay(order.pk))  # KEL103
```

### A name that the loop assigns
```python
from celery import shared_task
from django.db.transaction import atomic, on_commit


@shared_task
def send_receipt(order_id, total):
    print(order_id, total)


@atomic
def close_orders(orders):
    for order_id, lines in orders.items():
        total = sum(line.price for line in lines)
        if total:
            on_commit(lambda: send_receipt.delay(order_id, total=round(total, 2)))  # KEL103
```

### A nested function
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


@transaction.atomic
def close_orders(orders):
    for order in orders:

        def send():
            send_receipt.delay(order.pk)

        transaction.on_commit(send)  # KEL103
```

## Use instead
### `partial` binds at once
```python
from functools import partial

from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


@transaction.atomic
def close_orders(orders):
    for order in orders:
        order.close()
        transaction.on_commit(partial(send_receipt.delay, order.pk))
```

### A default argument
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


@transaction.atomic
def close_orders(orders):
    for order in orders:
        transaction.on_commit(lambda order=order: send_receipt.delay(order.pk))
```

### Nothing of the loop is read
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipts(order_ids):
    print(order_ids)


@transaction.atomic
def close_orders(orders):
    closed = []
    for order in orders:
        closed.append(order.pk)
    transaction.on_commit(lambda: send_receipts.delay([pk for pk in closed]))
```

### A transaction in each round
The callback runs when the block ends, before the next round.
```python
from celery import shared_task
from django.db import transaction


@shared_task
def send_receipt(order_id):
    print(order_id)


def close_orders(orders):
    for order in orders:
        with transaction.atomic():
            order.close()
            transaction.on_commit(lambda: send_receipt.delay(order.pk))
```

## Fix safety
Safe. `partial` evaluates the arguments where the lambda stood; where they hold calls, a default argument binds only the names.
A nested function has no fix.

## Known missed alarms
Callbacks that another function registers, and those that are kept in a list first. A transaction that is opened in each round
counts as the outermost one. A test for the name or key of an item (`if item.name == "total"`) is taken to pick one.

## Options
None.

## References
- https://docs.python.org/3/faq/programming.html#why-do-lambdas-defined-in-a-loop-with-different-values-all-return-the-same-result
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
"""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.index import expressions
from keel_lint.index.facts import known_as
from keel_lint.jobs.bindings import Bindings
from keel_lint.rule import Rule
from keel_lint_celery._code import ON_COMMIT, call_later, first, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_LOOPS = (cst.For, cst.While, cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)
_REPEATING = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_LEAVING = (cst.Return, cst.Break, cst.Raise)
_IDENTITIES = frozenset({"code", "id", "key", "name", "pk", "prefix", "slug", "uuid"})
_OPENS = re.compile(r"atomic|transaction", re.IGNORECASE)


class LateBindingOnCommit(Rule):
    """Finds callbacks for the commit that read what a loop binds again."""

    code = "KEL103"
    slug = "late-binding-on-commit"
    group = "correctness"
    engine = "celery"
    versions = ""
    fix = "safe"
    judges = ("on-commit",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a loop of the definition hands over a function that may read what the loop binds."""
        if b"for " not in glance.text and b"while " not in glance.text:
            return False
        names = known_as(glance.facts, frozenset({"on_commit"}))
        return glance.may_hold(_REPEATING, lambda loop: _registers_late(loop, names))

    @cached_property
    def _bindings(self) -> Bindings:
        return self.definition.once(Bindings)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `on_commit`."""
        callback = first(node, "func")
        function = self._function(callback) if callback is not None else None
        loop = self._loop(node) if function is not None else None
        if function is None or loop is None or self.definition.called(node) != ON_COMMIT:
            return
        names = [name for name in dict.fromkeys(self._free(function)) if self._is_rebound(name, loop, function)]
        late = list(dict.fromkeys(name.value for name in names))
        if late:
            self._report(node, function, late)

    def _loop(self, node: cst.Call) -> cst.CSTNode | None:
        """The loop that registers the callback again and again; `None` where each round has a transaction of its own."""
        below: cst.CSTNode = node
        for above in self.definition.ancestors(node):
            if isinstance(above, _LOOPS):
                return above if below is not getattr(above, "iter", None) else None
            if isinstance(above, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
                return None
            if isinstance(above, cst.With) and any(_OPENS.search(self.definition.code(item.item)) for item in above.items):
                return None
            if isinstance(above, cst.IndentedBlock) and _leaves_after(above, below):
                return None
            if isinstance(above, cst.If) and below is above.body and _chooses_one(above.test):
                return None
            below = above
        return None

    def _function(self, callback: cst.BaseExpression) -> cst.Lambda | cst.FunctionDef | None:
        if isinstance(callback, cst.Lambda):
            return callback
        bound = self._bindings.reaching(callback) if isinstance(callback, cst.Name) else []
        made = bound[0].node if len(bound) == 1 else None
        if isinstance(made, cst.Assign) and isinstance(made.value, cst.Lambda):
            return made.value
        return made if isinstance(made, cst.FunctionDef) else None

    def _free(self, function: cst.Lambda | cst.FunctionDef) -> Iterator[cst.Name]:
        """The names that a function reads, but not the words behind a dot and the keywords of calls."""
        for node in descendants(function.body):
            above = self.definition.parent(node)
            is_attribute = isinstance(above, cst.Attribute) and above.attr is node
            is_keyword = isinstance(above, cst.Arg) and above.keyword is node
            if isinstance(node, cst.Name) and not is_attribute and not is_keyword:
                yield node

    def _is_rebound(self, name: cst.Name, loop: cst.CSTNode, function: cst.CSTNode) -> bool:
        """Whether the loop, and not the function, binds a name."""
        bound = [one for one in self._bindings.reaching(name) if not one.is_parameter]
        if any(self._bindings.holds(function, one.node) for one in bound):
            return False
        definitions = (cst.FunctionDef, cst.ClassDef, cst.ImportAlias)
        return any(self._bindings.holds(loop, one.node) and not isinstance(one.node, definitions) for one in bound)

    def _report(self, node: cst.Call, function: cst.Lambda | cst.FunctionDef, names: list[str]) -> None:
        bound = ", ".join(f"{name}={name}" for name in names)
        which = f"`{names[0]}`" if len(names) == 1 else " and ".join(f"`{name}`" for name in names[:2])
        instead = f"lambda {bound}: ..." if isinstance(function, cst.Lambda) else f"def {function.name.value}({bound})"
        message = (
            f"the callbacks run on commit, after the loop: all of them see the last {which}, and the others are never "
            f"handled; bind it now with `partial(...)` or `{instead}`"
        )
        self.report(node, message, fix=self._fix(function, bound))

    def _fix(self, function: cst.Lambda | cst.FunctionDef, bound: str) -> FixBuilder | None:
        if not isinstance(function, cst.Lambda) or function.params.params or function.params.star_kwarg:
            return None
        builder = self.definition.fix("Bind what the loop holds now", "safe")
        body = function.body
        if isinstance(body, cst.Call) and not _holds_calls(body):
            builder.delete(self.definition.span(function)[0], self.definition.span(body)[0])
            if call_later(builder, self.definition, body):
                return builder
        builder = self.definition.fix("Bind what the loop holds now", "safe")
        start = self.definition.span(function)[0]
        builder.insert(start + len("lambda"), f" {bound}")
        return builder


def _registers_late(loop: ast.AST, names: frozenset[str]) -> bool:
    """Whether a loop holds a call of one of these names that is given a function which may read what the loop binds."""
    inside = list(ast.walk(loop))
    bound = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in inside if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name}
    calls = (node for node in inside if isinstance(node, ast.Call) and expressions.last_name(node.func) in names)
    given = (one for call in calls for one in (*call.args[:1], *(named.value for named in call.keywords)))
    return any(not isinstance(one, ast.Lambda) or not bound.isdisjoint(_read(one)) for one in given)


def _read(function: ast.Lambda) -> set[str]:
    return {node.id for node in ast.walk(function.body) if isinstance(node, ast.Name)}


def _holds_calls(call: cst.Call) -> bool:
    """Whether something besides the call itself would be evaluated earlier than before, and could tell."""
    slow = (cst.Call, cst.Await, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp, cst.NamedExpr)
    return bool(call.lpar) or any(isinstance(node, slow) for node in descendants(call) if node is not call)


def _leaves_after(block: cst.IndentedBlock, statement: cst.CSTNode) -> bool:
    """Whether the loop ends behind a statement of a block."""
    later = block.body[next(index for index, one in enumerate(block.body) if one is statement) + 1 :]
    return any(isinstance(small, _LEAVING) for one in later if isinstance(one, cst.SimpleStatementLine) for small in one.body)


def _chooses_one(test: cst.BaseExpression) -> bool:
    """Whether a test picks one item of the loop by what tells it from the others."""
    equal = (node for node in descendants(test) if isinstance(node, cst.Comparison))
    return any(
        isinstance(one.comparisons[0].operator, cst.Equal) and last_name(side) in _IDENTITIES
        for one in equal
        for side in (one.left, one.comparisons[0].comparator)
    )
