"""What a check is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from keel_lint.finding import Finding

Progress = Callable[[int, int], None]
"""Told how many files were judged, and of how many."""


class Unresolved(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A call of which it could not be told what it leads to. `path` is absolute, `callee` how it is written."""

    path: str
    row: int
    column: int
    callee: str


class Outcome(msgspec.Struct):
    """The result of one check.

    `findings` are sorted; `suppressed` are those a comment suppresses, with its reason. `problems` and `warnings` are lines for
    people; a problem makes the exit status 2. `checked` counts files, `left_out` those of test code, `templates` those that no
    Python parser reads, `unresolved` lists the calls of which it could not be told what they lead to.
    """

    findings: list[Finding] = msgspec.field(default_factory=list)
    suppressed: list[tuple[Finding, str]] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    checked: int = 0
    left_out: int = 0
    templates: int = 0
    unresolved: list[Unresolved] = msgspec.field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take in the result of another project."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def sort(self) -> None:
        """Bring findings into the order of every report."""
        self.findings.sort(key=lambda finding: finding.order)
        self.suppressed.sort(key=lambda pair: pair[0].order)
        self.unresolved.sort()


class CheckOptions(msgspec.Struct, frozen=True):
    """What is asked of a check besides the settings; see `runner.Linter`."""

    tests: bool | None
    force_exclude: bool
    ignore_noqa: bool
    flake8: bool
