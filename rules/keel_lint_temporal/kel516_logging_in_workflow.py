"""Workflow code logs past `workflow.logger`

## What it does

Reports `print()` and the loggers of `logging`, loguru and structlog in workflow code, and a logger of theirs that is kept
in an attribute of the workflow. Queries, validators, methods that nothing in the class refers to and what stands under a
branch on `workflow.unsafe.is_replaying()` are left out. So are the loggers of a library for which the project has a filter
that asks `is_replaying()`.

## Why is this bad?

Temporal rebuilds a workflow by running its code again, and each time a line that the code has logged is logged again: after
every restart of a worker, every eviction from its cache and every query. Whoever reads the log sees steps that never
happened again.

`workflow.logger` is a standard logger that keeps silent during a replay and adds the ids of the workflow and the run.

## Example

```python
import logging

from temporalio import workflow

logger = logging.getLogger(__name__)


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.log = logging.getLogger("orders")  # KEL516

    @workflow.run
    async def run(self, order: str) -> None:
        print(f"begin {order}")  # KEL516
        logger.info("order %s", order)  # KEL516
        logging.warning("order %s is late", order)  # KEL516
```

### A logger of the project

```python title="shop/log.py"
from loguru import logger as base

logger = base
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.log import logger


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.log = logger.bind(kind="order")  # KEL516

    @workflow.run
    async def run(self, order: str) -> None:
        logger.info("begin", order=order)  # KEL516
```

## Use instead

### The logger of the workflow

```python
from temporalio import workflow

logger = workflow.logger


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        workflow.logger.info("order %s", order)
        logger.warning("order %s is late", order, extra={"order": order})
```

### Only in the first run

```python
import logging

from temporalio import workflow

logger = logging.getLogger(__name__)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        if not workflow.unsafe.is_replaying():
            logger.info("order %s", order)
        self.note("begun")

    def note(self, text: str) -> None:
        if workflow.unsafe.is_replaying():
            return
        logger.info(text)

    @workflow.query
    def state(self) -> str:
        logger.info("asked")
        return "open"
```

### A line about the replay itself

```python
import logging

from temporalio import workflow

logger = logging.getLogger(__name__)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        if workflow.unsafe.is_replaying():
            logger.debug("replays")
        else:
            logger.debug("runs for the first time")
```

### A filter that drops what a replay logs

```python title="shop/log.py"
from loguru import logger
from temporalio import workflow


def first_run_only(record: dict[str, object]) -> bool:
    return not (workflow.in_workflow() and workflow.unsafe.is_replaying())


logger.add("shop.log", filter=first_run_only)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.log import logger


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        logger.info("begin", order=order)
```

### A helper for debugging that nothing calls

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        self.order = order

    def show(self) -> None:
        print(self.order)
```

### Activities and the code beside a workflow

```python
import logging

from temporalio import activity, workflow

logger = logging.getLogger(__name__)
logging.basicConfig(level=logging.INFO)


@activity.defn
def ship(order: str) -> None:
    logger.info("order %s", order)
    print(order)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None: ...
```

## Fix safety

Safe for the loggers of `logging`: `workflow.logger` takes the same arguments and goes to the same handlers. `print()`
becomes `workflow.logger.info()`, whose lines go elsewhere: unsafe, and only where it is given one value. No fix for loguru
and structlog, which take keywords that `workflow.logger` refuses (KEL627).

## Known missed alarms

Helpers outside the workflow class: they often serve activities as well. Methods that only code outside the class calls.

## Options

None.

## References

- https://docs.temporal.io/develop/python/observability#logging
- https://python.temporal.io/temporalio.workflow.html#logger
- https://docs.temporal.io/develop/python/python-sdk-sandbox
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.flow.determinism import REPLAYING
from keel_lint.rule import Rule
from keel_lint_temporal._handlers import methods_of
from keel_lint_temporal._workflow_code import WorkflowCode

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint_temporal._handlers import Method

_STANDARD_LEVELS = frozenset({"critical", "debug", "error", "exception", "fatal", "info", "log", "warn", "warning"})
LEVELS = _STANDARD_LEVELS | {"msg", "success", "trace", "failure", "err"}
MAKERS = ("logging.getLogger", "logging.Logger", "loguru.logger", "structlog.get_logger", "structlog.stdlib.get_logger")
"""What gives a logger that knows nothing of replays, by the canonical name of its methods' owner."""


