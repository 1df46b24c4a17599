"""Workflow code uses a value that was made while its module was imported

## What it does

Reports the use, in workflow code, of a variable of a module that is bound to a clock, a random value or a UUID (`STARTED =
time.time()`, `RUN = uuid4()`), in the workflow's module or in one that it imports; default values and class attributes of
the workflow class that are; and branches that issue commands and depend on an environment variable that was read at import
(`if DRY_RUN: await ...`). What workflow code is: see KEL501.

## Why is this bad?

The sandbox imports the workflow's module anew for every run, and for every replay: the value is another one each time,
although it looks like a constant. In a module that is passed through, or without the sandbox, it is made once in a process
and changes with every restart. Either way a run that is replayed finds another value than it began with, and strays from
its history. The sandbox does not see `time.time()`, `uuid4()` and `os.environ` at import; `datetime.now()` and
`random.random()` it refuses there, so that the worker does not start.

## Example

```python
import os
import time
import uuid

from temporalio import workflow

STARTED = time.time()
DRY_RUN = os.environ.get("DRY_RUN") == "1"


@workflow.defn
class Order:
    batch = str(uuid.uuid4())  # KEL509

    @workflow.run
    async def run(self, order: str) -> float:
        if not DRY_RUN:  # KEL509
            await workflow.sleep(1)
        return STARTED  # KEL509

    @workflow.signal
    def note(self, text: str, at: float = time.time()) -> None:  # KEL509
        self.noted = (text, at)
```

### In a module that the workflow imports

```python title="shop/values.py"
from uuid import uuid4

INSTANCE = uuid4().hex
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.values import INSTANCE


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        return f"{INSTANCE}-{order}"  # KEL509
```

## Use instead

### The time and the ids of the run

```python
from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.batch = str(workflow.uuid4())

    @workflow.run
    async def run(self, order: str) -> float:
        return workflow.info().start_time.timestamp()
```

### An argument

```python
import os
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client

QUEUE = os.environ.get("QUEUE", "orders")
LIMIT = timedelta(seconds=30)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str, dry_run: bool = False) -> str:
        if not dry_run:
            await workflow.execute_activity("ship", order, task_queue=QUEUE, start_to_close_timeout=LIMIT)
        return order


async def main(client: Client) -> None:
    await client.execute_workflow(Order.run, args=["a", os.environ.get("DRY_RUN") == "1"], id="a", task_queue=QUEUE)
```

### A value that only other code uses

```python
import time
import uuid

from temporalio import activity, workflow

STARTED = time.time()
WORKER = uuid.uuid4().hex


@activity.defn
def uptime() -> str:
    return f"{WORKER} {time.time() - STARTED}"


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        return order
```

## Fix safety

No fix is offered: whether the run's own time or an argument is meant, only the author knows.

## Known missed alarms

Values that pass through several variables, default values of functions outside the class, and environment variables that do
not decide about commands.

## Options

None.

## References

- https://docs.temporal.io/develop/python/python-sdk-sandbox#how-the-sandbox-works
- https://github.com/temporalio/sdk-python#sandbox-performance
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import dotted
from keel_lint.index.facts import MODULE
from keel_lint.jobs.sandbox import refused_at_import
from keel_lint.project import EXTERNAL
from keel_lint.rule import Rule
from keel_lint_temporal._commands import issues_commands
from keel_lint_temporal._workflow_code import WorkflowCode, is_activity

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.finding import Hop
    from keel_lint.flow.determinism import Effect
    from keel_lint.project import Symbol

_SAYS = {"clock": "the clock", "randomness": "a random value", "environment": "the environment"}
_CHANGES = "each replay imports the module anew or in another process, gets another value and can stray from its history"
_INSTEAD = "an argument of the workflow, `workflow.now()` or `workflow.uuid4()`"


class ImportTimeValue(Rule):
    code = "KEL509"
    slug = "import-time-value"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.workflow = definition.once(WorkflowCode)
        self.said: set[tuple[str, int]] = set()

    # -- values of modules ------------------------------------------------------------------------------------------------

    def visit_Name(self, node: cst.Name) -> None:
        """Judge the use of a variable of a module."""
        if node.value in self.suspects:
            self.judge_use(node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        """The same as an attribute of the module."""
        if isinstance(node.value, (cst.Name, cst.Attribute)) and (dotted(node) or "").partition(".")[0] in self.suspects:
            self.judge_use(node)

    @cached_property
    def suspects(self) -> set[str]:
        """The names of the file that hold such a value, and those of modules of the project, which may."""
        if not self.workflow.is_workflow:
            return set()
        project, path = self.definition.project, self.definition.path
        names = {one.target for one in self.definition.facts.assignments if one.scope == MODULE and one.value}
        names |= {record.name for record in self.definition.facts.imports}
        symbols = ((name, project.resolve(path, name)) for name in names if name.isidentifier())
        found = {name for name, symbol in symbols if self.may_hold(symbol)}
        # `import shop.values` only says `shop` in the index.
        modules = {record.name for record in self.definition.facts.imports if not record.attribute}
        return found | (modules - EXTERNAL)

    def may_hold(self, symbol: Symbol) -> bool:
        if symbol.state != "internal" or symbol.definition >= 0:
            return False
        if symbol.assignment < 0:
            return True
        return self.workflow.determinism.at_import(symbol.path, symbol.assignment) is not None

    def judge_use(self, node: cst.Name | cst.Attribute) -> None:
        if self.is_part(node) or self.definition.name(node) is None:
            return
        project, path = self.definition.project, self.definition.path
        symbol = project.resolve(path, self.definition.code(node), self.definition.scope(node))
        if symbol.state != "internal" or symbol.assignment < 0 or (symbol.path, symbol.assignment) in self.said:
            return
        effect = self.workflow.determinism.at_import(symbol.path, symbol.assignment)
        place = self.workflow.place(node) if effect is not None else None
        if effect is None or place is None or place.handler != "run" or place.first_run_only or self.workflow.is_cut(node):
            return
        if effect.kind == "environment" and not self.decides(node):
            return
        self.said.add((symbol.path, symbol.assignment))
        self.say(
            node, f"`{self.definition.code(node)}` was read from {_SAYS[effect.kind]} when its module was imported", effect
        )

    def is_part(self, node: cst.CSTNode) -> bool:
        """Whether a name only names an attribute, an argument or a parameter, or is part of a longer name."""
        holder = self.definition.parent(node)
        if isinstance(holder, (cst.Attribute, cst.Param, cst.AssignTarget, cst.FunctionDef, cst.ClassDef)):
            return True
        return isinstance(holder, cst.Arg) and holder.keyword is node

    def decides(self, node: cst.CSTNode) -> bool:
        """Whether a value decides about commands: it stands in the test of a branch that issues some."""
        below = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.If, cst.While, cst.IfExp)) and below is above.test:
                return issues_commands(self.definition, above)
            if isinstance(above, (cst.BaseStatement, cst.Call)):
                return False
            below = above
        return False

    # -- values of the class ----------------------------------------------------------------------------------------------

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call in a default value of a method, or in the class body."""
        known = self.workflow.determinism.reading(self.workflow.called(node) or "") if self.workflow.is_workflow else None
        if known is None or known[0] not in {"clock", "randomness"} or not self.runs_at_import(node):
            return
        if self.workflow.is_fixed(node, known[1]):
            return
        what = f"`{self.definition.code(node.func)}()` is called once, when the module is imported"
        self.say(node, what, None, self.workflow.called(node) or "")

    def runs_at_import(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in the class body or in a default value, and not in a method, an annotation or a decorator."""
        below = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.Decorator, cst.Annotation, cst.Lambda)):
                return False
            if isinstance(above, cst.FunctionDef) and (below is above.body or is_activity(self.definition, above)):
                return False
            if isinstance(above, cst.ClassDef):
                return above is self.definition.node
            below = above
        return False

    def say(self, node: cst.CSTNode, what: str, effect: Effect | None, name: str = "") -> None:
        release = self.definition.jobs.version("temporalio").release
        refused = refused_at_import(effect.name if effect is not None else name, release)
        harm = f"{_CHANGES}; where the sandbox imports it, the worker does not start" if refused else _CHANGES
        self.report(node, f"{what}: {harm}; use {_INSTEAD}", hops=self.hops(effect))

    def hops(self, effect: Effect | None) -> tuple[Hop, ...]:
        if effect is None:
            return ()
        what = f"`{self.workflow.determinism.spelling(effect)}` reads {_SAYS[effect.kind]} at import"
        return (self.definition.project.hop(effect.path, effect.start, effect.end, what),)
