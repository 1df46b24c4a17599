"""One line a finding as pylint writes it: `path:row: [CODE] message`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """The findings."""
    return "".join(_line(report, finding) for finding in report.findings)


def _line(report: Report, finding: Finding) -> str:
    return f"{report.shown(finding.path)}:{finding.span.row}: [{finding.code}] {one_line(finding)}\n"
