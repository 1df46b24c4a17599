"""The ways of running `keel-lint check` that change files: `--fix`, `--diff`, `--fix-only`, `--add-noqa`."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keel_lint import fixes
from keel_lint.cli.console import CommandError, write
from keel_lint.report import counted
from keel_lint.source import SourceError

if TYPE_CHECKING:
    from keel_lint.cli.session import FixCounts, Session
    from keel_lint.finding import Finding
    from keel_lint.fixes import FixOutcome
    from keel_lint.outcome import Outcome
    from keel_lint.source import Source


def fix(session: Session) -> int:
    """Fix what can be fixed, or show what that would change, and report the rest; returns the exit status."""
    outcomes: list[Outcome] = []

    def check(overlay: Mapping[Path, bytes]) -> Sequence[Finding]:
        outcomes.append(session.check(overlay))
        return outcomes[-1].findings

    passed = {str(path) for path in session.stdin or session.linter.files()}
    done = fixes.fix(check, unsafe=session.settings.unsafe_fixes, may_touch=passed.__contains__, read=session.source)
    session.complain(outcomes[0])
    for path, reason in done.errors.items():
        session.fail(f"{path}: {reason}")
    if session.arguments.diff:
        return _show_difference(session, done, _more(session, done, passed))
    fixed = _write_stdin(session, done) if session.stdin else _write_files(session, done)
    if session.arguments.fix_only:
        session.console.note(f"Fixed {counted(_total(fixed), 'error')}{_more(session, done, passed)}.")
    else:
        _report(session, outcomes[-1], done, fixed)
    return _status(session, done, fixed)


def _show_difference(session: Session, done: FixOutcome, more: str) -> int:
    nameless = bool(session.stdin) and session.arguments.stdin_filename is None
    diffs = [
        fixes.unified_diff("" if nameless else _shown(session, path), done.before[path], done.after[path])
        for path in sorted(done.after)
    ]
    session.console.findings("".join(diffs))
    if diffs or more:
        session.console.note(f"Would fix {counted(_total(done.counts), 'error')}{more}.")
    return session.status(done.remaining, found=bool(done.after))


def _more(session: Session, done: FixOutcome, passed: Container[str]) -> str:
    """How many more unsafe fixes would mend in the files that were `passed`, where these were not asked for."""
    unsafe = [one for one in done.remaining if one.fix and one.fix.applicability == "unsafe" and one.path in passed]
    return f" ({len(unsafe)} more with `--unsafe-fixes`)" if unsafe and not session.settings.unsafe_fixes else ""


def _write_stdin(session: Session, done: FixOutcome) -> FixCounts:
    for path, raw in session.stdin.items():
        write(done.after[path].raw if path in done.after else raw)
    return done.counts


def _write_files(session: Session, done: FixOutcome) -> FixCounts:
    """Write what was fixed; returns the counts of the files in which that succeeded."""
    written = {str(path) for path, source in done.after.items() if _replace(session, done.before[path], source.raw)}
    return {path: codes for path, codes in done.counts.items() if path in written}


def _report(session: Session, outcome: Outcome, done: FixOutcome, fixed: FixCounts) -> None:
    """Report what is left; beside fixed standard input, which has stdout for itself, on stderr."""

    def read(path: Path) -> Source:
        return done.after.get(path) or session.source(path)

    session.report(outcome, done.remaining, fixed=fixed, read=read)
    for skipped in done.skipped:
        finding = skipped.finding
        session.console.note(
            f"{_shown(session, Path(finding.path))}:{finding.span.row}: {finding.code} was not fixed: {skipped.reason}"
        )


def _status(session: Session, done: FixOutcome, fixed: FixCounts) -> int:
    left = bool(done.remaining) and not session.arguments.fix_only
    return session.status(done.remaining, found=left or (session.arguments.exit_non_zero_on_fix and bool(fixed)))


def add_noqa(session: Session, reason: str) -> int:
    """Write a comment for each finding; returns the exit status."""
    from keel_lint.suppressions import add_noqa as edits_for

    if session.stdin:
        raise CommandError("`--add-noqa` changes files, and standard input is none")
    outcome = session.check({})
    session.complain(outcome)
    added = 0
    passed = set(map(str, session.linter.files()))
    for path, findings in _by_path([one for one in outcome.findings if one.path in passed]).items():
        try:
            source = session.source(Path(path))
            edits = edits_for(source, findings, reason, session.registry)
            raw = source.apply(edits)
        except SourceError as error:
            session.fail(f"{path}: {error}")
            continue
        added += len(edits) if edits and _replace(session, source, raw) else 0
    session.console.note(f"Added {counted(added, 'noqa comment')}.")
    return session.status(outcome.findings, found=False)


def _by_path(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.path, []).append(finding)
    return grouped


def _replace(session: Session, source: Source, raw: bytes) -> bool:
    """Write a file's new content; whether that succeeded."""
    try:
        fixes.write_atomically(source.path, raw, source.raw)
    except OSError as error:
        session.fail(f"{source.path}: cannot be written: {error.strerror or error}")
        return False
    return True


def _shown(session: Session, path: Path) -> str:
    return str(path.relative_to(session.cwd)) if path.is_relative_to(session.cwd) else str(path)


def _total(counts: FixCounts) -> int:
    return sum(sum(codes.values()) for codes in counts.values())
