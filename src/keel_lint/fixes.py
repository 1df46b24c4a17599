"""Fixes as edits of the original bytes: sort them, skip overlaps, repeat until nothing changes, re-parse, write atomically."""

from __future__ import annotations

import errno
import os
import re
from bisect import bisect, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec

from keel_lint.finding import Edit, Finding, Fix
from keel_lint.record import Record
from keel_lint.source import Source, SourceError

MAX_PASSES = 100
# LibCST recurses once a bracket and more; Python itself gives up at 200 open brackets.
DEEP = 1000
_STACK = 256 * 1024 * 1024

_BRACKET = re.compile(rb"[()\[\]{}]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")

Check = Callable[[Mapping[Path, bytes]], Sequence[Finding]]


class ChangedOnDiskError(OSError):
    """A file was changed by someone else after it was read."""


class Skipped(Record, frozen=True):
    """A finding whose fix was not applied, and why."""

    finding: Finding
    reason: str


class Plan(msgspec.Struct):
    """One pass of fixes: the edits by absolute path (sorted, apart from each other), and what became of each finding."""

    edits: dict[str, list[Edit]] = msgspec.field(default_factory=dict)
    applied: list[Finding] = msgspec.field(default_factory=list)
    skipped: list[Skipped] = msgspec.field(default_factory=list)


class FixOutcome(Record, frozen=True):
    """What fixing led to; nothing is written. `before` and `after` hold the files that changed, under the same keys.

    `applied` are the findings that were fixed, pass by pass; `remaining` those of the last check; `skipped` those of
    `remaining` that have an applicable fix which could not be applied. `errors` are the files whose fixes were undone, and why.
    """

    before: dict[Path, Source] = msgspec.field(default_factory=dict)
    after: dict[Path, Source] = msgspec.field(default_factory=dict)
    applied: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    remaining: tuple[Finding, ...] = ()
    errors: dict[Path, str] = msgspec.field(default_factory=dict)

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """The number of fixes applied by file and code."""
        counts: dict[str, Counter[str]] = {}
        for finding in self.applied:
            counts.setdefault(finding.path, Counter())[finding.code] += 1
        return counts


def applicable(fix: Fix, unsafe: bool) -> bool:
    """Whether `fix` may be applied, `unsafe` ones being allowed or not."""
    return fix.applicability == "safe" or (unsafe and fix.applicability == "unsafe")


def plan(findings: Sequence[Finding], unsafe: bool, may_touch: Callable[[str], bool]) -> Plan:
    """The applicable fixes of `findings` that go together in one pass, first come first served by position.

    A fix that overlaps or touches an edit already taken waits for the next pass. `may_touch` says of an absolute path
    whether fixes may change it; a fix that also changes another file is skipped whole.
    """
    planned = Plan()
    taken: dict[str, _Taken] = {}
    candidates = [(finding, _edits(finding)) for finding in findings if finding.fix and applicable(finding.fix, unsafe)]
    for finding, edits in sorted(candidates, key=_by_position):
        reason = _refusal(finding, edits, may_touch) or _conflict(edits, taken)
        if reason:
            planned.skipped.append(Skipped(finding, reason))
            continue
        planned.applied.append(finding)
        for path, edit in [pair for pair in edits if not _satisfied(pair, taken)]:
            insort(taken.setdefault(path, _Taken()).edits, edit, key=_span)
    planned.edits = {path: others.edits for path, others in taken.items()}
    return planned


def fix(
    check: Check, *, unsafe: bool, may_touch: Callable[[str], bool], read: Callable[[Path], Source] = Source.read
) -> FixOutcome:
    """Fix what `check` finds until nothing changes any more.

    `check` lints with the given files in place of those on disk and returns the findings that are not suppressed. `read`
    gives a file as the first check saw it, and may raise `SourceError`. A file that no longer parses after its fixes, or in
    which fixes never come to an end, is left as it was and named in the outcome's errors; the rest is fixed without it.
    """
    fixer = _Fixer(check, unsafe, may_touch, read)
    outcome = fixer.run()
    while outcome is None:
        outcome = fixer.run()
    return outcome


