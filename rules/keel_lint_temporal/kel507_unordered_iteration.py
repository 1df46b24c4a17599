"""Workflow code goes through a set and issues commands on the way

## What it does

Reports loops and comprehensions over a set in whose body workflow code waits, starts a task or issues a command, in helper
classes and other modules too. A set is: a literal or comprehension, `set(...)` and `frozenset(...)`, a name, parameter or
attribute that is annotated as one or only ever bound to one, set algebra, the sets in a `dict[str, set[...]]`, and what
`list()`, `tuple()` or `enumerate()` make of a set. Sets of numbers are left out. What workflow code is: see KEL501.

## Why is this bad?

Strings are hashed with a seed that every process draws anew, so a set of them is gone through in another order in each
worker. On another worker the same activities, timers and child workflows then come in another order than the history has
them, and the workflow task fails with a nondeterminism error, over and over. Tests do not see it, because one process runs
them, and the sandbox lets it through.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Notify:
    @workflow.run
    async def run(self, names: list[str], muted: set[str]) -> None:
        for name in set(names) - muted:  # KEL507
            await workflow.execute_activity("mail", name, start_to_close_timeout=timedelta(seconds=5))
        for channel in {"sms", "push"}:  # KEL507
            await workflow.execute_activity(channel, start_to_close_timeout=timedelta(seconds=5))
```

### In a class that the workflow drives

```python title="shop/graph.py"
import asyncio
from collections import defaultdict


class Graph:
    def __init__(self, edges: list[tuple[str, str]]) -> None:
        self.next: dict[str, set[str]] = defaultdict(set)
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        for source, target in edges:
            self.next[source].add(target)

    async def finish(self, step: str) -> None:
        following = self.next[step]
        for other in following:
            await self.queue.put(other)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.graph import Graph


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, edges: list[tuple[str, str]]) -> None:
        graph = Graph(edges)
        await graph.finish("begin")  # KEL507
```

## Use instead

### A fixed order

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Notify:
    @workflow.run
    async def run(self, names: list[str], muted: set[str]) -> None:
        for name in sorted(set(names) - muted):
            await workflow.execute_activity("mail", name, start_to_close_timeout=timedelta(seconds=5))
```

### A dict, which keeps the order in which it was filled

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Notify:
    @workflow.run
    async def run(self, names: list[str]) -> None:
        for name in dict.fromkeys(names):
            await workflow.execute_activity("mail", name, start_to_close_timeout=timedelta(seconds=5))
```

### A loop whose order does not matter

```python
from temporalio import workflow


@workflow.defn
class Count:
    @workflow.run
    async def run(self, names: set[str], numbers: set[int]) -> int:
        total = 0
        for name in names:
            total += len(name)
        for number in numbers:
            await workflow.sleep(number)
        return total if "end" in names else sum(len(name) for name in names)
```

## Fix safety

`sorted(...)` round a literal of strings is safe: every worker then takes the same order, and none did before. For anything
else it is unsafe, because the elements may not be orderable. In a helper no fix is offered.

## Known missed alarms

Sets whose type is not said and that are bound by more than one kind of value, dicts that were filled by going through a
set, and `asyncio.wait()` (KEL508). Arguments of commands that hold a set in another order are not reported: the history is
not compared with them.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
- https://docs.python.org/3/reference/datamodel.html#object.__hash__
- https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.flow.reaching import Reached
from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.finding import Applicability
    from keel_lint.flow.determinism import Effect
    from keel_lint.jobs.nondeterminism import Reading

_ORDER_KEEPERS = frozenset({"enumerate", "iter", "reversed"})


class UnorderedIteration(ReadingRule):
    code = "KEL507"
    slug = "unordered-iteration"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "PENDING"

    kinds = ("order",)
    reads = "goes through a set and issues commands on the way"
    replayed = (
        "each process gives it another order, so on another worker the commands come in another order than in the history "
        "and the workflow task is retried for ever with a nondeterminism error"
    )
    elsewhere = "`sorted(...)`"

    def harm(self, place: Place, name: str, reading: Reading, *, passed_through: bool = False) -> str | None:  # noqa: ARG002
        """The sandbox does not see it; queries and validators issue no commands."""
        return self.replayed if place.handler == "run" else None

    def judge_own(self, effect: Effect, node: cst.CSTNode, place: Place) -> None:
        """Judge a loop of the workflow itself, which can be put in order."""
        harmed = self.harm(place, effect.name, effect.reading)
        if harmed is None:
            return
        fix = None
        inner = node.func if isinstance(node, cst.Call) else None
        if not (isinstance(inner, cst.Name) and inner.value in _ORDER_KEEPERS):
            fix = self.definition.fix("Use `sorted(...)`", self.applicability(node))
            fix.insert(effect.start, "sorted(")
            fix.insert(effect.end, ")")
        what = f"the loop over `{self.workflow.determinism.spelling(effect)}` issues commands in no fixed order"
        hops = self.workflow.determinism.hops(Reached((), effect)) if effect.because else ()
        self.report(node, f"{what}: {harmed}; use {self.elsewhere}", fix=fix, hops=hops)

    def applicability(self, node: cst.CSTNode) -> Applicability:
        """Strings can be sorted; of anything else that is not known."""
        literal = isinstance(node, cst.Set) and all(isinstance(element.value, cst.SimpleString) for element in node.elements)
        return "safe" if literal else "unsafe"
