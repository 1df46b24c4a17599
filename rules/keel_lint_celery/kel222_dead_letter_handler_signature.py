"""A handler given to a task by keyword does not take the task first

## What it does
Finds `on_failure=`, `on_retry=`, `on_success=`, `after_return=` and `before_start=` in a task decorator where the function
cannot take what Celery hands it: the task itself comes first.

## Why is this bad?
What is given by keyword becomes a method of the task's class, so it is called with the task as first argument. A handler
without room for it raises `TypeError` in the worker, after the task has failed: no dead letter is written, and nobody is told.

## Example
### A handler without the task
```python
from celery import shared_task


def bury(exc, task_id, args, kwargs, einfo):
    print("dead letter", task_id, exc)


@shared_task(on_failure=bury)  # KEL222
def charge(order_id):
    print(1 / order_id)
```

### Too few parameters
```python
from celery import shared_task


def remember(task_id, result):
    print("done", task_id, result)


@shared_task(on_success=remember)  # KEL222
def charge(order_id):
    print(1 / order_id)
```

### A handler in another file
```python title="shop/letters.py"
def bury(exc, task_id, args, kwargs, einfo):
    print("dead letter", task_id, exc)
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.letters import bury


@shared_task(max_retries=3, on_failure=bury)  # KEL222
def charge(order_id):
    print(1 / order_id)
```

## Use instead
### The task first
```python
from celery import shared_task


def bury(self, exc, task_id, args, kwargs, einfo):
    print("dead letter", self.name, task_id, exc)


@shared_task(on_failure=bury)
def charge(order_id):
    print(1 / order_id)
```

### Whatever comes
```python
from celery import shared_task


def bury(*args):
    print("dead letter", args)


def remember(task, retval, *rest, **kwargs):
    print("done", task.name, retval, rest, kwargs)


@shared_task(on_failure=bury, on_success=remember)
def charge(order_id):
    print(1 / order_id)
```

### A base class
```python
from celery import Task, shared_task


class Careful(Task):
    def on_failure(self, exc, task_id, args, kwargs, einfo):
        print("dead letter", task_id, exc)


@shared_task(base=Careful)
def charge(order_id):
    print(1 / order_id)
```

### A handler of another package
```python
from celery import shared_task
from letters import bury


@shared_task(on_failure=bury)
def charge(order_id):
    print(1 / order_id)
```

## Fix safety
Safe: a first parameter `self` is added to a handler that nothing else in its file calls. As it stands each call of it ends in
`TypeError`. A handler that lacks more than that has no fix.

## Known missed alarms
Handlers that are decorated, made by `partial`, or lambdas.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#handlers
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.on_failure
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_celery._code import parameters_start

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Definition as DefinitionFacts
    from keel_lint.jobs.tasks import Option, Task
    from keel_lint.project import Symbol

_HANDLERS = {
    "on_failure": "self, exc, task_id, args, kwargs, einfo",
    "on_retry": "self, exc, task_id, args, kwargs, einfo",
    "on_success": "self, retval, task_id, args, kwargs",
    "after_return": "self, status, retval, task_id, args, kwargs, einfo",
    "before_start": "self, task_id, args, kwargs",
}
"""What each is called with: https://docs.celeryq.dev/en/stable/userguide/tasks.html#handlers"""


class DeadLetterHandlerSignature(Rule):
    """Finds handlers of a task that cannot be called."""

    code = "KEL222"
    slug = "dead-letter-handler-signature"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "safe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task is given a handler."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        return task is not None and any(name in task.given for name in _HANDLERS)

    def finish(self) -> None:
        """Judge the handlers of the task."""
        task = self.definition.task
        for name, parameters in _HANDLERS.items():
            option = task.given.get(name) if task is not None else None
            symbol = self._handler(task, option) if task is not None and option is not None else None
            if symbol is not None and option is not None:
                self._judge(name, parameters, option, symbol)

    def _handler(self, task: Task, option: Option) -> Symbol | None:
        """The function of the project that is the handler; `None` for one that may be anything."""
        if option.origin != "decorator" or not option.text.replace(".", "").isidentifier():
            return None
        symbol = self.definition.project.resolve(option.path, option.text, task.definition.parent)
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        handler = self._fact(symbol)
        in_class = (
            handler.parent >= 0 and self.definition.project.facts(symbol.path).definitions[handler.parent].kind == "class"
        )
        return symbol if handler.kind == "function" and not handler.decorators and not in_class else None

    def _fact(self, symbol: Symbol) -> DefinitionFacts:
        return self.definition.project.facts(symbol.path).definitions[symbol.definition]

    def _judge(self, name: str, parameters: str, option: Option, symbol: Symbol) -> None:
        handler, given = self._fact(symbol), parameters.count(",") + 1
        if _takes(handler, given):
            return
        message = (
            f"Celery calls `{handler.name}` as a method, with the task first: TypeError in the worker, nothing is recorded; "
            f"write `def {handler.name}({parameters})`"
        )
        self.report((option.start, option.end), message, fix=self._fix(symbol, name) if _takes(handler, given - 1) else None)

    def _fix(self, symbol: Symbol, name: str) -> FixBuilder | None:
        facts, handler = self.definition.project.facts(symbol.path), self._fact(symbol)
        if any(call.callee.rpartition(".")[2] == handler.name for call in facts.calls):
            return None
        source = self.definition.project.source(symbol.path)
        opening = parameters_start(source.text, handler.name_end)
        if opening is None:
            return None
        builder = self.definition.fix(f"Take the task first in `{name}`", "safe")
        gap = "" if source.text[opening : opening + 1] in {b"\n", b"\r"} else " "
        if symbol.path == self.definition.path:
            builder.insert(opening, f"self,{gap}")
        else:
            builder.replace_elsewhere(source, opening, opening, f"self,{gap}")
        return builder


def _takes(handler: DefinitionFacts, given: int) -> bool:
    """Whether a function can be called with so many positional arguments."""
    plain = [one for one in handler.parameters if one.kind in {"posonly", "plain"}]
    needed = [one for one in plain if not one.default]
    has_more = any(one.kind == "vararg" for one in handler.parameters)
    asks_for_keywords = any(one.kind == "kwonly" and not one.default for one in handler.parameters)
    return len(needed) <= given and (given <= len(plain) or has_more) and not asks_for_keywords
