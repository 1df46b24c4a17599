"""Workflow code reads the wall clock.

## What it does

Reports calls in workflow code that read the machine's clock: `datetime.now()`, `date.today()`, `time.time()`,
`time.monotonic()`, `time.strftime("%Y")`, `email.utils.formatdate()`, `django.utils.timezone.now()`, `pendulum.now()`,
`arrow.utcnow()` and the like. Workflow code is every method of a `@workflow.defn` class (handlers, validators, `__init__`,
helpers) with the functions and lambdas in them, but not activities, and not static or class methods that only other code
calls.

What it calls counts too, in other modules and through any number of functions: the finding stands at the call in the
workflow, once for each place that reads the clock, and shows the path. Not followed are activities, code that a guard such
as `if workflow.in_workflow():` keeps out, fallbacks for an argument that is given (`at or datetime.now()`), and functions
that are configured as deterministic. Objects whose default factory reads the clock count where they are made without that
value.

## Why is this bad?

Temporal rebuilds a workflow by running its code again over the recorded history, so a value that differs from one run to
the next sends it down another path. The Python sandbox refuses most of these calls: the workflow *task* fails and is tried
again for ever, while the run goes on looking Running. It lets others through (`time.gmtime()`, `time.ctime()`,
`time.strftime()` without a time, `time.clock_gettime()`, `timeit.default_timer()`, `email.utils`), and everything where it
is switched off (`sandboxed=False`, `sandbox_unrestricted()`): there the value quietly changes on replay, and a branch on it
ends in a nondeterminism error.

`workflow.now()` and `workflow.time()` give the time of the current workflow task, the same on every replay.

## Example

```python
import time
from datetime import date, datetime, timezone

from temporalio import workflow


@workflow.defn
class Invoice:
    def __init__(self) -> None:
        self.created = datetime.now(timezone.utc)  # KEL501

    @workflow.run
    async def run(self, due: float) -> str:
        started = time.time()  # KEL501
        if started > due:
            return f"late on {date.today()}"  # KEL501
        return self.stamp()

    def stamp(self) -> str:
        return time.strftime("%Y-%m-%d")  # KEL501
```

The sandbox does not see these:

```python
import time
from email.utils import formatdate

from temporalio import workflow


@workflow.defn
class Letter:
    @workflow.run
    async def run(self) -> str:
        year = time.gmtime().tm_year  # KEL501
        with workflow.unsafe.sandbox_unrestricted():
            began = time.monotonic()  # KEL501
        return f"{year} {began} {formatdate()}"  # KEL501
```

Nor what stands in a module that is passed through it:

```python title="shop/clock.py"
from datetime import datetime, timezone


def is_open(hour: int | None = None) -> bool:
    return 8 <= (hour or datetime.now(timezone.utc).hour) < 18
```

```python title="shop/rules.py"
from shop.clock import is_open


class Rules:
    def may_ship(self, weight: int) -> bool:
        return weight < 30 and is_open()
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.rules import Rules


@workflow.defn
class Shipping:
    @workflow.run
    async def run(self, weight: int) -> bool:
        rules = Rules()
        return rules.may_ship(weight)  # KEL501
```

## Use instead

### The time of the workflow

```python
from temporalio import workflow


@workflow.defn
class Invoice:
    def __init__(self) -> None:
        self.created = workflow.now()

    @workflow.run
    async def run(self, due: float) -> str:
        started = workflow.time()
        if started > due:
            return f"late on {workflow.now().date()}"
        return workflow.now().strftime("%Y-%m-%d")
```

### The clock in an activity

```python
import time
from datetime import datetime, timedelta, timezone

from temporalio import activity, workflow


@activity.defn
async def read_clock() -> str:
    return datetime.now(timezone.utc).isoformat()


@workflow.defn
class Report:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(read_clock, start_to_close_timeout=timedelta(seconds=5))


def main() -> float:
    return time.time()
```

### A time that is given

```python
import asyncio
import time
from datetime import datetime, timezone

from temporalio import workflow


@workflow.defn
class Receipt:
    @workflow.run
    async def run(self, sold_at: float) -> str:
        sold = datetime.fromtimestamp(sold_at, timezone.utc)
        timer = asyncio.get_running_loop().time()
        return f"{sold:%Y} {time.strftime('%d', time.gmtime(sold_at))} {timer}"
```

### The time as an argument of the helper

```python title="shop/clock.py"
from datetime import datetime, timezone


def is_open(at: datetime | None = None) -> bool:
    return 8 <= (at or datetime.now(timezone.utc)).hour < 18
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.clock import is_open


@workflow.defn
class Shipping:
    @workflow.run
    async def run(self, weight: int) -> bool:
        return weight < 30 and is_open(workflow.now())
```

### A helper for the code that starts the workflow

```python
import time

from temporalio import workflow


@workflow.defn
class Import:
    @workflow.run
    async def run(self, name: str) -> str:
        return name

    @staticmethod
    def new_id() -> str:
        return f"import-{time.time_ns()}"
```

## Fix safety

Safe for `time.time()`, `time.time_ns()` and `datetime.now(timezone.utc)`: the new call gives the same kind of value, no
command is added, removed or moved, and a replay now gets the value that the first run got. Not safe in a loop without an
`await`, because the workflow's time stands still until the code waits.

All other fixes are unsafe. `datetime.now()`, `datetime.utcnow()` and `datetime.today()` are naive, `workflow.now()` is
aware and in UTC: subtracting one from the other, or comparing them, raises `TypeError`, and then the workflow task is
retried for ever. Where local time was meant, the hour changes; a monotonic clock becomes the time since 1970, which is
right for differences only.

## Known missed alarms

Default values and class attributes (KEL509), methods of objects whose class is not known, methods of classes nested in the
workflow class, `logging` records, and clocks behind `getattr`, `ctypes` or a database are not seen. Queries and validators
are silent where the sandbox would not refuse the call, because nothing they do goes into the history. Which worker runs
which workflow is not followed: where any worker of the project drops or changes the sandbox, the message says so.

## Options

`[tool.keel-lint.functions]` says of a function, class or module what the linter cannot see: one that is `deterministic` is
not looked into, and nothing that it does is reported.

```toml
[tool.keel-lint.functions]
"app.clock.now" = "deterministic"
"app.rules.pick" = "non-deterministic"
```

## References

- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
- https://docs.temporal.io/develop/python/python-sdk-sandbox
- https://python.temporal.io/temporalio.workflow.html#now
- https://github.com/temporalio/sdk-python#workflow-sandbox
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.finding import Applicability
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.nondeterminism import Reading

UTC = frozenset({"datetime.UTC", "datetime.timezone.utc"})
NOW = "temporalio.workflow.now"
TIME = "temporalio.workflow.time"
TIME_NS = "temporalio.workflow.time_ns"

_SAME: dict[str, str] = {"time.time": TIME, "time.time_ns": TIME_NS}
"""Clocks whose counterpart in the workflow gives the same kind of value."""

_NEAR: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow"), (NOW, "")),
    **dict.fromkeys(("django.utils.timezone.now", "email.utils.localtime"), (NOW, "")),
    "datetime.date.today": (NOW, ".date()"),
    "time.localtime": (NOW, ".timetuple()"),
    **dict.fromkeys(("time.monotonic", "time.perf_counter", "time.clock_gettime", "timeit.default_timer"), (TIME, "")),
    **dict.fromkeys(("time.monotonic_ns", "time.perf_counter_ns", "time.clock_gettime_ns"), (TIME_NS, "")),
}
"""Clocks whose counterpart differs in time zone or origin, and what comes behind the counterpart's call."""

