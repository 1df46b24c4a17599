"""An activity is retried without an end.

## What it does

Reports activity calls that bound their attempts in no way: no `maximum_attempts`, no `schedule_to_close_timeout`. Options
behind `**` and retry policies in constants are read. Off by default, because retrying until it works is often what is wanted.

## Why is this bad?

An activity without a retry policy is retried for ever, at last every hundred seconds. Where the error does not go away, because
the order does not exist or the password is wrong, the workflow waits for ever too, nobody is told, and a service that counts
its calls counts every one.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("charge", order_id, start_to_close_timeout=minute)  # KEL602
        await workflow.execute_activity(  # KEL602
            "ship", order_id, start_to_close_timeout=minute, retry_policy=RetryPolicy(initial_interval=minute)
        )
```

## Use instead

### So many attempts

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

FEW = RetryPolicy(maximum_attempts=5)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("charge", order_id, start_to_close_timeout=minute, retry_policy=FEW)
        await workflow.execute_activity(
            "ship", order_id, start_to_close_timeout=minute, retry_policy=RetryPolicy(maximum_attempts=3)
        )
```

### So much time for all attempts

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            "charge",
            order_id,
            start_to_close_timeout=timedelta(minutes=1),
            schedule_to_close_timeout=timedelta(hours=2),
        )
```

### A policy that is not known here

```python
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str, policy: RetryPolicy, more: dict[str, Any]) -> None:
        minute = timedelta(minutes=1)
        await workflow.execute_activity("charge", order_id, start_to_close_timeout=minute, retry_policy=policy)
        await workflow.execute_activity("ship", order_id, start_to_close_timeout=minute, **more)
```

## Fix safety

Unsafe: `schedule_to_close_timeout=timedelta(days=1)` is a guess, and an activity that needs longer to succeed now fails.

## Known missed alarms

Policies that are built by functions or come from elsewhere.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/retry-policies
- https://docs.temporal.io/encyclopedia/detecting-activity-failures#schedule-to-close-timeout
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.activity_options import is_timeout
from keel_lint.rule import Rule
from keel_lint_temporal._activities import ActivityCalls
from keel_lint_temporal._commands import ACTIVITIES
from keel_lint_temporal._handlers import keyword

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.activity_options import Options

SCHEDULE, POLICY = "schedule_to_close_timeout", "retry_policy"
MAKE_POLICY = "temporalio.common.RetryPolicy"


class UnboundedActivityRetries(Rule):
    code = "KEL602"
    slug = "unbounded-activity-retries"
    group = "practice"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity-call",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.calls = definition.once(ActivityCalls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge an activity call."""
        name = self.definition.called(node) or ""
        if name not in ACTIVITIES:
            return
        options = self.calls.options(node)
        if not options.complete or is_timeout(options.values.get(SCHEDULE)) or not self.is_unbounded(node, options):
            return
        written = self.definition.code(node.func)
        message = (
            f"`{written}` is retried for ever: neither `maximum_attempts` nor `{SCHEDULE}` bounds it, so an error that stays "
            f"leaves the workflow waiting; add `{SCHEDULE}=...` or `RetryPolicy(maximum_attempts=...)`"
        )
        self.report(node, message, fix=self.insertion(node))

    def is_unbounded(self, node: cst.Call, options: Options) -> bool:
        """Whether a call has no retry policy, or one that is written here and counts no attempts."""
        if options.values.get(POLICY) is None:
            return True
        given = keyword(node, POLICY)
        policy = given.value if given is not None else None
        if not isinstance(policy, cst.Call) or self.definition.called(policy) != MAKE_POLICY:
            return False
        attempts = keyword(policy, "maximum_attempts")
        return attempts is None and all(argument.keyword is not None for argument in policy.args)

    def insertion(self, node: cst.Call) -> FixBuilder | None:
        if keyword(node, SCHEDULE) is not None:
            return None
        fix = self.definition.fix(f"Add `{SCHEDULE}=timedelta(days=1)`", "unsafe")
        fix.insert_argument(node, f"{SCHEDULE}={fix.name('datetime.timedelta', node)}(days=1)")
        return fix
