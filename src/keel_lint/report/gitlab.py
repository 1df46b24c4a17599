"""GitLab's code quality report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from keel_lint.report import Report, one_line

if TYPE_CHECKING:
    from keel_lint.finding import Finding


def render(report: Report) -> str:
    """An array of findings without a newline at its end."""
    seen: set[str] = set()
    findings = [_as_object(report, finding, seen) for finding in report.findings]
    return msgspec.json.format(msgspec.json.encode(findings), indent=2).decode()


def _as_object(report: Report, finding: Finding, seen: set[str]) -> dict[str, Any]:
    span = finding.span
    return {
        "check_name": finding.code,
        "description": f"{finding.code}: {one_line(finding)}",
        "severity": "major",
        "fingerprint": _unique(finding, seen),
        "location": {
            "path": report.in_project(finding.path),
            "positions": {
                "begin": {"line": span.row, "column": span.column},
                "end": {"line": span.end_row, "column": span.end_column},
            },
        },
    }


def _unique(finding: Finding, seen: set[str]) -> str:
    """GitLab merges findings of one fingerprint, so a second one gets another."""
    from hashlib import blake2b

    base = fingerprint = finding.fingerprint or blake2b(f"{finding.order}".encode(), digest_size=16).hexdigest()
    count = 1
    while fingerprint in seen:
        count += 1
        fingerprint = blake2b(f"{base}:{count}".encode(), digest_size=16).hexdigest()
    seen.add(fingerprint)
    return fingerprint
