"""A signal or update handler raises an exception that stops the whole workflow.

## What it does

Reports `raise` of built-in exceptions and of exception classes of the project, in signal and update handlers and in the methods
of the workflow that only they call, where nothing in the class catches them and neither the workflow nor a worker lists them as
failures. Validators may raise what they like.

## Why is this bad?

Only an error of Temporal, such as `ApplicationError`, is an answer: it fails the update, or, from a signal, the run. Any other
is taken for a bug in the code: the workflow *task* fails and is tried again for ever. One bad message has stopped the whole
workflow, which goes on looking Running; the sender of the update waits until it times out, and later messages are not handled
either.

## Example

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    async def add(self, item: str) -> None:
        if not item:
            raise ValueError("no item")  # KEL703
        self.items.append(item)

    @workflow.signal
    def remove(self, item: str) -> None:
        if item not in self.items:
            raise LookupError(item)  # KEL703
        self.items.remove(item)
```

## Use instead

### A validator that refuses the update

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    async def add(self, item: str) -> None:
        self.items.append(item)

    @add.validator
    def check(self, item: str) -> None:
        if not item:
            raise ValueError("no item")
```

### An error that fails the update alone

```python
from temporalio import workflow
from temporalio.exceptions import ApplicationError


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.update
    async def add(self, item: str) -> None:
        if not item:
            raise ApplicationError("no item", type="ValueError")
        self.items.append(item)
```

### A signal that is ignored

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.signal
    def remove(self, item: str) -> None:
        if item not in self.items:
            workflow.logger.warning("%s is not in the basket", item)
            return
        self.items.remove(item)

    @workflow.query
    def first(self) -> str:
        if not self.items:
            raise LookupError("empty")
        return self.items[0]
```

## Fix safety

Unsafe: the update, or from a signal the run, now fails where the workflow hung, and what catches the old class no longer does.
The name of the class is kept as the `type` of the `ApplicationError`.

## Known missed alarms

Exceptions of other packages, those raised in functions outside the class or by the language (`KeyError` from a dict), and
variables that hold an exception.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#exceptions
- https://docs.temporal.io/references/failures#throw-from-workflows
- https://github.com/temporalio/sdk-python#exceptions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint_temporal._plain_errors import PlainExceptionRule

if TYPE_CHECKING:
    from keel_lint_temporal._handlers import Method

_STOPS = "the workflow task is retried for ever while the run looks Running, and no later message is handled"


class PlainExceptionInHandler(PlainExceptionRule):
    code = "KEL703"
    slug = "plain-exception-in-handler"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow",)
    proof = "replay, worker"

    def roots(self) -> list[Method]:
        """The handlers that can change the workflow."""
        return self.methods.of("signal", "update")

    def elsewhere(self) -> list[Method]:
        """What the run calls too is KEL702."""
        return self.methods.of("run")

    def message(self, error: str, method: Method, root: Method) -> str:
        """What comes of it."""
        where = f"{root.kind} `{root.name}`" if method is root else f"`{method.name}`, called by {root.kind} `{root.name}`,"
        instead = "log and return, or raise `ApplicationError` to fail the run" if root.kind == "signal" else _INSTEAD
        return f"`{error}` in {where} does more than fail the {root.kind}: {_STOPS}; {instead}"


_INSTEAD = "refuse it in a validator, or raise `ApplicationError` (temporalio.exceptions)"
