"""Constants: what an expression is worth without running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The value of an expression that is no constant."""

Lookup = Callable[[str], object]
"""From a dotted name to its value, `UNKNOWN` where it has none. The class `timedelta` is known under any name by its class."""

_LIMIT = 10**18
_HIGHEST_POWER = 18
_BINARY: dict[type[ast.operator], Callable[[object, object], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def _nothing(name: str) -> object:  # noqa: ARG001
    return UNKNOWN


def fold(text: str, lookup: Lookup = _nothing) -> object:
    """The value of an expression given as source: numbers, strings, containers, arithmetic, f-strings, `timedelta(...)` and
    names that `lookup` knows. `UNKNOWN` for anything else; never raises.
    """
    try:
        return _fold(ast.parse(text.strip(), mode="eval").body, lookup)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return UNKNOWN


def _fold(node: ast.expr, lookup: Lookup) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Name, ast.Attribute)):
        return lookup(ast.unparse(node))
    folder = _FOLDERS.get(type(node))
    return folder(node, lookup) if folder is not None else UNKNOWN


def _negative(node: ast.UnaryOp, lookup: Lookup) -> object:
    value = _fold(node.operand, lookup) if isinstance(node.op, ast.USub) else UNKNOWN
    return -value if isinstance(value, (int, float, timedelta)) else UNKNOWN


def _collection(node: ast.Tuple | ast.List | ast.Set, lookup: Lookup) -> object:
    values = [_fold(item, lookup) for item in node.elts]
    if isinstance(node, ast.Set):
        return set(values)
    return tuple(values) if isinstance(node, ast.Tuple) else values


def _dict(node: ast.Dict, lookup: Lookup) -> object:
    """A dict with the values that are known; a key that is not known is left out."""
    pairs = ((_fold(key, lookup), _fold(value, lookup)) for key, value in zip(node.keys, node.values, strict=True) if key)
    return {key: value for key, value in pairs if key is not UNKNOWN}


def _binary(node: ast.BinOp, lookup: Lookup) -> object:
    left, right = _fold(node.left, lookup), _fold(node.right, lookup)
    if isinstance(node.op, ast.Add) and type(left) is type(right) and isinstance(left, (str, list, tuple)):
        return left + right  # type: ignore[operator]
    apply = _BINARY.get(type(node.op))
    if apply is None or not isinstance(left, (int, float, timedelta)) or not isinstance(right, (int, float, timedelta)):
        return UNKNOWN
    if any(isinstance(value, (int, float)) and abs(value) > _LIMIT for value in (left, right)):
        return UNKNOWN
    if isinstance(node.op, ast.Pow) and not (isinstance(right, int) and 0 <= right <= _HIGHEST_POWER):
        return UNKNOWN
    return apply(left, right)


def _formatted(node: ast.JoinedStr, lookup: Lookup) -> object:
    """An f-string of constants; one that formats them is not taken apart."""
    parts: list[str] = []
    for part in node.values:
        is_plain = not isinstance(part, ast.FormattedValue) or (part.conversion == -1 and part.format_spec is None)
        value = _fold(part.value if isinstance(part, ast.FormattedValue) else part, lookup) if is_plain else UNKNOWN
        if not isinstance(value, (str, int)):
            return UNKNOWN
        parts.append(str(value))
    return "".join(parts)


def _timedelta(node: ast.Call, lookup: Lookup) -> object:
    callee = ast.unparse(node.func)
    if callee.rpartition(".")[2] != "timedelta" and lookup(callee) is not timedelta:
        return UNKNOWN
    positional = [_fold(argument, lookup) for argument in node.args]
    named = {keyword.arg: _fold(keyword.value, lookup) for keyword in node.keywords if keyword.arg}
    if UNKNOWN in positional or UNKNOWN in named.values() or len(named) != len(node.keywords):
        return UNKNOWN
    return timedelta(*positional, **named)  # type: ignore[arg-type]


_FOLDERS: dict[type[ast.expr], Callable[[Any, Lookup], object]] = {
    ast.BinOp: _binary,
    ast.Call: _timedelta,
    ast.Dict: _dict,
    ast.JoinedStr: _formatted,
    ast.List: _collection,
    ast.Set: _collection,
    ast.Tuple: _collection,
    ast.UnaryOp: _negative,
}
