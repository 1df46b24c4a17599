"""The diff that shows what a fix changes.

It is made from the edits, not by comparing two texts: where lines repeat, a comparison can say that others changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from keel_lint.record import Record
from keel_lint.report.frame import visible

if TYPE_CHECKING:
    from keel_lint.finding import Edit
    from keel_lint.report.style import Ink
    from keel_lint.source import Source

_CONTEXT = 1
_BETWEEN = "-" * 80
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")  # `str.splitlines` would also split at form feeds and the like

Line = tuple[str, int, str]  # sign, 1-based row in the new text (0 for a removed line), text


class _Change(Record, frozen=True):
    """Rows `first` (0-based) until before `after` become the lines `new`."""

    first: int
    after: int
    new: tuple[str, ...]


def diff(source: Source, edits: Sequence[Edit], ink: Ink) -> list[str]:
    """The lines of the diff that `edits`, all of `source`'s file, make; empty where they change nothing."""
    rows = _split(source.slice(0, len(source.text)))
    hunks = list(_hunks(rows, list(_changes(source, rows, edits))))
    if not hunks:
        return []
    digits = len(str(max(row for hunk in hunks for _, row, _ in hunk) or 1))
    border = ink.gutter(f"{'':{digits}} |")
    lines = [border]
    for index, hunk in enumerate(hunks):
        lines += [_BETWEEN] if index else []
        lines += [_painted(line, digits, ink) for line in hunk]
    return [*lines, border]


def _painted(line: Line, digits: int, ink: Ink) -> str:
    sign, row, text = line
    text = visible(text.rstrip("\r\n"))
    number = ink.gutter(f"{row or '':<{digits}}")
    shown = f"{sign} {text}" if text else sign
    if sign == "|":
        return f"{number} {ink.gutter(sign)}{shown[1:]}"
    return f"{number} {(ink.added if sign == '+' else ink.removed)(shown)}"


def _changes(source: Source, rows: Sequence[str], edits: Sequence[Edit]) -> Iterator[_Change]:
    from difflib import SequenceMatcher

    for block in _blocks(source, edits):
        first, after = source.row(block[0].span.start) - 1, source.row(max(edit.span.end for edit in block))
        new = _split(_edited(source, block, first, after))
        old = rows[first:after]
        for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                yield _Change(first + start, first + end, tuple(new[new_start:new_end]))


def _blocks(source: Source, edits: Sequence[Edit]) -> list[list[Edit]]:
    """The edits, those together that touch the same row."""
    blocks: list[list[Edit]] = []
    for edit in sorted(edits, key=lambda edit: (edit.span.start, edit.span.end)):
        if blocks and source.row(blocks[-1][-1].span.end) >= source.row(edit.span.start):
            blocks[-1].append(edit)
        else:
            blocks.append([edit])
    return blocks


def _edited(source: Source, edits: Sequence[Edit], first: int, after: int) -> str:
    starts = source.line_starts
    done, end = starts[first], starts[after] if after < len(starts) else len(source.text)
    pieces: list[str] = []
    for edit in edits:
        pieces += [source.slice(done, edit.span.start), edit.content]
        done = edit.span.end
    return "".join([*pieces, source.slice(done, end)])


def _hunks(rows: Sequence[str], changes: Sequence[_Change]) -> Iterator[list[Line]]:
    """The changes with a row of context, those together whose context meets."""
    shift = 0
    hunk: list[Line] = []
    shown = 0  # rows of the old text that stand in a hunk or were passed over
    for change in changes:
        if hunk and change.first - shown > 2 * _CONTEXT:
            yield hunk + _equal(rows, shown, shown + _CONTEXT, shift)
            hunk = []
        hunk += _equal(rows, shown if hunk else max(change.first - _CONTEXT, 0), change.first, shift)
        hunk += [("-", 0, text) for text in rows[change.first : change.after]]
        hunk += [("+", change.first + shift + index, text) for index, text in enumerate(change.new, 1)]
        shift += len(change.new) - (change.after - change.first)
        shown = change.after
    if hunk:
        yield hunk + _equal(rows, shown, shown + _CONTEXT, shift)


def _equal(rows: Sequence[str], start: int, end: int, shift: int) -> list[Line]:
    return [("|", index + shift + 1, rows[index]) for index in range(start, min(end, len(rows)))]


def _split(text: str) -> list[str]:
    return _LINE.findall(text)
