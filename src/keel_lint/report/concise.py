"""One line a finding: `path:row:column: CODE [*] message`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line, summary
from keel_lint.report.style import Ink

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """The findings and the summary."""
    return "".join(_line(report, finding) for finding in report.findings) + summary.render(report)


def _line(report: Report, finding: Finding) -> str:
    ink = Ink(report.color)
    colon = ink.mark(":")
    place = f"{ink.bold(report.shown(finding.path))}{colon}{finding.span.row}{colon}{finding.span.column}{colon}"
    return f"{place} {ink.code(finding.code)}{star(report, finding)} {one_line(finding)}\n"


def star(report: Report, finding: Finding) -> str:
    """` [*]` where `--fix` would fix the finding."""
    return f" [{Ink(report.color).mark('*')}]" if report.applies(finding) else ""
