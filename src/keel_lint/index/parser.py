"""The tree-sitter parser for Python: one for the process."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

_LONE_CR = re.compile(rb"\r(?!\n)")


def parse(text: bytes) -> Node:
    """The root node of UTF-8 text without byte order mark; every offset is one of `text`."""
    # tree-sitter does not know the old Macintosh line ending.
    known = _LONE_CR.sub(b"\n", text) if b"\r" in text else text
    return _parser().parse(known).root_node


@lru_cache(maxsize=1)
def kinds() -> dict[str, list[int]]:
    """The numbers that each kind of named nodes has (`Node.kind_id`): comparing these is cheaper than making the names."""
    language = _language()
    found: dict[str, list[int]] = {}
    for number in range(language.node_kind_count):
        name = language.node_kind_for_id(number)
        if name is not None and language.node_kind_is_named(number):
            found.setdefault(name, []).append(number)
    return found


@lru_cache(maxsize=1)
def _parser() -> Parser:
    from tree_sitter import Parser

    return Parser(_language())


@lru_cache(maxsize=1)
def _language() -> Language:
    import tree_sitter_python
    from tree_sitter import Language

    return Language(tree_sitter_python.language())
