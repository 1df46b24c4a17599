"""A real Temporal server on loopback: `temporal server start-dev`, where a Temporal CLI is at hand."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from tests.proofs.harness import NotHere
from tests.proofs.temporal.forks import first_worker, second_worker
from tests.proofs.temporal.observation import Observation, Scenario

PATIENCE = 30.0
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keel-lint-tests"


class DevServer:
    """One server process. `address` is where it listens, `version` what it says of itself."""

    def __init__(self, program: str) -> None:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        self.version = re.findall(r"Server ([\d.]+)", said)[0]
        port = _free_port()
        self.address = f"127.0.0.1:{port}"
        options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "never"]
        self.process = subprocess.Popen(
            [program, "server", "start-dev", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.close)
        self._wait(port)

    def _wait(self, port: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.02)
        raise NotHere("the Temporal dev server did not come up")

    def close(self) -> None:
        """Kill the server, by the id of its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def program() -> str:
    """The path of a Temporal CLI: on PATH, or where `tests/proofs/servers/temporal` puts it. Raises `NotHere`."""
    built = sorted(CACHE.glob("temporal-*"))
    found = shutil.which("temporal") or (str(built[-1]) if built else None)
    if found is None:
        raise NotHere("no Temporal CLI on PATH; `tests/proofs/servers/temporal` builds one")
    return found


@lru_cache
def server() -> DevServer:
    """The server of this process. Raises `NotHere`."""
    return DevServer(program())


def served(folder: Path, scenario: Scenario) -> Observation:
    """Judge `server`: a run on the dev server, whose history two other workers replay. Raises `NotHere`."""
    deadline = scenario.seconds + PATIENCE
    told = first_worker().run("serve", folder, scenario, deadline=deadline, address=server().address)
    seen = msgspec.convert(told, Observation)
    if seen.closed:
        time.sleep(scenario.later)
        for worker in (first_worker(), second_worker()):
            commands, error = worker.run("replay", folder, scenario, history=seen.history)
            seen.replays.append(commands)
            seen.replay_errors += [error] if error else []
    return seen


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
