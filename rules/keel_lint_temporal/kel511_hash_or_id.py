"""Workflow code uses `hash()` or `id()` as a value

## What it does

Reports `hash()` and `id()` in workflow code and in what it calls, in other modules too, where the number can get out: not
in a comparison, as a key, in an `.add(...)`, or in methods such as `__hash__`. What workflow code is: see KEL501.

## Why is this bad?

`hash()` of a string, bytes or anything that holds some is drawn with a seed that every process draws anew, and `id()` is an
address in memory. A branch, a shard or an identifier that depends on one comes out differently when the run is replayed by
another worker, and the workflow task fails with a nondeterminism error, over and over. The sandbox lets both through, and
tests do not see it, because one process runs them.

## Example

```python
from temporalio import workflow


@workflow.defn
class Route:
    @workflow.run
    async def run(self, customer: str) -> str:
        shard = hash(customer) % 8  # KEL511
        return f"{shard}-{id(self)}"  # KEL511
```

### In a helper

```python title="shop/shards.py"
def shard_of(customer: str) -> int:
    return hash(customer) % 8
```

```python title="shop/workflows.py"
from temporalio import workflow

from shop.shards import shard_of


@workflow.defn
class Route:
    @workflow.run
    async def run(self, customer: str) -> int:
        return shard_of(customer)  # KEL511
```

## Use instead

### A digest

```python
import hashlib
import zlib

from temporalio import workflow


@workflow.defn
class Route:
    @workflow.run
    async def run(self, customer: str) -> str:
        shard = zlib.crc32(customer.encode()) % 8
        return f"{shard}-{hashlib.sha256(customer.encode()).hexdigest()}"
```

### Only to tell objects apart

```python
from temporalio import workflow


@workflow.defn
class Merge:
    @workflow.run
    async def run(self, rows: list[list[str]]) -> int:
        seen: set[int] = set()
        for row in rows:
            if id(row) in seen:
                continue
            seen.add(id(row))
        return len(seen) + (hash(rows[0][0]) == hash(rows[-1][0]))
```

### Hashes of numbers, and of a class's own

```python
from temporalio import workflow


class Money:
    def __init__(self, cents: int, currency: str) -> None:
        self.cents, self.currency = cents, currency

    def __hash__(self) -> int:
        return hash((self.cents, self.currency))


@workflow.defn
class Pay:
    @workflow.run
    async def run(self, cents: int) -> int:
        return hash(42) + len({Money(cents, "EUR")})
```

## Fix safety

No fix is offered: another number means another shard or key for runs in flight.

## Known missed alarms

Numbers that are kept in a variable and only compared are reported, those that are compared in place are not, whatever
follows.

## Options

`[tool.keel-lint.functions]`: a function that is configured as `deterministic` is not looked into.

## References

- https://docs.python.org/3/reference/datamodel.html#object.__hash__
- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
"""

from __future__ import annotations

from keel_lint_temporal._workflow_code import ReadingRule


class HashOrId(ReadingRule):
    code = "KEL511"
    slug = "hash-or-id"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("identity",)
    reads = "differs from process to process"
    replayed = "a replay by another worker gets another number and can stray from its history"
    elsewhere = "a digest such as `zlib.crc32(...)`"
