"""Workflow code takes another path while it is replayed

## What it does

Reports branches on `workflow.unsafe.is_replaying()` in which workflow code waits, starts a task or issues a command, and
those that leave a function early in front of such code.

## Why is this bad?

A replay must issue the very commands that the history has. A branch that only the first run takes, or only the replay,
makes them differ, and the workflow task fails with a nondeterminism error, over and over, while the run goes on looking
Running. It shows only when a worker restarts or drops the workflow from its cache, so tests that run a workflow once do not
see it.

`is_replaying()` is there for what has no part in the workflow, such as metrics: `if not workflow.unsafe.is_replaying():
count()`.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        if not workflow.unsafe.is_replaying():  # KEL512
            await workflow.execute_activity("announce", order, start_to_close_timeout=timedelta(seconds=5))
        replaying = workflow.unsafe.is_replaying()
        await workflow.sleep(1 if replaying else 60)
        if replaying and order:  # KEL512
            return
        await workflow.execute_activity("ship", order, start_to_close_timeout=timedelta(seconds=5))
```

## Use instead

### The same commands every time

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity("announce", order, start_to_close_timeout=timedelta(seconds=5))
        await workflow.execute_activity("ship", order, start_to_close_timeout=timedelta(seconds=5))
```

### What has no part in the workflow

```python
from temporalio import workflow

counted: list[str] = []


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        if not workflow.unsafe.is_replaying():
            counted.append(order)
        await workflow.sleep(1)
        self.note(order)

    def note(self, text: str) -> None:
        if workflow.unsafe.is_replaying():
            return
        print(text)
```

### A change of code, which has its own switch

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        if workflow.patched("announce"):
            await workflow.execute_activity("announce", order, start_to_close_timeout=timedelta(seconds=5))
```

## Fix safety

No fix is offered: which of the two paths is meant, only the author knows.

## Known missed alarms

Branches in helpers outside the workflow class, values that are chosen by `... if is_replaying() else ...`, and state that
only one path sets.

## Options

None.

## References

- https://python.temporal.io/temporalio.workflow.unsafe.html#is_replaying
- https://docs.temporal.io/develop/python/versioning#patching
- https://github.com/temporalio/rules/blob/main/rules/TMPRL1100.md
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.rule import Rule
from keel_lint_temporal._commands import RETRIED_FOR_EVER, issues_commands
from keel_lint_temporal._workflow_code import WorkflowCode, only_value

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance

REPLAYING = "temporalio.workflow.unsafe.is_replaying"
_LEAVES = (cst.Return, cst.Raise, cst.Continue, cst.Break)


class ReplayingBranch(Rule):
    code = "KEL512"
    slug = "replaying-branch"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay, worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.workflow = definition.once(WorkflowCode)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        return b"is_replaying" in glance.text

    def visit_If(self, node: cst.If) -> None:
        """Judge a branch."""
        if not self.workflow.is_workflow or not self.asks_for_replay(node.test):
            return
        place = self.workflow.place(node)
        if place is None or place.handler != "run":
            return
        if issues_commands(self.definition, node.body) or self.skips_commands(node):
            asked = self.definition.code(node.test)
            self.report(
                node.test,
                f"the branch on `{asked}` makes a replay issue other commands than its history has: a nondeterminism "
                f"error, and {RETRIED_FOR_EVER}; issue the same commands in both",
            )

    def asks_for_replay(self, test: cst.BaseExpression) -> bool:
        """Whether the test depends on whether the code is replayed, also through a local name."""
        for node in descendants(test):
            if isinstance(node, cst.Call) and self.definition.called(node) == REPLAYING:
                return True
            if isinstance(node, cst.Name) and node.value in self.names:
                function = self.definition.nearest(node, cst.FunctionDef)
                value = only_value(function, node.value) if function is not None else None
                if isinstance(value, cst.Call) and self.definition.called(value) == REPLAYING:
                    return True
        return False

    @cached_property
    def names(self) -> set[str]:
        """The names that are bound to what `is_replaying()` gave somewhere in the class."""
        bound = (node for node in self.definition.find_all(cst.Assign) if isinstance(node.value, cst.Call))
        asked = [node for node in bound if "is_replaying" in self.definition.code(node.value)]
        return {one.target.value for node in asked for one in node.targets if isinstance(one.target, cst.Name)}

    def skips_commands(self, node: cst.If) -> bool:
        """Whether the other branch, or what follows one that leaves early, issues commands."""
        if node.orelse is not None:
            return issues_commands(self.definition, node.orelse)
        return _leaves_early(node.body) and any(issues_commands(self.definition, later) for later in self.following(node))

    def following(self, node: cst.If) -> list[cst.CSTNode]:
        """What may run after a branch: the rest of the blocks round it, up to the function."""
        found: list[cst.CSTNode] = []
        below: cst.CSTNode = node
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.FunctionDef):
                break
            if isinstance(above, cst.IndentedBlock):
                at = next((index for index, statement in enumerate(above.body) if statement is below), len(above.body))
                found += above.body[at + 1 :]
            below = above
        return found


def _leaves_early(body: cst.BaseSuite) -> bool:
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)
