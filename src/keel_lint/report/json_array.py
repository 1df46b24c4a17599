"""ruff's JSON, with what only keel-lint knows under the key `keel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from keel_lint.report import Report, printable

if TYPE_CHECKING:
    from keel_lint.finding import Edit, Finding, Fix, Hop, Span

Object = dict[str, Any]


def render(report: Report) -> str:
    """An array of findings without a newline at its end."""
    findings = [as_object(report, finding) for finding in report.findings]
    return msgspec.json.format(msgspec.json.encode(findings, order="sorted"), indent=2).decode()


def as_object(report: Report, finding: Finding) -> Object:
    """The finding with ruff's keys. A fix that touches another file stands under `keel` alone: ruff's edits have no file."""
    elsewhere = finding.fix is not None and any(edit.path not in ("", finding.path) for edit in finding.fix.edits)
    return {
        "cell": None,
        "code": finding.code,
        "end_location": _end(finding.span),
        "filename": printable(finding.path),
        "fix": _fix(finding.fix) if finding.fix and not elsewhere else None,
        "keel": {
            "fingerprint": finding.fingerprint,
            "fix": _fix(finding.fix, finding.path) if finding.fix and elsewhere else None,
            "group": finding.group,
            "path": [_hop(hop) for hop in finding.hops],
            "unresolved_calls": report.counts.unresolved_calls,
        },
        "location": _start(finding.span),
        "message": finding.message,
        "name": finding.slug,
        "noqa_row": finding.noqa_row,
        "severity": "error",
        "url": report.url(finding),
    }


def _fix(fix: Fix, path: str = "") -> Object:
    return {
        "applicability": fix.applicability,
        "edits": [_edit(edit) | ({"filename": printable(edit.path or path)} if path else {}) for edit in fix.edits],
        "message": fix.title,
    }


def _edit(edit: Edit) -> Object:
    return {"content": edit.content, "end_location": _end(edit.span), "location": _start(edit.span)}


def _hop(hop: Hop) -> Object:
    return {
        "end_location": _end(hop.span),
        "filename": printable(hop.path),
        "location": _start(hop.span),
        "what": hop.what,
    }


def _start(span: Span) -> Object:
    return {"column": span.column, "row": span.row}


def _end(span: Span) -> Object:
    return {"column": span.end_column, "row": span.end_row}
