"""What a message holds that is surely plain data, told by syntax alone: LibCST need not parse most definitions that dispatch.

An expression is plain where `Types` has no type for it and JSON carries it, whatever else the project holds: keys, constants,
texts, numbers, and what is made by a function whose name does not promise rows, files or objects.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from keel_lint.index.expressions import last_name, parsed
from keel_lint.jobs.types import (
    BASE64,
    COLLECTIONS,
    FRAME_DUMPS,
    FRAME_METHODS,
    LIST_SHORTCUTS,
    MANAGERS,
    MANY,
    NAMES_A_KEY,
    ONE,
    ONE_AND_FLAG,
    QUERYSETS,
    ROW_QUERYSETS,
    SHORTCUTS,
    TEXT_METHODS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.glance import Glance

_KEY = re.compile(r"__name__|(?:\w*_)?(?:at|date|email|ids?|label|name|pks?|slug|timestamp|url|uuid)")
"""Names of attributes that hold keys, texts and times, whatever has them."""
_MEANINGFUL = frozenset({"cls", "instance", "request", "self"})
"""Parameters that may be taken for something by their name alone."""
_PLAIN_TYPE = re.compile(r"[\"']?(?:(?:\w+\.)?(?:Optional|UUID)|bool|dict|float|int|list|str|None|[\[\], |])*[\"']?")
_TELLING = frozenset({
    *MANAGERS, *MANY, *ONE, *ONE_AND_FLAG, *QUERYSETS, *ROW_QUERYSETS, *TEXT_METHODS,
    *(name.rpartition(".")[2] for name in (*COLLECTIONS, *SHORTCUTS, *LIST_SHORTCUTS)),
    "body", "bytes", "chain", "concat", "enumerate", "filter", "frozenset", "from_iterable", "get_data", "get_user_model",
    "getvalue", "islice", "items", "keys", "map", "merge", "open", "query", "range", "read", "read_bytes", "read_text",
    "readlines", "reversed", "set", "str", "timedelta", "values", "zip",
})  # fmt: skip
"""The last names of calls and attributes that may have a type."""
_FRAMED = FRAME_DUMPS | FRAME_METHODS
_FRAMES = ("DataFrame", "GeoDataFrame", "geopandas", "pandas", "polars")
"""One of these stands in every project that has data frames, one of the next in every snippet."""
_FRAMES_OF_SNIPPETS = frozenset({b"pd.", b"pl.", b"gpd."})
_KEEPING = frozenset({"dict", "list", "sorted", "str", "tuple"})
_FRAME = re.compile(r"(?:read|scan)_\w+")
_NUMERIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_GIVEN = ast.Set(elts=[])
"""Stands for what the callers of a function pass: they may say what it is."""
_DEPTH = 6


class Plain:
    """Answers for one definition what is plain data in it."""

    def __init__(self, glance: Glance) -> None:
        self._glance = glance
        self._working: set[str] = set()

    def holds(self, text: str) -> bool:
        """Whether an expression of the definition, given as source, is plain data."""
        node = parsed(text)
        return node is not None and self._is_plain(node)

    def _is_plain(self, node: ast.expr, depth: int = 0) -> bool:  # noqa: PLR0911 -- one line for each kind of expression
        if depth > _DEPTH:
            return False
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.Compare)):
            return True
        if isinstance(node, ast.Name):
            return self._is_plain_name(node.id)
        if isinstance(node, ast.Attribute):
            return self._is_plain_attribute(node, depth)
        if isinstance(node, ast.Subscript):
            return self._is_plain_part(node, depth)
        if isinstance(node, ast.Call):
            return self._is_plain_call(node, depth)
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, _NUMERIC) and self._is_sum_plain(node, depth)
        if isinstance(node, ast.ListComp):
            return self._is_plain(node.elt, depth + 1)
        parts = _parts(node)
        return parts is not None and all(self._is_plain(one, depth + 1) for one in parts)

    def _is_sum_plain(self, node: ast.BinOp, depth: int) -> bool:
        sides = (node.left, node.right)
        return any(isinstance(one, ast.Constant) for one in sides) or all(self._is_plain(one, depth + 1) for one in sides)

    def _is_plain_attribute(self, node: ast.Attribute, depth: int) -> bool:
        if _KEY.fullmatch(node.attr):
            return True
        return not self._tells(node.attr) and self._is_part_plain(node.value, depth)

    def _is_plain_part(self, node: ast.Subscript, depth: int) -> bool:
        """An element of a column of keys, or a part of what is plain."""
        is_column = isinstance(node.value, ast.Name) and self._gives_keys(node.value.id)
        return (is_column and not isinstance(node.slice, ast.Slice)) or self._is_part_plain(node.value, depth)

    def _is_part_plain(self, whole: ast.expr, depth: int) -> bool:
        """Whether a part of something is plain: what a parameter holds of which nothing is known, or what is plain itself."""
        if isinstance(whole, ast.Name) and whole.id not in _MEANINGFUL and set(self._bound.get(whole.id, ())) == {_GIVEN}:
            return True
        return self._is_plain(whole, depth + 1)

    def _keeps_plain(self, node: ast.expr, depth: int) -> bool:
        is_column = _is_column(node) or (isinstance(node, ast.Name) and self._gives_keys(node.id))
        return is_column or self._is_plain(node, depth + 1)

    def _gives_keys(self, name: str) -> bool:
        """Whether a name is bound to one column of a query and nothing else."""
        values = self._bound.get(name, ())
        return bool(values) and all(value is not None and _is_column(value) for value in values)

    def _is_plain_call(self, node: ast.Call, depth: int) -> bool:
        last = self._last_name(node.func)
        if last == "get" and isinstance(node.func, ast.Attribute):
            return _reads_a_mapping(node, node.func)
        if last in _KEEPING:
            return all(self._keeps_plain(one, depth) for one in (*node.args, *(keyword.value for keyword in node.keywords)))
        return last[:1].islower() and not (self._tells(last) or BASE64.match(f"base64.{last}") or _FRAME.fullmatch(last))

    def _tells(self, name: str) -> bool:
        """Whether what is called so, or an attribute of that name, may have a type."""
        return name in _TELLING or (name in _FRAMED and self._has_frames)

    @cached_property
    def _has_frames(self) -> bool:
        project = self._glance.project
        return any(map(project.naming, _FRAMES)) or project.mentions(self._glance.path, _FRAMES_OF_SNIPPETS)

    def _last_name(self, node: ast.expr) -> str:
        """The last name of what is called, as it is called where it is imported from."""
        if isinstance(node, ast.Name):
            return next((one.attribute for one in self._glance.facts.imports if one.name == node.id and one.attribute), node.id)
        return last_name(node)

    # -- names ------------------------------------------------------------------------------------------------------------

    def _is_plain_name(self, name: str) -> bool:
        """Whether all that binds a name in the definition binds plain data to it; a name of the module is so as a constant."""
        if name in self._working:
            return True  # `text = text + more`: the other bindings tell
        values = self._bound.get(name)
        if values is None:
            return name.isupper()
        self._working.add(name)
        try:
            return all(value is not None and self._is_plain(value) for value in values)
        finally:
            self._working.discard(name)

    @cached_property
    def _bound(self) -> dict[str, list[ast.expr | None]]:
        """What is bound to each name anywhere in the definition; `None` for what syntax does not tell."""
        found: dict[str, list[ast.expr | None]] = defaultdict(list)
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        nodes = self._glance.nodes or ()
        itself = next((node for node in nodes if isinstance(node, defined)), None)
        for node in nodes:
            if node is itself:  # its name is bound round it
                continue
            for name, value in _bindings(node):
                found[name].append(value)
        return found


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """What an expression is made of, where it is plain when all of these are; `None` for other expressions."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return node.elts
    if isinstance(node, ast.Dict):
        return node.values
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    return [node.value] if isinstance(node, (ast.Await, ast.NamedExpr, ast.Starred)) else None


