"""The canonical names of calls, also of methods of objects from outside the project: `redis.Redis.get` for `cache.get()`."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE
from keel_lint.jobs.instances import made_name
from keel_lint.jobs.nondeterminism import GIVES

if TYPE_CHECKING:
    from keel_lint.flow.classes import Classes
    from keel_lint.index.facts import Assignment
    from keel_lint.project import Project, Symbol

_DEPTH = 4


class CanonicalNames:
    """Answers what a call calls by name. An object has the name of what made it, or of what it is annotated with."""

    def __init__(self, project: Project, classes: Classes) -> None:
        self._project = project
        self._classes = classes

    def of(self, path: str, callee: str, scope: int) -> str:
        """The name of what a call calls at a scope of a file; empty where it is not known."""
        key = ("canonical", path, callee, scope)
        return self._project.memo(key, lambda: self._name(path, callee, scope, 0), "")

    def _name(self, path: str, callee: str, scope: int, depth: int) -> str:
        made, called, rest = callee.partition("().")
        if called:
            owner = self._given_by(path, made, scope, depth + 1)
            return f"{owner}.{rest.replace('()', '')}" if owner else ""
        if depth > _DEPTH or not callee.replace(".", "").isidentifier():
            return ""
        symbol = self._project.resolve(path, callee, scope)
        if symbol.state == "local":
            return self._of_local(path, callee, scope, depth)
        return made_name(self._project, symbol)

    def _given_by(self, path: str, callee: str, scope: int, depth: int) -> str:
        """The name of what a call gives: that of what it calls, or what a function of the project says that it returns."""
        symbol = self._project.resolve(path, callee, scope) if callee.replace(".", "").isidentifier() else None
        returned = self._returned(symbol) if symbol is not None else ""
        name = returned or self._name(path, callee, scope, depth)
        return GIVES.get(name, name)

    def _returned(self, symbol: Symbol) -> str:
        if symbol.state != "internal" or symbol.definition < 0:
            return ""
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        if definition.kind != "function" or not definition.returns:
            return ""
        given = self._project.resolve(symbol.path, definition.returns.strip("\"'"), definition.parent)
        return given.name if given.state == "external" else ""

    def _of_local(self, path: str, callee: str, scope: int, depth: int) -> str:
        """The name of a local variable's method: by what the variable is bound to once, or annotated with."""
        head, dot, rest = callee.partition(".")
        facts = self._project.facts(path)
        if head in {"self", "cls"} and rest:
            return self._of_attribute(path, rest, scope, depth)
        while scope != MODULE and head not in facts.bindings.get(scope, ()):
            scope = facts.definitions[scope].parent
        if scope == MODULE:
            return ""
        bound = [a for a in facts.locals if a.scope == scope and a.target == head]
        parameter = next((p for p in facts.definitions[scope].parameters if p.name == head), None)
        if parameter is not None:
            owner = self._annotated(path, parameter.annotation, scope) if not bound and parameter.annotation else ""
        else:
            owner = self._value(path, bound[0], depth) if len(bound) == 1 else ""
        return f"{owner}{dot}{rest}" if owner else ""

    def _of_attribute(self, path: str, written: str, scope: int, depth: int) -> str:
        """The name of `self.client.get`, where the class binds `self.client` once."""
        attribute, dot, rest = written.partition(".")
        owner = self._classes.round_function(path, scope) if dot else None
        if owner is None:
            return ""
        for place, position in self._project.mro(*owner):
            bound = [a for a in self._project.facts(place).assignments if self._binds(place, position, a, attribute)]
            values = [a for a in bound if a.value not in {"", "None"}] or [a for a in bound if a.annotation]
            if bound:
                name = self._value(place, values[0], depth) if len(values) == 1 else ""
                return f"{name}.{rest}" if name else ""
        return ""

    def _binds(self, path: str, owner: int, assignment: Assignment, attribute: str) -> bool:
        """Whether an assignment of a class, or of one of its methods, binds an attribute of its objects."""
        if assignment.scope == owner:
            return assignment.target == attribute
        is_method = assignment.scope != MODULE and self._project.facts(path).definitions[assignment.scope].parent == owner
        return is_method and assignment.target == f"self.{attribute}"

    def _value(self, path: str, bound: Assignment, depth: int) -> str:
        if bound.annotation and (known := self._annotated(path, bound.annotation, bound.scope)):
            return known
        callee = _callee(bound.value)
        if callee.endswith("()"):
            return self._given_by(path, callee.removesuffix("()"), bound.scope, depth + 1)
        # A name that stands for another one, as in `self.client = client`.
        return self._name(path, callee, bound.scope, depth + 1) if callee else ""

    def _annotated(self, path: str, annotation: str, scope: int) -> str:
        plain = annotation.strip("\"'").removesuffix("| None").strip()
        symbol = self._project.resolve(path, plain, scope) if plain.replace(".", "").isidentifier() else None
        return GIVES.get(symbol.name, symbol.name) if symbol is not None else ""


@lru_cache(maxsize=4096)
def _callee(value: str) -> str:
    """A value as `Call.callee` is written: `boto3.client()` for `boto3.client("s3")`; empty for what is no name or call."""
    node = parsed(value)
    if node is None:
        return ""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        node = node.values[-1]
    return _written(node.value if isinstance(node, ast.Await) else node)


def _written(node: ast.expr) -> str:
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            parts.append("()")
            node = node.func
        elif isinstance(node, ast.Attribute):
            parts.append(f".{node.attr}")
            node = node.value
        else:
            return ""
    return "".join([node.id, *reversed(parts)])