_GIVEN_TIME = frozenset({"time.gmtime", "time.ctime", "email.utils.formatdate"})
"""Functions that stand still once they are given the time."""

_ADVICE = {
    "time.asctime": "`time.ctime(workflow.time())`",
    "django.utils.timezone.localtime": "`timezone.localtime(workflow.now())`",
    "django.utils.timezone.localdate": "`timezone.localdate(workflow.now())`",
}
_ADVICE_BY_MODULE = {
    "arrow": "`arrow.get(workflow.now())`",
    "pandas": "`pandas.Timestamp(workflow.now())`",
    "pendulum": "`pendulum.instance(workflow.now())`",
}


class WallClock(ReadingRule):
    code = "KEL501"
    slug = "wall-clock"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("clock",)
    reads = "reads the wall clock"
    elsewhere = "`workflow.now()`, or give the helper the time as an argument"

    def does(self, node: cst.Call, name: str, place: Place, reading: Reading) -> str | None:
        """A call that is given the time reads no clock; where the sandbox refuses it all the same, it is said."""
        if not self.workflow.is_fixed(node, reading):
            return self.reads
        return "needs the machine's time zone" if self.workflow.refuses(name) and place.sandbox == "on" else None

    def instead(self, node: cst.BaseExpression, name: str, place: Place) -> tuple[str, FixBuilder | None]:  # noqa: ARG002
        """The workflow's own clock."""
        return self.call_fix(node, name) if isinstance(node, cst.Call) else self.reference_fix(node, name)

    # -- fixes ------------------------------------------------------------------------------------------------------------

    def reference_fix(self, node: cst.BaseExpression, name: str) -> tuple[str, FixBuilder | None]:
        target, behind = (_SAME[name], "") if name in _SAME else _NEAR.get(name, ("", ""))
        if not target or behind:
            return self.advice(name), None
        fix = self.new_fix(target, "", "safe" if name in _SAME else "unsafe")
        fix.replace(node, fix.name(target, node))
        return f"`{_short(target)}`", fix

    def call_fix(self, node: cst.Call, name: str) -> tuple[str, FixBuilder | None]:
        """What to write instead, and the fix that does."""
        if name in _SAME:
            return self.replaced(node, _SAME[name], "()", "unsafe" if self.spins(node) else "safe")
        if name == "datetime.datetime.now" and node.args and self.definition.value(node.args[0].value) is not None:
            return self.now_in_zone(node)
        if name in _GIVEN_TIME and not node.args:
            return self.given_time(node)
        if name == "time.strftime" and len(node.args) == 1:
            return self.replaced(node, NOW, f"().strftime({self.definition.code(node.args[0].value)})", "unsafe")
        if name in _NEAR and not (node.args and name in {"time.localtime", "email.utils.localtime"}):
            target, behind = _NEAR[name]
            return self.replaced(node, target, f"(){behind}", "unsafe")
        return self.advice(name), None

    def now_in_zone(self, node: cst.Call) -> tuple[str, FixBuilder | None]:
        zone = node.args[0].value
        if len(node.args) > 1 or node.args[0].star:
            return self.advice(""), None
        if self.definition.name(zone) in UTC:
            return self.replaced(node, NOW, "()", "unsafe" if self.spins(node) else "safe")
        return self.replaced(node, NOW, f"().astimezone({self.definition.code(zone)})", "unsafe")

    def given_time(self, node: cst.Call) -> tuple[str, FixBuilder | None]:
        fix = self.definition.fix("Pass `workflow.time()`", "unsafe")
        fix.insert_argument(node, f"{fix.name(TIME, node)}()")
        return f"`{self.definition.code(node.func)}(workflow.time())`", fix

    def replaced(self, node: cst.Call, target: str, behind: str, applicability: Applicability) -> tuple[str, FixBuilder | None]:
        fix = self.new_fix(target, behind, applicability)
        fix.replace(node, f"{fix.name(target, node)}{behind}")
        return f"`{_short(target)}{behind}`", fix

    def new_fix(self, target: str, behind: str, applicability: Applicability) -> FixBuilder:
        return self.definition.fix(f"Use `{_short(target)}{behind}`", applicability)

    def advice(self, name: str) -> str:
        return _ADVICE.get(name) or _ADVICE_BY_MODULE.get(name.partition(".")[0], "`workflow.now()`")

    def spins(self, node: cst.Call) -> bool:
        """Whether a loop round the call never waits: the workflow's time would stand still in it."""
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.While):
                return not any(self.definition.find_all(cst.Await, above))
            if isinstance(above, (cst.FunctionDef, cst.Lambda)):
                break
        return False


def _short(target: str) -> str:
    return target.removeprefix("temporalio.")
