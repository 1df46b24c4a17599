"""Each rule's examples: flagged where they are marked and nowhere else, fixed where there is a fix, and all that rewritten."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst
import pytest

from keel_lint import fixes
from keel_lint.discovery import search
from keel_lint.index.build import index
from keel_lint.pages import Example, parse
from keel_lint.rule import Registry, RuleInfo
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder
from keel_lint.source import Source
from tests.rules import rewriting
from tests.rules.rewriting import File, Rewritten

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from keel_lint.finding import Finding
    from keel_lint.outcome import Outcome

OURS = ("keel_lint.itself.", "keel_lint_celery.", "keel_lint_temporal.")
CALLS = {"dispatch", "activity-call", "workflow-start"}
BOM = "\ufeff"
RANKS = {None: 0, "displayonly": 1, "unsafe": 2, "safe": 3}

Place = tuple[str, int]
Rewriting = Callable[[File], Rewritten]

LAYOUTS: tuple[Rewriting, ...] = (rewriting.crlf, rewriting.bom, rewriting.tabs, rewriting.beyond_the_basic_plane)
IMPORTS: tuple[Rewriting, ...] = (
    rewriting.aliased_imports,
    rewriting.modules_imported,
    rewriting.names_imported,
    rewriting.local_imports,
)
WRAPPINGS: tuple[Rewriting, ...] = (rewriting.in_a_function, rewriting.in_a_class)
SUPPRESSIONS: tuple[Rewriting, ...] = (rewriting.noqa, rewriting.keel_ignore)
REWRITINGS = (*LAYOUTS, rewriting.without_marker, *IMPORTS, *WRAPPINGS, *SUPPRESSIONS)

OTHERWISE: dict[tuple[str, str], str] = {}
"""Where a rewriting does change what an example means, by rule and rewriting: why."""


@dataclass(frozen=True)
class Case:
    """One example of one rule. `name` tells it from the others."""

    info: RuleInfo
    example: Example
    name: str

    @property
    def marks(self) -> frozenset[Place]:
        """Where the example is flagged, as (file, row)."""
        return frozenset((path, row) for path, rows in self.example.marks.items() for row, _ in rows)

    def rewritten(self, rewrite: Rewriting) -> tuple[dict[str, str], frozenset[Place]] | None:
        """The files after a rewriting, and where they are flagged then; `None` where nothing can be rewritten."""
        files, marks = dict(self.example.files), set(self.marks)
        changed = False
        for path, text in self.example.files.items():
            rows = [row for row, _ in self.example.marks[path]]
            others = [other for name, other in self.example.files.items() if name != path]
            made = rewrite(File(path, text, others, rows))
            if made is None and rows and rewrite in SUPPRESSIONS:
                return None  # else a part of the example stays flagged
            if made is not None:
                changed = True
                files[path], moved = made
                marks -= {(path, row) for row in rows}
                marks |= {(path, moved(row)) for row in rows}
        return (files, frozenset(marks)) if changed else None


def all_cases() -> list[Case]:
    """Every example of every rule of the project's own packs."""
    cases = []
    for info in Registry.installed().rules.values():
        if info.module.startswith(OURS):
            for number, example in enumerate(parse(info).examples, 1):
                words = "-".join(example.heading.lower().split())[:40]
                kind = "flagged" if example.flagged else "silent"
                cases.append(Case(info, example, f"{info.code}-{number}-{kind}" + (f"-{words}" if words else "")))
    return cases


CASES = all_cases()
FLAGGED = [case for case in CASES if case.example.flagged]
RULES = list({case.info.code: case.info for case in CASES}.values())


def is_meant(case: Case, rewrite: Rewriting) -> bool:
    """Whether a rewriting is of any use for an example, before looking at its text."""
    if case.info.engine == "keel":  # these are about comments and broken code, which the others change
        return rewrite in LAYOUTS
    if rewrite in WRAPPINGS:
        return not CALLS.isdisjoint(case.info.judges)
    return case.example.flagged or rewrite not in (*SUPPRESSIONS, rewriting.without_marker)


def replayed(rewritings: Sequence[Rewriting], cases: Sequence[Case]) -> list[ParameterSet]:
    """Each case under each rewriting that is meant for it."""
    made = []
    for case in cases:
        for rewrite in (rewrite for rewrite in rewritings if is_meant(case, rewrite)):
            reason = OTHERWISE.get((case.info.code, rewrite.__name__))
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            made.append(pytest.param(case, rewrite, id=f"{case.name}-{rewrite.__name__}", marks=marks))
    return made


