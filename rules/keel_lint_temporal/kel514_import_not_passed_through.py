"""A workflow's module imports activities or a heavy library into the sandbox

## What it does

Reports imports at the top of a file with a sandboxed workflow that stand outside `with
workflow.unsafe.imports_passed_through():`, where what is imported is a module of the project that defines activities and
brings libraries of third parties with it, itself or through other modules of the project, or one of the large libraries
that workflow code has no use for (requests, httpx, boto3, numpy, pandas, SQLAlchemy, Django ...). Modules that a worker
passes through, imports under `TYPE_CHECKING` and projects whose workers drop the sandbox are left out.

## Why is this bad?

The sandbox imports the workflow's module for every run, and with it all that it imports and that is not passed through: an
activity's module with its clients and libraries too. That costs memory for every run in the worker's cache, and time in the
workflow task, up to seconds, which can trip the deadlock detector (`[TMPRL1101]`). Libraries that touch sockets or files
while they are imported, such as requests and httpx, keep the worker from starting: `Failed validating workflow`.

A module that is passed through is imported once, and workflow code shares it with the rest of the worker: it must not read
clocks or keep state on behalf of workflow code (KEL501, KEL510 and their neighbours follow calls into it).

## Example

```python title="shop/activities.py"
import requests
from temporalio import activity


@activity.defn
def charge(order: str) -> None:
    requests.post("https://pay.example", timeout=5)
```

```python title="shop/workflows.py"
from datetime import timedelta

from temporalio import workflow

from shop.activities import charge  # KEL514


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=30))
```

### Libraries

```python
from datetime import timedelta

import httpx  # KEL514
import pandas  # KEL514
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity("charge", order, start_to_close_timeout=timedelta(seconds=30))
```

## Use instead

### Under `imports_passed_through()`

```python title="shop/activities.py"
import requests
from temporalio import activity


@activity.defn
def charge(order: str) -> None:
    requests.post("https://pay.example", timeout=5)
```

```python title="shop/workflows.py"
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import pandas

    from shop.activities import charge

if TYPE_CHECKING:
    import numpy


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=30))
```

### Passed through by the worker

```python title="shop/activities.py"
import requests
from temporalio import activity


@activity.defn
def charge(order: str) -> None:
    requests.post("https://pay.example", timeout=5)
```

```python title="shop/workflows.py"
from datetime import timedelta

from temporalio import workflow

from shop.activities import charge


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> None:
        await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=30))
```

```python title="shop/worker.py"
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from shop.activities import charge
from shop.workflows import Order


async def main(client: Client) -> None:
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("shop.activities"))
    await Worker(client, task_queue="shop", workflows=[Order], activities=[charge], workflow_runner=runner).run()
```

### What the sandbox passes through by itself, and small modules

```python title="shop/types.py"
from dataclasses import dataclass

from temporalio import activity


@dataclass
class Order:
    id: str


@activity.defn
def ship(order: Order) -> None: ...
```

```python title="shop/workflows.py"
import json
from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow

from shop.types import Order, ship


class Note(BaseModel):
    text: str


@workflow.defn
class Ship:
    @workflow.run
    async def run(self, order: Order) -> str:
        await workflow.execute_activity(ship, order, start_to_close_timeout=timedelta(seconds=30))
        return json.dumps(Note(text=order.id).model_dump())
```

## Fix safety

Safe for a module that defines activities: the import is put under `imports_passed_through()`, and the functions are only
handed over. For a library it is unsafe, because the sandbox then no longer refuses what its functions do. Only offered
where `workflow` is imported above.

## Known missed alarms

Modules that import such a library themselves, and libraries that are not in the table.

## Options

None.

## References

- https://docs.temporal.io/develop/python/python-sdk-sandbox#passthrough-modules
- https://github.com/temporalio/sdk-python#passthrough-modules
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE
from keel_lint.jobs.sandbox import PASSED_THROUGH
from keel_lint.rule import Rule

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Import

HEAVY = frozenset({
    "PIL", "aiohttp", "boto3", "botocore", "celery", "cv2", "django", "fastapi", "flask", "httpx", "matplotlib", "motor",
    "numpy", "pandas", "polars", "psycopg", "psycopg2", "pyarrow", "pymongo", "redis", "requests", "scipy", "sklearn",
    "sqlalchemy", "tensorflow", "torch", "transformers",
})  # fmt: skip
"""Libraries that are slow or cannot be imported in the sandbox, and that workflow code has no use for."""

_LIGHT = frozenset(sys.stdlib_module_names) | {name.partition(".")[0] for name in PASSED_THROUGH}
_DEPTH = 3

REFUSED_AT_IMPORT = frozenset({"httpx", "requests"})


class ImportNotPassedThrough(Rule):
    code = "KEL514"
    slug = "import-not-passed-through"
    group = "performance"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """The first sandboxed workflow of a file speaks for the file."""
        temporal = glance.jobs.temporal
        workflows = (i for i, d in enumerate(glance.facts.definitions) if d.decorators and temporal.is_workflow(glance.path, d))
        first = next((i for i in workflows if temporal.is_sandboxed(glance.path, glance.facts.definitions[i])), None)
        return first == glance.position and not temporal.sandbox_is_weakened

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        """Judge the imports of the file when its workflow class is entered."""
        if node is not self.definition.node or not self.may_find(self.definition):
            return
        passed = self.passed(self.definition.path)
        seen: set[int] = set()
        for record in self.definition.facts.imports:
            at_top = record.scope == MODULE and self.definition.source.span(record.start, record.end).column == 1
            if at_top and record.start not in passed | seen and (what := self.weight(record)):
                seen.add(record.start)
                self.say(record, what)

    def weight(self, record: Import) -> str:
        """What makes an import heavy; empty where nothing does."""
        top = record.module.partition(".")[0]
        if top in self.definition.jobs.temporal.modules_passed_through:
            return ""
        targets = [
            found for name in self.modules(record) if (found := self.definition.project.module(name, self.definition.path))
        ]
        if not targets:
            return "a heavy library" if top in HEAVY else ""
        temporal = self.definition.jobs.temporal
        own = [target for target in targets if not temporal.is_passed_by_worker(target) and self.has_activities(target)]
        return "a module with activities" if any(self.brings_libraries(target, _DEPTH) for target in own) else ""

    def modules(self, record: Import) -> list[str]:
        """The modules that a statement imports, by name: `import shop.activities` only says `shop` in the index."""
        if not record.attribute:
            text = self.definition.source.slice(record.start, record.end)
            return [part.split()[0] for part in text.removeprefix("import").split(",") if part.split()]
        separator = "" if record.module.endswith(".") else "."
        return [f"{record.module}{separator}{record.attribute}", record.module]

    def has_activities(self, path: str) -> bool:
        """Whether a module defines activities and no workflow."""
        facts, temporal = self.definition.project.try_facts(path), self.definition.jobs.temporal
        decorated = [d for d in facts.definitions if d.decorators] if facts is not None else []
        if any(temporal.is_workflow(path, definition) for definition in decorated):
            return False
        return any(temporal.is_activity(path, definition) for definition in decorated)

    def brings_libraries(self, path: str, depth: int) -> bool:
        """Whether a module of the project imports, at its top, what the sandbox does not pass through by itself."""
        project = self.definition.project
        key = ("brings libraries", path, depth)
        return project.memo(key, lambda: self._brings_libraries(path, depth), False)

    def _brings_libraries(self, path: str, depth: int) -> bool:
        project = self.definition.project
        facts = project.try_facts(path)
        for record in facts.imports if facts is not None else ():
            if record.scope != MODULE or record.start in self.passed(path):
                continue
            target = project.module(record.module, path)
            if target is None and not record.module.startswith(".") and record.module.partition(".")[0] not in _LIGHT:
                return True
            if target is not None and depth and target != path and self.brings_libraries(target, depth - 1):
                return True
        return False

    def passed(self, path: str) -> set[int]:
        """Where the imports of a file that are passed through begin."""
        return {record.start for record in self.definition.jobs.temporal.imports_passed_through(path)}

    def say(self, record: Import, what: str) -> None:
        name = record.module
        harm = "the sandbox loads it again for every run, which takes memory and time in the workflow task"
        if name.partition(".")[0] in REFUSED_AT_IMPORT:
            harm = "the sandbox refuses what it does at import, and the worker does not start (Failed validating workflow)"
        instead = "import it under `workflow.unsafe.imports_passed_through()`"
        message = f"`{name}`, {what}, is imported into the sandbox: {harm}; {instead}"
        self.report((record.start, record.end), message, fix=self.wrapped(record, safe=what.endswith("activities")))

    def wrapped(self, record: Import, *, safe: bool) -> FixBuilder | None:
        """The import under `imports_passed_through()`, where `workflow` is bound above it."""
        above = [one for one in self.definition.facts.imports if one.scope == MODULE and one.start < record.start]
        known = [one for one in above if f"{one.module}.{one.attribute}".strip(".") == "temporalio.workflow"]
        text = self.definition.source.text
        behind = text[record.end :].partition(b"\n")[0].strip()
        if not known or (behind and not behind.startswith(b"#")):
            return None
        indent = "\t" if b"\n\t" in text else "    "
        statement = self.definition.source.slice(record.start, record.end)
        lines = [f"{indent}{line}" if line.strip() else line for line in statement.splitlines()]
        fix = self.definition.fix("Import it under `imports_passed_through()`", "safe" if safe else "unsafe")
        fix.replace_span(
            record.start, record.end, "\n".join([f"with {known[0].name}.unsafe.imports_passed_through():", *lines])
        )
        return fix
