"""The fixture project `both_engines`: lint finds what is marked and nothing else, and the day goes as its story says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.both_engines import run
from fixtures.both_engines.day import EVENTS, outcomes
from keel_lint.rule import Registry
from tests.proofs.loop import marks, places


def test_what_is_marked_is_found_and_nothing_else(tmp_path: Path) -> None:
    """Marks of rules that are yet to come count for nothing."""
    bad, good = run.prepare(tmp_path)
    installed = Registry.installed().rules
    assert places(bad / "project") == marks(bad / "project", {code for code, info in installed.items() if info.on_by_default})
    assert places(good / "project") == []


def test_the_day_goes_as_its_story_says(tmp_path: Path) -> None:
    bad, good = run.live(*run.prepare(tmp_path))
    if bad.why or good.why:
        pytest.skip(f"NOT SHOWN HERE ({bad.why or good.why})")
    assert outcomes(bad.seen) == [event.bad for event in EVENTS]
    assert outcomes(good.seen) == [event.good for event in EVENTS]
