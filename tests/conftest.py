"""What pytest's summary says of proofs: those that could not be shown on this machine are counted and listed, never passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

NOT_SHOWN, PENDING = "Skipped: NOT SHOWN HERE", "Skipped: PENDING"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was not shown, and count the rules whose proof is yet to come."""
    skipped = {
        report.nodeid: str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr
    }
    not_shown = {name: reason for name, reason in skipped.items() if reason.startswith(NOT_SHOWN)}
    pending = sum(reason.startswith(PENDING) for reason in skipped.values())
    if not_shown or pending:
        terminalreporter.section("proofs")
        terminalreporter.line(f"{len(not_shown)} NOT SHOWN HERE, {pending} PENDING")
    for name, reason in sorted(not_shown.items()):
        terminalreporter.line(f"{name.rpartition('::')[2]}: {reason.removeprefix('Skipped: ')}")
