"""How code is laid out: changes of a file's text that keep to the layout around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keel_lint.source import Source

Change = tuple[int, int, str]
"""The text between two offsets of `Source.text`, and what replaces it."""

_COMMA = re.compile(rb"(?:[ \t\f\r\n\\]|#[^\r\n]*(?=[\r\n]))*,")
_REST = re.compile(rb"[ \t\f]*(#[^\r\n]*)?(?=([\r\n])|\Z)")


def indentation(source: Source, offset: int) -> str | None:
    """The blanks before `offset` on its line; `None` where anything else stands there."""
    before = source.slice(source.line_starts[source.row(offset) - 1], offset)
    return None if before.strip(" \t\f") else before


def next_line(source: Source, offset: int) -> int:
    """Where the line after that of `offset` starts; the end of the file where there is none."""
    row = source.row(offset)
    return source.line_starts[row] if row < len(source.line_starts) else len(source.text)


def appended(source: Source, last: tuple[int, int], close: int, items: Sequence[str], *, lines: bool = True) -> list[Change]:
    """The changes that put `items` behind the `last` item of a list which closes at `close`.

    A last item on a line of its own gets successors on lines of their own, unless `lines` is false; a trailing comma stays one.
    """
    start, end = last
    comma = _COMMA.match(source.text, end, close)
    after = comma.end() if comma else end
    indent = indentation(source, start) if lines else None
    rest = _REST.match(source.text, after, close) if indent is not None else None
    if rest is None:
        text = ", ".join(items)
        return [(after, after, f" {text},")] if comma else [(end, end, f", {text}")]
    text = ",".join(f"{source.newline}{indent}{item}" for item in items)
    behind = rest.end() if rest[1] else after
    if comma:
        return [(behind, behind, f"{text},")]
    return [(end, end, f",{text}")] if behind == end else [(end, end, ","), (behind, behind, text)]


def removed(source: Source, inside: tuple[int, int], items: Sequence[tuple[int, int]], gone: set[int]) -> list[Change]:
    """The changes that take the items at the positions `gone` out of the list that fills `inside`; comments between stay."""
    kept = [position for position in range(len(items)) if position not in gone]
    gaps = _gaps(source, inside, items)
    if not kept:
        commented = any(b"#" in gap for gap in gaps)
        cuts = [_cut(source, item, inside[1]) for item in items]
        return [change for changes in cuts for change in changes] if commented else [(*inside, "")]
    tail = [position for position in gone if position > kept[-1]]
    commented = any(b"#" in gaps[position] for position in tail)
    changes: list[Change] = []
    for position in gone:
        if commented if position in tail else b"#" in gaps[position + 1]:
            changes += _cut(source, items[position], inside[1])
        elif position in tail:
            changes.append((items[position - 1][1], items[position][1], ""))
        else:
            changes.append((items[position][0], items[position + 1][0], ""))
    return changes


def _gaps(source: Source, inside: tuple[int, int], items: Sequence[tuple[int, int]]) -> list[bytes]:
    """What stands before each item and, at last, behind them all."""
    starts = [inside[0], *(end for _, end in items)]
    ends = [*(start for start, _ in items), inside[1]]
    return [source.text[start:end] for start, end in zip(starts, ends, strict=True)]


def _cut(source: Source, item: tuple[int, int], close: int) -> list[Change]:
    """Take out one item with its comma, and its line where nothing else stands on it."""
    start, end = item
    comma = _COMMA.match(source.text, end, close)
    if comma and b"#" in comma[0]:
        return [(start, end, ""), (comma.end() - 1, comma.end(), "")]
    after = comma.end() if comma else end
    rest = _REST.match(source.text, after, close)
    if rest is None:
        return [(start, after, "")]
    if rest[1]:
        return [(start, rest.start(1), "")]
    indent = indentation(source, start)
    if indent is None or rest[2] is None:
        return [(start, rest.end(), "")]
    return [(start - len(indent), next_line(source, rest.end()), "")]
