"""The fixture project `temporal_orders`: flagged where it is marked, and what its day shows on each judge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.temporal_orders import run
from fixtures.temporal_orders.day import DAYS_ARE_SHORT, Event, day
from keel_lint.rule import Registry
from tests.proofs.harness import ROOT, NotHere, wait_until
from tests.proofs.loop import marks, places
from tests.proofs.temporal.dev_server import DevServer, LoopbackFrontend, frontend, server

KNOWN = Registry.installed().rules
EVENTS = {
    "replay": [event for event in day() if event.code in KNOWN],
    "worker": [event for event in day(DAYS_ARE_SHORT) if event.code in KNOWN],
    "server": [event for event in day(DAYS_ARE_SHORT) if event.code in KNOWN],
}


def by(judge: str) -> DevServer | LoopbackFrontend | None:
    """What the day is lived on. Skips where that is not here."""
    try:
        return frontend() if judge == "worker" else server() if judge == "server" else None
    except NotHere as reason:
        pytest.skip(f"NOT SHOWN HERE ({reason})")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project as written, and as keel-lint repairs it."""
    return run.prepare(tmp_path_factory.mktemp("orders"))


@pytest.mark.parametrize(
    ("judge", "event"),
    [pytest.param(judge, event, id=f"{judge}-{event.title}") for judge, events in EVENTS.items() for event in events],
)
def test_what_comes_of_an_event(judge: str, event: Event, faces: tuple[Path, Path]) -> None:
    place = by(judge)
    assert [run.come(event, face, place) for face in faces] == [event.bad, event.good]


def test_the_shops_own_worker_and_client(faces: tuple[Path, Path], tmp_path: Path) -> None:
    """As a person starts them; the order that hung goes on when the repaired worker is there."""
    address = by("server")
    assert address is not None
    environment = {**os.environ, "TEMPORAL_ADDRESS": address.address, "SHOP_LOG": str(tmp_path / "calls")}
    environment.pop("PYTHONPATH", None)
    order = ["-m", "shop.client", "ivy-1", "ivy@example.com", "40", "lamp"]
    for face, wanted in zip(faces, ("reserved lamp", "confirmed ivy-1"), strict=True):
        worker = subprocess.Popen([sys.executable, "-m", "shop.worker"], cwd=face, env=environment, stdout=subprocess.DEVNULL)
        client = None
        try:
            if face is faces[0]:
                client = subprocess.Popen([sys.executable, *order], cwd=face, env=environment, stdout=subprocess.DEVNULL)
            assert wait_until(lambda: wanted in _text(tmp_path / "calls"), 30), _text(tmp_path / "calls")  # noqa: B023
        finally:
            for process in filter(None, (client, worker)):
                process.kill()
                process.wait()
    assert _text(tmp_path / "calls").splitlines() == ["charged ivy@example.com 40", "reserved lamp", "confirmed ivy-1"]


def _text(log: Path) -> str:
    return log.read_text("utf-8") if log.exists() else ""


def test_the_day_can_be_started_by_hand() -> None:
    command = [sys.executable, "-m", "fixtures.temporal_orders.run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"KEL601 +Bob orders a lamp +charged, reserved, and the run hangs: ValueError +charged", done.stdout)


def test_it_is_flagged_where_it_is_marked(tmp_path: Path) -> None:
    """Marks of rules that are yet to come count for nothing."""
    bad, _ = run.prepare(tmp_path)
    assert places(bad) == marks(bad, {code for code, info in KNOWN.items() if info.on_by_default})


def test_what_was_repaired_is_silent(faces: tuple[Path, Path]) -> None:
    assert places(faces[1]) == []
