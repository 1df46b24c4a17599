"""How findings are shown: one module a format, and only the chosen one is imported.

A format takes a `Report` and returns the whole text for standard output. What is not a finding (files left out, calls that
could not be resolved) is for standard error: `notes`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.finding import Finding
    from keel_lint.outcome import Unresolved
    from keel_lint.rule import Registry
    from keel_lint.source import Source

WIDTH = 140
PICTURES = {**{code: chr(0x2400 + code) for code in range(0x20)}, 0x7F: "\u2421"}
"""Control characters as they are shown, so that neither code nor a file's name drives the terminal or begins a line."""

_MODULES = {
    "full": "full",
    "concise": "concise",
    "json": "json_array",
    "json-lines": "json_lines",
    "grouped": "grouped",
    "github": "github",
    "gitlab": "gitlab",
    "junit": "junit",
    "sarif": "sarif",
    "rdjson": "rdjson",
    "azure": "azure",
    "pylint": "pylint",
}
FORMATS: tuple[str, ...] = tuple(_MODULES)


class Counts(Record, frozen=True):
    """What a run looked at, and what it left out."""

    files: int = 0
    test_files: int = 0
    template_files: int = 0
    unresolved_calls: int = 0


class Report(Record, frozen=True):
    """All that a format needs.

    `findings` are sorted by `Finding.order`. `suppressed` holds a finding and the reason given for its suppression, empty where
    none was. `root` is the project, `cwd` what shown paths are relative to. `source` reads a file for code frames and may raise
    `SourceError`. `fixed` counts applied fixes by absolute path and code. `quiet` leaves the summary out. A line is at most
    `width` columns wide where code is shown. `unresolved` lists the calls that `counts` counts.
    """

    findings: Sequence[Finding]
    root: Path
    cwd: Path
    source: Callable[[str], Source]
    rules: Registry
    suppressed: Sequence[tuple[Finding, str]] = ()
    unsafe_fixes: bool = False
    fixed: Mapping[str, Mapping[str, int]] = msgspec.field(default_factory=dict)
    show_fixes: bool = False
    quiet: bool = False
    color: bool = False
    width: int = WIDTH
    counts: Counts = msgspec.field(default_factory=Counts)
    unresolved: Sequence[Unresolved] = ()

    def url(self, finding: Finding) -> str | None:
        """The address of the page of the finding's rule; `None` for a rule that is not installed or has none."""
        info = self.rules.rules.get(finding.code)
        return info.url if info else None

    def shown(self, path: str) -> str:
        """`path` relative to the working directory, or absolute where it lies outside, on one line and for people."""
        return printable(_below(path, self.cwd) or path).translate(PICTURES)

    def in_project(self, path: str) -> str:
        """`path` relative to the project with forward slashes, or absolute where it lies outside."""
        return printable((_below(path, self.root) or path).replace(os.sep, "/"))

    def applies(self, finding: Finding) -> bool:
        """Whether `--fix` would fix the finding as this run was started."""
        fix = finding.fix
        return fix is not None and (fix.applicability == "safe" or (fix.applicability == "unsafe" and self.unsafe_fixes))


def render(format: str, report: Report) -> str:  # noqa: A002  the word that the option uses
    """The text of `report` in one of `FORMATS`. Raises `KeyError` for another format."""
    module = import_module(f"{__name__}.{_MODULES[format]}")
    text: str = module.render(report)
    return text


def statistics(report: Report, format: str) -> str:  # noqa: A002
    """The number of findings of each rule as `full` (or another text format) or `json` shows it.

    Raises `ValueError` for a format that has no such table.
    """
    from keel_lint.report.per_rule import render as table

    return table(report, format)


def one_line(finding: Finding) -> str:
    """The finding's message on one line, with the path it takes: `... (via a -> b)`."""
    via = f" (via {' -> '.join(hop.what for hop in finding.hops)})" if finding.hops else ""
    return " ".join(f"{finding.message}{via}".splitlines())


def notes(report: Report) -> list[str]:
    """What standard error should say of a run besides its findings."""
    counts = report.counts
    leads = "it leads" if counts.unresolved_calls == 1 else "they lead"
    lines = (
        (counts.test_files, "{} left out; `--tests` checks test code too.", "test file"),
        (counts.template_files, "{} left out: templates are not Python yet.", "template file"),
        (counts.unresolved_calls, f"{{}} could not be resolved; what {leads} to was not checked{_first(report)}.", "call"),
    )
    return [text.format(counted(number, noun)) for number, text, noun in lines if number]


def _first(report: Report) -> str:
    """Where to begin looking into calls that could not be resolved."""
    if not report.unresolved:
        return ""
    one = report.unresolved[0]
    return f" (`keel-lint why {report.shown(one.path)}:{one.row}` says more)"


def counted(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(path: str) -> str:
    """A path as text that every encoding of Unicode can hold: bytes of a file name that are none become `\\ufffd`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _below(path: str, folder: Path) -> str | None:
    start = str(folder).rstrip(os.sep) + os.sep
    return path[len(start) :] if path.startswith(start) else None
