"""Workflow code talks to the Temporal service through a client

## What it does

Reports the use of `temporalio.client.Client`, its methods and `Worker` in workflow code and in what it calls, in other
modules too. What workflow code is: see KEL501.

## Why is this bad?

`Client.connect()` in a workflow never comes back: the connection is made by a thread that cannot wake the workflow's event
loop, so no command is issued and the run hangs, without an error. A client that comes from elsewhere hangs in the same way
at its first call.

## Example

```python
from temporalio import workflow
from temporalio.client import Client


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> None:
        client = await Client.connect("localhost:7233")  # KEL517
        await client.start_workflow("Child", name, id=name, task_queue="children")  # KEL517
```

### In a helper

```python title="shop/temporal.py"
from temporalio.client import Client


async def start_child(name: str) -> None:
    client = await Client.connect("localhost:7233")
    await client.start_workflow("Child", name, id=name, task_queue="children")
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.temporal import start_child


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> None:
        await start_child(name)  # KEL517
```

## Use instead

### Child workflows and handles of other workflows

```python
from temporalio import workflow


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> None:
        await workflow.execute_child_workflow("Child", name, id=name)
        await workflow.get_external_workflow_handle("other").signal("wake")
```

### A client in an activity

```python
from temporalio import activity
from temporalio.client import Client


class Starter:
    def __init__(self, client: Client) -> None:
        self.client = client

    @activity.defn
    async def start(self, name: str) -> None:
        await self.client.start_workflow("Child", name, id=name, task_queue="children")
```

### A client beside the workflow

```python
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> str:
        return name


async def main() -> None:
    client = await Client.connect("localhost:7233")
    async with Worker(client, task_queue="parents", workflows=[Parent]):
        await client.execute_workflow(Parent.run, "a", id="a", task_queue="parents")
```

## Fix safety

No fix is offered: a child workflow lives and ends with its parent, which a workflow that a client starts does not.

## Known missed alarms

Clients in attributes whose class is not said.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/child-workflows
- https://docs.temporal.io/develop/python/message-passing#send-messages
"""

from __future__ import annotations

from keel_lint_temporal._workflow_code import ReadingRule


class ClientInWorkflow(ReadingRule):
    code = "KEL517"
    slug = "client-in-workflow"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("client",)
    reads = "talks to the Temporal service"
    replayed = "it never comes back, so the run issues no further command and hangs without an error"
    elsewhere = "`workflow.execute_child_workflow()`, `workflow.get_external_workflow_handle()` or an activity"
