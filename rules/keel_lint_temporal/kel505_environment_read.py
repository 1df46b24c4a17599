"""Workflow code reads the environment of its process

## What it does

Reports reads of environment variables, command line, working directory, process, host and user in workflow code and in what
it calls, in other modules too: `os.environ`, `os.getenv()`, `os.getpid()`, `os.getcwd()`, `Path.home()`, `platform`,
`socket.gethostname()`, `sys.argv`; the number of the process only where the sandbox refuses it. What workflow code is: see
KEL501.

## Why is this bad?

A run outlives the process that began it: it is replayed on another machine, and after the next deployment with another
environment. A value that differs sends it down another path. The Python sandbox refuses these calls: the workflow *task*
fails and is tried again for ever, while the run goes on looking Running. It does not see `sys.argv`, nor what is read in
modules that are passed through it: there the value quietly changes, and a branch on it ends in a nondeterminism error.

## Example

```python
import os
import sys
from os import environ

from temporalio import workflow


@workflow.defn
class Export:
    @workflow.run
    async def run(self) -> str:
        if os.getenv("DRY_RUN"):  # KEL505
            return "dry"
        bucket = os.environ["BUCKET"]  # KEL505
        region = environ.get("REGION", "eu")  # KEL505
        process = os.getpid()  # KEL505
        return f"{bucket}/{region}/{process}/{sys.argv[0]}"  # KEL505
```

### In a helper of a module that is passed through the sandbox

```python title="shop/flags.py"
import os


def is_dry_run() -> bool:
    return os.environ.get("DRY_RUN") == "1"
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.flags import is_dry_run


@workflow.defn
class Export:
    @workflow.run
    async def run(self) -> str:
        return "dry" if is_dry_run() else "wet"  # KEL505
```

## Use instead

### An argument of the workflow

```python
from dataclasses import dataclass

from temporalio import workflow


@dataclass
class Settings:
    bucket: str
    dry_run: bool


@workflow.defn
class Export:
    @workflow.run
    async def run(self, settings: Settings) -> str:
        return "dry" if settings.dry_run else settings.bucket
```

### An activity that reads it

```python
import os
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def bucket() -> str:
    return os.environ["BUCKET"]


@workflow.defn
class Export:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_local_activity(bucket, start_to_close_timeout=timedelta(seconds=5))
```

### In the code that starts the worker

```python
import os

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker


@workflow.defn
class Export:
    @workflow.run
    async def run(self, environ: dict[str, str]) -> str:
        return environ["BUCKET"]


async def main() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    await Worker(client, task_queue=os.getenv("QUEUE", "export"), workflows=[Export]).run()
```

### The number of a process where nothing refuses it

```python
import os

from temporalio import workflow


@workflow.defn(sandboxed=False)
class Export:
    @workflow.run
    async def run(self) -> str:
        return f"written by {os.getpid()}"
```

## Fix safety

No fix is offered: where the value is to come from, only the author knows.

## Known missed alarms

Values that a module reads once while it is imported (KEL509 where a branch depends on one), and settings objects of third
parties.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
- https://docs.temporal.io/develop/python/python-sdk-sandbox
"""

from __future__ import annotations

from keel_lint_temporal._workflow_code import ReadingRule


class EnvironmentRead(ReadingRule):
    code = "KEL505"
    slug = "environment-read"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("environment",)
    reads = "reads the environment of the process"
    replayed = "a replay on another machine or after a deployment gets another value and can stray from its history"
    elsewhere = "an argument of the workflow, or a local activity"
