"""The options that a `**` hands to an activity call: dicts, `ActivityConfig(...)`, and the constants that hold them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from keel_lint.index.facts import MODULE
from keel_lint.jobs.temporal import WORKFLOW
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.project import Project, Symbol

CONFIGS = frozenset({
    f"{WORKFLOW}.ActivityConfig", f"{WORKFLOW}.LocalActivityConfig", "builtins.dict", "typing.TypedDict",
    "typing_extensions.TypedDict",
})  # fmt: skip
"""What is called, or inherited from, to make a dict of options."""

_DEPTH = 8

Constant = Callable[[str, str, int], object]
"""From a path, a name and a scope to the constant that stands there, `UNKNOWN` where none does."""


class Options(Record, frozen=True):
    """Options by name, and the source of each; a value that is no constant is `UNKNOWN`. `complete` says that there are no
    others.
    """

    values: Mapping[str, object] = msgspec.field(default_factory=dict)
    complete: bool = True
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __or__(self, other: Options) -> Options:
        complete = self.complete and other.complete
        return Options({**self.values, **other.values}, complete, {**self.texts, **other.texts})


UNREAD = Options(complete=False)


class OptionsReader:
    """Reads what an expression spreads into a call. `constant` folds names to values."""

    def __init__(self, project: Project, constant: Constant) -> None:
        self._project = project
        self._constant = constant

    def read(self, path: str, text: str, scope: int) -> Options:
        """The options that the expression `text`, at a scope of a file, holds."""
        return self._text(path, text, scope, 0)

    def _text(self, path: str, text: str, scope: int, depth: int) -> Options:
        try:
            return self._node(path, ast.parse(text.strip(), mode="eval").body, scope, depth)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return UNREAD

    def _node(self, path: str, node: ast.expr, scope: int, depth: int) -> Options:
        if depth > _DEPTH:
            return UNREAD
        if isinstance(node, ast.Dict):
            return self._dict(path, node, scope, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._node(path, node.left, scope, depth + 1) | self._node(path, node.right, scope, depth + 1)
        if isinstance(node, ast.Call):
            return self._call(path, node, scope, depth)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(path, ast.unparse(node), scope, depth)
        return UNREAD

    def _dict(self, path: str, node: ast.Dict, scope: int, depth: int) -> Options:
        found = Options()
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found |= self._node(path, value, scope, depth + 1)
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                found |= self._option(path, key.value, value, scope)
            else:
                found |= UNREAD
        return found

    def _call(self, path: str, node: ast.Call, scope: int, depth: int) -> Options:
        symbol = self._project.resolve(path, ast.unparse(node.func), scope)
        if not self._makes_options(symbol):
            return UNREAD
        found = Options()
        for argument in node.args:
            found |= self._node(path, argument, scope, depth + 1)
        for keyword in node.keywords:
            if keyword.arg is None:
                found |= self._node(path, keyword.value, scope, depth + 1)
            else:
                found |= self._option(path, keyword.arg, keyword.value, scope)
        return found

    def _makes_options(self, symbol: Symbol) -> bool:
        if symbol.name in CONFIGS:
            return True
        if symbol.state != "internal" or symbol.definition < 0:
            return False
        return not CONFIGS.isdisjoint(self._project.base_names(symbol.path, symbol.definition))

    def _named(self, path: str, dotted: str, scope: int, depth: int) -> Options:
        """The options in a module-level constant that nothing in its module changes."""
        symbol = self._project.resolve(path, dotted, scope)
        if symbol.assignment < 0 or not symbol.path:
            return UNREAD
        assignment = self._project.facts(symbol.path).assignments[symbol.assignment]
        if assignment.cut or self._changes(symbol.path, assignment.target):
            return UNREAD
        return self._text(symbol.path, assignment.value, MODULE, depth + 1)

    def _changes(self, path: str, name: str) -> bool:
        """Whether a module gives a name another value, or changes the dict that it holds."""
        facts = self._project.facts(path)
        if sum(assignment.target == name for assignment in facts.assignments) > 1:
            return True
        changed = rf"\b{re.escape(name)}\s*(?:\[[^\]]*\]\s*=(?!=)|\|=|\.(?:update|setdefault|pop|popitem|clear)\b)"
        return re.search(changed.encode(), self._project.source(path).text) is not None

    def _option(self, path: str, name: str, node: ast.expr, scope: int) -> Options:
        text = ast.unparse(node)
        return Options({name: fold(text, lambda dotted: self._constant(path, dotted, scope))}, texts={name: text})


def is_timeout(value: object) -> bool:
    """Whether the SDK takes this value of an option as a timeout: `None` and a duration of zero are none."""
    return value is UNKNOWN or bool(value)
