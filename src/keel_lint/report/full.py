"""Each finding with its code, its path hop by hop, and what its fix changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from keel_lint.report import Report, summary
from keel_lint.report.concise import star
from keel_lint.report.diff import diff
from keel_lint.report.frame import Frame, frame
from keel_lint.report.style import Ink
from keel_lint.source import SourceError

if TYPE_CHECKING:
    from keel_lint.finding import Finding, Fix, Hop, Span
    from keel_lint.source import Source

_UNSAFE = "This is an unsafe fix and may change runtime behavior"


def render(report: Report) -> str:
    """The findings and the summary."""
    return "".join("\n".join(lines(report, finding)) + "\n\n" for finding in report.findings) + summary.render(report)


def lines(report: Report, finding: Finding) -> Iterator[str]:
    """One finding: its message, its place, its path hop by hop, its fix and the page of its rule."""
    ink = Ink(report.color)
    main = _frame(report, finding.path, finding.span)
    hops = [(hop, _frame_of_hop(report, finding, hop)) for hop in finding.hops]
    digits = max((part.digits for part in (main, *(shown for _, shown in hops)) if part), default=0)
    yield f"{ink.code(finding.code)}{star(report, finding)} {ink.bold(' '.join(finding.message.splitlines()))}"
    yield from _place(report, finding.path, finding.span, main, digits)
    for number, (hop, shown) in enumerate(hops, 1):
        yield from _step(report, number, hop, shown, digits)
    if finding.fix:
        yield from _fix(report, finding, finding.fix)
    url = report.url(finding)
    if url:
        yield f"{' ' * digits} {ink.gutter('=')} {ink.bold('see')}: {url}"


def _step(report: Report, number: int, hop: Hop, shown: Frame | None, digits: int) -> Iterator[str]:
    """One hop of the path, told as a story: what happens first, and what then."""
    ink = Ink(report.color)
    then = "then " if number > 1 else ""
    yield f"{ink.help(f'path {number}')}{ink.bold(f': {then}{hop.what}')}"
    yield from _place(report, hop.path, hop.span, shown, digits)


def _place(report: Report, path: str, span: Span, shown: Frame | None, digits: int) -> Iterator[str]:
    ink = Ink(report.color)
    yield f"{' ' * digits}{ink.gutter('-->')} {report.shown(path)}:{span.row}:{span.column}"
    if shown:
        yield from shown.lines(ink, digits, report.width)


def _fix(report: Report, finding: Finding, fix: Fix) -> Iterator[str]:
    ink = Ink(report.color)
    yield f"{ink.help('help')}{ink.bold(f': {fix.title}')}"
    if fix.applicability == "displayonly":
        return
    edits = sorted(fix.edits, key=lambda edit: (edit.path or finding.path) != finding.path)
    for path, group in groupby(edits, lambda edit: edit.path or finding.path):
        source = _source(report, path)
        changes = diff(source, list(group), ink) if source else []
        if path != finding.path:
            yield f" {ink.gutter('-->')} {report.shown(path)}"
        yield from changes
    if fix.applicability == "unsafe":
        yield f"{ink.warning('note')}{ink.bold(f': {_UNSAFE}')}"


def _frame(report: Report, path: str, span: Span, context: int = 2) -> Frame | None:
    source = _source(report, path)
    return frame(source, span, context) if source else None


def _frame_of_hop(report: Report, finding: Finding, hop: Hop) -> Frame | None:
    """The hop's line; nothing where the finding itself stands there, and has just been shown."""
    shown = (hop.path, hop.span) == (finding.path, finding.span)
    return None if shown else _frame(report, hop.path, hop.span, context=0)


def _source(report: Report, path: str) -> Source | None:
    """The file; `None` where it cannot be read, which is a finding of its own."""
    try:
        return report.source(path)
    except SourceError:
        return None
