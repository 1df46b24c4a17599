"""Logging commands of Azure Pipelines, one a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line, printable

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """The findings."""
    return "".join(map(_command, report.findings))


def _command(finding: Finding) -> str:
    span = finding.span
    path = (
        printable(finding.path)
        .replace("%", "%AZP25")
        .replace(";", "%3B")
        .replace("]", "%5D")
        .replace("\r", "%0D")
        .replace("\n", "%0A")
    )
    place = f"sourcepath={path};linenumber={span.row};columnnumber={span.column}"
    return f"##vso[task.logissue type=error;{place};code={finding.code};]{one_line(finding).replace('%', '%AZP25')}\n"
