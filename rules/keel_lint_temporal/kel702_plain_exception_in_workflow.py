"""A workflow raises an exception that does not end the run.

## What it does

Reports `raise` of built-in exceptions and of exception classes of the project, in `run` and in the methods of the workflow that
it calls, where nothing in the class catches them and neither the workflow nor a worker lists them as failures.
`NotImplementedError` and `assert` are left alone: they say that the code must be corrected, and then the run can go on. So is
the `else` behind all members of an `Enum`, and a `run` that does nothing but raise.

## Why is this bad?

Only an error of Temporal, such as `ApplicationError`, ends a run as failed. Any other is taken for a bug in the code: the
workflow
*task* fails and is tried again for ever, so that a corrected worker can go on. The run looks Running, nobody who waits
for its result hears anything, and retry policies and alerts for failed workflows see nothing.

## Example

```python
from temporalio import workflow


class NoStock(Exception): ...


@workflow.defn
class Order:
    @workflow.run
    async def run(self, amount: int) -> None:
        if amount < 0:
            raise ValueError(f"amount is {amount}")  # KEL702
        self.check(amount)

    def check(self, amount: int) -> None:
        if amount > 10:
            raise NoStock  # KEL702
```

## Use instead

### An error that ends the run

```python
from temporalio import workflow
from temporalio.exceptions import ApplicationError


class NoStock(ApplicationError): ...


@workflow.defn
class Order:
    @workflow.run
    async def run(self, amount: int) -> None:
        if amount < 0:
            raise ApplicationError(f"amount is {amount}", type="ValueError", non_retryable=True)
        if amount > 10:
            raise NoStock("too many")
```

### An exception that the workflow lists

```python
from temporalio import workflow


class NoStock(Exception): ...


class NoneAtAll(NoStock): ...


@workflow.defn(failure_exception_types=[NoStock])
class Order:
    @workflow.run
    async def run(self, amount: int) -> None:
        if amount > 10:
            raise NoneAtAll
```

### An exception that is caught

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, amount: int) -> str:
        try:
            self.check(amount)
            if amount == 0:
                raise LookupError
        except (ValueError, LookupError) as error:
            return str(error)
        if amount == 7:
            raise NotImplementedError("seven")
        return "fine"

    def check(self, amount: int) -> None:
        if amount > 10:
            raise ValueError("too many")
```

### A worker that lets every error end the run

```python
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker


@workflow.defn
class Order:
    @workflow.run
    async def run(self, amount: int) -> None:
        raise ValueError(f"amount is {amount}")


def worker(client: Client) -> Worker:
    return Worker(client, task_queue="orders", workflows=[Order], workflow_failure_exception_types=[Exception])
```

### What is left when all members are asked for

```python
from enum import Enum

from temporalio import workflow


class Fruit(Enum):
    APPLE = 1
    PEAR = 2


@workflow.defn
class Order:
    @workflow.run
    async def run(self, fruit: Fruit) -> str:
        if fruit is Fruit.APPLE:
            return "apple"
        elif fruit == Fruit.PEAR:
            return "pear"
        else:
            raise ValueError(f"unknown fruit {fruit}")


@workflow.defn
class Fail:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("what does the worker make of it?")
```

## Fix safety

Unsafe: the run now fails where it hung, and what catches the old class no longer does. The name of the class is kept as the
`type` of the `ApplicationError`. Add `non_retryable=True` where the workflow has a retry policy and another run would fail too.

## Known missed alarms

Exceptions of other packages, those raised in functions outside the class or by the language (`KeyError` from a dict), and
variables that hold an exception.

## Options

None.

## References

- https://docs.temporal.io/references/failures#throw-from-workflows
- https://python.temporal.io/temporalio.workflow.html#defn
- https://github.com/temporalio/sdk-python#exceptions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint_temporal._commands import RETRIED_FOR_EVER
from keel_lint_temporal._plain_errors import PlainExceptionRule

if TYPE_CHECKING:
    from keel_lint_temporal._handlers import Method


class PlainExceptionInWorkflow(PlainExceptionRule):
    code = "KEL702"
    slug = "plain-exception-in-workflow"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow",)
    proof = "replay"

    def roots(self) -> list[Method]:
        """The run."""
        return self.methods.of("run")

    def message(self, error: str, method: Method, root: Method) -> str:  # noqa: ARG002
        """What comes of it."""
        return f"`{error}` does not end the run: {RETRIED_FOR_EVER}; raise `ApplicationError` (temporalio.exceptions)"
