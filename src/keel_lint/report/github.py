"""Workflow commands of GitHub Actions: an annotation a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line, printable

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """The findings."""
    return "".join(_command(report, finding) for finding in report.findings)


def _command(report: Report, finding: Finding) -> str:
    span = finding.span
    # GitHub takes columns only of an annotation that stays on one line.
    place = [f"line={span.row}", f"endLine={span.end_row}"]
    if span.row == span.end_row:
        place = [f"line={span.row}", f"col={span.column}", f"endLine={span.end_row}", f"endColumn={span.end_column}"]
    where = f"{report.shown(finding.path)}:{span.row}:{span.column}"
    advice = f"\n  help: {finding.fix.title}" if finding.fix else ""
    text = _data(f"{where}: {finding.code} {one_line(finding)}{advice}")
    return f"::error title=keel-lint ({finding.code}),file={_property(finding.path)},{','.join(place)}::{text}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(path: str) -> str:
    return _data(printable(path)).replace(":", "%3A").replace(",", "%2C")
