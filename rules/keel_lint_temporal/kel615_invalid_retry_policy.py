"""A retry policy is one that the SDK refuses.

## What it does

Reports `RetryPolicy(...)` with values that fail its check: a `maximum_interval` below the `initial_interval`, a
`backoff_coefficient` below 1, negative intervals or attempts, intervals that are numbers instead of `timedelta`, and exception
*classes* in `non_retryable_error_types`, which takes names.

## Why is this bad?

`RetryPolicy` takes anything. The SDK looks at it when the policy is used: `ValueError`, `AttributeError`, or `TypeError` for a
class among the names. In a workflow that fails the workflow *task*, which is tried again for ever: the run goes on looking
Running, and the activity that the policy was meant for is never scheduled.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

SLOW = RetryPolicy(initial_interval=timedelta(minutes=5), maximum_interval=timedelta(minutes=1))  # KEL615


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            "charge",
            order_id,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(
                backoff_coefficient=0.5,  # KEL615
                non_retryable_error_types=[ValueError],  # KEL615
                maximum_interval=30,  # KEL615
            ),
        )
```

## Use instead

### Names of exceptions, and intervals that grow

```python
from datetime import timedelta

from temporalio.common import RetryPolicy

SLOW = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
    non_retryable_error_types=["ValueError", KeyError.__name__],
)
```

### No retries at all

The SDK does not look at the intervals then.

```python
from datetime import timedelta

from temporalio.common import RetryPolicy

ONCE = RetryPolicy(initial_interval=timedelta(minutes=5), maximum_interval=timedelta(minutes=1), maximum_attempts=1)
```

### Values that are not known here

```python
from datetime import timedelta

from temporalio.common import RetryPolicy

FATAL = "ValueError"


def policy(attempts: int, first: timedelta, errors: list[str]) -> RetryPolicy:
    return RetryPolicy(first, 1.0, None, attempts, non_retryable_error_types=[FATAL, *errors])
```

## Fix safety

The names of classes are put in their place safely: the policy raises as it stands, so nothing has run with it. For the numbers
there is no fix, because only you know what was meant.

## Known missed alarms

Values that are computed, and policies that are changed after they have been made.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/retry-policies
- https://python.temporal.io/temporalio.common.RetryPolicy.html
"""

from __future__ import annotations

import builtins
from datetime import timedelta
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_temporal._commands import RETRIED_FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = "temporalio.common.RetryPolicy"
FIELDS = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts", "non_retryable_error_types")
_THEN = f"when the policy is used; in a workflow {RETRIED_FOR_EVER}"


class InvalidRetryPolicy(Rule):
    code = "KEL615"
    slug = "invalid-retry-policy"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("retry-policy",)
    proof = "replay"

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a retry policy."""
        if self.definition.called(node) != POLICY:
            return
        given = self.given(node)
        for where, problem, error in self.problems(given):
            self.report(where, f"{problem}: the SDK raises {error} {_THEN}")
        types = given.get("non_retryable_error_types")
        if isinstance(types, (cst.List, cst.Tuple)):
            for element in types.elements:
                self.judge_type(element.value)

    def given(self, node: cst.Call) -> dict[str, cst.BaseExpression]:
        """The values of the policy by field; none that stand behind an unpacking."""
        found: dict[str, cst.BaseExpression] = {}
        for position, argument in enumerate(node.args):
            if argument.star:
                return {}
            if argument.keyword is not None:
                found[argument.keyword.value] = argument.value
            elif position < len(FIELDS):
                found[FIELDS[position]] = argument.value
        return found

    def problems(self, given: dict[str, cst.BaseExpression]) -> Iterator[tuple[cst.BaseExpression, str, str]]:
        """What the SDK refuses: the value at fault, what is wrong with it, and the error."""
        values = {field: self.definition.value(node) for field, node in given.items()}
        if values.get("maximum_attempts") == 1:
            return
        for field in ("initial_interval", "maximum_interval"):
            value = values.get(field)
            if isinstance(value, (int, float)) and (value or field == "initial_interval"):
                yield given[field], f"`{field}={value}` is a number and no `timedelta`", "AttributeError"
            elif isinstance(value, timedelta) and value < timedelta(0):
                yield given[field], f"`{field}` is negative", "ValueError"
        yield from self._wrong_numbers(given, values)
        first, last = values.get("initial_interval", timedelta(seconds=1)), values.get("maximum_interval")
        if isinstance(first, timedelta) and isinstance(last, timedelta) and timedelta(0) < last < first:
            yield (
                given["maximum_interval"],
                f"`maximum_interval` ({last}) is less than `initial_interval` ({first})",
                "ValueError",
            )

    def _wrong_numbers(
        self, given: dict[str, cst.BaseExpression], values: dict[str, object]
    ) -> Iterator[tuple[cst.BaseExpression, str, str]]:
        for field, least, wrong in (("backoff_coefficient", 1, "less than 1"), ("maximum_attempts", 0, "negative")):
            value = values.get(field, UNKNOWN)
            if isinstance(value, (int, float)) and value < least:
                yield given[field], f"`{field}={value}` is {wrong}", "ValueError"

    def judge_type(self, node: cst.BaseExpression) -> None:
        """Judge one of the names of exceptions."""
        name = self.class_name(node)
        if name is None:
            return
        written = self.definition.code(node)
        fix = self.definition.fix(f'Name the exception: `"{name}"`', "safe")
        fix.replace(node, f'"{name}"')
        message = f"`non_retryable_error_types` takes names, and `{written}` is a class: TypeError is raised {_THEN}"
        self.report(node, f'{message}; write `"{name}"`', fix=fix)

    def class_name(self, node: cst.BaseExpression) -> str | None:
        """The `__name__` of the class that an expression names; `None` for anything else."""
        name = self.definition.name(node)
        if name is None or self.definition.value(node) is not UNKNOWN:
            return None
        project = self.definition.project
        symbol = project.resolve(self.definition.path, self.definition.code(node), self.definition.scope(node))
        last = name.rpartition(".")[2]
        if symbol.state == "internal" and symbol.definition >= 0:
            return last if project.facts(symbol.path).definitions[symbol.definition].kind == "class" else None
        if name.startswith("builtins."):
            return last if isinstance(getattr(builtins, last, None), type) else None
        is_class = symbol.state == "external" and last[:1].isupper() and not last.isupper()
        return last if is_class else None
