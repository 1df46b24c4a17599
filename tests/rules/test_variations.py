"""Code near each rule's examples, varied at random: no check fails, and no fix breaks, loses or repeats anything.

`KEEL_LINT_BREAK` gives the number of variations of each rule's examples; what is not asked for by it is always the same few.
"""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import libcst as cst
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keel_lint import fixes
from keel_lint.index.build import index
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder
from keel_lint.source import Source
from tests.rules.test_examples import CASES, RULES, Case
from tests.rules.varying import VARIATIONS, in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keel_lint.finding import Finding
    from keel_lint.outcome import Outcome
    from keel_lint.rule import Registry, RuleInfo

ASKED = int(os.environ.get("KEEL_LINT_BREAK", "0"))
BY_RULE = {info.code: [case for case in CASES if case.info is info] for info in RULES}

each_rule = pytest.mark.parametrize("info", RULES, ids=[info.code for info in RULES])


@each_rule
@settings(
    max_examples=ASKED or 2,
    derandomize=not ASKED,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a seed does not become simpler by becoming smaller
)
@given(seed=st.integers(0, 2**32 - 1))
def test_code_near_an_example_is_checked_and_fixed_well(tmp_path: Path, registry: Registry, info: RuleInfo, seed: int) -> None:
    chance = Random(f"{info.code} {seed}")
    folder = tmp_path / "project"
    shutil.rmtree(folder, ignore_errors=True)
    desk = Desk(folder, registry, varied(chance.choice(BY_RULE[info.code]), chance))
    found = desk.check(cache=False)
    desk.check(cache=True)
    assert list(map(str, desk.check(cache=True).findings)) == list(map(str, found.findings))
    after = desk.fix(desk.files)
    for name, raw in after.items():
        assert_keeps_its_ways(desk.files[name], raw)
    assert desk.fix(after) == after


def varied(case: Case, chance: Random) -> dict[str, bytes]:
    """The files of an example, most of them varied."""
    files = {}
    for name, text in case.example.files.items():
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            text = chance.choice(VARIATIONS)(text, chance)  # noqa: PLW2901
        files[name] = in_bytes(text, chance)
    return files


class Desk:
    """A folder with files, checked with every rule."""

    def __init__(self, root: Path, registry: Registry, files: Mapping[str, bytes]) -> None:
        self.root, self.registry, self.files = root, registry, dict(files)
        self.write(files)

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, raw in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)

    def check(self, *, cache: bool) -> Outcome:
        """What is found in the files; that the tool itself failed nowhere is asserted."""
        outcome = self.linter(cache=cache).check()
        assert outcome.problems == []
        self.assert_no_failure(outcome.findings)
        return outcome

    def linter(self, *, cache: bool) -> Linter:
        finder = SettingsFinder(Overrides.from_arguments({"select": ["ALL"]}), isolated=True, registry=self.registry)
        return Linter([self.root], finder, self.registry, cache=cache, tests=True)

    def assert_no_failure(self, findings: list[Finding]) -> None:
        """And that what is said not to parse does not, in one of the two parsers."""
        assert [one.message for one in findings if one.code == "KEL000"] == []
        for raw in (Path(one.path).read_bytes() for one in findings if one.code == "KEL001"):
            assert not parses(raw) or index(Source.from_bytes(Path("example.py"), raw).text).has_error

    def fix(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files after all fixes, of which none is undone, and which are Python where they were."""
        self.write(files)
        linter = self.linter(cache=False)
        outcome = fixes.fix(lambda overlay: linter.check(overlay).findings, unsafe=True, may_touch=lambda _: True)
        # A comment behind a line that is continued to the end of the file: its removal is undone, and that is said.
        assert [reason for reason in outcome.errors.values() if "(KEL002)" not in reason] == []
        changed = {path.relative_to(self.root).as_posix(): source.raw for path, source in outcome.after.items()}
        for name, raw in changed.items():
            assert parses(raw), raw.decode("utf-8", "replace")
            assert compiles(raw) or not compiles(files[name]), raw.decode("utf-8", "replace")
        return {**files, **changed}


def parses(raw: bytes) -> bool:
    """Whether LibCST takes it."""
    try:
        cst.parse_module(Source.from_bytes(Path("example.py"), raw).text.decode())
    except Exception:
        return False
    return True


def compiles(raw: bytes) -> bool:
    """Whether this Python takes it, `await` outside a function allowed."""
    try:
        compile(raw, "example.py", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def assert_keeps_its_ways(before: bytes, after: bytes) -> None:
    """The line endings, the mark at the beginning and the missing newline at the end are the file's own."""
    for ending in (b"\r\n", b"\r", b"\n"):
        assert (ending in endings(after)) <= (ending in endings(before)) or not endings(before)
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")


def endings(raw: bytes) -> set[bytes]:
    """The line endings that occur."""
    bare = raw.replace(b"\r\n", b"")
    return {ending for ending, there in ((b"\r\n", bare != raw), (b"\r", b"\r" in bare), (b"\n", b"\n" in bare)) if there}
