"""Fixes: which go together, when the loop ends, what is undone, and how files are written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keel_lint import fixes
from keel_lint.finding import Applicability, Edit, Finding, Fix
from keel_lint.fixes import (
    ChangedOnDiskError,
    FixOutcome,
    Plan,
    applicable,
    fix,
    parse_error,
    plan,
    unified_diff,
    write_atomically,
)
from keel_lint.source import Source, SourceError

A, B = "/project/a.py", "/project/b.py"
Change = tuple[int, int, str]


def source(text: str, path: str = A) -> Source:
    return Source.from_bytes(Path(path), text.encode())


def edit(change: Change, path: str = "", of: Source | None = None) -> Edit:
    start, end, content = change
    return Edit((of or source(" " * 1000)).span(start, end), content, path)


def finding(
    *changes: Change, code: str = "KEL101", path: str = A, also: Mapping[str, Change] | None = None,
    how: Applicability = "safe", of: Source | None = None,
) -> Finding:  # fmt: skip
    edits = [edit(change, of=of) for change in changes]
    edits += [edit(change, other) for other, change in (also or {}).items()]
    span = edits[0].span if edits else source("").span(0, 0)
    return Finding(code, "slug", "correctness", "message", path, span, span.row, fix=Fix("title", how, tuple(edits)))


def anywhere(path: str) -> bool:  # noqa: ARG001
    return True


def planned(*findings: Finding) -> Plan:
    return plan(findings, unsafe=False, may_touch=anywhere)


def changes(made: Plan, path: str = A) -> list[Change]:
    return [(e.span.start, e.span.end, e.content) for e in made.edits[path]]


# -- which fixes may be applied -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "unsafe", "expected"),
    [
        ("safe", False, True), ("safe", True, True), ("unsafe", False, False), ("unsafe", True, True),
        ("displayonly", False, False), ("displayonly", True, False),
    ],
)  # fmt: skip
def test_applicable(how: Applicability, unsafe: bool, expected: bool) -> None:
    made = finding((0, 1, "x"), how=how)
    assert made.fix is not None
    assert applicable(made.fix, unsafe) is expected
    assert plan([made], unsafe, anywhere).applied == ([made] if expected else [])


# -- one pass -------------------------------------------------------------------------------------------------------------


def test_edits_are_sorted_whatever_the_order_of_findings() -> None:
    first, second = finding((2, 3, "x"), (20, 21, "z")), finding((10, 11, "y"))
    made = planned(second, first)
    assert changes(made) == [(2, 3, "x"), (10, 11, "y"), (20, 21, "z")]
    assert made.applied == [first, second]


@pytest.mark.parametrize("other", [(4, 8, "y"), (1, 3, "y"), (3, 4, "y"), (2, 2, "y"), (5, 5, "y"), (5, 9, "y"), (0, 2, "y")])
def test_what_overlaps_or_touches_waits(other: Change) -> None:
    taken, waiting = finding((2, 5, "x"), code="KEL101"), finding(other, code="KEL102")
    first, second = (taken, waiting) if other[0] >= 2 else (waiting, taken)
    made = planned(taken, waiting)
    if other == (2, 2, "y"):
        first, second = second, first
    assert made.applied == [first]
    assert [(skip.finding, skip.reason) for skip in made.skipped] == [(second, "it overlaps another fix")]


def test_a_fix_is_applied_whole_or_not_at_all() -> None:
    made = planned(finding((2, 5, "x")), finding((4, 4, "y"), (50, 51, "z")))
    assert changes(made) == [(2, 5, "x")]


def test_the_same_import_is_added_once() -> None:
    line = (0, 0, "import functools\n")
    first, second = finding(line, (10, 11, "x")), finding(line, (20, 21, "y"))
    made = planned(first, second)
    assert changes(made) == [line, (10, 11, "x"), (20, 21, "y")]
    assert made.applied == [first, second]


def test_different_insertions_at_one_place_wait() -> None:
    made = planned(finding((0, 0, "import a\n"), (10, 11, "x")), finding((0, 0, "import b\n"), (20, 21, "y")))
    assert changes(made) == [(0, 0, "import a\n"), (10, 11, "x")]


def test_half_a_bracket_is_never_the_same_edit() -> None:
    outer, inner = finding((0, 0, "f("), (9, 9, ")")), finding((4, 4, "g("), (9, 9, ")"))
    made = planned(outer, inner)
    assert made.applied == [outer]


def test_a_fix_may_insert_the_same_twice() -> None:
    assert changes(planned(finding((3, 3, "x"), (3, 3, "x")))) == [(3, 3, "x"), (3, 3, "x")]


def test_a_fix_whose_own_edits_overlap_is_refused() -> None:
    made = planned(finding((2, 5, "x"), (4, 6, "y")))
    assert not made.edits
    assert [skip.reason for skip in made.skipped] == ["its edits overlap"]


def test_files_are_all_or_nothing() -> None:
    both = finding((2, 3, "x"), also={B: (2, 3, "x")})
    made = planned(both)
    assert set(made.edits) == {A, B}
    alone = plan([both], False, lambda path: path == A)
    assert not alone.edits
    assert [skip.reason for skip in alone.skipped] == [f"it also changes {B}, which was not passed"]
    assert [s.reason for s in plan([both], False, lambda path: path == B).skipped] == ["its file was not passed"]
    taken = planned(finding((1, 4, "y"), path=B, code="KEL100"), finding((1, 4, "y"), path=A, code="KEL100"), both)
    assert [skip.finding for skip in taken.skipped] == [both]


Fixes = st.lists(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 4), st.sampled_from(["", "x", "yy", "(", ")", "é"])),
        min_size=1,
        max_size=3,
    ),
    max_size=8,
)


@given(drawn=Fixes)
def test_a_plan_equals_its_fixes_one_at_a_time(drawn: list[list[Change]]) -> None:
    text = source("".join(chr(ord("A") + n % 26) for n in range(40)))
    found = [finding(*((start, start + size, put) for start, size, put in one), of=text) for one in drawn]
    made = planned(*found)
    together = text.apply(made.edits.get(A, []))
    one_by_one, done = text.raw, set[Change]()
    moved: list[tuple[int, int]] = []
    for applied in made.applied:
        assert applied.fix is not None
        own = [(e.span.start, e.span.end, e.content) for e in applied.fix.edits]
        fresh = sorted((change for change in own if change not in done), key=lambda change: change[:2])
        for start, end, content in fresh:
            # Earlier edits shift what stands behind them; at the same place an insertion comes behind an earlier one.
            shift = sum(delta for place, delta in moved if place <= start)
            one_by_one = one_by_one[: start + shift] + content.encode() + one_by_one[end + shift :]
            moved.append((start, len(content.encode()) - (end - start)))
        done |= set(own)
    assert together == one_by_one


@given(drawn=Fixes)
def test_every_applicable_fix_is_applied_or_skipped(drawn: list[list[Change]]) -> None:
    found = [finding(*((start, start + size, put) for start, size, put in one)) for one in drawn]
    made = planned(*found)
    assert sorted(map(repr, found)) == sorted(map(repr, made.applied + [skip.finding for skip in made.skipped]))
    if found and not any(skip.reason == "its edits overlap" for skip in made.skipped):
        assert made.applied


# -- the loop -------------------------------------------------------------------------------------------------------------


class Linter:
    """Finds words in files and fixes each by another: a rule for every pair, and a `check` for `fix`."""

    def __init__(self, files: Mapping[str, bytes], *rules: tuple[str, str, str]) -> None:
        self.files = {Path(path): raw for path, raw in files.items()}
        self.rules = rules
        self.checks = 0

    def __call__(self, overlay: Mapping[Path, bytes]) -> Sequence[Finding]:
        self.checks += 1
        return [
            found for path in self.files for found in self.findings(Source.from_bytes(path, {**self.files, **overlay}[path]))
        ]

    def findings(self, read: Source) -> list[Finding]:
        return [
            finding((match.start(), match.end(), new), code=code, path=str(read.path), of=read)
            for code, old, new in self.rules
            for match in re.finditer(old.encode(), read.text)
        ]

    def read(self, path: Path) -> Source:
        return Source.from_bytes(path, self.files[path])

    def fix(self, *, unsafe: bool = False, may_touch: Callable[[str], bool] = anywhere) -> FixOutcome:
        return fix(self, unsafe=unsafe, may_touch=may_touch, read=self.read)


def raws(outcome: FixOutcome) -> dict[str, bytes]:
    return {str(path): source.raw for path, source in outcome.after.items()}


def test_passes_repeat_until_nothing_changes() -> None:
    linter = Linter({A: b"one; one\n", B: b"pass\n"}, ("KEL101", "one", "two"), ("KEL102", "two", "three"))
    outcome = linter.fix()
    assert raws(outcome) == {A: b"three; three\n"}
    assert outcome.before[Path(A)].raw == b"one; one\n"
    assert outcome.counts == {A: {"KEL101": 2, "KEL102": 2}}
    assert outcome.remaining == ()
    assert outcome.errors == {}
    assert linter.checks == 3


def test_overlapping_fixes_are_applied_in_later_passes() -> None:
    outcome = Linter({A: b"ab\n"}, ("KEL101", "a", "x"), ("KEL102", "b", "y")).fix()
    assert raws(outcome) == {A: b"xy\n"}
    assert outcome.counts == {A: {"KEL101": 1, "KEL102": 1}}
    assert outcome.skipped == ()


def test_a_file_that_no_longer_parses_is_left_as_it_was_and_the_rest_goes_on() -> None:
    files = {A: b"one; bad\n", B: b"one\n"}
    outcome = Linter(files, ("KEL101", "one", "two"), ("KEL102", "bad", "((("), ("KEL103", "two", "three")).fix()
    assert raws(outcome) == {B: b"three\n"}
    assert outcome.counts == {B: {"KEL101": 1, "KEL103": 1}}
    assert list(outcome.errors) == [Path(A)]
    assert "does not parse after its fixes (KEL101, KEL102), which are undone: " in outcome.errors[Path(A)]
    assert {found.code for found in outcome.remaining} == {"KEL101", "KEL102"}
    assert {skip.reason for skip in outcome.skipped} == {outcome.errors[Path(A)]}


def test_what_breaks_in_a_later_pass_is_undone_from_the_start() -> None:
    outcome = Linter(
        {A: b"one\n", B: b"one_\n"}, ("KEL101", r"one\b", "two"), ("KEL102", "two", ")"), ("KEL103", "one_", "x")
    ).fix()
    assert raws(outcome) == {B: b"x\n"}
    assert "(KEL102)" in outcome.errors[Path(A)]


def test_a_fix_over_two_files_is_undone_in_both() -> None:
    def check(overlay: Mapping[Path, bytes]) -> Sequence[Finding]:
        return [] if overlay else [finding((0, 1, "x"), also={B: (0, 1, "(")}, path=A)]

    outcome = fix(check, unsafe=False, may_touch=anywhere, read=lambda path: source("abc\n", str(path)))
    assert raws(outcome) == {}
    assert list(outcome.errors) == [Path(B)]
    assert outcome.applied == ()


def test_a_file_that_never_parsed_is_not_fixed() -> None:
    outcome = Linter({A: b"one (\n", B: b"one\n"}, ("KEL101", "one", "two")).fix()
    assert raws(outcome) == {B: b"two\n"}
    [skip] = outcome.skipped
    assert (skip.finding.path, skip.reason.startswith("the file does not parse: line ")) == (A, True)
    assert outcome.errors == {}


def test_a_file_that_cannot_be_read_is_not_fixed() -> None:
    def read(path: Path) -> Source:  # noqa: ARG001
        raise SourceError("is gone")

    linter = Linter({A: b"one\n"}, ("KEL101", "one", "two"))
    outcome = fix(linter, unsafe=False, may_touch=anywhere, read=read)
    assert [skip.reason for skip in outcome.skipped] == ["is gone"]
    assert len(outcome.remaining) == 1


def test_fixes_that_never_end_are_undone() -> None:
    files = {A: b"one\n", B: b"old\n"}
    outcome = Linter(files, ("KEL101", "one", "two"), ("KEL102", "two", "one"), ("KEL103", "old", "new")).fix()
    assert raws(outcome) == {B: b"new\n"}
    assert outcome.errors == {
        Path(A): f"fixes did not come to an end after {fixes.MAX_PASSES} passes (KEL102); the file is left as it was"
    }
    assert outcome.counts == {B: {"KEL103": 1}}


def test_a_fix_that_changes_nothing_ends_the_loop() -> None:
    linter = Linter({A: b"one\n"}, ("KEL101", "one", "one"))
    outcome = linter.fix()
    assert raws(outcome) == {}
    assert outcome.applied == ()
    assert [skip.reason for skip in outcome.skipped] == ["it changes nothing"]
    assert linter.checks == 1


def test_a_fix_that_the_encoding_cannot_hold_is_skipped_alone() -> None:
    files = {A: "# coding: latin-1\none; é; two\n".encode("latin-1")}
    outcome = Linter(files, ("KEL101", "one", "Ж"), ("KEL102", "two", "ü")).fix()
    assert raws(outcome) == {A: "# coding: latin-1\none; é; ü\n".encode("latin-1")}
    assert [(skip.finding.code, "cannot hold" in skip.reason) for skip in outcome.skipped] == [("KEL101", True)]


def test_files_that_were_not_passed_are_not_touched() -> None:
    outcome = Linter({A: b"one\n", B: b"one\n"}, ("KEL101", "one", "two")).fix(may_touch=lambda path: path == B)
    assert raws(outcome) == {B: b"two\n"}
    assert [skip.reason for skip in outcome.skipped] == ["its file was not passed"]


def test_fixes_that_are_not_applicable_are_not_mentioned() -> None:
    def check(overlay: Mapping[Path, bytes]) -> Sequence[Finding]:  # noqa: ARG001
        return [finding((0, 1, "x"), how="displayonly")]

    outcome = fix(check, unsafe=True, may_touch=anywhere, read=lambda path: source("a\n", str(path)))
    assert (outcome.skipped, outcome.applied, len(outcome.remaining)) == ((), (), 1)


def test_files_are_read_from_disk(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"one\r\n")
    outcome = fix(Linter({str(file): b"one\r\n"}, ("KEL101", "one", "two")), unsafe=False, may_touch=anywhere)
    assert raws(outcome) == {str(file): b"two\r\n"}
    assert file.read_bytes() == b"one\r\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\n", ""),
        ("x = 1", ""),
        ("def f():\r    pass\r", ""),
        ("x = (\n", "line "),
        ("x = " + "(" * 3000 + ")" * 3000, "it nests too deep"),
        ("x = " + "(" * 900 + ")" * 900, ""),
    ],
)
def test_parse_error(text: str, error: str) -> None:
    found = parse_error(source(text))
    assert found.startswith(error)
    assert bool(found) == bool(error)
    assert "\n" not in found


# -- the diff -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        ("import os\nx = 1\n", "x = 1\n", "@@ -1,2 +1 @@\n-import os\n x = 1\n"),
        ("import os", "", "@@ -1 +0,0 @@\n-import os\n\\ No newline at end of file\n"),
        ("import os\r\nx\r\n", "x\r\n", "@@ -1,2 +1 @@\n-import os\r\n x\r\n"),
        ("a\x0cb\u2028c\n", "d\n", "@@ -1 +1 @@\n-a\x0cb\u2028c\n+d\n"),
        ("a\nb", "c\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n"),
    ],
)
def test_unified_diff(before: str, after: str, diff: str) -> None:
    assert unified_diff("pkg/a.py", source(before), source(after)) == f"--- pkg/a.py\n+++ pkg/a.py\n{diff}"
    assert unified_diff("", source(before), source(after)) == diff
    assert unified_diff("pkg/a.py", source(before), source(before)) == ""


# -- writing --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "a.py"
    made.write_bytes(b"old\n")
    return made


def test_write_keeps_the_mode(file: Path) -> None:
    file.chmod(0o751)
    write_atomically(file, b"new\n", b"old\n")
    assert file.read_bytes() == b"new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o751
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_write_keeps_the_owner(file: Path) -> None:
    os.chown(file, 1234, 1235)
    write_atomically(file, b"new\n", b"old\n")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1235)


def test_write_follows_links(file: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "b.py"
    link.symlink_to("../a.py")
    write_atomically(link, b"new\n", b"old\n")
    assert link.is_symlink()
    assert file.read_bytes() == b"new\n"
    assert not file.is_symlink()
    assert list(link.parent.iterdir()) == [link]


def test_write_refuses_a_file_that_changed(file: Path) -> None:
    with pytest.raises(ChangedOnDiskError, match="changed on disk"):
        write_atomically(file, b"new\n", b"older\n")
    assert file.read_bytes() == b"old\n"
    assert list(file.parent.iterdir()) == [file]


def test_write_refuses_a_file_that_may_not_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (file, os.W_OK))
    with pytest.raises(PermissionError):
        write_atomically(file, b"new\n", b"old\n")
    assert file.read_bytes() == b"old\n"


def test_write_needs_the_file(file: Path) -> None:
    file.unlink()
    with pytest.raises(FileNotFoundError):
        write_atomically(file, b"new\n", b"old\n")
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.chmod"])
def test_an_interrupted_write_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        assert file.read_bytes() == b"old\n"
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises((KeyboardInterrupt, OSError)):
        write_atomically(file, b"new\n", b"old\n")
    assert file.read_bytes() == b"old\n"
    assert list(file.parent.iterdir()) == [file]
