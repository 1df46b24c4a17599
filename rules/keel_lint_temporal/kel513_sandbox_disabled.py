"""The sandbox of a workflow is switched off

## What it does

Reports `@workflow.defn(sandboxed=False)`, `workflow_runner=UnsandboxedWorkflowRunner()`, `with_passthrough_all_modules()`
in what a worker is given, and blocks under `workflow.unsafe.sandbox_unrestricted()` in workflow code that do more than
import.

## Why is this bad?

The sandbox refuses calls that a replay cannot give back, and gives every run its own copy of a module's state. Without it
`datetime.now()`, `random`, files, sockets and threads run as if nothing were, all runs of a worker share what modules hold,
and what goes wrong shows only when a run is replayed: a restart, a deployment or a full cache later it does not find its
way and fails with a nondeterminism error, over and over. Then this linter is the only net, and it does not see everything.

## Example

```python
from temporalio import workflow


@workflow.defn(sandboxed=False)  # KEL513
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        with workflow.unsafe.sandbox_unrestricted():  # KEL513
            return order.upper()
```

### In a worker

```python
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        return order


async def main(client: Client) -> None:
    await Worker(
        client,
        task_queue="orders",
        workflows=[Order],
        workflow_runner=UnsandboxedWorkflowRunner(),  # KEL513
    ).run()
```

## Use instead

### Modules that are let through one by one

```python
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

with workflow.unsafe.imports_passed_through():
    import json


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        return json.dumps(order)


async def main(client: Client) -> None:
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("json"))
    await Worker(client, task_queue="orders", workflows=[Order], workflow_runner=runner).run()
```

### Only while debugging

```python
import os

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


async def main(client: Client) -> None:
    runner = UnsandboxedWorkflowRunner() if os.environ.get("DEBUG") else SandboxedWorkflowRunner()
    await Worker(client, task_queue="orders", workflows=[], workflow_runner=runner).run()
```

### A late import

```python
from temporalio import workflow


@workflow.defn(sandboxed=True)
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        with workflow.unsafe.sandbox_unrestricted():
            import json
        return json.dumps(order)
```

## Fix safety

No fix is offered: what the sandbox then refuses must be moved into an activity or passed through first.

## Known missed alarms

Runners that are made in another file or handed over as an argument, and restrictions that are weakened member by member.

## Options

None.

## References

- https://docs.temporal.io/develop/python/python-sdk-sandbox#skip-sandboxing
- https://github.com/temporalio/sdk-python#avoiding-the-sandbox
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import Definition, descendants
from keel_lint.rule import Rule
from keel_lint_temporal._workflow_code import WorkflowCode, only_value

if TYPE_CHECKING:
    from keel_lint.glance import Glance

WORKFLOW = "temporalio.workflow"
UNRESTRICTED = f"{WORKFLOW}.unsafe.sandbox_unrestricted"
WORKERS = frozenset({"temporalio.worker.Worker"})
_WORDS = (b"sandbox", b"Unsandboxed", b"with_passthrough_all_modules", b"workflow_runner")
_OFF = "nothing that a replay cannot give back is refused any more, and runs that stray from their history show only later"


class SandboxDisabled(Rule):
    code = "KEL513"
    slug = "sandbox-disabled"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow", "worker")
    proof = "replay, worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.workflow = definition.once(WorkflowCode)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        return any(word in glance.text for word in _WORDS)

    def visit_Decorator(self, node: cst.Decorator) -> None:
        """`@workflow.defn(sandboxed=False)`."""
        call = node.decorator
        if not isinstance(call, cst.Call) or self.definition.called(call) != f"{WORKFLOW}.defn":
            return
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == "sandboxed" and self.is_false(argument.value):
                self.say(argument, "the workflow runs without the sandbox", "pass modules through one by one")

    def visit_With(self, node: cst.With) -> None:
        """`with workflow.unsafe.sandbox_unrestricted():` in workflow code."""
        calls = [item.item for item in node.items if isinstance(item.item, cst.Call)]
        opened = next((call for call in calls if self.definition.called(call) == UNRESTRICTED), None)
        if opened is not None and self.workflow.place(node) is not None and not _only_imports(node.body):
            self.say(opened, "this block runs without the sandbox", "do this in an activity")

    def visit_Call(self, node: cst.Call) -> None:
        """`Worker(..., workflow_runner=...)`."""
        if self.definition.called(node) not in WORKERS:
            return
        given = next((a.value for a in node.args if a.keyword is not None and a.keyword.value == "workflow_runner"), None)
        found = self.weakening(given) if given is not None else None
        if found is not None:
            called = self.definition.code(found.func).rpartition(".")[2]
            self.say(
                found, f"`{called}()` runs all workflows of this worker without the sandbox", "pass modules through one by one"
            )

    def weakening(self, value: cst.BaseExpression) -> cst.Call | None:
        """The call that takes the sandbox away, where a runner has it in any case."""
        if isinstance(value, cst.Name):
            function = self.definition.nearest(value, cst.FunctionDef)
            bound = only_value(function, value.value) if function is not None else None
            return self.weakening(bound) if bound is not None else None
        if not isinstance(value, cst.Call) or self.is_tentative(value):
            return None
        if (self.definition.called(value) or "").endswith(".UnsandboxedWorkflowRunner"):
            return value
        calls = (node for node in descendants(value) if isinstance(node, cst.Call))
        return next((call for call in calls if _method(call) == "with_passthrough_all_modules"), None)

    def is_tentative(self, node: cst.CSTNode) -> bool:
        """Whether a branch decides about it: a switch for debugging."""
        return self.definition.nearest(node, cst.If, cst.IfExp) is not None

    def is_false(self, node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == "False"

    def say(self, where: cst.CSTNode, what: str, instead: str) -> None:
        self.report(where, f"{what}: {_OFF}; {instead}")


def _method(call: cst.Call) -> str:
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else ""


def _only_imports(body: cst.BaseSuite) -> bool:
    small = [part for line in body.body for part in (line.body if isinstance(line, cst.SimpleStatementLine) else [line])]
    return all(isinstance(part, (cst.Import, cst.ImportFrom, cst.Pass)) for part in small)