class _Fixer:
    """The loop of passes. `refused` and `errors` outlive a run: a run that spoils a file starts again without that file."""

    def __init__(self, check: Check, unsafe: bool, may_touch: Callable[[str], bool], read: Callable[[Path], Source]) -> None:
        self.check, self.unsafe, self.may_touch, self.read = check, unsafe, may_touch, read
        self.first = check({})
        self.refused: dict[str, str] = {}
        self.errors: dict[Path, str] = {}
        self.before: dict[str, Source] = {}

    def run(self) -> FixOutcome | None:
        """Pass after pass from the start; `None` where a file had to be given up."""
        now: dict[str, Source] = {}
        findings = self.first
        applied: list[Finding] = []
        for _ in range(MAX_PASSES):
            fit, unfit = self.sift(findings, now)
            planned = plan(fit, self.unsafe, self.may_touch)
            if not planned.edits:
                return self.outcome(now, applied, [*unfit, *planned.skipped], findings)
            spoilt = self.apply(planned, now)
            if spoilt:
                self.give_up(spoilt)
                return None
            applied += planned.applied
            findings = self.check({Path(path): source.raw for path, source in now.items()})
        codes = ", ".join(sorted({finding.code for finding in planned.applied}))
        reason = f"fixes did not come to an end after {MAX_PASSES} passes ({codes}); the file is left as it was"
        self.give_up(dict.fromkeys(planned.edits, reason))
        return None

    def sift(self, findings: Sequence[Finding], now: Mapping[str, Source]) -> tuple[list[Finding], list[Skipped]]:
        """The findings whose fix fits the files it changes, and those whose fix does not."""
        fit: list[Finding] = []
        unfit: list[Skipped] = []
        for finding in findings:
            if finding.fix is None or not applicable(finding.fix, self.unsafe):
                continue
            reason = self.objection(finding, now)
            if reason:
                unfit.append(Skipped(finding, reason))
            else:
                fit.append(finding)
        return fit, unfit

    def objection(self, finding: Finding, now: Mapping[str, Source]) -> str:
        """Why the fix of `finding` must not be tried; empty where it may be."""
        edits = _edits(finding)
        refusal = _refusal(finding, edits, self.may_touch)
        if refusal:
            return refusal
        idle = True
        for path, edit in edits:
            source = now.get(path) or self.original(path)
            if source is None:
                return self.refused[path]
            try:
                source.apply([edit])
            except SourceError as error:
                return str(error)
            idle = idle and source.slice(edit.span.start, edit.span.end) == edit.content
        return "it changes nothing" if idle else ""

    def original(self, path: str) -> Source | None:
        """The file before all fixes; `None`, with the reason in `refused`, where it must not be fixed."""
        if path not in self.before and path not in self.refused:
            try:
                source = self.read(Path(path))
            except SourceError as error:
                self.refused[path] = str(error)
                return None
            flaw = parse_error(source)
            if flaw:
                self.refused[path] = f"the file does not parse: {flaw}"
                return None
            self.before[path] = source
        return None if path in self.refused else self.before[path]

    def apply(self, planned: Plan, now: dict[str, Source]) -> dict[str, str]:
        """Apply one pass to `now`; returns the files that this spoils, with the reason."""
        spoilt: dict[str, str] = {}
        for path, edits in planned.edits.items():
            source = now.get(path) or self.before[path]
            try:
                now[path] = Source.from_bytes(source.path, source.apply(edits))
                flaw = parse_error(now[path])
            except SourceError as error:
                flaw = str(error)
            if flaw:
                codes = ", ".join(sorted({finding.code for finding in planned.applied if _touches(finding, path)}))
                spoilt[path] = f"does not parse after its fixes ({codes}), which are undone: {flaw}"
        return spoilt

    def give_up(self, spoilt: Mapping[str, str]) -> None:
        """Leave these files as they were, for the reasons given."""
        self.refused.update(spoilt)
        self.errors.update({Path(path): reason for path, reason in spoilt.items()})

    def outcome(
        self, now: Mapping[str, Source], applied: list[Finding], skipped: list[Skipped], remaining: Sequence[Finding]
    ) -> FixOutcome:
        changed = {path: source for path, source in now.items() if source.raw != self.before[path].raw}
        return FixOutcome(
            {Path(path): self.before[path] for path in changed},
            {Path(path): source for path, source in changed.items()},
            tuple(applied),
            tuple(skipped),
            tuple(remaining),
            self.errors,
        )


class _Taken:
    """The edits already taken in one file."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []

    def has(self, edit: Edit) -> bool:
        """Whether the very same edit is taken. Half of a bracket is never the same: two may have to close at one place."""
        return _balanced(edit.content) and any(
            other.content == edit.content and _span(other) == _span(edit) for other in self.near(edit)
        )

    def clashes(self, edit: Edit) -> bool:
        """Whether another edit overlaps `edit` or touches it: what stands side by side may not be meant to."""
        start, end = _span(edit)
        return any(other.span.start <= end and start <= other.span.end for other in self.near(edit))

    def near(self, edit: Edit) -> Iterator[Edit]:
        """The edits that may overlap or touch `edit`, walking away from its place in both directions."""
        place = bisect(self.edits, _span(edit), key=_span)
        for other in reversed(self.edits[:place]):
            if other.span.end < edit.span.start:
                break
            yield other
        for other in self.edits[place:]:
            if other.span.start > edit.span.end:
                break
            yield other


def _span(edit: Edit) -> tuple[int, int]:
    return edit.span.start, edit.span.end


def _edits(finding: Finding) -> list[tuple[str, Edit]]:
    """The edits of the finding's fix with the absolute path of each, by position."""
    edits = finding.fix.edits if finding.fix else ()
    return sorted(((edit.path or finding.path, edit) for edit in edits), key=lambda pair: (pair[0], _span(pair[1])))


