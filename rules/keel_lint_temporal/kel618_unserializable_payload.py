"""A parameter or result is of a type that the SDK cannot serialize.

## What it does

Reports parameters and results of activities, workflows and their handlers whose annotation names `Decimal`, `Fraction`, `date`,
`time`, `timedelta`, a `pathlib` path, `complex`, an exception, or an `Enum` that is neither `str` nor `int`; also inside of
lists, dicts and dataclasses of the project. Nothing is reported where the project sets a data converter of its own, such as
`pydantic_data_converter`, or uses plugins, which may set one.

## Why is this bad?

The default converter writes JSON and raises `TypeError: Object of type Decimal is not JSON serializable`. In a workflow, which
sends the parameter, that fails the workflow *task*, which is tried again for ever while the run goes on looking Running. A
result of an activity fails the attempt, *after* the work has been done, and the retry does it again.

## Example

```python
from datetime import date, timedelta
from decimal import Decimal

from temporalio import activity, workflow

OPENING = date(2026, 12, 1)


@activity.defn
async def is_open(day: date) -> bool:  # KEL618
    return day >= OPENING


@activity.defn
async def price(order_id: str) -> Decimal:  # KEL618
    return Decimal("1.50")


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        minute = timedelta(minutes=1)
        if await workflow.execute_activity(is_open, OPENING, start_to_close_timeout=minute):
            await workflow.execute_activity(price, order_id, start_to_close_timeout=minute)
```

### What clients send

```python
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from temporalio import workflow


class Colour(Enum):
    RED = 1


@dataclass
class Item:
    name: str
    colour: Colour


@workflow.defn
class Order:
    @workflow.run
    async def run(self, items: list[Item]) -> None: ...  # KEL618

    @workflow.signal
    def wait(self, how_long: timedelta | None) -> None: ...  # KEL618
```

## Use instead

### What JSON can hold

```python
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum
from uuid import UUID

from temporalio import activity, workflow


class Colour(str, Enum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


@dataclass
class Item:
    name: str
    colour: Colour
    size: Size
    cents: int
    tags: set[str]


@activity.defn
async def price(order: UUID, at: datetime) -> str:
    return "1.50"


@workflow.defn
class Order:
    @workflow.run
    async def run(self, items: list[Item], seconds: float) -> bytes: ...
```

### The converter for pydantic, which can write them all

```python
from datetime import date
from decimal import Decimal

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


@activity.defn
async def price(order_id: str, day: date) -> Decimal: ...


async def connect() -> Client:
    return await Client.connect("localhost:7233", data_converter=pydantic_data_converter)
```

### Within the code, where nothing is serialized

```python
from datetime import timedelta
from decimal import Decimal

from temporalio import activity, workflow


def total(prices: list[Decimal]) -> Decimal:
    return sum(prices, Decimal(0))


@activity.defn
async def price(prices: list[str]) -> str:
    return str(total([Decimal(one) for one in prices]))


@workflow.defn
class Order:
    def how_long(self) -> timedelta:
        return timedelta(minutes=1)

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(self.how_long())
```

## Fix safety

No fix is offered: whether the type is to change or the converter is for you to say.

## Known missed alarms

Values without an annotation, fields of pydantic models, unions of several types, and projects that set a converter for one
client only.

## Options

None.

## References

- https://docs.temporal.io/develop/python/data-handling/data-conversion
- https://python.temporal.io/temporalio.converter.AdvancedJSONEncoder.html
- https://python.temporal.io/temporalio.contrib.pydantic.html
"""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_temporal._commands import RETRIED_FOR_EVER
from keel_lint_temporal._handlers import methods_of
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.project import Symbol

