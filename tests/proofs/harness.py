"""A proof of one claim of a rule, and what plays it: a case in a process of its own, judged by what the outside world saw.

Nothing here imports keel-lint or an engine: the same module serves pytest, which judges, and the child process, which plays.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = Path(__file__).resolve().parent / "outside"
EFFECTS = "KEEL_PROOF_EFFECTS"
PATIENCE = 20.0
"""Seconds that something which must come may take on a loaded machine."""

Face = Literal["bad", "good"]


class Verdict(str, Enum):
    """What a case has shown. The third is never a pass."""

    HARM_SHOWN = "HARM SHOWN"
    CLEAN = "CLEAN"
    NOT_SHOWN_HERE = "NOT SHOWN HERE"


class NotHere(Exception):  # noqa: N818 -- an answer, not an error
    """Raised in `play` where this machine lacks what the proof needs; the text says what."""


class ProofFailure(AssertionError):  # noqa: N818 -- as pytest's own
    """A case that crashed, hung, or showed something other than its claim."""


class Process:
    """A process of a stage, with its output in a file. It leads a process group of its own, so that it can be killed whole."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str], user: int | None = None) -> None:
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True, user=user
            )

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        return self._popen.pid

    def text(self) -> str:
        """What the process has written so far."""
        return self.log.read_text("utf-8", "replace")

    def runs(self) -> bool:
        """Whether the process is still there."""
        return self._popen.poll() is None

    def wait_until_it_says(self, words: str) -> None:
        """Wait until the process has written `words`. Raises `ProofFailure` where it ends or takes too long before that."""
        wait_until(lambda: words in self.text() or not self.runs(), PATIENCE)
        if words not in self.text():
            raise ProofFailure(f"{self.log.stem} never said {words!r}:\n{self.text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL for the whole group, as the kernel does when memory runs out."""
        kill_group(self.pid)
        self._popen.wait()


class Stage:
    """Where a case is played, in the child process. Each judge is a subclass; `versions` says what it judged on.

    The working directory is the project; `folder` also holds the effects, the logs, and whatever services keep.
    """

    judge: ClassVar[str]

    def __init__(self, folder: Path, face: Face) -> None:
        self.folder = folder
        self.face = face
        self.versions: dict[str, str] = {"Python": platform.python_version()}
        self._started = 0

    def load(self, module: str) -> Any:
        """Import a module of the project."""
        return importlib.import_module(module)

    def start(self, name: str, *command: str, user: int | None = None) -> Process:
        """Start a process that dies with the case, whatever becomes of it."""
        env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(self.folder / "project"), str(OUTSIDE)))}
        process = Process(command, self.folder / f"{self._started:02}-{name}.log", env, user)
        self._started += 1
        _append(self.folder / "processes", process.pid)
        return process

    def folder_elsewhere(self, parent: str) -> Path:
        """A new folder outside the case's own, which is removed with it."""
        made = Path(tempfile.mkdtemp(prefix="keel-proof-", dir=parent))
        _append(self.folder / "folders", made)
        return made

    # -- what the outside world saw ---------------------------------------------------------------------------------------

    def happened(self, *words: object) -> None:
        """Note an effect beside those that the project notes with `world.happened`."""
        _append(self.folder / "effects", *words)

    def seen(self) -> list[str]:
        """The effects so far, in their order."""
        return read_effects(self.folder)

    def wait_for(self, effect: str, *, times: int = 1, window: float = PATIENCE) -> bool:
        """Wait until `effect` has been seen `times` times; returns whether it was.

        `window` is how long, in seconds, the bad face is watched for something that it is claimed not to do. The good face
        has all the time it needs: it is judged by what it does.
        """
        patience = window if self.face == "bad" else PATIENCE
        return self.watch(lambda seen: seen.count(effect) >= times, patience)

    def watch(self, holds: Callable[[list[str]], bool], seconds: float = PATIENCE) -> bool:
        """Wait until the effects satisfy a condition, at most for some seconds; returns whether they do."""
        return wait_until(lambda: holds(self.seen()), seconds)


StageT = TypeVar("StageT", bound=Stage)


class Play(ABC, Generic[StageT]):
    """What is played on a stage, in a child process, with either face of a project.

    `environment` holds more variables for it and all it starts; after `deadline` seconds it is killed, and has failed.
    """

    stage: type[StageT]
    environment: ClassVar[Mapping[str, str]] = {}
    deadline: ClassVar[float] = 60.0

    @abstractmethod
    def play(self, stage: StageT) -> None:
        """Do what a user does, in the child process, and return when what follows can be told. Raises `NotHere`."""

    def perform(self, face: Face, folder: Path) -> Performance:
        """Have a face played elsewhere, in a child process where nothing else is said, and leave the judging to others.

        `folder` holds the project in `project/`. Raises `ProofFailure` where the child crashes or hangs.
        """
        return _in_a_child(self, face, folder)

    @property
    def name(self) -> str:
        """Its name in the tests."""
        return type(self).__name__


