"""Workflow code changes state that outlives the run

## What it does

Reports workflow code, and functions that it calls, that change a variable of a module or what such a variable holds
(`global x`, `CACHE[key] = value`, `seen.add(name)`), where the module is passed through the sandbox or the workflow runs
without it. What workflow code is: see KEL501. Left out are changes that the function does not read again, such as a counter
for others, and those under or behind an `if` that asks for the variable: they make what is missing, once.

## Why is this bad?

Such state belongs to the worker's process, not to the run: all runs in the process share it, it is gone after a restart,
and on a replay it holds what other runs have left there. Code that depends on it takes another path than the history has,
which ends in a nondeterminism error.

In the workflow's own module, and in modules that are not passed through, the sandbox gives every run a copy: there it does
no harm.

## Example

### In a module that is passed through the sandbox

```python title="shop/counters.py"
from collections import defaultdict

STEPS: dict[str, int] = defaultdict(int)
SEEN: list[str] = []


def count_step(name: str) -> int:
    STEPS[name] += 1
    return STEPS[name]


def remember(name: str) -> int:
    SEEN.append(name)
    return len(SEEN)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.counters import count_step, remember


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, name: str) -> int:
        remember(name)  # KEL510
        return count_step(name)  # KEL510
```

### Without the sandbox

```python
from temporalio import workflow

total = 0


@workflow.defn(sandboxed=False)
class Sum:
    @workflow.run
    async def run(self, number: int) -> int:
        global total
        total += number  # KEL510
        return total
```

## Use instead

### An attribute of the workflow

```python
from temporalio import workflow


@workflow.defn(sandboxed=False)
class Sum:
    def __init__(self) -> None:
        self.total = 0
        self.seen: list[str] = []

    @workflow.run
    async def run(self, number: int) -> int:
        self.total += number
        self.seen.append(str(number))
        return self.total
```

### Constants, and a value that is made once

```python title="shop/tables.py"
import threading

RATES = {"EUR": 100}
_lock = threading.Lock()
_table: dict[str, int] | None = None
_names: list[str] | None = None
_rates: dict[str, int] | None = None


def table() -> dict[str, int]:
    global _table
    if _table is None:
        _table = dict(RATES)
    return _table


def names() -> list[str]:
    global _names
    if _names is not None:
        return _names
    _names = sorted(RATES)
    return _names


def rates() -> dict[str, int]:
    global _rates
    found = _rates
    if found is not None:
        return found
    with _lock:
        found = dict(RATES)
        _rates = found
    return found
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.tables import RATES, names, rates, table


@workflow.defn
class Price:
    @workflow.run
    async def run(self, currency: str) -> int:
        local = dict(RATES)
        local["USD"] = 90
        return local[currency] + table()[currency] + rates()[currency] + len(names())
```

### In the sandbox every run has its own copy

```python
from temporalio import workflow

seen: list[str] = []


@workflow.defn
class Remember:
    @workflow.run
    async def run(self, name: str) -> int:
        seen.append(name)
        return len(seen)
```

## Fix safety

No fix is offered: where the state belongs, only the author knows.

## Known missed alarms

State that one function writes and another reads, attributes of classes and of objects that a module holds,
`functools.cache`, context variables, and workers that drop the sandbox for a workflow that does not say so itself.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/python-sdk-sandbox#how-the-sandbox-works
- https://github.com/temporalio/sdk-python#sandbox-is-not-secure
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.jobs.nondeterminism import Reading


class StateOutsideTheRun(ReadingRule):
    code = "KEL510"
    slug = "state-outside-the-run"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("state",)
    reads = "changes state that outlives the run"
    replayed = (
        "all runs of the worker share it and a restart loses it, so a replay finds other values and can stray from its history"
    )
    elsewhere = "an attribute of the workflow"

    def harm(self, place: Place, name: str, reading: Reading, *, passed_through: bool = False) -> str | None:  # noqa: ARG002
        """In the sandbox a module of its own is made for every run."""
        if place.handler != "run" or place.first_run_only:
            return None
        if passed_through:
            return f"its module is passed through the sandbox, so {self.replayed}"
        return f"the workflow runs without the sandbox, so {self.replayed}" if place.sandbox == "off" else None
