"""The args of apply_async are not a list or tuple

## What it does
Finds `apply_async(order_id)`, `args=(order_id)` and `args="text"`: a single value where the list or tuple of all positional
arguments is asked for, and `kwargs` that are no dict.

## Why is this bad?
`apply_async` takes the arguments of the task as one list or tuple. A single value raises `TypeError`, `task args must be a
list or tuple` or `argument after * must be an iterable`; parentheses without a comma make no tuple. A string falls apart into
its letters.

## Example
### A value
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(order):
    send_receipt.apply_async(order.pk)  # KEL115
    send_receipt.apply_async(17, countdown=5)  # KEL115
```

### Parentheses without a comma
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(order_id):
    send_receipt.apply_async(args=(order_id), countdown=5)  # KEL115
```

### A string, and keywords that are no dict
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


def close(name):
    app.send_task("shop.greet", "hello")  # KEL115
    app.send_task("shop.greet", args=f"{name}")  # KEL115
    app.send_task("shop.greet", kwargs=["name", name])  # KEL115
```

## Use instead
### A list or a tuple
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(order):
    send_receipt.apply_async([order.pk])
    send_receipt.apply_async((order.pk,), countdown=5)
    send_receipt.apply_async(args=(order.pk,), kwargs={})
```

### A name that holds them
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(arguments, order):
    send_receipt.apply_async(arguments)
    send_receipt.apply_async(args=(arguments))
    order_id = [order.pk]
    send_receipt.apply_async(args=order_id)
```

### `delay`
```python
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


def close(order):
    send_receipt.delay(order.pk)
```

## Fix safety
Safe: the call as it stands raises `TypeError`. A dict, a set and `kwargs` have no fix.

## Known missed alarms
Values whose kind cannot be told: a name counts where it ends in `id`, `pk` or `uuid`.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#basics
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.apply_async
"""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.expressions import parsed
from keel_lint.index.roles import DISPATCHES
from keel_lint.jobs.bindings import Bindings
from keel_lint.rule import Rule
from keel_lint_celery._code import dispatch_with_options, keywords, last_name, shown

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call

_KEY = re.compile(r"(?:.*_)?(?:id|pk|uuid)\Z")
_NUMBERS = (cst.Integer, cst.Float)
_TEXTS = (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)
_ROWS = (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp)
_MAPPINGS = (cst.Dict, cst.DictComp)
_LISTS = (cst.List, cst.Tuple, cst.ListComp)
_SCALARS = frozenset({"builtins.int", "builtins.str", "builtins.float", "builtins.bool"})


class MalformedApplyAsyncArgs(Rule):
    """Finds arguments of a message that are no list, tuple or dict."""

    code = "KEL115"
    slug = "malformed-apply-async-args"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("dispatch",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call that takes them is given anything else."""
        return any(_may_be_malformed(call) for call in glance.calls)

    @cached_property
    def _bindings(self) -> Bindings:
        return self.definition.once(Bindings)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be `apply_async` or `send_task`."""
        dispatch = dispatch_with_options(self.definition, node)
        if dispatch is None or any(one.star for one in node.args):
            return
        given = keywords(node)
        plain = [one.value for one in node.args if one.keyword is None][dispatch.method == "send_task" :]
        args = given["args"].value if "args" in given else next(iter(plain), None)
        kwargs = given["kwargs"].value if "kwargs" in given else next(iter(plain[1:]), None)
        wrong = self._wrong_args(args) if args is not None else ""
        if args is not None and wrong:
            self._report_args(args, dispatch.method, wrong)
        if isinstance(kwargs, (*_LISTS, *_NUMBERS, *_TEXTS, cst.Set)):
            message = f"`{dispatch.method}` takes `kwargs` as a dict: TypeError, task keyword arguments must be a mapping"
            self.report(kwargs, message)

    def _report_args(self, args: cst.BaseExpression, method: str, wrong: str) -> None:
        instead = f"args=({self.definition.code(args)},)" if shown(self.definition, args) else "args=(...,)"
        instead = instead.replace("((", "(").replace("),)", ",)") if args.lpar else instead
        message = f"`{method}` takes the arguments as one list or tuple and is given {wrong}: TypeError; write `{instead}`"
        self.report(args, message, fix=self._fix(args))

    def _wrong_args(self, node: cst.BaseExpression) -> str:
        """What is given in the place of a list or tuple; empty where that is one, or may be."""
        if isinstance(node, _NUMBERS):
            return "a number"
        if isinstance(node, _TEXTS):
            return "a string, which falls apart into letters"
        if isinstance(node, (*_MAPPINGS, cst.Set)):
            return "a dict" if isinstance(node, _MAPPINGS) else "a set"
        if isinstance(node, cst.Call):
            return "a single value" if self.definition.called(node) in _SCALARS else ""
        if not _KEY.match(last_name(node)):
            return ""
        return "" if isinstance(node, cst.Name) and self._is_assigned(node) else f"a single value{shown(self.definition, node)}"

    def _is_assigned(self, node: cst.Name) -> bool:
        """Whether the name may hold a list: it is assigned something that is no key by its own name."""
        sources = (one.source for one in self._bindings.reaching(node) if one.how in {"value", "annotated"})
        return any(source is None or not _KEY.match(last_name(source)) for source in sources)

    def _fix(self, node: cst.BaseExpression) -> FixBuilder | None:
        if isinstance(node, (*_MAPPINGS, cst.Set, cst.ConcatenatedString)):
            return None
        builder = self.definition.fix("Make it a tuple", "safe")
        start, end = self.definition.span(node)
        if node.lpar:
            builder.insert(end, ",")
        else:
            builder.insert(start, "(")
            builder.insert(end, ",)")
        return builder


def _may_be_malformed(call: Call) -> bool:
    """Whether a call may be given what is no list and no dict in their places, as far as the index tells."""
    method = call.callee.rpartition(".")[2]
    if method not in DISPATCHES or method.startswith("delay"):
        return False
    named = {one.keyword: one.text for one in call.arguments}
    plain = [one.text for one in call.arguments if not one.keyword][method == "send_task" :]
    args = named.get("args", next(iter(plain), None))
    kwargs = named.get("kwargs", next(iter(plain[1:]), None))
    return not (_is_made_of(args, _ROWS) and _is_made_of(kwargs, (ast.Dict, ast.DictComp, ast.Call, ast.Name, ast.Attribute)))


def _is_made_of(text: str | None, kinds: tuple[type[ast.expr], ...]) -> bool:
    """Whether an argument, as source, is left out or is an expression of one of these kinds."""
    return text is None or isinstance(parsed(text), kinds)
