"""The class of an object, as far as the index can tell: what a method call is called on.

Known are constructors, annotations, `Self`, class attributes, factories with a return annotation, what a Django manager gives,
and names that are bound to one of these. Anything else has no class.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE
from keel_lint.index.tables import Locals, Names
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keel_lint.index.facts import Assignment, Definition, ModuleFacts
    from keel_lint.project import Project, Symbol

Place = tuple[str, int]
"""A definition: the file, and its position among the file's definitions."""

_DEPTH = 8
_SELF = frozenset({"typing.Self", "typing_extensions.Self"})
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager", "all_objects"})
_GIVES_ONE = frozenset({
    f"{prefix}{name}" for prefix in ("", "a") for name in ("create", "earliest", "first", "get", "last", "latest")
})  # fmt: skip
_SHORTCUTS = frozenset({"django.shortcuts.get_object_or_404", "django.shortcuts.aget_object_or_404"})
_WRAPPERS = frozenset({"Optional", "Annotated", "Final", "ClassVar", "Awaitable", "Coroutine", "type", "Type"})


class Instance(Record, frozen=True):
    """An object of the class at `place`, or the class itself; `exact` where it cannot be one of a subclass."""

    place: Place
    exact: bool = False


class Classes:
    """Answers what class the value of an expression has."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, path: str, text: str, scope: int) -> Instance | None:
        """The class of the value of an expression given as source, at a scope of a file; `None` where it is not known."""
        key = ("class of", path, text, scope)
        return self._project.memo(key, lambda: self._of_text(path, text, scope, 0), None)

    def round_function(self, path: str, scope: int) -> Place | None:
        """The class whose `self` or `cls` is in force at a scope: that of the method, or of the one round a nested function."""
        facts = self._project.facts(path)
        while scope != MODULE:
            definition = facts.definitions[scope]
            if definition.kind == "class":
                return None
            if definition.parent != MODULE and facts.definitions[definition.parent].kind == "class":
                return path, definition.parent
            scope = definition.parent
        return None

    # -- expressions ------------------------------------------------------------------------------------------------------

    def _of_text(self, path: str, text: str, scope: int, depth: int) -> Instance | None:
        tree = parsed(text)
        return self._of(path, tree, scope, depth) if tree is not None else None

    def _of(self, path: str, node: ast.expr, scope: int, depth: int) -> Instance | None:  # noqa: PLR0911 -- one for each kind
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Await):
            return self._of(path, node.value, scope, depth + 1)
        if isinstance(node, ast.IfExp):
            return self._agreed(self._of(path, part, scope, depth + 1) for part in (node.body, node.orelse))
        if isinstance(node, ast.Call):
            return self._called(path, node, scope, depth + 1)
        if isinstance(node, ast.Name):
            return self._named(path, node.id, scope, depth + 1)
        if isinstance(node, ast.Attribute):
            return self._attribute(path, node, scope, depth + 1)
        return None

    def _agreed(self, found: Iterable[Instance | None]) -> Instance | None:
        places = set(found)
        return places.pop() if len(places) == 1 else None

    def _called(self, path: str, node: ast.Call, scope: int, depth: int) -> Instance | None:
        symbol = self._symbol(path, node.func, scope)
        if symbol is not None and symbol.name in _SHORTCUTS and node.args:
            return self._class_named(path, node.args[0], scope)
        if symbol is not None and symbol.definition >= 0 and symbol.state == "internal":
            return self._made_by((symbol.path, symbol.definition))
        if not isinstance(node.func, ast.Attribute):
            return None
        manager = node.func.value
        if node.func.attr in _GIVES_ONE and (model := self._managed(path, manager, scope)) is not None:
            return model
        owner = self._of(path, manager, scope, depth)
        method = self._project.method(*owner.place, node.func.attr) if owner is not None else None
        return self._made_by(method, owner.place if owner is not None else None) if method is not None else None

    def _managed(self, path: str, node: ast.expr, scope: int) -> Instance | None:
        """The model of `Model.objects`, with querysets methods in between."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        if isinstance(node, ast.Attribute) and node.attr in _MANAGERS:
            return self._class_named(path, node.value, scope)
        return None

    def _class_named(self, path: str, node: ast.expr, scope: int) -> Instance | None:
        symbol = self._symbol(path, node, scope)
        if symbol is None or symbol.state != "internal" or symbol.definition < 0:
            return None
        is_class = self._project.facts(symbol.path).definitions[symbol.definition].kind == "class"
        return Instance((symbol.path, symbol.definition), exact=True) if is_class else None

    def _symbol(self, path: str, node: ast.expr, scope: int) -> Symbol | None:
        written = _dotted(node)
        return self._project.resolve(path, written, scope) if written is not None else None

    def _made_by(self, place: Place, owner: Place | None = None) -> Instance | None:
        """What calling a class or function of the project gives; `owner` is the class on which a method is called."""
        definition = self._project.facts(place[0]).definitions[place[1]]
        if definition.kind == "class":
            return Instance(place, exact=True)
        return self._annotated(place[0], definition.returns, definition.parent, owner) if definition.returns else None

    def _named(self, path: str, name: str, scope: int, depth: int) -> Instance | None:
        if name in {"self", "cls"} and (owner := self.round_function(path, scope)) is not None:
            return Instance(owner)
        facts = self._project.facts(path)
        while scope != MODULE:
            definition = facts.definitions[scope]
            if definition.kind == "function" and name in facts.bindings.get(scope, ()):
                return self._bound(path, definition, name, scope, depth)
            scope = definition.parent
        return self._of_symbol(self._project.resolve(path, name), depth)

    def _bound(self, path: str, definition: Definition, name: str, scope: int, depth: int) -> Instance | None:
        facts = self._project.facts(path)
        parameter = next((p for p in definition.parameters if p.name == name), None)
        if parameter is not None and parameter.kind in {"vararg", "kwarg"}:
            return None
        assigned = [a for a in Locals.of(facts).by_name.get((scope, name), ()) if a.value != "None" or a.annotation]
        found = [self._assigned(path, assignment, scope, depth) for assignment in assigned]
        if parameter is not None and (parameter.annotation or not found):
            found.append(self._annotated(path, parameter.annotation, scope) if parameter.annotation else None)
        return self._agreed(found)

    def _assigned(self, path: str, assignment: Assignment, scope: int, depth: int) -> Instance | None:
        if assignment.annotation:
            return self._annotated(path, assignment.annotation, scope)
        return self._of_text(path, assignment.value, scope, depth) if not assignment.cut else None

    def _of_symbol(self, symbol: Symbol, depth: int) -> Instance | None:
        """The class of what a module-level name holds."""
        if symbol.state != "internal" or symbol.assignment < 0:
            return None
        assignment = self._project.facts(symbol.path).assignments[symbol.assignment]
        return self._assigned(symbol.path, assignment, MODULE, depth)

    def _attribute(self, path: str, node: ast.Attribute, scope: int, depth: int) -> Instance | None:
        owner = self._of(path, node.value, scope, depth)
        if owner is None:
            symbol = self._symbol(path, node, scope)
            return self._of_symbol(symbol, depth) if symbol is not None else None
        for place in self._project.mro(*owner.place):
            found = [self._assigned(place[0], a, at, depth) for a, at in self._attributes(place, node.attr)]
            if found:
                return self._agreed(found)
            getter = Names.of(self._project.facts(place[0])).definitions.get((place[1], node.attr))
            if getter:
                return self._made_by((place[0], getter[-1]), owner.place)
        return None

    def _attributes(self, place: Place, name: str) -> Iterator[tuple[Assignment, int]]:
        """The assignments to an attribute of a class, in its body and through `self` in its methods, each with its scope."""
        facts = self._project.facts(place[0])
        for assignment in facts.assignments:
            if assignment.scope == place[1] and assignment.target == name:
                yield assignment, place[1]
            elif assignment.target == f"self.{name}" and assignment.value != "None" and _is_in(facts, assignment, place[1]):
                yield assignment, assignment.scope

    # -- annotations ------------------------------------------------------------------------------------------------------

    def _annotated(self, path: str, annotation: str, scope: int, owner: Place | None = None) -> Instance | None:
        """The class that an annotation names, `Optional` and quotes aside; `Self` is `owner`, or the class round the scope."""
        tree = parsed(annotation)
        while isinstance(tree, ast.Constant) and isinstance(tree.value, str):
            tree = parsed(tree.value)
        return self._annotated_by(path, tree, scope, owner) if tree is not None else None

    def _annotated_by(self, path: str, node: ast.expr, scope: int, owner: Place | None) -> Instance | None:
        if isinstance(node, ast.BinOp):
            sides = [side for side in (node.left, node.right) if not (isinstance(side, ast.Constant) and side.value is None)]
            return self._annotated_by(path, sides[0], scope, owner) if len(sides) == 1 else None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._annotated(path, node.value, scope, owner)
        if isinstance(node, ast.Subscript):
            outer = (_dotted(node.value) or "").rpartition(".")[2]
            inner = node.slice.elts[-1 if outer == "Coroutine" else 0] if isinstance(node.slice, ast.Tuple) else node.slice
            return self._annotated_by(path, inner if outer in _WRAPPERS else node.value, scope, owner)
        symbol = self._symbol(path, node, scope)
        if symbol is not None and (symbol.name in _SELF or symbol.name == "Self"):
            place = owner or self._class_of_scope(path, scope)
            return Instance(place) if place is not None else None
        found = self._class_named(path, node, scope)
        return Instance(found.place) if found is not None else None

    def _class_of_scope(self, path: str, scope: int) -> Place | None:
        if scope == MODULE:
            return None
        is_class = self._project.facts(path).definitions[scope].kind == "class"
        return (path, scope) if is_class else self.round_function(path, scope)


def _is_in(facts: ModuleFacts, assignment: Assignment, owner: int) -> bool:
    """Whether an assignment stands in a method of a class."""
    return assignment.scope != MODULE and facts.definitions[assignment.scope].parent == owner


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None
