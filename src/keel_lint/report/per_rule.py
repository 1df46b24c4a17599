"""The table of `--statistics`: how many findings each rule has, and whether `--fix` would take them away."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from keel_lint.record import Record
from keel_lint.report import FORMATS, Report, summary
from keel_lint.report.style import Ink

if TYPE_CHECKING:
    from keel_lint.finding import Finding

_TEXT = ("full", "concise", "grouped")


class _Row(Record, frozen=True):
    code: str
    name: str
    count: int
    fixable_count: int

    @property
    def fixable(self) -> bool:
        return self.fixable_count == self.count


def render(report: Report, format: str) -> str:  # noqa: A002  the word that the option uses
    """The table as text or as `json`. Raises `ValueError` for a format that has none."""
    rows = _rows(report)
    if format == "json":
        return _json(rows)
    if format not in _TEXT:
        have = [name for name in FORMATS if name in (*_TEXT, "json")]
        raise ValueError(f"`--statistics` has no `{format}` format; it has {', '.join(have)}")
    return "".join(_lines(rows, report)) + summary.render(report) if rows else ""


def _rows(report: Report) -> list[_Row]:
    def rule(finding: Finding) -> tuple[str, str]:
        return (finding.slug, finding.code)

    groups = [(key, list(found)) for key, found in groupby(sorted(report.findings, key=rule), rule)]
    rows = [_Row(code, slug, len(found), sum(map(report.applies, found))) for (slug, code), found in groups]
    return sorted(rows, key=lambda row: -row.count)


def _json(rows: Sequence[_Row]) -> str:

    table = [
        {"code": row.code, "name": row.name, "count": row.count, "fixable": row.fixable, "fixable_count": row.fixable_count}
        for row in rows
    ]
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode() + "\n"


def _lines(rows: Sequence[_Row], report: Report) -> list[str]:
    ink = Ink(report.color)
    number_width = len(str(rows[0].count))
    code_width = max(len(row.code) for row in rows)
    any_fixable = any(row.fixable_count for row in rows)
    return [
        f"{ink.bold(f'{row.count:>{number_width}}')}\t{ink.code(row.code.ljust(code_width))}\t"
        f"{_sign(row, ink) if any_fixable else ''}{row.name}\n"
        for row in rows
    ]


def _sign(row: _Row, ink: Ink) -> str:
    if row.fixable:
        return f"[{ink.mark('*')}] "
    return f"[{ink.mark('-')}] " if row.fixable_count else "[ ] "
