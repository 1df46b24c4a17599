"""The lines below a report for people: how many findings, and how many of them `--fix` would take away."""

from __future__ import annotations

from keel_lint.report import Report, counted
from keel_lint.report.style import Ink

CLEAN = "All checks passed!\n"


def render(report: Report) -> str:
    """The summary; of a quiet report, only the fixes it was asked to show."""
    fixed = sum(sum(codes.values()) for codes in report.fixed.values())
    left = len(report.findings)
    table = _fixes(report, fixed) if report.show_fixes and fixed else ""
    if report.quiet:
        return table
    if not fixed and not left:
        return CLEAN
    outcome = f" ({fixed} fixed, {left} remaining)" if fixed else ""
    return f"{table}Found {counted(fixed + left, 'error')}{outcome}.\n{_fixable(report)}"


def _fixable(report: Report) -> str:
    applicable = sum(map(report.applies, report.findings))
    unsafe = sum(
        finding.fix is not None and finding.fix.applicability == "unsafe" and not report.applies(finding)
        for finding in report.findings
    )
    hidden = f"{unsafe} unsafe {'fix' if unsafe == 1 else 'fixes'} available with `--fix --unsafe-fixes`"
    if applicable:
        more = f" ({hidden})" if unsafe else ""
        return f"[{Ink(report.color).mark('*')}] {applicable} fixable with `--fix`{more}.\n"
    return f"{hidden}.\n" if unsafe else ""


def _fixes(report: Report, total: int) -> str:
    ink = Ink(report.color)
    width = len(str(max(number for codes in report.fixed.values() for number in codes.values())))
    lines = ["", ink.bold(f"Fixed {counted(total, 'error')}:")]
    for path, codes in sorted(report.fixed.items()):
        lines.append(f"{ink.mark('-')} {ink.bold(report.shown(path))}{ink.mark(':')}")
        for code, number in sorted(codes.items(), key=lambda item: (-item[1], item[0])):
            lines.append(f"    {number:>{width}} × {ink.code(code)} ({_slug(report, code)})")  # noqa: RUF001  as ruff writes it
    return "\n".join([*lines, "", ""])


def _slug(report: Report, code: str) -> str:
    info = report.rules.rules.get(code)
    return info.slug if info else code.lower()
