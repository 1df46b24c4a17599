"""Workflow code reads files, talks to the network or a database, or starts a program

## What it does

Reports input and output in workflow code and in what it calls, in other modules too: files (`open()`, `Path.read_text()`,
`os.listdir()`, `shutil`, `tempfile`), the network (`socket`, `urllib.request`, requests, httpx, boto3, smtplib ...),
programs (`subprocess`, `os.system()`), databases (`sqlite3`, psycopg, redis, SQLAlchemy engines, Django). What workflow
code is: see KEL501.

## Why is this bad?

Temporal rebuilds a workflow by running its code again over the recorded history, so a file is read or a request sent again
on every replay, on whatever machine the worker runs, and what it answers need not be what it answered. The Python sandbox
refuses most of the standard library's functions: the workflow *task* fails and is tried again for ever, while the run goes
on looking Running. It lets `io.open()`, `linecache` and `sqlite3` through, and everything in modules that are passed
through it, apart from the builtin `open()`: there a request really leaves, and one that takes two seconds trips the
deadlock detector (`[TMPRL1101]`).

## Example

```python
import subprocess
from pathlib import Path

from temporalio import workflow


@workflow.defn
class Import:
    @workflow.run
    async def run(self, name: str) -> str:
        subprocess.run(["sync", name])  # KEL504
        with open(name) as file:  # KEL504
            head = file.readline()
        return head + Path(name).read_text()  # KEL504
```

### In a helper of a module that is passed through the sandbox

```python title="shop/rates.py"
import requests


def exchange_rate(currency: str) -> float:
    return float(requests.get(f"https://rates.example/{currency}", timeout=5).text)
```

```python title="shop/pricing.py"
from shop.rates import exchange_rate


def price_in(currency: str, cents: int) -> float:
    return cents * exchange_rate(currency)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.pricing import price_in


@workflow.defn
class Order:
    @workflow.run
    async def run(self, cents: int) -> float:
        return price_in("EUR", cents)  # KEL504
```

## Use instead

### An activity

```python
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def read_head(name: str) -> str:
    with open(name) as file:
        return file.readline()


@workflow.defn
class Import:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(read_head, name, start_to_close_timeout=timedelta(seconds=30))
```

### Types of a client library

```python
from openai.types.responses import ResponseInputItemParam
from temporalio import workflow


def is_reasoning(item: ResponseInputItemParam) -> bool:
    return item.get("type") == "reasoning"


@workflow.defn
class Agent:
    @workflow.run
    async def run(self, items: list[ResponseInputItemParam]) -> int:
        return sum(is_reasoning(item) for item in items)
```

### Paths and text that stay in memory

```python
import io
import sqlite3
from pathlib import PurePosixPath

from temporalio import workflow


@workflow.defn
class Report:
    @workflow.run
    async def run(self, name: str) -> str:
        rows = sqlite3.connect(":memory:").execute("select 1").fetchall()
        out = io.StringIO()
        out.write(f"{PurePosixPath(name).stem} {rows}")
        return out.getvalue()
```

### A helper that another part of the program uses

```python title="shop/rates.py"
import requests


def exchange_rate(currency: str) -> float:
    return float(requests.get(f"https://rates.example/{currency}", timeout=5).text)


def in_euro(cents: int, rate: float) -> float:
    return cents * rate
```

```python title="shop/workflows.py"
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from shop.rates import exchange_rate, in_euro


@activity.defn
def rate() -> float:
    return exchange_rate("EUR")


@workflow.defn
class Order:
    @workflow.run
    async def run(self, cents: int) -> float:
        return in_euro(cents, await workflow.execute_activity(rate, start_to_close_timeout=timedelta(seconds=30)))
```

## Fix safety

No fix is offered: what belongs into an activity, and with which timeouts and retries, only the author knows.

## Known missed alarms

Clients of services and databases that are not in the table, methods of objects whose class is not known, files that a
function of a third party opens, and pure functions of `os.path`, which the sandbox refuses before Python 3.14.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
- https://docs.temporal.io/develop/python/python-sdk-sandbox
- https://github.com/temporalio/rules/blob/main/rules/TMPRL1101.md
"""

from __future__ import annotations

from keel_lint_temporal._workflow_code import ReadingRule


class IoInWorkflow(ReadingRule):
    code = "KEL504"
    slug = "io-in-workflow"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("io",)
    reads = "reads or writes outside the workflow"
    replayed = (
        "it is done again on every replay and may answer otherwise, and a slow one trips the deadlock detector ([TMPRL1101])"
    )
    elsewhere = "an activity"
