"""A task is dispatched with arguments that do not fit its function

## What it does
Binds the arguments of `delay`, `apply_async`, their `_on_commit` forms, `send_task`, `s` and `si` to the parameters of the
task's function, as Python and Celery do: `bind=True` takes the first parameter away, defaults, `*args` and `**kwargs` count,
and a signature made with `s` may get more arguments in front (the result of the task before it).

## Why is this bad?
`delay` and `apply_async` raise `TypeError` where they are called. Where the task is called by its name, or has `typing=False`,
nothing is checked: the message is sent, and the worker fails with `TypeError` on each delivery, far away from the mistake.

## Example
### By reference
```python
from celery import chain, shared_task


@shared_task(bind=True)
def send(self, order_id, to, *, retry=False):
    print(order_id, to, retry)


@shared_task(typing=False)
def load(order_id):
    return order_id


def ship(order_id):
    send.delay(order_id)  # KEL116
    send.delay(order_id, "anna@example.com", urgent=True)  # KEL116
    send.apply_async((order_id, "anna@example.com", True))  # KEL116
    send.apply_async(kwargs={"order": order_id, "to": "anna@example.com"})  # KEL116
    chain(load.s(order_id, 1), send.s("anna@example.com")).delay()  # KEL116
    load.si().delay()  # KEL116
```

### By name
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import Celery

app = Celery("shop")


@app.task
def send(order_id, to):
    print(order_id, to)
```
```python title="shop/orders.py"
from shop.tasks import app


def ship(order_id):
    app.send_task("shop.tasks.send", args=[order_id])  # KEL116
```

## Use instead
### Arguments that fit
```python
from celery import chain, shared_task


@shared_task(bind=True)
def send(self, order_id, to, *, retry=False):
    print(order_id, to, retry)


@shared_task
def load(order_id):
    return order_id


def ship(order_id):
    send.delay(order_id, "anna@example.com", retry=True)
    send.apply_async((order_id, "anna@example.com"), countdown=60)
    chain(load.s(order_id), send.s("anna@example.com")).delay()
    load.si(order_id).delay()
```

### Arguments that come from elsewhere
```python
from celery import shared_task


@shared_task
def send(order_id, to):
    print(order_id, to)


def ship(arguments, options):
    send.delay(*arguments)
    send.delay(1, **options)
    send.apply_async(arguments)
    send.s(1).delay("anna@example.com")
```

### What stands between may change them
```python
import functools

from celery import Task, shared_task


def with_order(function):
    @functools.wraps(function)
    def inner(order_id):
        return function(order_id, "order")

    return inner


class Tenant(Task):
    def __call__(self, tenant, *args, **kwargs):
        return super().__call__(*args, **kwargs)


@shared_task
@with_order
def send(order_id, order):
    print(order_id, order)


@shared_task(base=Tenant, typing=False)
def count(shop_id):
    print(shop_id)


def ship():
    send.delay(1)
    count.delay("shop-1", 7)
```

## Fix safety
There is none: what the task should get is yours to say.

## Known missed alarms
Tasks that are classes, tasks under other decorators, signatures by name, and arguments that a call gathers in variables.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#argument-checking
- https://docs.celeryq.dev/en/stable/userguide/canvas.html#partials
- https://docs.celeryq.dev/en/stable/userguide/calling.html#basics
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.roles import DISPATCHES, SIGNATURES
from keel_lint.jobs.messages import Message, counted, dispatch_of, message_of
from keel_lint.jobs.signatures import is_typed, misfit, parameters_of, shown
from keel_lint.rule import Rule
from keel_lint_celery._code import OPTIONS

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.finding import Hop
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call
    from keel_lint.jobs.tasks import Task

_SPELLED_OUT = frozenset({"delay", "delay_on_commit"})


class SignatureMismatch(Rule):
    """Finds dispatches and signatures whose arguments the task does not take."""

    code = "KEL116"
    slug = "signature-mismatch"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    judges = ("dispatch", "signature")
    proof = "celery, publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition sends a task what it does not take, as far as the index tells."""
        return any(
            _may_misfit(glance, call) for call in glance.calls if call.callee.rpartition(".")[2] in DISPATCHES | SIGNATURES
        )

    def visit_Call(self, node: cst.Call) -> None:
        """Bind the arguments of a dispatch or signature."""
        message = message_of(self.definition, node)
        if message is None or not message.is_whole or not self._is_called_here(message, node):
            return
        task = message.dispatch.task if message.method != "send_task" else self._named(node)
        if task is None:
            return
        keywords = [one.keyword for one in message.passed if one.keyword]
        if message.method in _SPELLED_OUT and not OPTIONS.isdisjoint(keywords):
            return  # KEL114 says so, and has a fix
        found = _misfit(self.definition, task, message.method, len(message.passed) - len(keywords), keywords)
        if found is not None:
            does, at_once = found
            then = "Celery raises TypeError" if at_once else "the worker fails with TypeError"
            self._say(node, message, task, f"{does}, so {then}")

    def _is_called_here(self, message: Message, node: cst.Call) -> bool:
        """Whether the arguments are those of the call itself, and not of a `partial` that may get more."""
        fact = self.definition.call_fact(node)
        return fact is not None and fact.callee.rpartition(".")[2] == message.method

    def _named(self, node: cst.Call) -> Task | None:
        first = next((a.value for a in node.args if a.keyword is None or a.keyword.value == "name"), None)
        name = self.definition.value(first) if first is not None else None
        return self.definition.jobs.names.find(name) if isinstance(name, str) else None

    def _say(self, node: cst.Call, message: Message, task: Task, does: str) -> None:
        called = f"`{task.definition.name}.{message.method}`" if message.method != "send_task" else "`send_task`"
        self.report(node, f"{called} sends what the task does not take: {does}", hops=(self._hop(task),))

    def _hop(self, task: Task) -> Hop:
        project = self.definition.project
        return project.hop(task.path, *task.definition.name_span, f"`{task.definition.name}` is defined here")


def _may_misfit(glance: Glance, call: Call) -> bool:
    if call.callee.rpartition(".")[2] not in DISPATCHES | SIGNATURES:
        return False
    dispatch = dispatch_of(glance, call)
    if dispatch is None or dispatch.method == "send_task":
        return dispatch is not None
    sent = counted(call)
    return dispatch.task is not None and sent is not None and _misfit(glance, dispatch.task, dispatch.method, *sent) is not None


def _misfit(where: Glance, task: Task, method: str, positional: int, keywords: list[str]) -> tuple[str, bool] | None:
    """Why the arguments of a call do not fit, and whether Celery looks at once; `None` where they do, or may."""
    at_once = method != "send_task" and is_typed(where.jobs, task)
    parameters = parameters_of(where.jobs, task, at_once=at_once)
    reason = misfit(parameters, positional, keywords, partial=method == "s") if parameters is not None else None
    if parameters is None or reason is None:
        return None
    return f"`{shown(task.definition.name, parameters)}` {reason}", at_once