each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
each_rule = pytest.mark.parametrize("info", RULES, ids=[info.code for info in RULES])
each_replay = pytest.mark.parametrize(("case", "rewrite"), replayed(REWRITINGS, CASES))


class Desk:
    """A folder in which examples are laid out, checked and fixed."""

    def __init__(self, root: Path, registry: Registry) -> None:
        self.root, self.registry = root, registry

    def lay_out(self, case: Case, files: Mapping[str, str], *more: str) -> Linter:
        """Write the files; returns a linter of the whole folder with the case's rule, and `more`."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        codes = ["ALL"] if case.info.engine == "keel" else [case.info.code, *more]
        over = Overrides.from_arguments({"select": codes})
        finder = SettingsFinder(over, isolated=True, registry=self.registry)
        return Linter([self.root], finder, self.registry, cache=False, tests=True)

    def check(self, case: Case, files: Mapping[str, str], *more: str) -> Outcome:
        """What is found in the files; that the tool itself failed nowhere is asserted."""
        outcome = self.lay_out(case, files, *more).check()
        assert outcome.problems == []
        failures = [one.message for one in outcome.findings if one.code in {"KEL000", "KEL001"} and one.code != case.info.code]
        assert failures == []
        return outcome

    def places(self, findings: Sequence[Finding], code: str) -> list[Place]:
        """Where a rule's findings stand."""
        paths = [(Path(one.path).relative_to(self.root).as_posix(), one.span.row) for one in findings if one.code == code]
        return sorted(paths)

    def fixed(self, case: Case, files: Mapping[str, str]) -> tuple[dict[str, str], fixes.FixOutcome]:
        """The files after all fixes, unsafe ones too."""
        linter = self.lay_out(case, files)

        def check(overlay: Mapping[Path, bytes]) -> list[Finding]:
            return [one for one in linter.check(overlay).findings if one.code == case.info.code]

        outcome = fixes.fix(check, unsafe=True, may_touch=lambda path: Path(path).is_relative_to(self.root))
        after = {path.relative_to(self.root).as_posix(): source.raw.decode() for path, source in outcome.after.items()}
        return {**files, **after}, outcome

    def fix_all(self, case: Case, files: Mapping[str, str]) -> dict[str, str]:
        """The files after all fixes, of which is asserted: every finding that had one is gone, and they are still Python."""
        found = [one for one in self.check(case, files).findings if one.code == case.info.code]
        without = [one for one in found if one.fix is None or not fixes.applicable(one.fix, unsafe=True)]
        after, outcome = self.fixed(case, files)
        assert (outcome.errors, outcome.skipped) == ({}, ())
        assert len(outcome.remaining) == len(without)
        for name, text in after.items():
            assert compiles(text) or not compiles(files[name]), text
            assert text == files[name] or cst.parse_module(text.removeprefix(BOM))
        again, second = self.fixed(case, after)
        assert (again, second.after) == (after, {})
        return after


@pytest.fixture
def desk(tmp_path: Path, registry: Registry) -> Desk:
    return Desk(tmp_path, registry)


# -- What is found --------------------------------------------------------------------------------------------------------


@each_case
def test_an_example_is_flagged_where_it_is_marked_and_nowhere_else(desk: Desk, case: Case) -> None:
    findings = desk.check(case, case.example.files).findings
    assert desk.places(findings, case.info.code) == sorted(case.marks)
    assert bool(case.marks) == case.example.flagged


@each_rule
def test_a_silent_example_holds_what_the_rule_judges(info: RuleInfo) -> None:
    """One that no rule ever looks at is silent whatever the rule does."""
    silent = [case.example for case in CASES if case.info is info and not case.example.flagged]
    texts = [text.encode() for example in silent for text in example.files.values()]
    roles = {role for text in texts if search(text) for one in index(text).definitions for role in one.roles}
    assert not info.judges or not roles.isdisjoint(info.judges)


@each_replay
def test_a_rewritten_example_is_flagged_where_its_rows_have_moved(desk: Desk, case: Case, rewrite: Rewriting) -> None:
    made = case.rewritten(rewrite)
    if made is None:
        pytest.skip(f"nothing to rewrite: {rewrite.__doc__}")
    files, marks = made
    if rewrite in SUPPRESSIONS:
        outcome = desk.check(case, files, "KEL002")
        assert [(one.code, one.message) for one in outcome.findings if one.code in {case.info.code, "KEL002"}] == []
        assert set(desk.places([finding for finding, _ in outcome.suppressed], case.info.code)) == marks
    else:
        assert desk.places(desk.check(case, files).findings, case.info.code) == sorted(marks)