def _by_position(candidate: tuple[Finding, Sequence[tuple[str, Edit]]]) -> tuple[str, tuple[int, int], str]:
    finding, edits = candidate
    own = [_span(edit) for path, edit in edits if path == finding.path]
    return finding.path, min(own, default=(finding.span.start, finding.span.end)), finding.code


def _touches(finding: Finding, path: str) -> bool:
    return any(touched == path for touched, _ in _edits(finding))


def _refusal(finding: Finding, edits: Sequence[tuple[str, Edit]], may_touch: Callable[[str], bool]) -> str:
    """Why the fix must not be applied in any pass; empty where it may be."""
    if not edits:
        return "it changes nothing"
    for path, _ in edits:
        if not may_touch(path):
            return "its file was not passed" if path == finding.path else f"it also changes {path}, which was not passed"
    for (path, edit), (next_path, following) in pairwise(edits):
        if path == next_path and following.span.start < edit.span.end:
            return "its edits overlap"
    return ""


def _conflict(edits: Sequence[tuple[str, Edit]], taken: Mapping[str, _Taken]) -> str:
    """Why the fix cannot be applied in this pass; empty where it can."""
    for path, edit in edits:
        if path in taken and taken[path].clashes(edit) and not taken[path].has(edit):
            return "it overlaps another fix"
    return ""


def _satisfied(edit: tuple[str, Edit], taken: Mapping[str, _Taken]) -> bool:
    path, wanted = edit
    return path in taken and taken[path].has(wanted)


def _balanced(content: str) -> bool:
    return all(content.count(opening) == content.count(closing) for opening, closing in ("()", "[]", "{}"))


def parse_error(source: Source) -> str:
    """Why LibCST cannot parse `source`, in one line; empty where it can."""
    import threading

    if bracket_depth(source.text) > DEEP:
        return "it nests too deep"
    # LibCST recurses on the native stack, where running out of it ends the process.
    flaws: list[str] = []
    previous = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=_parse, args=(source.text.decode("utf-8"), flaws))
        thread.start()
    finally:
        threading.stack_size(previous)
    thread.join()
    return flaws[0] if flaws else ""


def _parse(text: str, flaws: list[str]) -> None:
    import libcst as cst

    try:
        cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        flaws.append(f"line {error.raw_line}: {' '.join(error.message.split())}")
    except Exception as error:  # whatever stops the parser stops the fix, never the run
        flaws.append(f"{type(error).__name__}: {' '.join(str(error).split())}")


def bracket_depth(text: bytes) -> int:
    """How many brackets are open at once at most, those in strings and comments counted too."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in b"([{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def unified_diff(path_shown: str, before: Source, after: Source) -> str:
    """The change from `before` to `after` as a unified diff without dates, and without header where `path_shown` is empty."""
    from difflib import unified_diff as compare

    lines = list(compare(_lines(before), _lines(after), path_shown, path_shown))
    shown = lines if path_shown else lines[2:]
    return "".join(line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in shown)


def _lines(source: Source) -> list[str]:
    """The lines with their endings; `str.splitlines` would also split at form feeds and the like."""
    return _LINE.findall(source.text.decode("utf-8"))


def write_atomically(path: Path, raw: bytes, expected: bytes) -> None:
    """Replace the content of `path`, which must still be `expected`, by `raw`: at once and whole, or not at all.

    Permissions and owner are kept; a symbolic link stays one, and the file it leads to is replaced. Raises
    `ChangedOnDiskError` where the content is no longer `expected`, and any other `OSError` where the file cannot be written.
    """
    from tempfile import mkstemp

    target = path.resolve(strict=True)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    descriptor, name = mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
        _copy_owner_and_mode(target, temporary)
        if target.read_bytes() != expected:
            raise ChangedOnDiskError(errno.EBUSY, "changed on disk while it was being fixed", str(path))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    there, here = source.stat(), target.stat()
    if os.name == "posix" and (there.st_uid, there.st_gid) != (here.st_uid, here.st_gid):
        with suppress(PermissionError):  # only root may give a file away
            os.chown(target, there.st_uid, there.st_gid)
    target.chmod(there.st_mode & 0o7777)
