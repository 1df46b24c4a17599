"""Whether an expression gives its elements in an order that differs from process to process: sets, and what is made from them.

Strings are hashed with a seed that every process draws anew, so a set of them is gone through in another order each time. Sets
of numbers are not, and neither are dicts, which keep the order of insertion.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from keel_lint.flow.bodies import Value
    from keel_lint.flow.classes import Classes
    from keel_lint.index.facts import Assignment, Definition
    from keel_lint.project import Project

Shape = Literal["set", "map of sets"]


Origin = tuple[str, int, int, str]
"""A place that says that something is a set: file, bytes, and what to say of it."""

_DEPTH = 8
_SAYS: dict[Shape, str] = {"set": "a set", "map of sets": "a mapping of sets"}
_SETS = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_MAPS = frozenset({"dict", "Dict", "defaultdict", "DefaultDict", "Mapping", "MutableMapping"})
_WRAPPERS = frozenset({"Optional", "Annotated", "Final", "ClassVar"})
_NUMBERS = frozenset({"int", "bool", "float"})
_KEEP_ORDER = frozenset({"builtins.list", "builtins.tuple", "builtins.enumerate", "builtins.iter", "builtins.reversed"})
_MAKE = frozenset({"builtins.set", "builtins.frozenset"})
_ALGEBRA = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_LOOKUPS = frozenset({"get", "pop", "setdefault"})


class Unordered:
    """Answers for the expressions of one function; `values` are what its local names are bound to."""

    def __init__(self, project: Project, classes: Classes, path: str, scope: int, values: Mapping[str, list[Value]]) -> None:
        self._project = project
        self._classes = classes
        self._path = path
        self._scope = scope
        self._values = values
        self._origin: list[Origin] = []

    def origin(self, text: str) -> tuple[Origin, ...] | None:
        """Where the set stands that an expression given as source is, or goes through; `None` for anything else."""
        self._origin = []
        node = parsed(text)
        return tuple(dict.fromkeys(self._origin)) if node is not None and self._of(node, 0) == "set" else None

    def _follow(self, found: Shape | None, path: str, value: Value | Assignment, name: str) -> Shape | None:
        """Remember the binding of a name through which a set was found."""
        if found is not None:
            self._origin.append((path, value.start, value.end, f"`{name}` is {_SAYS[found]}"))
        return found

    def _of(self, node: ast.expr, depth: int) -> Shape | None:  # noqa: PLR0911 -- one line for each kind of expression
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Set):
            return "set" if len(node.elts) > 1 and not all(_is_number(element) for element in node.elts) else None
        if isinstance(node, ast.SetComp):
            return None if self._gives_numbers(node) else "set"
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)):
            return self._any((node.left, node.right), depth)
        if isinstance(node, ast.BoolOp):
            return self._any(node.values, depth)
        if isinstance(node, ast.IfExp):
            return self._any((node.body, node.orelse), depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.Subscript):
            return "set" if self._of(node.value, depth + 1) == "map of sets" else None
        if isinstance(node, ast.Name):
            return self._name(node.id, depth)
        return self._attribute(node, depth) if isinstance(node, ast.Attribute) else None

    def _any(self, nodes: Iterable[ast.expr], depth: int) -> Shape | None:
        return next((found for node in nodes if (found := self._of(node, depth + 1)) is not None), None)

    def _gives_numbers(self, node: ast.SetComp) -> bool:
        called = node.elt.func if isinstance(node.elt, ast.Call) else None
        return _is_number(node.elt) or (isinstance(called, ast.Name) and called.id in {*_NUMBERS, "len", "ord"})

    def _call(self, node: ast.Call, depth: int) -> Shape | None:
        name = self._resolved(node.func)
        if name in _MAKE:
            return "set" if not node.args or not self._is_range(node.args[0]) else None
        if name in _KEEP_ORDER:
            return "set" if node.args and self._of(node.args[0], depth + 1) == "set" else None
        if name == "collections.defaultdict" and node.args:
            return "map of sets" if self._resolved(node.args[0]) in _MAKE else None
        if not isinstance(node.func, ast.Attribute):
            return None
        owner = self._of(node.func.value, depth + 1)
        if owner == "set":
            return "set" if node.func.attr in _ALGEBRA else None
        return "set" if owner == "map of sets" and node.func.attr in _LOOKUPS else None

    def _is_range(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self._resolved(node.func) == "builtins.range"

    def _resolved(self, node: ast.expr) -> str:
        written = ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        return self._project.resolve(self._path, written, self._scope).name if written.replace(".", "").isidentifier() else ""

    # -- names ------------------------------------------------------------------------------------------------------------

    def _name(self, name: str, depth: int) -> Shape | None:
        found = [
            self._follow(self._bound(value.annotation, value.text, depth), self._path, value, name)
            for value in self._values.get(name, [])
        ]
        parameter = self._parameter(name)
        if parameter is not None:
            found.append(self._bound(parameter, "", depth))
        if found:
            return self._agreed(found)
        symbol = self._project.resolve(self._path, name, self._scope)
        if symbol.state != "internal" or symbol.assignment < 0 or symbol.path != self._path:
            return None
        assignment = self._project.facts(symbol.path).assignments[symbol.assignment]
        shape = None if assignment.cut else self._bound(assignment.annotation, assignment.value, depth)
        return self._follow(shape, symbol.path, assignment, name)

    def _bound(self, annotation: str, value: str, depth: int) -> Shape | None:
        found = _annotated(parsed(annotation)) if annotation else None
        if found is not None or (annotation and not value):
            return found
        node = parsed(value)
        return self._of(node, depth + 1) if node is not None else None

    def _agreed(self, found: list[Shape | None]) -> Shape | None:
        return found[0] if found and len(set(found)) == 1 else None

    def _parameter(self, name: str) -> str | None:
        return next((p.annotation for p in self._definition.parameters if p.name == name and p.kind != "vararg"), None)

    @property
    def _definition(self) -> Definition:
        return self._project.facts(self._path).definitions[self._scope]

    def _attribute(self, node: ast.Attribute, depth: int) -> Shape | None:
        """An attribute of an object of the project: by what it is annotated with, else by all that is assigned to it."""
        owner = self._classes.of(self._path, ast.unparse(node.value), self._scope)
        if owner is None:
            return None
        for place in self._project.mro(*owner.place):
            assigned = list(self._assigned(place, node.attr))
            annotated = [assignment for assignment in assigned if assignment.annotation]
            if annotated:
                shape = _annotated(parsed(annotated[0].annotation))
                return self._follow(shape, place[0], annotated[0], ast.unparse(node))
            if assigned:
                values = ((one, parsed(one.value)) for one in assigned)
                found = [(one, self._of(value, depth + 1)) for one, value in values if value is not None]
                return self._follow(self._agreed([shape for _, shape in found]), place[0], assigned[0], ast.unparse(node))
        return None

    def _assigned(self, place: tuple[str, int], name: str) -> Iterator[Assignment]:
        facts = self._project.facts(place[0])
        for assignment in facts.assignments:
            in_body = assignment.scope == place[1] and assignment.target == name
            in_method = assignment.scope != MODULE and facts.definitions[assignment.scope].parent == place[1]
            if in_body or (in_method and assignment.target == f"self.{name}"):
                yield assignment


def _annotated(node: ast.expr | None) -> Shape | None:
    """The shape that an annotation says."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _annotated(parsed(node.value))
    if isinstance(node, ast.BinOp):
        return _annotated(node.left) or _annotated(node.right)
    name, inside = node, None
    if isinstance(node, ast.Subscript):
        name, inside = node.value, node.slice
    last = ast.unparse(name).rpartition(".")[2] if isinstance(name, (ast.Name, ast.Attribute)) else ""
    elements = inside.elts if isinstance(inside, ast.Tuple) else [inside] if inside is not None else []
    if last in _WRAPPERS and elements:
        return _annotated(elements[0])
    if last in _SETS:
        return None if elements and _is_number_type(elements[0]) else "set"
    return "map of sets" if last in _MAPS and len(elements) == 2 and _annotated(elements[1]) == "set" else None


def _is_number_type(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _NUMBERS


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
