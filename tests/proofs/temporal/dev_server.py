"""What a real client and worker can talk to: Temporal's dev server, where a CLI is at hand, or the frontend of this folder."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tests.proofs.harness import ROOT, NotHere
from tests.proofs.temporal.forks import SAID, first_worker, forked_environment, replay
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


class LoopbackFrontend:
    """The frontend of this folder, in a process of its own. Raises `NotHere` where grpcio is not installed."""

    version = "a frontend on loopback"

    def __init__(self) -> None:
        if find_spec("grpc") is None:
            raise NotHere("grpcio is not installed")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.temporal.frontend"],
            cwd=ROOT,
            env=forked_environment(seed=1, zone="UTC"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)
        assert self.process.stdout is not None
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def close(self) -> None:
        """Kill it, by the id of its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@lru_cache
def frontend() -> LoopbackFrontend:
    """The frontend of this process. Raises `NotHere`."""
    return LoopbackFrontend()


@lru_cache
def server() -> DevServer:
    """The server of this process. Raises `NotHere`."""
    return DevServer(program())


def served(
    folder: Path, scenario: Scenario, by: DevServer | LoopbackFrontend, environment: Mapping[str, str] | None = None
) -> Observation:
    """A run of the real client and worker, whose history two other workers replay."""
    (folder / SAID).unlink(missing_ok=True)
    deadline = scenario.seconds + PATIENCE
    told = first_worker().run("serve", folder, scenario, environment, deadline=deadline, address=by.address)
    seen = msgspec.convert(told, Observation)
    replay(folder, scenario, seen)
    return seen


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
