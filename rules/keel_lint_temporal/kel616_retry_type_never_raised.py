"""A name among the non-retryable errors can match no error.

## What it does

Reports dotted names of exceptions in `non_retryable_error_types`, such as `"app.errors.CardDeclined"`, where no error of the
project states that very name as its `type`.

## Why is this bad?

The server compares the names with the `type` of the error that failed the attempt, and the Python SDK sets that to the name of
the class alone: `CardDeclined`. A dotted name never matches, so the error that was to end the attempts is retried like any
other: the declined card is charged again and again until the timeouts are over, or for ever.

## Example

```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy


class CardDeclined(Exception): ...


@activity.defn
async def charge(order_id: str) -> None:
    raise CardDeclined(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            charge,
            order_id,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(non_retryable_error_types=["app.errors.CardDeclined"]),  # KEL616
        )
```

## Use instead

### The name of the class

```python
from temporalio.common import RetryPolicy


class CardDeclined(Exception): ...


POLICY = RetryPolicy(non_retryable_error_types=["CardDeclined", "ValueError"])
```

### A type that the error states

```python
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

POLICY = RetryPolicy(non_retryable_error_types=["payments.Declined"])


@activity.defn
async def charge(order_id: str) -> None:
    raise ApplicationError("no", type="payments.Declined")
```

### A name of another language

```python
from temporalio.common import RetryPolicy

POLICY = RetryPolicy(non_retryable_error_types=["com.example.CardDeclined", "card-declined", "card.declined"])
```

## Fix safety

Unsafe: the last part of the name takes its place, and the error then ends the attempts for the first time.

## Known missed alarms

Names without dots that no error has, and base classes: `"Exception"` matches no subclass. Names that begin like those of Java
packages are left alone.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/retry-policies#non-retryable-errors
- https://python.temporal.io/temporalio.common.RetryPolicy.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._handlers import keyword

if TYPE_CHECKING:
    from keel_lint.glance import Glance

POLICY = "temporalio.common.RetryPolicy"
_DOTTED = re.compile(r"(?!(?:com|org|net|io|dev)\.)(?:\w+\.)+([A-Z]\w*)\Z")


class RetryTypeNeverRaised(Rule):
    code = "KEL616"
    slug = "retry-type-never-raised"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("retry-policy",)
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether any names are given."""
        return b"non_retryable_error_types" in glance.text

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a retry policy."""
        types = keyword(node, "non_retryable_error_types")
        if types is None or self.definition.called(node) != POLICY or not isinstance(types.value, (cst.List, cst.Tuple)):
            return
        for element in types.value.elements:
            name = self.definition.value(element.value)
            dotted = _DOTTED.match(name) if isinstance(name, str) else None
            if dotted is not None and not self.definition.jobs.temporal.states_type(dotted[0]):
                self.say(element.value, dotted[0], dotted[1])

    def say(self, node: cst.BaseExpression, name: str, last: str) -> None:
        fix = None
        if isinstance(node, cst.SimpleString):
            fix = self.definition.fix(f'Write `"{last}"`', "unsafe")
            fix.replace(node, f'"{last}"')
        message = (
            f'`"{name}"` matches no error: the type of a Python exception is the name of its class alone, so it is retried '
            f'like any other; write `"{last}"`'
        )
        self.report(node, message, fix=fix)
