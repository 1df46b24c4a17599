"""The harness says what it saw: a proof that shows nothing fails, and so does one that crashes, hangs, or flags nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import loop
from tests.proofs.harness import Face, NotHere, Proof, ProofFailure, Stage, Verdict, lay_out, play

TASK = """\
import world
from celery import shared_task
from django.db import transaction


@shared_task
def thank(mail): ...


def order(mail):
    with transaction.atomic():
        thank.delay(mail)  # KEL101
"""


class Plain(Stage):
    """A stage with no engine at all."""

    judge = "none"


class Shows(Proof[Plain]):
    """Bad faces burn, good ones shine."""

    code = "KEL101"
    claim = "it burns"
    stage = Plain
    project = {"shop.py": TASK}

    def play(self, stage: Plain) -> None:
        stage.happened("burnt" if stage.face == "bad" else "shone")

    def is_harm(self, seen: list[str]) -> bool:
        return "burnt" in seen

    def is_clean(self, seen: list[str]) -> bool:
        return "shone" in seen


class ShowsNothing(Shows):
    """Neither harm nor health."""

    def play(self, stage: Plain) -> None:
        stage.happened("nothing")


class ShowsBoth(Shows):
    """Both at once."""

    def play(self, stage: Plain) -> None:
        stage.happened("burnt")
        stage.happened("shone")


class Crashes(Shows):
    """The child process fails."""

    def play(self, stage: Plain) -> None:
        raise RuntimeError("out of paper")


class Hangs(Shows):
    """It leaves a process behind and never ends."""

    deadline = 5.0

    def play(self, stage: Plain) -> None:
        sleeper = stage.start("sleeper", sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
        sleeper.wait_until_it_says("up")
        stage.happened("burnt")
        time.sleep(600)


class LacksSomething(Shows):
    """It cannot be shown."""

    def play(self, stage: Plain) -> None:
        raise NotHere("no such engine")


class ChangesItsWorld(Shows):
    """It leaves a folder elsewhere, and shows its environment."""

    environment = {"TZ": "Asia/Tokyo"}

    def play(self, stage: Plain) -> None:
        stage.happened(stage.folder_elsewhere(str(stage.folder.parent)))
        stage.happened(os.environ["PYTHONHASHSEED"], os.environ["TZ"], "SECRET" in os.environ, stage.load("shop").world.seen())
        super().play(stage)


class FlagsNothing(Shows):
    """Its bad face is fine."""

    project = {"shop.py": TASK.replace("with transaction.atomic():", "if mail:")}


class ShortensNothing(Shows):
    """The fix does not write what is shortened."""

    shortened = {"countdown=300": "countdown=1"}


def folder_for(proof: Proof[Any], folder: Path) -> Path:
    """The folder with the project laid out in it."""
    lay_out(proof.project, folder / "project")
    return folder


@pytest.mark.parametrize(("face", "verdict"), [("bad", Verdict.HARM_SHOWN), ("good", Verdict.CLEAN)])
def test_a_face_that_shows_what_it_should(tmp_path: Path, face: Face, verdict: Verdict) -> None:
    case = play(Shows(), face, folder_for(Shows(), tmp_path))
    assert (case.verdict, case.why) == (verdict, "")
    assert "Python" in case.versions


@pytest.mark.parametrize("face", ["bad", "good"])
@pytest.mark.parametrize(
    ("proof", "reason"), [(ShowsNothing(), "is neither"), (ShowsBoth(), "is both"), (Crashes(), "RuntimeError: out of paper")]
)
def test_a_face_that_does_not_is_a_failure(tmp_path: Path, proof: Proof[Any], reason: str, face: Face) -> None:
    with pytest.raises(ProofFailure, match=reason):
        play(proof, face, folder_for(proof, tmp_path))


def test_a_case_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(ProofFailure, match=r"longer than 5 s; seen: \['burnt'\]"):
        play(Hangs(), "bad", folder_for(Hangs(), tmp_path))
    (pid,) = (tmp_path / "processes").read_text().split()
    states = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout.split()
    assert all(state.startswith("Z") for state in states)


def test_what_cannot_be_shown_is_no_pass(tmp_path: Path) -> None:
    result = loop.close(LacksSomething(), tmp_path)
    assert (result.bad.verdict, result.why_not) == (Verdict.NOT_SHOWN_HERE, "no such engine")
    assert not loop.is_shown(result)


def test_the_world_of_a_case_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "yes")
    case = play(ChangesItsWorld(), "bad", folder_for(ChangesItsWorld(), tmp_path))
    made, world, _ = case.seen
    assert not Path(made).exists()
    assert world == f"1 Asia/Tokyo False ['{made}']"


def test_the_loop_is_closed_by_the_fix(tmp_path: Path) -> None:
    assert loop.is_shown(loop.close(Shows(), tmp_path))
    assert "delay_on_commit(mail)  # KEL101" in (tmp_path / "good/project/shop.py").read_text()


@pytest.mark.parametrize(("proof", "reason"), [(FlagsNothing(), "marked"), (ShortensNothing(), "to shorten")])
def test_a_loop_that_lint_does_not_close_is_a_failure(tmp_path: Path, proof: Proof[Any], reason: str) -> None:
    with pytest.raises(ProofFailure, match=reason):
        loop.close(proof, tmp_path)


def test_a_repair_that_is_still_flagged_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shows, "repair", {"shop.py": TASK.replace("thank.delay", "return thank.delay")})
    with pytest.raises(ProofFailure, match="still flagged"):
        loop.close(Shows(), tmp_path)
