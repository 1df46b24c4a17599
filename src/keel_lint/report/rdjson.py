"""Reviewdog's diagnostic format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from keel_lint.report import Report, one_line, printable

if TYPE_CHECKING:
    from keel_lint.finding import Finding, Span

_HOME = "https://github.com/keel-lint/keel-lint"


def render(report: Report) -> str:
    """The document without a newline at its end."""
    document = {
        "diagnostics": [_diagnostic(report, finding) for finding in report.findings],
        "severity": "WARNING",
        "source": {"name": "keel-lint", "url": _HOME},
    }
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2).decode()


def _diagnostic(report: Report, finding: Finding) -> dict[str, Any]:
    url = report.url(finding)
    suggestions = _suggestions(finding)
    return {
        "code": {"value": finding.code} | ({"url": url} if url else {}),
        "location": {"path": printable(finding.path), "range": _range(finding.span)},
        "message": one_line(finding),
    } | ({"suggestions": suggestions} if suggestions else {})


def _suggestions(finding: Finding) -> list[dict[str, Any]]:
    """The fix; none where it touches another file, which a suggestion cannot name."""
    edits = finding.fix.edits if finding.fix else ()
    if any(edit.path not in ("", finding.path) for edit in edits):
        return []
    return [{"range": _range(edit.span), "text": edit.content} for edit in edits]


def _range(span: Span) -> dict[str, Any]:
    return {
        "end": {"column": span.end_column, "line": span.end_row},
        "start": {"column": span.column, "line": span.row},
    }
