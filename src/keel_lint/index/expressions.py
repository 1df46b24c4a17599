"""Expressions that the index keeps as text, and definitions that it knows by their places, as trees."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr | None:
    """The tree of an expression, `None` where it is none that this Python reads."""
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def last_name(node: ast.expr | None) -> str:
    """The last part of a name or attribute; empty for any other expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def parsed_definition(source: bytes, start: int, end: int) -> tuple[ast.Module | None, int]:
    """The tree of the lines of a definition, `None` where this Python does not read them, and the row of the first of them.

    What is indented stands below an `if 1:` in the tree.
    """
    first = max(source.rfind(b"\n", 0, start), source.rfind(b"\r", 0, start)) + 1
    return _parsed_lines(source[first:end].decode("utf-8", "replace"))


@lru_cache(maxsize=512)
def _parsed_lines(text: str) -> tuple[ast.Module | None, int]:
    is_indented = text[:1] in {" ", "\t"}
    try:
        return ast.parse(f"if 1:\n{text}" if is_indented else text), 1 + is_indented
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None, 1
