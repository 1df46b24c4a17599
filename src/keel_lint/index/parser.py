"""The tree-sitter parser for Python: one for the process."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_LONE_CR = re.compile(rb"\r(?!\n)")


def parse(text: bytes) -> Node:
    """The root node of UTF-8 text without byte order mark; every offset is one of `text`."""
    # tree-sitter does not know the old Macintosh line ending.
    known = _LONE_CR.sub(b"\n", text) if b"\r" in text else text
    return _parser().parse(known).root_node


@lru_cache(maxsize=1)
def _parser() -> Parser:
    import tree_sitter_python
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_python.language()))
