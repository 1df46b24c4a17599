"""Child processes without the price of starting Python and the SDK: a process that has imported both, and forks for each case.

`python -m tests.proofs.temporal.forks` is that process. It reads one job a line from standard input and answers with one line.
A case gets a process group of its own, which is killed when the case is over or its time is up; nothing it imports or breaks
outlives it. The Rust core starts its threads in the fork, never before.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from tests.proofs.harness import OUTSIDE, ROOT
from tests.proofs.temporal.observation import Observation, Scenario

GRACE = 10.0
SAID = "said.log"
"""The file of a project in which its cases leave what they print."""


class CaseDiedError(AssertionError):
    """A case that crashed, hung, or raised."""


class Forks:
    """The forking process with one hash seed and one time zone, as the judging process sees it."""

    def __init__(self, seed: int, zone: str) -> None:
        self.lock = Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=forked_environment(seed=seed, zone=zone),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)

    def run(
        self,
        what: str,
        folder: Path,
        scenario: Scenario,
        environment: Mapping[str, str] | None = None,
        *,
        deadline: float = 30.0,
        **more: Any,
    ) -> Any:
        """Run a function of `tests.proofs.temporal.plays` in a fork; returns what it returned. Raises `CaseDiedError`.

        `environment` is added to the fork's own, `more` are arguments of the function.
        """
        job = {
            "what": what,
            "folder": str(folder),
            "scenario": msgspec.to_builtins(scenario),
            "environment": dict(environment or {}),
            "deadline": deadline,
            "more": more,
        }
        with self.lock:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], deadline + GRACE)
            line = self.process.stdout.readline() if ready else ""
        answer = json.loads(line) if line else {"died": "the forking process gave no answer"}
        if "died" in answer:
            raise CaseDiedError(f"{what} {scenario.workflow} in {folder}: {answer['died']}")
        return answer["returned"]

    def close(self) -> None:
        """End the process, and what it may have left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@lru_cache
def first_worker() -> Forks:
    """Where runs are recorded."""
    return Forks(1, "UTC")


@lru_cache
def second_worker() -> Forks:
    """Where they are replayed: another process, another hash seed, another time zone."""
    return Forks(2, "Asia/Tokyo")


def forked_environment(*, seed: int, zone: str) -> dict[str, str]:
    """Without TEMPORAL_DEBUG, which turns the deadlock detector off."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(ROOT), str(OUTSIDE), *(entry for entry in sys.path if entry)])
    return {**kept, "PYTHONHASHSEED": str(seed), "TZ": zone, "PYTHONPATH": path, "LANG": "C.UTF-8"}


def recorded(folder: Path, scenario: Scenario, environment: Mapping[str, str] | None = None) -> Observation:
    """Judge `replay`: record a run on one worker, and replay it there and on another."""
    (folder / SAID).unlink(missing_ok=True)
    seen = msgspec.convert(first_worker().run("record", folder, scenario, environment), Observation)
    replay(folder, scenario, seen)
    return seen


def replay(folder: Path, scenario: Scenario, seen: Observation) -> None:
    """Have both workers replay the history of a closed run, and note what they say."""
    if not seen.closed or not scenario.workflow:
        return
    time.sleep(scenario.later)
    for worker, environment in ((first_worker(), {}), (second_worker(), scenario.elsewhere)):
        for commands, error in worker.run("replay", folder, scenario, environment, history=seen.history):
            seen.replays.append(commands)
            seen.replay_errors += [error] if error else []
    seen.printed = (folder / SAID).read_text("utf-8").splitlines()
    if scenario.program:  # nobody has listened to the project's own worker
        seen.commands = seen.replays[0]


# -- the forking process --------------------------------------------------------------------------------------------------


def serve() -> None:
    """Fork for each line of standard input until it is closed."""
    from tests.proofs.temporal import plays

    for line in sys.stdin:
        job = json.loads(line)
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            _be_the_case(into, getattr(plays, job["what"]), job)
        os.close(into)
        print(_answer(pid, out, job["deadline"]), flush=True)


def _be_the_case(into: int, play: Any, job: dict[str, Any]) -> None:
    """In the fork: play, write the answer, and leave without the interpreter's farewell, in which the core may abort."""
    os.setsid()
    os.environ.update(job["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(Path(job["folder"], SAID), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(said, stream)
    try:
        scenario = msgspec.convert(job["scenario"], Scenario)
        # Not `asyncio.run`, which waits at its end for what the project has left running.
        played = asyncio.new_event_loop().run_until_complete(play(Path(job["folder"]), scenario, **job["more"]))
        answer = {"returned": msgspec.to_builtins(played)}
    except BaseException:  # whatever it is, the judge must hear of it
        answer = {"died": traceback.format_exc()}
    sys.stdout.flush()
    with os.fdopen(into, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(answer))
    os._exit(0)


def _answer(pid: int, out: int, deadline: float) -> str:
    """Read what a case writes, as long as it may take, and kill its process group."""
    text = b""
    end = time.monotonic() + deadline
    while select.select([out], [], [], max(0.0, end - time.monotonic()))[0]:
        chunk = os.read(out, 1 << 16)
        if not chunk:
            break
        text += chunk
    else:
        text = json.dumps({"died": f"it took longer than {deadline:g} s"}).encode()
    os.close(out)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return (text or b'{"died": "it ended without a word"}').decode()


if __name__ == "__main__":
    serve()
