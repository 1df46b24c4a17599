"""Code frames: lines of a file with what is meant marked under them.

The shape is ruff's. A frame works in terminal cells, not characters: a tab shows as four, a wide character takes two, a
combining one none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from keel_lint.record import Record
from keel_lint.report import PICTURES

if TYPE_CHECKING:
    from keel_lint.finding import Span
    from keel_lint.report.style import Ink
    from keel_lint.source import Source

CUT = "…"

_CONTEXT = 2
_LONGEST = 30  # marked rows that are shown whole
_HEAD, _TAIL = 8, 4
_ROOM = 6  # cells kept free on each side of what is marked when a line is cut
_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SHOWN = {
    **PICTURES,
    0x200D: "",  # joins emoji, whose width no terminal agrees on
    **dict.fromkeys(_BIDI, "\ufffd"),  # can make code look like other code
}
_SHOWN_WITH_TABS = {**_SHOWN, 0x09: "    "}
_SHOWN_RAW_TABS = {**_SHOWN, 0x09: "\t"}


def visible(text: str) -> str:
    """`text` with control characters as pictures, so that no file drives the terminal; tabs stay."""
    return text.translate(_SHOWN_RAW_TABS)


class Frame(Record, frozen=True):
    """Rows `first`..`last` of a file round `span`."""

    source: Source
    span: Span
    first: int
    last: int

    @property
    def digits(self) -> int:
        """The width that its row numbers need."""
        return len(str(self.last))

    def lines(self, ink: Ink, digits: int, width: int) -> Iterator[str]:
        """The frame's lines, row numbers `digits` wide, all at most `width` cells wide."""
        window = self._window(width - digits - 3)
        draw = self._one_row if self.span.row == _end(self.span, self.source)[0] else self._many_rows
        for number, text, marks in draw(window):
            gutter = str(number).rjust(digits) if number else " " * digits
            separator = ink.gutter(f"{gutter} |")
            yield f"{separator} {text}{ink.code(marks)}" if text or marks else separator

    def _one_row(self, window: _Window) -> Iterator[tuple[int, str, str]]:
        yield (0, "", "")
        start = len(_cells(self._text(self.span.row)[: self.span.column - 1]))
        end = len(_cells(self._text(self.span.row)[: _end(self.span, self.source)[1] - 1]))
        for row in range(self.first, self.last + 1):
            yield (row, window.cut(self._text(row)), "")
            if row == self.span.row:
                marked = min(max(end, start + 1), window.right) - start
                yield (0, " " * (start - window.left), "^" * max(marked, 1))
        if self.last > self.span.row:
            yield (0, "", "")

    def _many_rows(self, window: _Window) -> Iterator[tuple[int, str, str]]:
        """Draws a bracket in two cells left of the code from the first marked row to the last."""
        yield (0, "", "")
        end_row, end_column = _end(self.span, self.source)
        before = self._text(self.span.row)[: self.span.column - 1]
        yield from ((row, _indented(window.cut(self._text(row))), "") for row in range(self.first, self.span.row))
        opening = window.cut(self._text(self.span.row))
        if before.strip():
            yield (self.span.row, _indented(opening), "")
            yield (0, " ", "_" * max(len(_cells(before)) + 1 - window.left, 0) + "^")
        else:
            yield (self.span.row, f"/ {opening}", "")
        for row in _shortened(range(self.span.row + 1, end_row + 1)):
            yield (row, f"| {window.cut(self._text(row))}".rstrip() if row else f"| {CUT}", "")
        until = len(_cells(self._text(end_row)[: max(end_column - 2, 0)]))
        yield (0, "", "|" + "_" * (max(until - window.left, 0) + 1) + "^")
        yield from ((row, _indented(window.cut(self._text(row))), "") for row in range(end_row + 1, self.last + 1))
        if self.last > end_row:
            yield (0, "", "")

    def _text(self, row: int) -> str:
        return self.source.line(row)

    def _window(self, width: int) -> _Window:
        rows = [_cells(self._text(row)) for row in range(self.first, self.last + 1)]
        if max(map(len, rows)) <= width:
            return _Window(0, width)
        end_row, end_column = _end(self.span, self.source)
        start = len(_cells(self._text(self.span.row)[: self.span.column - 1]))
        end = len(_cells(self._text(end_row)[: end_column - 1]))
        start, end = (min(start, end), max(start, end)) if end_row > self.span.row else (start, end)
        return _window(start, end, width)


class _Window(Record, frozen=True):
    """The cells of every line that are shown."""

    left: int
    right: int

    def cut(self, line: str) -> str:
        cells = _cells(line)
        shown = cells[self.left : self.right]
        if len(cells) > self.right:
            shown = [*_whole(shown[:-1]), CUT]
        if self.left and cells:
            shown = [CUT, *_whole(shown[1:])]
        return "".join(shown)


def frame(source: Source, span: Span, context: int = _CONTEXT) -> Frame | None:
    """The frame of `span` with `context` rows round it, blank ones at its ends left out; `None` outside the file's text."""
    end_row, _ = _end(span, source)
    if not source.text or end_row > len(source.line_starts):
        return None
    first, last = max(span.row - context, 1), min(end_row + context, len(source.line_starts))
    while first < span.row and not source.line(first).strip():
        first += 1
    while last > end_row and not source.line(last).strip():
        last -= 1
    return Frame(source, span, first, last)


def _end(span: Span, source: Source) -> tuple[int, int]:
    """Where `span` ends; one that ends before the first character of a row ends behind the last one of the row above."""
    if span.end_column > 1 or span.end_row <= span.row:
        return span.end_row, span.end_column
    return span.end_row - 1, len(source.line(span.end_row - 1)) + 1


def _window(start: int, end: int, width: int) -> _Window:
    """A window of `width` cells with `start`..`end` in it: from the line's beginning if that serves, else round them."""
    if end + _ROOM <= width:
        return _Window(0, width)
    left, right = max(start - _ROOM, 0), end + _ROOM
    left = max(left - max(width - (right - left), 0) // 2, 0)
    return _Window(left, left + width)


def _shortened(rows: range) -> Iterator[int]:
    """The rows of a marked stretch; the middle of a long one is a 0."""
    if len(rows) < _LONGEST:
        yield from rows
        return
    yield from rows[: _HEAD - 1]
    yield 0
    yield from rows[-_TAIL:]


def _indented(text: str) -> str:
    return f"  {text}" if text else ""


def _cells(line: str) -> list[str]:
    """The terminal cells of a line; the second one of a wide character is empty."""
    if line.isascii() and line.isprintable():
        return list(line)
    cells: list[str] = []
    for character in line.translate(_SHOWN_WITH_TABS):
        width = _cells_of(character)
        if width or not cells:
            cells += [character, ""][: max(width, 1)]
        else:
            cells[-1] += character
    return cells


def _cells_of(character: str) -> int:
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _whole(cells: Sequence[str]) -> list[str]:
    """`cells` with a space for each half of a wide character whose other half was cut off."""
    shown = list(cells)
    if shown and not shown[0]:
        shown[0] = " "
    if shown and shown[-1] and _cells_of(shown[-1][0]) == 2:
        shown[-1] = " "
    return shown