class LoggingInWorkflow(Rule):
    code = "KEL516"
    slug = "logging-in-workflow"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.workflow = definition.once(WorkflowCode)
        self.methods = methods_of(definition)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a line that is logged, or a logger that is kept."""
        name = self.name(node)
        if name == "builtins.print":
            self.judge_print(node)
        elif name is not None and name.partition(".")[0] in self.definition.jobs.temporal.replay_filters:
            return
        elif name is not None and self.logs(name):
            self.say(node, "logs", self.standard_fix(node, name))
        elif name is not None and _owner(name) is not None and self.is_kept(node):
            self.say(node, "makes a logger", None)

    def name(self, node: cst.Call) -> str | None:
        """The canonical name of what is called, a logger in a variable of a module by what made it."""
        fact = self.definition.call_fact(node)
        found = self.workflow.called(node)
        if found is None or fact is None or _owner(found) is not None or found.startswith("logging."):
            return found
        return self.workflow.determinism.name(self.definition.path, fact.callee, fact.scope) or found

    def logs(self, name: str) -> bool:
        owner, _, level = name.rpartition(".")
        if owner == "logging":
            return level in _STANDARD_LEVELS
        return level in LEVELS and _owner(name) is not None

    def is_kept(self, node: cst.Call) -> bool:
        """Whether a logger that is made here becomes an attribute, `self.log = logger.bind(...)`."""
        holder = self.definition.parent(node)
        targets = [one.target for one in holder.targets] if isinstance(holder, cst.Assign) else []
        targets += [holder.target] if isinstance(holder, cst.AnnAssign) else []
        return any(isinstance(target, cst.Attribute) for target in targets)

    def is_called(self, node: cst.Call) -> bool:
        """Whether a node stands in a method that the engine calls, or one that such a method refers to."""
        method = self.methods.round(node)
        return method is None or self.methods.inherits() or method in self.running

    @cached_property
    def running(self) -> list[Method]:
        """The methods that run in a workflow."""
        every = self.methods.all
        return self.methods.reached(method for method in every if method.kind or method.name.startswith("__"))

    def is_told_apart(self, node: cst.Call) -> bool:
        """Whether a line is logged in a branch on whether the code is replayed: the author has seen to it."""
        below: cst.CSTNode = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.If, cst.IfExp)) and below is not above.test and self.asks_for_replay(above.test):
                return True
            below = above
        return False

    def asks_for_replay(self, test: cst.BaseExpression) -> bool:
        calls = (inner for inner in descendants(test) if isinstance(inner, cst.Call))
        return any(self.workflow.called(call) == REPLAYING for call in calls)

    def judge_print(self, node: cst.Call) -> None:
        one_value = len(node.args) == 1 and node.args[0].keyword is None and not node.args[0].star
        is_statement = isinstance(self.definition.parent(node), cst.Expr)
        fix = None
        if one_value and is_statement:
            fix = self.definition.fix("Use `workflow.logger.info()`", "unsafe")
            fix.replace(node.func, f"{fix.name('temporalio.workflow.logger', node)}.info")
        self.say(node, "prints", fix)

    def standard_fix(self, node: cst.Call, name: str) -> FixBuilder | None:
        """`workflow.logger` in the place of a standard logger."""
        level = name.rpartition(".")[2]
        if not name.startswith("logging.") or level not in _STANDARD_LEVELS:
            return None
        fix = self.definition.fix("Use `workflow.logger`", "safe")
        fix.replace(node.func, f"{fix.name('temporalio.workflow.logger', node)}.{level}")
        return fix

    def say(self, node: cst.Call, does: str, fix: FixBuilder | None) -> None:
        place = self.workflow.place(node)
        if place is None or place.handler != "run" or place.first_run_only or self.workflow.is_cut(node):
            return
        if not self.is_called(node) or self.is_told_apart(node):
            return
        what = f"`{self.definition.code(node.func)}()` {does} past `workflow.logger`"
        self.report(node, f"{what}: each replay logs the same lines again; use `workflow.logger`", fix=fix)


def _owner(name: str) -> str | None:
    """What made the logger whose method has this canonical name."""
    return next((maker for maker in MAKERS if name == maker or name.startswith(f"{maker}.")), None)
