"""Expressions that the index keeps as text, as trees."""

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