@pytest.mark.parametrize("rewrite", REWRITINGS, ids=[rewrite.__name__ for rewrite in REWRITINGS])
def test_each_rewriting_can_be_used_somewhere(rewrite: Rewriting) -> None:
    used = (case for case in CASES if is_meant(case, rewrite) and case.rewritten(rewrite) is not None)
    assert next(used, None) is not None


def test_what_is_meant_otherwise_is_there() -> None:
    """An entry for a rule or a rewriting that is no more would hide nothing, and mislead."""
    codes, names = {info.code for info in RULES}, {rewrite.__name__ for rewrite in REWRITINGS}
    assert [pair for pair in OTHERWISE if pair[0] not in codes or pair[1] not in names] == []


# -- What is fixed --------------------------------------------------------------------------------------------------------


def compiles(text: str) -> bool:
    """Whether Python compiles a text, `await` outside a function allowed."""
    try:
        compile(text.removeprefix(BOM), "example.py", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("case", FLAGGED, ids=[case.name for case in FLAGGED])
def test_a_fix_is_what_the_rule_says_it_is(desk: Desk, case: Case) -> None:
    """A rule without a fix offers none, and none is called safer than the safest that the rule has."""
    findings = [one for one in desk.check(case, case.example.files).findings if one.code == case.info.code]
    offered = [one.fix for one in findings if one.fix is not None]
    assert [fix.title for fix in offered if RANKS[fix.applicability] > RANKS[case.info.fix]] == []
    for fix in offered:
        paths = {edit.path or str(desk.root) for edit in fix.edits}
        assert fix.edits
        assert all(path.startswith(str(desk.root)) for path in paths)


@each_rule
def test_a_rule_that_has_a_fix_shows_one(tmp_path: Path, registry: Registry, info: RuleInfo) -> None:
    """And one of the kind that it names."""
    found = set()
    for number, case in enumerate(case for case in FLAGGED if case.info is info):
        outcome = Desk(tmp_path / str(number), registry).check(case, case.example.files)
        found |= {one.fix.applicability for one in outcome.findings if one.code == info.code and one.fix is not None}
    assert (info.fix in found) if info.fix is not None else not found


@pytest.mark.parametrize("case", FLAGGED, ids=[case.name for case in FLAGGED])
def test_a_fix_leaves_nothing_to_find_and_nothing_to_fix(desk: Desk, case: Case) -> None:
    files = case.example.files
    found = [one for one in desk.check(case, files).findings if one.code == case.info.code]
    fixable = [one for one in found if one.fix is not None and fixes.applicable(one.fix, unsafe=True)]
    after = desk.fix_all(case, files)
    assert (after != files) == bool(fixable)


@pytest.mark.parametrize("case", FLAGGED, ids=[case.name for case in FLAGGED])
def test_a_fix_changes_what_it_says_and_no_byte_more(desk: Desk, case: Case) -> None:
    """Each fix for itself, put together from its edits by hand."""
    findings = desk.check(case, case.example.files).findings
    for finding in (one for one in findings if one.code == case.info.code and one.fix is not None):
        sources = {desk.root / name: text.encode() for name, text in case.example.files.items()}
        edits = finding.fix.edits if finding.fix is not None else ()
        for path, raw in sources.items():
            own = [edit for edit in edits if Path(edit.path or finding.path) == path]
            expected = raw
            for edit in reversed(own):
                expected = expected[: edit.span.start] + edit.content.encode() + expected[edit.span.end :]
                assert edit.content.encode() != raw[edit.span.start : edit.span.end]
            assert Source.from_bytes(path, raw).apply(own) == expected


@pytest.mark.parametrize(("case", "rewrite"), replayed((*LAYOUTS, *IMPORTS), FLAGGED))
def test_the_fix_of_a_rewritten_example_silences_it_too(desk: Desk, case: Case, rewrite: Rewriting) -> None:
    made = case.rewritten(rewrite)
    if made is None or case.info.fix in {None, "displayonly"}:
        pytest.skip("nothing to rewrite" if made is None else "no fix that is applied")
    after = desk.fix_all(case, made[0])
    if rewrite in LAYOUTS:
        plain, _ = desk.fixed(case, case.example.files)
        assert after == {name: relaid(rewrite, name, text) for name, text in plain.items()}


def relaid(rewrite: Rewriting, name: str, text: str) -> str:
    """The text in the layout of a rewriting: to fix and then to lay out is to lay out and then to fix."""
    made = rewrite(File(name, text, (), ()))
    return made[0] if made is not None else text