class Proof(Play[StageT]):
    """One claim of one rule.

    `project` is the bad face: files by path, linted as a whole, with `# KEL...` behind each line that is flagged. The good face
    is what `--fix --unsafe-fixes` makes of it; `repair` holds the files that a person rewrites where the rule has no fix.
    `shortened` replaces numbers of the good face by ones that a test can wait for (each must stand there).
    """

    code: ClassVar[str]
    claim: ClassVar[str]
    project: ClassVar[Mapping[str, str]]
    repair: ClassVar[Mapping[str, str]] = {}
    shortened: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def is_harm(self, seen: list[str]) -> bool:
        """Whether the effects are the harm that is claimed."""

    @abstractmethod
    def is_clean(self, seen: list[str]) -> bool:
        """Whether the effects are what was wanted: all there, each as often as it should be."""

    @property
    def name(self) -> str:
        """The proof's name in the tests."""
        return f"{self.code}-{type(self).__name__}"


@dataclass(frozen=True)
class Performance:
    """What was seen of a face, before anybody judges it. `why` is set where this machine lacks what it takes."""

    seen: tuple[str, ...]
    versions: Mapping[str, str]
    why: str


@dataclass(frozen=True)
class Case:
    """A face that was judged. `why` is set where nothing could be shown."""

    verdict: Verdict
    seen: tuple[str, ...]
    seconds: float
    versions: Mapping[str, str]
    why: str


def lay_out(files: Mapping[str, str], folder: Path) -> None:
    """Write files by path into a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def play(proof: Proof[Any], face: Face, folder: Path) -> Case:
    """Play one face in a child process and judge it. `folder` holds the project in `project/`.

    Raises `ProofFailure` where the child crashes or hangs, and where the face does not show what the proof says of it.
    """
    begin = time.monotonic()
    shown = proof.perform(face, folder)
    seconds = time.monotonic() - begin
    harm, clean = proof.is_harm(list(shown.seen)), proof.is_clean(list(shown.seen))
    if not shown.why and (harm, clean) != (face == "bad", face == "good"):
        raise ProofFailure(f"{_unexpected(proof, face, harm=harm, clean=clean)}; {_told(shown.seen, folder)}")
    verdict = Verdict.NOT_SHOWN_HERE if shown.why else Verdict.HARM_SHOWN if harm else Verdict.CLEAN
    return Case(verdict, shown.seen, seconds, shown.versions, shown.why)


def _in_a_child(what: Play[Any], face: Face, folder: Path) -> Performance:
    report = folder / "report.json"
    command = [sys.executable, "-m", "tests.proofs.child", type(what).__module__, type(what).__name__, face, str(folder)]
    (folder / "effects").touch()
    child = Process(command, folder / "play.log", _environment(what, folder))
    try:
        ended = wait_until(lambda: not child.runs(), what.deadline)
    finally:
        child.kill()
        _clean_up(folder)
    if not ended or not report.exists():
        reason = "crashed" if ended else f"took longer than {what.deadline:g} s"
        raise ProofFailure(f"{what.name}, {face}: {reason}; {_told(read_effects(folder), folder)}")
    told = json.loads(report.read_text())
    return Performance(tuple(told["seen"]), told["versions"], told["why"])


def _environment(what: Play[Any], folder: Path) -> dict[str, str]:
    """A small environment in which nothing of the machine's decides: hash seed and time zone are pinned."""
    kept = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "KEEL_PROOF_BROKER")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": os.pathsep.join((str(folder / "project"), str(OUTSIDE), str(ROOT))),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
        EFFECTS: str(folder / "effects"),
        **what.environment,
    }


def _unexpected(proof: Proof[Any], face: Face, *, harm: bool, clean: bool) -> str:
    wanted = "the harm" if face == "bad" else "clean"
    got = {(True, True): "both harm and clean", (True, False): "the harm", (False, True): "clean"}.get((harm, clean), "neither")
    return f"{proof.name}: the {face} face should be {wanted} and is {got}"


def _told(seen: Iterable[str], folder: Path) -> str:
    logs = "\n".join(f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-3000:]}" for log in sorted(folder.glob("*.log")))
    return f"seen: {list(seen)}\n{logs}"


def _clean_up(folder: Path) -> None:
    """Kill what the case started, and remove what it made elsewhere."""
    for pid in _lines(folder / "processes"):
        kill_group(int(pid))
    for path in _lines(folder / "folders"):
        shutil.rmtree(path, ignore_errors=True)


def kill_group(pid: int) -> None:
    """SIGKILL for the process group that `pid` leads, if it is still there."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def read_effects(folder: Path) -> list[str]:
    """The effects that a case has had so far."""
    return _lines(folder / "effects")


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _append(file: Path, *words: object) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"{' '.join(map(str, words))}\n")


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds, at most for some seconds; returns whether it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return holds()
        time.sleep(0.01)
    return True


def first(error: BaseException) -> str:
    """The name of the error that began it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
