"""A handler uses state that only the run sets.

## What it does

Reports attributes that a signal or update handler reads, and that are first assigned in `run` or in a method that `run` calls:
neither in `__init__` nor in the class. A query counts where `run` assigns the attribute after its first `await`.

## Why is this bad?

A signal or update can come in with the start of the workflow, or wait for a worker beside it. Its handler then runs *before*
the first line of `run`: `AttributeError: 'Order' object has no attribute 'items'`. That fails the workflow *task*, which is
tried again for ever in the same order: the run goes on looking Running and never begins. A query gets the error as its answer.

`__init__` always runs first. With `@workflow.init` it is given the workflow's arguments.

## Example

```python
from temporalio import workflow


@workflow.defn
class Basket:
    @workflow.run
    async def run(self, owner: str) -> None:
        self.items = []
        await workflow.wait_condition(lambda: len(self.items) > 3)

    @workflow.signal
    def add(self, item: str) -> None:
        self.items.append(item)  # KEL709
```

A value of the arguments, and a query that comes too early:

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self, owner: str) -> None:
        self.owner = owner
        await workflow.wait_condition(lambda: len(self.items) > 3)
        self.total = len(self.items)

    @workflow.update
    async def add(self, item: str) -> str:
        self.items.append(item)
        return self.owner  # KEL709

    @workflow.query
    def summary(self) -> int:
        return self.total  # KEL709
```

## Use instead

### Set it in `__init__`

```python
from temporalio import workflow


@workflow.defn
class Basket:
    limit = 3

    @workflow.init
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.reset()

    def reset(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self, owner: str) -> None:
        self.limit = 5
        await workflow.wait_condition(lambda: len(self.items) > self.limit)

    @workflow.signal
    def add(self, item: str) -> None:
        self.items.append(f"{self.owner} {item} {self.limit}")
```

### Let the handler wait for the run

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.is_ready = False

    @workflow.run
    async def run(self, owner: str) -> None:
        self.owner = owner
        self.is_ready = True
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update
    async def who(self) -> str:
        await workflow.wait_condition(lambda: self.is_ready)
        return self.owner
```

### Ask first

```python
from temporalio import workflow


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.is_ready = False

    @workflow.run
    async def run(self, owner: str) -> None:
        self.owner = owner
        self.is_ready = True
        await workflow.sleep(60)

    @workflow.signal
    def rename(self, owner: str) -> None:
        if self.is_ready:
            workflow.logger.info("was %s", self.owner)
```

```python
from temporalio import workflow


@workflow.defn
class Basket:
    @workflow.run
    async def run(self, owner: str) -> None:
        self.owner = owner
        await workflow.sleep(60)

    @workflow.signal
    def rename(self, owner: str) -> None:
        if hasattr(self, "owner"):
            workflow.logger.info("was %s", self.owner)
        self.renamed = owner

    @workflow.query
    def who(self) -> str:
        return self.owner
```

## Fix safety

Safe for constants and empty containers that `run` assigns before it awaits anything: the assignment is moved to `__init__`. The
handlers then find it, and a value that a handler has put there is no longer overwritten.

## Known missed alarms

Workflows with a base class or a decorator besides `@workflow.defn`, handlers that await something before they read, and
attributes that are read in functions outside the class.

## Options

None.

## References

- https://docs.temporal.io/handling-messages#workflow-initializers
- https://docs.temporal.io/develop/python/workflows/message-passing
- https://python.temporal.io/temporalio.workflow.html#init
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.rule import Rule
from keel_lint_temporal._commands import RETRIED_FOR_EVER
from keel_lint_temporal._handlers import indent_of, methods_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method

_ASKS = frozenset({"builtins.hasattr", "builtins.getattr", "builtins.vars", "builtins.setattr"})


class HandlerStateSetInRun(Rule):
    code = "KEL709"
    slug = "handler-state-set-in-run"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)
        self.makes_init = False

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there may be a handler, and something in the instance."""
        return b"self." in glance.text and any(word in glance.text for word in (b"signal", b"update", b"query"))

    def finish(self) -> None:
        """Judge the class as a whole."""
        owner = self.methods.owner
        if owner is None or self.methods.inherits() or len(owner.decorators) > 1 or self.asks(owner):
            return
        seen: set[str] = set()
        for handler in self.methods.of("signal", "update", "validator", "query"):
            for node in self.read_too_early(handler):
                if node.attr.value not in seen:
                    seen.add(node.attr.value)
                    self.say(node, handler)

    def asks(self, root: cst.CSTNode) -> bool:
        """Whether code looks first whether an attribute is there, or sets one by a name that cannot be read."""
        calls = (node for node in descendants(root) if isinstance(node, cst.Call))
        caught = (node.type for node in descendants(root) if isinstance(node, cst.ExceptHandler) and node.type is not None)
        return any(self.definition.called(call) in _ASKS for call in calls) or any(
            "AttributeError" in self.definition.code(one) for one in caught
        )

    # -- what is set, and where -------------------------------------------------------------------------------------------

    @cached_property
    def _set_at_once(self) -> set[str]:
        """The attributes that every instance has: those of the class, and those that `__init__` sets."""
        init = self.methods.named("__init__")
        found = {method.name for method in self.methods.all}
        if init is not None:
            found |= {node.attr.value for method in self.methods.reached([init]) for node in self.stores(method)}
        body = self.methods.owner.body.body if self.methods.owner is not None else ()
        for statement in body:
            if isinstance(statement, cst.SimpleStatementLine):
                found |= {name.value for name in descendants(statement) if isinstance(name, cst.Name)}
            elif isinstance(statement, cst.ClassDef):
                found.add(statement.name.value)
        return found

    @cached_property
    def _set_in_run(self) -> dict[str, cst.Attribute]:
        """The attributes that only the run sets, each with where it does first."""
        found: dict[str, cst.Attribute] = {}
        for method in self.methods.reached(self.methods.of("run")):
            for node in self.stores(method):
                if node.attr.value not in self._set_at_once:
                    found.setdefault(node.attr.value, node)
        return found

    def stores(self, method: Method) -> Iterator[cst.Attribute]:
        return (node for node in self.methods.attributes(method.node.body) if self.is_stored(node))

    def is_stored(self, node: cst.Attribute) -> bool:
        """Whether an attribute is given a value here: `self.x = 1`, `for self.x in y`, `with y as self.x`."""
        holder = self.definition.parent(node)
        while isinstance(holder, (cst.Element, cst.Tuple, cst.List)):
            node, holder = holder, self.definition.parent(holder)  # type: ignore[assignment]
        if isinstance(holder, cst.AnnAssign):
            return holder.value is not None and holder.target is node
        return isinstance(holder, (cst.AssignTarget, cst.AsName)) or (isinstance(holder, cst.For) and holder.target is node)

    # -- what is read -----------------------------------------------------------------------------------------------------

    def read_too_early(self, handler: Method) -> Iterator[cst.Attribute]:
        """The attributes that a handler reads and that may not be there yet."""
        methods = self.methods.reached([handler])
        own = {node.attr.value for method in methods for node in self.stores(method)}
        for method in methods:
            if method.kind == "run" or self.may_be_late(handler, method) or self.is_told(method):
                continue
            for node in self.methods.attributes(method.node.body):
                name = node.attr.value
                if name not in self._set_in_run or name in own or self.is_after_wait(node, method):
                    continue
                if handler.kind != "query" or self.is_set_late(self._set_in_run[name]):
                    yield node

    def may_be_late(self, handler: Method, method: Method) -> bool:
        """Whether a handler may call a method only after it has awaited something."""
        return method is not handler and any(isinstance(node, cst.Await) for node in descendants(handler.node.body))

    def is_told(self, method: Method) -> bool:
        """Whether a method asks for something that the run changes when it has begun: `if self.is_ready:`."""
        changed = {node.attr.value for run in self.methods.of("run") for node in self.stores(run)}
        tests = (node.test for node in descendants(method.node.body) if isinstance(node, (cst.If, cst.IfExp)))
        return any(node.attr.value in changed & self._set_at_once for test in tests for node in self.methods.attributes(test))

    def is_after_wait(self, node: cst.CSTNode, method: Method) -> bool:
        """Whether something is awaited before a node is reached, or the node stands in a function that runs later."""
        start = self.definition.span(node)[0]
        awaits = (one for one in descendants(method.node.body) if isinstance(one, cst.Await))
        nested = self.definition.nearest(node, cst.FunctionDef, cst.Lambda) is not method.node
        return nested or any(self.definition.span(one)[0] < start for one in awaits)

    def is_set_late(self, node: cst.Attribute) -> bool:
        """Whether the run itself sets an attribute only after it has awaited something."""
        method = self.methods.round(node)
        return method is not None and method.kind == "run" and self.is_after_wait(node, method)

    # -- reporting --------------------------------------------------------------------------------------------------------

    def say(self, node: cst.Attribute, handler: Method) -> None:
        name = node.attr.value
        first = self._set_in_run[name]
        setter = self.methods.round(first)
        where = f"`{setter.name}`" if setter is not None else "the run"
        then = (
            "the caller gets AttributeError" if handler.kind == "query" else f"AttributeError is raised and {RETRIED_FOR_EVER}"
        )
        when = f"{handler.kind} `{handler.name}` reads `self.{name}`, which {where} sets: when it comes in before that"
        hop = self.methods.hop(first, f"`self.{name}` is set here")
        self.report(node, f"{when}, {then}; set it in `__init__`", fix=self.move(first), hops=(hop,))

    def move(self, first: cst.Attribute) -> FixBuilder | None:
        """Move the first assignment to `__init__`, where its value is the same there."""
        method, assign = self.methods.round(first), self.definition.nearest(first, cst.Assign, cst.AnnAssign)
        line = self.definition.nearest(first, cst.SimpleStatementLine)
        if method is None or method.kind != "run" or line is None or self.definition.parent(line) is not method.node.body:
            return None
        if len(line.body) > 1 or len(method.node.body.body) < 2:
            return None
        if not isinstance(assign, (cst.Assign, cst.AnnAssign)) or assign.value is None:
            return None
        if isinstance(assign, cst.Assign) and len(assign.targets) > 1:
            return None
        if not _is_plain(assign.value) or self.is_after_wait(first, method):
            return None
        return self.moved(line, method)

    def moved(self, line: cst.SimpleStatementLine, run: Method) -> FixBuilder | None:
        init = self.methods.named("__init__")
        fix = self.definition.fix("Move it to `__init__`", "safe")
        text = self.definition.code(line.body[0])
        if init is not None:
            if not isinstance(init.node.body, cst.IndentedBlock):
                return None
            last = init.node.body.body[-1]
            fix.insert(self.definition.span(last)[1], f"\n{indent_of(self.definition, last)}{text}")
        elif self.makes_init:
            return None
        else:
            self.makes_init = True
            start = self.definition.source.text.rindex(b"@", 0, self.definition.span(run.node.decorators[0].decorator)[0])
            outer, inner = indent_of(self.definition, run.node.decorators[0]), indent_of(self.definition, line)
            fix.insert(start, f"def __init__(self) -> None:\n{inner}{text}\n\n{outer}")
        self.take_out(fix, line)
        return fix

    def take_out(self, fix: FixBuilder, line: cst.SimpleStatementLine) -> None:
        """Take a line out, and the blanks before the next one."""
        start, end = self.definition.span(line)
        rest = self.definition.source.text[end:]
        fix.delete(start, end + len(rest) - len(rest.lstrip()))


def _is_plain(value: cst.BaseExpression) -> bool:
    """Whether an expression is a constant or an empty container."""
    if isinstance(value, (cst.List, cst.Tuple, cst.Dict)):
        return not value.elements
    if isinstance(value, cst.Call):
        return isinstance(value.func, cst.Name) and value.func.value in {"list", "dict", "set"} and not value.args
    if isinstance(value, cst.Name):
        return value.value in {"None", "True", "False"}
    return isinstance(value, (cst.Integer, cst.Float, cst.SimpleString))
