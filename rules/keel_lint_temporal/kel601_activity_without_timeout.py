"""An activity is called without a timeout.

## What it does

Reports calls of `workflow.execute_activity`, `start_activity`, their `_method` and `_class` forms and the four `local_activity`
ones that set neither `start_to_close_timeout` nor `schedule_to_close_timeout`. `None` and a duration of zero count as not set.
Options behind `**` are read from dicts, from `ActivityConfig(...)`, and from constants and variables that hold one.

## Why is this bad?

The SDK wants one of the two, for local activities as well, and checks when the workflow makes the call: it raises `ValueError`,
the workflow *task* fails and is tried again for ever. The run goes on looking Running, and the activity is never scheduled.
`heartbeat_timeout` and `schedule_to_start_timeout` do not do instead.

## Example

```python
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

OPTIONS = {"retry_policy": RetryPolicy(maximum_attempts=3)}


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("charge", order_id)  # KEL601
        await workflow.execute_activity("ship", order_id, heartbeat_timeout=timedelta(seconds=30))  # KEL601
        await workflow.execute_local_activity("note", order_id, start_to_close_timeout=None)  # KEL601
        await workflow.execute_activity("mail", order_id, **OPTIONS)  # KEL601
```

## Use instead

### A timeout for each attempt, or for all of them

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity("ship", order_id, schedule_to_close_timeout=timedelta(hours=2))
        await workflow.execute_local_activity("note", order_id, start_to_close_timeout=timedelta(seconds=5))
```

### Options kept in one place

```python title="app/options.py"
from datetime import timedelta

from temporalio import workflow

SHORT = workflow.ActivityConfig(start_to_close_timeout=timedelta(seconds=30))
LONG = {**SHORT, "start_to_close_timeout": timedelta(hours=1)}
```

```python title="app/order.py"
from temporalio import workflow

from app.options import LONG, SHORT


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("charge", order_id, **SHORT)
        await workflow.execute_activity("ship", order_id, **LONG)
```

### A wrapper that passes its options on

```python
from datetime import timedelta
from typing import Any

from temporalio import workflow


async def run_activity(name: str, *args: Any, **options: Any) -> Any:
    return await workflow.execute_activity(name, args=args, **options)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str, limit: timedelta | None) -> None:
        await run_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity("ship", order_id, start_to_close_timeout=limit)
```

## Fix safety

Unsafe: `start_to_close_timeout=timedelta(minutes=10)` is a guess, because only you know how long the activity takes. Ten
minutes is what most activities stay well below, and an attempt that hangs is still tried again within the hour; an activity
that needs longer would be cut off and started again. A local activity gets ten seconds: its worker holds the workflow task open
meanwhile. No history can hold the call as it was, so no run in flight can be confused.

## Known missed alarms

Calls in queries and validators are left to KEL712, because no activity can be called there. Options that cannot be read are
taken to hold a timeout: `**options` of a wrapper, options built by a function, attributes of an object, variables that change,
and timeouts that are `None` only at run time. Where an outbound interceptor of the project sets timeouts, nothing is reported.

## Options

None.

## References

- https://docs.temporal.io/encyclopedia/detecting-activity-failures#start-to-close-timeout
- https://docs.temporal.io/develop/python/activities/timeouts
- https://python.temporal.io/temporalio.workflow.html#execute_activity
- https://github.com/temporalio/sdk-python#invoking-activities
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.jobs.activity_options import is_timeout
from keel_lint.rule import Rule
from keel_lint_temporal._activities import ActivityCalls
from keel_lint_temporal._workflow_code import Place, WorkflowCode

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.activity_options import Options

FUNCTIONS = frozenset(f"temporalio.workflow.{name}" for name in ACTIVITY_CALLS)
_HANGS = "the workflow task is retried for ever while the run looks Running"
START, SCHEDULE = "start_to_close_timeout", "schedule_to_close_timeout"


class ActivityWithoutTimeout(Rule):
    code = "KEL601"
    slug = "activity-without-timeout"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity-call", "workflow")
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.calls = definition.once(ActivityCalls)
        self.workflow = WorkflowCode(definition)

    def visit_Call(self, node: cst.Call) -> None:
        name = self.definition.called(node)
        if name not in FUNCTIONS:
            return
        place = self.workflow.place(node)
        if place is not None and place.handler != "run":
            return  # A query or validator may call no activity at all: that is KEL712.
        given = {argument.keyword.value: argument for argument in node.args if argument.keyword is not None}
        spread = self.calls.spread(node)
        values = {**spread.values, **self.calls.stated(node)}
        if any(is_timeout(values[key]) for key in (START, SCHEDULE) if key in values):
            return
        if not spread.complete:
            self.definition.project.leave_unresolved(self.definition.path, self.definition.span(node)[0])
        elif not self.definition.jobs.temporal.interceptor_sets_timeouts:
            self.say(node, name.rpartition(".")[2], given, spread, place)

    # -- reporting --------------------------------------------------------------------------------------------------------

    def say(self, node: cst.Call, function: str, given: dict[str, cst.Arg], spread: Options, place: Place | None) -> None:
        amount = "seconds=10" if "_local_" in function else "minutes=10"
        empty = " and ".join(f"`{key}={self.definition.code(given[key].value)}`" for key in (START, SCHEDULE) if key in given)
        why = f"only {empty}, which sets none" if empty else f"neither `{START}` nor `{SCHEDULE}`"
        then = "the run fails" if place is not None and place.fails_the_run else _HANGS
        called = f"`{function}({self.activity(node)})` has {why}"
        message = f"{called}: the SDK raises ValueError and {then}; add `{START}=timedelta({amount})`"
        self.report(node, message, fix=self.insertion(node, given, amount) if START not in spread.values else None)

    def activity(self, node: cst.Call) -> str:
        """The activity as it is written, kept short."""
        named = (a for a in node.args if a.keyword is not None and a.keyword.value == "activity")
        first = next((a for a in node.args if a.keyword is None and not a.star), None) or next(named, None)
        text = self.definition.code(first.value) if first is not None else ""
        return text if len(text) <= 40 and "\n" not in text else "..."

    def insertion(self, node: cst.Call, given: dict[str, cst.Arg], amount: str) -> FixBuilder:
        fix = self.definition.fix(f"Add `{START}=timedelta({amount})`", "unsafe")
        value = f"{fix.name('datetime.timedelta', node)}({amount})"
        if START in given:
            fix.replace(given[START].value, value)
        else:
            fix.insert_argument(node, f"{START}={value}")
        return fix
