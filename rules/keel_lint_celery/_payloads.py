"""What the JSON of Kombu cannot carry: which expressions surely give such a thing.

Kombu's encoder knows datetime, date, time, Decimal, UUID, bytes, Django's lazy strings and what has `__json__`; anything else
is as in `json`. Source: https://docs.celeryq.dev/projects/kombu/en/stable/userguide/serialization.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import dotted
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.types import Types
from keel_lint.project import Symbol
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.bindings import Binding


class Payload(Record, frozen=True):
    """Something that cannot be encoded: what it is, what to pass instead, and whether a list of it serves."""

    what: str
    instead: str
    is_listable: bool = False
    is_pydantic: bool = False


_SET = Payload("a set", "pass a list", is_listable=True)
_GENERATOR = Payload("a generator", "pass a list", is_listable=True)
_VIEW = Payload("a view of a dict", "pass a list", is_listable=True)
_FILE = Payload("a file", "store it and pass its path or key")
_FUNCTION = Payload("a function", "pass its name")
_DELTA = Payload("a timedelta", "pass its `total_seconds()`")
_PATH = Payload("a Path", "pass `str(...)` of it")
_EXCEPTION = Payload("an exception", "pass `str(...)` of it")
_ENUM = Payload("a member of an Enum", "pass its `.value`")
_DATACLASS = Payload("a dataclass", "pass `dataclasses.asdict(...)` of it")
_PYDANTIC = Payload("a pydantic model", 'pass its `model_dump(mode="json")`', is_pydantic=True)
OBJECT = Payload("an object", "pass the values that the task needs")

_MADE_BY: dict[str, Payload] = {
    **dict.fromkeys(("builtins.set", "builtins.frozenset"), _SET),
    **dict.fromkeys(("builtins.map", "builtins.filter", "builtins.zip", "builtins.range", "builtins.reversed"), _GENERATOR),
    **dict.fromkeys(("builtins.enumerate", "itertools.chain", "itertools.islice", "itertools.chain.from_iterable"), _GENERATOR),
    "datetime.timedelta": _DELTA,
    **dict.fromkeys(("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"), _PATH),
    **dict.fromkeys(("builtins.Exception", "builtins.ValueError", "builtins.RuntimeError"), _EXCEPTION),
}
_ANNOTATED: dict[str, Payload] = {
    **_MADE_BY,
    **dict.fromkeys(("typing.Set", "typing.FrozenSet", "typing.AbstractSet", "collections.abc.Set"), _SET),
    **dict.fromkeys(("typing.Generator", "collections.abc.Generator"), _GENERATOR),
    **dict.fromkeys(("typing.Callable", "collections.abc.Callable"), _FUNCTION),
}
_DICTS = frozenset({"builtins.dict", "collections.Counter", "collections.OrderedDict", "collections.defaultdict"})
_VIEWS = frozenset({"keys", "values", "items"})
_DATACLASSES = frozenset({"attr.define", "attr.s", "attrs.define", "attrs.frozen", "dataclasses.dataclass"})
_PYDANTIC_MODELS = frozenset({"pydantic.BaseModel", "pydantic.main.BaseModel"})
_ENUMS = frozenset({"enum.Enum", "enum.Flag"})
_MIXED_IN = frozenset({"builtins.str", "builtins.int", "builtins.float", "enum.IntEnum", "enum.IntFlag", "enum.StrEnum"})
_NOTHING = frozenset({"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"})
_ERRORS = re.compile(r"builtins\.\w*(?:Error|Exception)\Z")
_OPTIONAL = re.compile(r"(?:\w+\.)*Optional\[(.+)\]\Z", re.DOTALL)
_DEPTH = 6


class Payloads:
    """Answers what cannot be encoded in one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._bindings = definition.once(Bindings)

    def of(self, node: cst.BaseExpression, depth: int = 0) -> Payload | None:
        """What an expression gives, or what is in the container that it makes; `None` for what can be encoded or is unknown."""
        if depth > _DEPTH:
            return None
        made = self._made(node, depth) or self._file(node)
        if made is not None:
            return made
        return next((found for one in _inside(node) if (found := self.of(one, depth + 1)) is not None), None)

    def _made(self, node: cst.BaseExpression, depth: int) -> Payload | None:  # noqa: PLR0911 -- one line for each kind
        if isinstance(node, (cst.Set, cst.SetComp)):
            return _SET
        if isinstance(node, cst.GeneratorExp):
            return _GENERATOR
        if isinstance(node, cst.Lambda):
            return _FUNCTION
        if isinstance(node, cst.Call):
            return self._call(node)
        if isinstance(node, cst.Attribute):
            return self._member(node)
        if isinstance(node, cst.Name):
            return self._name(node, depth)
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
            return _PATH if self._made(node.left, depth) is _PATH else None
        return None

    def _file(self, node: cst.BaseExpression) -> Payload | None:
        value = self._definition.once(Types).of(node)
        return _FILE if value is not None and value.kind in {"file", "upload"} else None

    # -- calls and members ------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call) -> Payload | None:
        func = node.func
        if isinstance(func, cst.Attribute) and func.attr.value in _VIEWS and not node.args:
            return _VIEW if self._is_dict(func.value) else None
        found = _MADE_BY.get(self._definition.called(node) or "")
        return found or self._instance(self._symbol(func))

    def _is_dict(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, (cst.Dict, cst.DictComp)):
            return True
        if isinstance(node, cst.Call):
            return self._definition.called(node) in _DICTS
        bound = self._bindings.reaching(node) if isinstance(node, cst.Name) else []
        sources = [one.source for one in bound if one.how == "value" and isinstance(one.source, cst.BaseExpression)]
        return bool(bound) and len(sources) == len(bound) and all(self._is_dict(one) for one in sources)

    def _member(self, node: cst.Attribute) -> Payload | None:
        symbol = self._symbol(node.value)
        if symbol is None or not self._is_class(symbol) or self._instance(symbol) is not _ENUM:
            return None
        facts = self._definition.project.facts(symbol.path)
        members = {one.target for one in facts.assignments if one.scope == symbol.definition}
        return _ENUM if node.attr.value in members else None

    def _symbol(self, node: cst.CSTNode) -> Symbol | None:
        """What a dotted name stands for; `None` for a local variable."""
        written = dotted(node)
        if written is None or self._definition.name(node) is None:
            return None
        definition = self._definition
        return definition.project.resolve(definition.path, written, definition.scope(node))

    # -- classes ----------------------------------------------------------------------------------------------------------

    def _is_class(self, symbol: Symbol) -> bool:
        if symbol.state != "internal" or symbol.definition < 0:
            return False
        return self._definition.project.facts(symbol.path).definitions[symbol.definition].kind == "class"

    def _instance(self, symbol: Symbol | None) -> Payload | None:
        """An instance of a class of the project, by the bases that the class has."""
        if symbol is None or not self._is_class(symbol):
            return None
        project = self._definition.project
        key = ("payload", symbol.path, symbol.definition)
        return project.memo(key, lambda: self._read_class(symbol), None)

    def _read_class(self, symbol: Symbol) -> Payload | None:
        project = self._definition.project
        owners = project.mro(symbol.path, symbol.definition)
        methods = {d.name for path, owner in owners for d in project.facts(path).definitions if d.parent == owner}
        if "__json__" in methods or self._definition.jobs.models.of(symbol) is not None:
            return None
        own = {project.facts(path).definitions[owner].qualname for path, owner in owners}
        names = {name for name in project.base_names(symbol.path, symbol.definition) if name.rpartition(".")[2] not in own}
        if names & _ENUMS:
            return None if names & _MIXED_IN else _ENUM
        if names & _PYDANTIC_MODELS:
            return _PYDANTIC
        if names and all(_ERRORS.match(name) for name in names):
            return _EXCEPTION
        if not names <= _NOTHING:
            return None
        return _DATACLASS if self._is_dataclass(symbol) else OBJECT

    def _is_dataclass(self, symbol: Symbol) -> bool:
        project = self._definition.project
        definition = project.facts(symbol.path).definitions[symbol.definition]
        decorators = (one.callee for one in definition.decorators if one.callee)
        return any(project.resolve(symbol.path, callee, definition.parent).name in _DATACLASSES for callee in decorators)

    # -- names ------------------------------------------------------------------------------------------------------------

    def _name(self, node: cst.Name, depth: int) -> Payload | None:
        bound = self._bindings.reaching(node)
        if not bound:
            return self._module_level(node)
        found = [self._bound(one, depth) for one in bound]
        return found[0] if all(one is not None and one is found[0] for one in found) else None

    def _module_level(self, node: cst.Name) -> Payload | None:
        symbol = self._symbol(node)
        if symbol is None or symbol.state != "internal" or symbol.definition < 0:
            return None
        definition = self._definition.project.facts(symbol.path).definitions[symbol.definition]
        is_plain = definition.kind == "function" and not definition.decorators
        return _FUNCTION if is_plain and "." not in definition.qualname else None

    def _bound(self, binding: Binding, depth: int) -> Payload | None:
        source = binding.source
        if binding.how == "value" and isinstance(source, cst.BaseExpression):
            return self._made(source, depth + 1)
        if binding.how == "annotated" and isinstance(source, cst.AnnAssign):
            made = self._made(source.value, depth + 1) if source.value is not None else None
            return made or self._annotated(source.annotation)
        if binding.how == "parameter" and isinstance(source, cst.Param):
            return self._annotated(source.annotation) if source.annotation is not None else self._self(source)
        if isinstance(binding.node, cst.ExceptHandler):
            return _EXCEPTION
        return None

    def _self(self, parameter: cst.Param) -> Payload | None:
        """`self` in a method of a class of the project."""
        definition = self._definition
        function = definition.nearest(parameter, cst.FunctionDef)
        if parameter.name.value != "self" or function is None or function.decorators:
            return None
        owner = definition.scope(function)
        if owner < 0 or definition.facts.definitions[owner].kind != "class":
            return None
        name = f"{definition.project.module_name(definition.path)}.{definition.facts.definitions[owner].qualname}"
        return self._instance(Symbol(name, "internal", definition.path, owner))

    def _annotated(self, annotation: cst.Annotation) -> Payload | None:
        text = self._definition.code(annotation.annotation).strip("\"'")
        optional = _OPTIONAL.match(text)
        parts = [part.strip() for part in (optional[1] if optional else text).split("|") if part.strip() != "None"]
        head = parts[0].partition("[")[0] if len(parts) == 1 or "[" in parts[0] else ""
        if not head or (len(parts) > 1 and "]" not in parts[-1]):
            return None
        definition = self._definition
        symbol = definition.project.resolve(definition.path, head, definition.scope(annotation))
        return _ANNOTATED.get(symbol.name) or self._instance(symbol)


def _inside(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """What a container holds that is made where it stands."""
    if isinstance(node, (cst.List, cst.Tuple)):
        return [one.value for one in node.elements if isinstance(one, cst.Element)]
    if isinstance(node, cst.Dict):
        return [one.value for one in node.elements if isinstance(one, cst.DictElement)]
    if isinstance(node, cst.ListComp):
        return [node.elt]
    return [node.value] if isinstance(node, cst.DictComp) else []


def has_own_encoding(jobs: Jobs) -> bool:
    """Whether the project registers types with Kombu."""
    return jobs.project.memo(("own encoding",), lambda: any(_registers(jobs, path) for path in jobs.relevant), recursive=False)


def _registers(jobs: Jobs, path: str) -> bool:
    facts = jobs.project.try_facts(path)
    calls = facts.calls if facts is not None else ()
    return any(
        jobs.project.resolve(path, call.callee, call.scope).name == "kombu.utils.json.register_type"
        for call in calls
        if call.callee.endswith("register_type")
    )
