"""The findings of each file under its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line, summary
from keel_lint.report.concise import star
from keel_lint.report.style import Ink

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """The groups and the summary."""
    groups = groupby(report.findings, lambda finding: finding.path)
    return "".join(_group(report, path, list(found)) for path, found in groups) + summary.render(report)


def _group(report: Report, path: str, findings: Sequence[Finding]) -> str:
    heading = f"{Ink(report.color).underlined(report.shown(path))}:\n"
    return heading + "".join(_lines(report, findings)) + "\n"


def _lines(report: Report, findings: Sequence[Finding]) -> Iterator[str]:
    ink = Ink(report.color)
    row_width = max(len(str(finding.span.row)) for finding in findings)
    column_width = max(len(str(finding.span.column)) for finding in findings)
    for finding in findings:
        place = f"{finding.span.row:>{row_width}}{ink.mark(':')}{finding.span.column:<{column_width}}"
        yield f"  {place} {ink.code(finding.code)}{star(report, finding)} {one_line(finding)}\n"