_REFUSED = frozenset({
    "builtins.complex", "datetime.date", "datetime.time", "datetime.timedelta", "decimal.Decimal", "fractions.Fraction",
    "pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath", "pathlib.WindowsPath",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_UNION = re.compile(r"\||\bUnion\[")
_HOLDERS = re.compile(
    r"(?:typing\.|collections\.abc\.|builtins\.)?(?:Optional|list|List|dict|Dict|set|Set|tuple|Tuple|Sequence|Mapping|frozenset"
    r"|Iterable|str|int|None|Annotated|Any)\Z"
)
_DEPTH = 4


class UnserializablePayload(Rule):
    code = "KEL618"
    slug = "unserializable-payload"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = None
    judges = ("activity", "workflow")
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Judge the parameters and the result of what the engine calls."""
        what = self.what(node)
        if what is None:
            return
        if not self.definition.jobs.temporal.converter_is_default:
            self.decline(node.name, "the project sets a data converter, or plugins that may set one")
            return
        is_activity = what == "activity"
        for parameter in (*node.params.posonly_params, *node.params.params):
            if parameter.annotation is not None:
                then = f"whoever sends it gets TypeError; in a workflow {RETRIED_FOR_EVER}"
                self.judge(parameter.annotation, f"`{parameter.name.value}` of {what} `{node.name.value}`", then)
        if node.returns is not None and what not in {"signal", "validator"}:
            then = "TypeError fails the attempt after its work is done" if is_activity else _RESULT[what]
            self.judge(node.returns, f"the result of {what} `{node.name.value}`", then)

    def what(self, node: cst.FunctionDef) -> str | None:
        """What the engine takes a function for."""
        if is_activity(self.definition, node):
            return "activity"
        method = next((one for one in self.methods.all if one.node is node), None)
        return method.kind if method is not None and method.kind in {"run", "signal", "query", "update"} else None

    def judge(self, annotation: cst.Annotation, where: str, then: str) -> None:
        text = self.definition.code(annotation.annotation)
        found = next(self.refused(text, self.definition.path, self.definition.scope(annotation), 0), None)
        if found is not None:
            is_or_holds = "is" if text.rpartition(".")[2] == found else "holds"
            message = f"{where} {is_or_holds} `{found}`, which the default converter cannot serialize: {then}"
            self.report(annotation.annotation, f"{message}; use a type that JSON has, or `pydantic_data_converter`")

    def refused(self, text: str, path: str, scope: int, depth: int) -> Iterator[str]:
        """The types in an annotation that cannot be serialized, as they are written."""
        text = text.strip("\"'")
        alternatives = [one.strip() for one in text.split("|") if one.strip() != "None"] if "[" not in text else [text]
        if len(alternatives) > 1 or "Union[" in text or "Callable" in text or "Literal" in text:
            return
        for name in _NAME.findall(text):
            if _HOLDERS.match(name):
                continue
            symbol = self.definition.project.resolve(path, name, scope)
            if self.is_refused(symbol):
                yield name.rpartition(".")[2]
            elif depth < _DEPTH:
                yield from self.in_fields(symbol, depth)

    def is_refused(self, symbol: Symbol) -> bool:
        if symbol.name in _REFUSED:
            return True
        if _is_error(symbol.name):
            return True
        if symbol.state != "internal" or symbol.definition < 0:
            return False
        bases = self.definition.project.base_names(symbol.path, symbol.definition)
        return bases == ["enum.Enum"] or any(_is_error(base) for base in bases)

    def in_fields(self, symbol: Symbol, depth: int) -> Iterator[str]:
        """The same for the fields of a dataclass of the project."""
        project = self.definition.project
        if symbol.state != "internal" or symbol.definition < 0:
            return
        facts = project.facts(symbol.path)
        fact = facts.definitions[symbol.definition]
        names = {project.resolve(symbol.path, one.callee, fact.parent).name for one in fact.decorators if one.callee}
        if fact.kind != "class" or "dataclasses.dataclass" not in names:
            return
        for line in _FIELD.finditer(project.source(symbol.path).slice(fact.body_start, fact.end)):
            yield from self.refused(line[1], symbol.path, fact.parent, depth + 1)


_FIELD = re.compile(r"^[ \t]*\w+\s*:\s*([^=#\n]+?)\s*(?:=|#|$)", re.MULTILINE)
_RESULT = {
    "run": f"TypeError is raised when the run ends and {RETRIED_FOR_EVER}",
    "update": f"TypeError is raised when the update ends and {RETRIED_FOR_EVER}",
    "query": "the caller gets TypeError and no answer",
}


def _is_error(name: str) -> bool:
    known = getattr(builtins, name.removeprefix("builtins."), None) if name.startswith("builtins.") else None
    return isinstance(known, type) and issubclass(known, BaseException)