def _is_column(node: ast.expr) -> bool:
    """Whether an expression is a query for one column, or a part or list of it: `orders.values_list("pk", flat=True)[:9]`."""
    if isinstance(node, ast.Subscript):
        return _is_column(node.value)
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in _KEEPING and len(node.args) == 1 and _is_column(node.args[0])
    if not isinstance(node.func, ast.Attribute):
        return False
    name = node.func.attr
    return (name == "values_list" and len(node.args) == 1) or (name in QUERYSETS and _is_column(node.func.value))


def _reads_a_mapping(call: ast.Call, func: ast.Attribute) -> bool:
    """Whether `get` is that of a mapping, which is given a text; that of a request's files gives a file."""
    is_given_text = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return is_given_text and not (isinstance(func.value, ast.Attribute) and func.value.attr == "FILES")


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:  # noqa: C901, PLR0912 -- one branch for each kind
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _targets(target, node.value)
    elif isinstance(node, ast.AnnAssign):
        is_plain = _PLAIN_TYPE.fullmatch(ast.unparse(node.annotation)) is not None
        yield from _targets(node.target, (node.value or ast.Constant(None)) if is_plain else None)
    elif isinstance(node, ast.NamedExpr):
        yield from _targets(node.target, node.value)
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield from _targets(node.target, ast.Constant(None) if _is_column(node.iter) else node.iter)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _targets(node.optional_vars, node.context_expr)
    elif isinstance(node, ast.arg):
        yield node.arg, _parameter(node)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, None
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0], None
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name is not None:
        yield node.name, None
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest, None
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        for name in node.names:
            yield name, None


def _targets(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        for one in target.elts:
            yield from _targets(one, value)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value, value)


def _parameter(node: ast.arg) -> ast.expr | None:
    """What a parameter holds: plain data by its annotation, or without one by its name; else its callers may tell."""
    if node.annotation is not None:
        return ast.Constant(None) if _PLAIN_TYPE.fullmatch(ast.unparse(node.annotation)) else None
    return ast.Constant(None) if node.arg not in _MEANINGFUL and NAMES_A_KEY.fullmatch(node.arg) else _GIVEN
