"""A workflow class is one that the SDK refuses.

## What it does

Reports workflow classes without a `@workflow.run` method or with two, a `run` that is no `async def`, an override of a run or
handler without its decorator, `@workflow.init` on another method than `__init__` or with other parameters than `run`, update
validators that are `async def` or take other parameters than the update, two handlers of one name, and workflow classes inside
functions.

## Why is this bad?

The decorators check the class when its module is imported and raise `ValueError`. The worker does not start, and neither does
anything else that imports the module: the web process that only wants to start a workflow, the tests, the other workflows.

## Example

```python
from temporalio import workflow


@workflow.defn
class Forgotten:  # KEL723
    async def run(self) -> None: ...


@workflow.defn
class Order:
    @workflow.init
    def __init__(self, order_id: str) -> None:  # KEL723
        self.order_id = order_id

    @workflow.run
    def run(self) -> None: ...  # KEL723

    @workflow.signal(name="cancel")
    def stop(self) -> None: ...

    @workflow.signal
    def cancel(self) -> None: ...  # KEL723

    @workflow.update
    async def add(self, item: str) -> None: ...

    @add.validator
    async def check(self, item: str) -> None: ...  # KEL723
```

A class inside a function cannot be found again by its name:

```python
from temporalio import workflow


def make_workflow() -> type:
    @workflow.defn
    class Order:  # KEL723
        @workflow.run
        async def run(self) -> None: ...

    return Order
```

An override must repeat the decorator:

```python
from temporalio import workflow


class Base:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.query
    def state(self) -> str:
        return ""


@workflow.defn
class Order(Base):
    @workflow.run
    async def run(self) -> None: ...

    def state(self) -> str:  # KEL723
        return "new"
```

## Use instead

### One run, async

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.init
    def __init__(self, order_id: str) -> None:
        self.order_id = order_id

    @workflow.run
    async def run(self, order: str) -> None: ...

    @workflow.signal(name="cancel")
    def stop(self) -> None: ...

    @workflow.update
    async def add(self, item: str) -> None: ...

    @add.validator
    def check(self, what: str) -> None: ...
```

### An override with its decorator

```python
from temporalio import workflow


class Base:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.query
    def state(self) -> str:
        return ""


@workflow.defn
class Order(Base):
    @workflow.run
    async def run(self) -> None: ...

    @workflow.query
    def state(self) -> str:
        return "new"
```

### A decorator of the project that applies `workflow.run`

```python title="shop/tracing.py"
from functools import wraps

from temporalio import workflow


def traced_run(function):
    @workflow.run
    @wraps(function)
    async def wrapper(*arguments):
        workflow.logger.info("started")
        return await function(*arguments)

    return wrapper
```
```python title="shop/workflows.py"
from temporalio import workflow

from shop.tracing import traced_run


@workflow.defn
class Order:
    @traced_run
    async def run(self, order_id: str) -> None: ...
```

### A base that is not known here

```python
from temporalio import workflow
from vendor.workflows import Forwarding


@workflow.defn
class Order(Forwarding):
    async def helper(self) -> None: ...
```

## Fix safety

Safe: `async` is added to a run and taken from a validator that awaits nothing. The module cannot be imported as it stands, so
nothing runs with it.

## Known missed alarms

Parameters that differ only in their types, except where both are plain names; decorators that are applied by hand; whatever an
unknown base class or a metaclass brings.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/basics#develop-workflows
- https://python.temporal.io/temporalio.workflow.html#run
- https://python.temporal.io/temporalio.workflow.html#init
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.temporal import WORKFLOW
from keel_lint.rule import Rule
from keel_lint_temporal._handlers import HANDLERS, keyword, methods_of, name_span, waits, without_async

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint_temporal._handlers import Method

_NO_BASES = frozenset({"builtins.object", "typing.Generic", "typing.Protocol", "abc.ABC"})


class WorkflowShape(Rule):
    code = "KEL723"
    slug = "workflow-shape"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)
        self.last = {method.name: method for method in self.methods.all}

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        """Judge a workflow in a function."""
        function = self.definition.nearest(node, cst.FunctionDef)
        if function is None or not any(self.is_defn(decorator) for decorator in node.decorators):
            return
        if any(self.methods.kind_of(one) == "run" for body in node.body.body for one in getattr(body, "decorators", ())):
            what = f"workflow `{node.name.value}` is defined in `{function.name.value}`"
            self.report(node.name, f"{what}: ValueError is raised when that runs; define it at module level")

    def is_defn(self, decorator: cst.Decorator) -> bool:
        expression = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        return self.definition.name(expression) == f"{WORKFLOW}.defn"

    def finish(self) -> None:
        """Judge the class as a whole."""
        if self.methods.owner is None:
            return
        self.judge_runs(self.methods.owner)
        self.judge_init()
        self.judge_validators()
        self.judge_names()
        for method, kind, base in self.bare_overrides():
            what = f"`{method.name}` overrides the {kind} of `{base}` without its decorator"
            self.say(name_span(self.definition, method), what, f"add `@workflow.{kind}`")

    def say(self, where: cst.CSTNode | tuple[int, int], what: str, instead: str, fix: FixBuilder | None = None) -> None:
        self.report(where, f"{what}: ValueError is raised when the module is imported; {instead}", fix=fix)

    # -- run and init -----------------------------------------------------------------------------------------------------

    def judge_runs(self, owner: cst.ClassDef) -> None:
        runs = [method for method in self.last.values() if method.kind == "run"]
        for extra in runs[1:]:
            what = f"`{owner.name.value}` has two `@workflow.run` methods, `{runs[0].name}` and `{extra.name}`"
            self.say(name_span(self.definition, extra), what, "keep one")
        for run in runs:
            if not run.is_async:
                fix = self.definition.fix("Make it an `async def`", "safe")
                start = name_span(self.definition, run)[0]
                fix.insert(self.definition.source.text.rindex(b"def", 0, start), "async ")
                self.say(name_span(self.definition, run), f"the run method `{run.name}` is no `async def`", "add `async`", fix)
        if not runs and self.knows_bases():
            what = f"workflow `{owner.name.value}` has no `@workflow.run` method of its own"
            self.say(owner.name, what, "decorate the method that is the workflow")

    def knows_bases(self) -> bool:
        project, path = self.definition.project, self.definition.path
        for owner_path, owner in project.mro(path, self.definition.position):
            definition = project.facts(owner_path).definitions[owner]
            for base in definition.bases:
                symbol = project.resolve(owner_path, base.text.partition("[")[0], definition.parent)
                if base.keyword or (symbol.name not in _NO_BASES and symbol.definition < 0):
                    return False
        return not any(self.definition.code(statement).startswith("run =") for statement in self.statements())

    def statements(self) -> Iterator[cst.CSTNode]:
        return (one for one in self.methods.owner.body.body) if self.methods.owner is not None else iter(())

    def judge_init(self) -> None:
        run = next(iter(self.methods.of("run")), None)
        for init in self.methods.of("init"):
            if init.name != "__init__":
                what = f"`@workflow.init` stands on `{init.name}`"
                self.say(name_span(self.definition, init), what, "it may only stand on `__init__`")
            elif run is not None and self.differ(init, run):
                what = f"the parameters of `__init__` and `{run.name}` differ, and both get the workflow's arguments"
                self.say(name_span(self.definition, init), what, "give them the same")

    # -- handlers ---------------------------------------------------------------------------------------------------------

    def judge_validators(self) -> None:
        for validator in self.methods.of("validator"):
            if validator.is_async:
                fix = None if waits(validator.node.body) else without_async(self.definition, validator, "safe")
                what = f"the validator `{validator.name}` is an `async def`"
                self.say(name_span(self.definition, validator), what, "remove `async`", fix)
            written = self.definition.code(validator.decorator.decorator) if validator.decorator is not None else ""
            update = self.methods.named(written.partition("(")[0].removesuffix(".validator"))
            if update is not None and update.kind == "update" and self.differ(validator, update):
                what = f"the parameters of the validator `{validator.name}` and the update `{update.name}` differ"
                self.say(name_span(self.definition, validator), what, "give them the same")

    def judge_names(self) -> None:
        seen: dict[tuple[str, str], Method] = {}
        for method in self.last.values():
            name = self.handled(method)
            if name is None:
                continue
            first = seen.setdefault((method.kind, name), method)
            if first is not method:
                what = f"`{first.name}` and `{method.name}` both handle the {method.kind} `{name}`"
                self.say(name_span(self.definition, method), what, "give one of them another name")

    def handled(self, method: Method) -> str | None:
        """The name under which a message reaches a handler; `None` where it has none, or one that is not known."""
        if method.kind not in HANDLERS or method.decorator is None:
            return None
        call = method.decorator.decorator
        if not isinstance(call, cst.Call):
            return method.name
        if keyword(call, "dynamic") is not None or any(argument.star for argument in call.args):
            return None
        given = keyword(call, "name")
        value = self.definition.value(given.value) if given is not None else method.name
        return value if isinstance(value, str) else None

    def bare_overrides(self) -> Iterator[tuple[Method, str, str]]:
        """The methods that override a run or handler without its decorator: each with its kind and its class."""
        project, temporal = self.definition.project, self.definition.jobs.temporal
        for path, owner in project.mro(self.definition.path, self.definition.position)[1:]:
            facts = project.facts(path)
            for inherited in facts.definitions:
                kind = temporal.handler(path, inherited) if inherited.parent == owner and inherited.decorators else None
                method = self.last.get(inherited.name)
                if kind in {"run", *HANDLERS} and method is not None and not method.kind:
                    yield method, kind or "", facts.definitions[owner].name

    # -- parameters -------------------------------------------------------------------------------------------------------

    def differ(self, one: Method, other: Method) -> bool:
        """Whether two methods are sure to take different parameters; their names do not matter."""
        first, second = one.node.params, other.node.params
        if any(params.star_kwarg or params.kwonly_params or _is_starred(params) for params in (first, second)):
            return False
        mine, yours = ((*params.posonly_params, *params.params)[1:] for params in (first, second))
        if len(mine) != len(yours):
            return True
        return any(self.types_differ(a.annotation, b.annotation) for a, b in zip(mine, yours, strict=True))

    def types_differ(self, one: cst.Annotation | None, other: cst.Annotation | None) -> bool:
        names = [self.definition.name(each.annotation) for each in (one, other) if each is not None]
        return len(names) == 2 and None not in names and names[0] != names[1]


def _is_starred(params: cst.Parameters) -> bool:
    return isinstance(params.star_arg, cst.Param)
