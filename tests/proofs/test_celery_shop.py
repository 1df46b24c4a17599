"""The fixture project `celery_shop`: lint finds what is marked and nothing else, and the day goes as its story says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fixtures.celery_shop import day, run
from keel_lint.rule import Registry
from tests.proofs.loop import check, marks, places


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the project as it was written."""
    return shutil.copytree(run.HERE / "bad", tmp_path / "shop")


def test_what_is_marked_is_found_and_nothing_else(shop: Path) -> None:
    """Marks of rules that are yet to come count for nothing."""
    installed = Registry.installed().rules
    assert places(shop) == marks(shop, {code for code, info in installed.items() if info.on_by_default})


def test_lint_is_silent_on_what_was_repaired(tmp_path: Path) -> None:
    _, good = run.prepare(tmp_path)
    assert places(good / "project") == []


def test_a_hand_repairs_only_what_no_fix_does(shop: Path) -> None:
    """Each file written by hand says for which rule, and that rule still finds something when all fixes are applied."""
    check(shop, "", "--fix", "--unsafe-fixes")
    left = {(name, code) for name, _, code in places(shop)}
    by_hand = {
        file.relative_to(run.HERE / "repair").as_posix(): file.read_text() for file in (run.HERE / "repair").rglob("*.py")
    }
    assert {name for name, _ in left} <= set(by_hand)
    reasons = {text.split()[1] for text in by_hand.values() if " has no fix: " in text.partition("\n")[0]}
    assert len(reasons) > 0
    assert reasons & set(Registry.installed().rules) == {code for _, code in left}


def test_the_day_goes_as_its_story_says(tmp_path: Path) -> None:
    bad, good = run.live(*run.prepare(tmp_path))
    if bad.why or good.why:
        pytest.skip(f"NOT SHOWN HERE ({bad.why or good.why})")
    written, repaired = run.told(bad.seen), run.told(good.seen)
    assert {one.title: came for one, came in written.items()} == {one.title: one.bad for one in written}
    assert {one.title: came for one, came in repaired.items()} == {one.title: one.good for one in repaired}


def test_both_columns_are_printed() -> None:
    one = day.EVENTS[0]
    assert run.table({one: "burns"}, {one: "shines"}).splitlines()[1] == f"{one.code}  {one.title}  burns       shines"
