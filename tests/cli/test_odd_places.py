"""Places as nobody should run in: no output, no working directory, a full disk, odd locales, a cache that is no cache."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import TASKS, Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the streams and devices of Linux")

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def shell(packs: Path, project: Path) -> Shell:
    """Run a line of shell in the project, in which `$KEEL` is the command."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KEEL_LINT_", "PYTHON", "LC_"))}
        made = {**inherited, "PYTHONPATH": str(packs), "KEEL": f"{sys.executable} -m keel_lint", **environment}
        command = ["bash", "-c", line]
        return subprocess.run(command, cwd=project, env=made, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    return run


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("$KEEL check --select=ABC101 >&-", 1),
        ("$KEEL check --select=ABC101 2>&-", 1),
        ("$KEEL check --select=ABC101 <&- >&- 2>&-", 1),
        ("$KEEL check --select=ABC101 missing.py >&- 2>&-", 2),
        ("$KEEL check --select=ABC101 - <&-", 0),
        ("$KEEL rule KEL101 >&-", 0),
        ("$KEEL why tasks.py:6 --select=ABC101 >&-", 1),
        ("$KEEL --help >&-", 0),
        ("$KEEL check --select=ABC101 >/dev/full", 2),
        ("$KEEL check --select=ABC101 --output-file=/dev/full", 2),
        ("$KEEL check --select=ABC101 2>/dev/full", 1),
        ("$KEEL check --select=ABC101 missing.py >/dev/full 2>&1", 2),
        ("$KEEL rule KEL101 >/dev/full", 2),
        ("$KEEL why tasks.py:6 --select=ABC101 >/dev/full", 2),
        ("$KEEL check --fix --select=ABC101 - <tasks.py >/dev/full", 2),
        ("$KEEL check --select=ABC101 --output-format=json | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", 1),
        ("$KEEL rule --all | head -1 >/dev/null; exit ${PIPESTATUS[0]}", 0),
        ("mkdir gone; cd gone; rmdir ../gone; $KEEL check", 2),
        ("mkdir gone; cd gone; rmdir ../gone; $KEEL why ../tasks.py:6", 2),
        ("env -u HOME -u PATH -u USER $KEEL check --select=ABC101", 1),
        ("COLUMNS=0 $KEEL check --select=ABC101", 1),
        ("COLUMNS=1 $KEEL check --select=ABC101", 1),
        ("COLUMNS=99999999999999999999 $KEEL check --select=ABC101", 1),
        ("COLUMNS=1 $KEEL check --help", 0),
        ("script -qec \"stty cols 1; $KEEL check --select=ABC101\" /dev/null", 1),
        ("head -c 3000 /dev/urandom | $KEEL check --select=ABC101 -; exit $(($? == 0 || $? == 1 || $? == 2 ? 0 : 9))", 0),
        ("(ulimit -n 20; $KEEL check --select=ABC101)", 1),
        ("(ulimit -f 0; $KEEL check --select=ABC101 | cat; exit ${PIPESTATUS[0]})", 1),
        ("TMPDIR=/nowhere $KEEL check --fix --select=ABC101", 0),
    ],
)  # fmt: skip
def test_the_exit_status_tells_in_any_place(shell: Shell, line: str, status: int) -> None:
    done = shell(line)
    assert b"Traceback" not in done.stderr + done.stdout
    assert b"This is a bug" not in done.stderr
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize(("locale", "encoding"), [("C", "ascii"), ("POSIX", "utf-16"), ("en_US.ISO-8859-1", "cp037")])
def test_any_locale_and_encoding_will_do(shell: Shell, project: Path, locale: str, encoding: str) -> None:
    (project / "ünï.py").write_text(TASKS.replace("danger()", "danger('→')"), encoding="utf-8")
    odd = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": f"{encoding}:strict"}
    for _ in "cold", "warm":
        done = shell("$KEEL check --select=ABC101 --output-format=json . missing-ü.py", **odd)
        assert (done.returncode, len(json.loads(done.stdout))) == (2, 2)
        assert b"failed" not in done.stderr


def as_file(folder: Path) -> None:
    folder.write_text("no folder")


def as_unwritable(folder: Path) -> None:
    folder.mkdir(mode=0o500)


def as_link_to_nowhere(folder: Path) -> None:
    folder.symlink_to("/nowhere/at/all")


def as_loop(folder: Path) -> None:
    folder.symlink_to(folder.name)


def as_full(folder: Path) -> None:
    folder.symlink_to("/proc/self")


@pytest.mark.parametrize("make", [as_file, as_unwritable, as_link_to_nowhere, as_loop, as_full])
def test_a_cache_that_cannot_be_is_no_harm(keel: Run, project: Path, make: Callable[[Path], None]) -> None:
    make(project / ".keel_lint_cache")
    for _ in range(2):
        done = keel("check", "--select=ABC101", "--output-format=concise")
        assert (done.returncode, done.stdout.count("ABC101")) == (1, 1)
        assert "bug" not in done.stderr


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "cut to a page": lambda raw: raw[:4096],
    "empty": lambda _: b"",
    "other bytes": lambda raw: raw[:100] + bytes(255 - byte for byte in raw[100:]),
    "no database": lambda raw: b"no" + raw[2:],
    "flipped here and there": lambda raw: bytes(byte ^ (index % 97 == 0) for index, byte in enumerate(raw)),
    "twice": lambda raw: raw + raw,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_no_harm(keel: Run, project: Path, damage: str) -> None:
    os.utime(project / "tasks.py", (1_500_000_000, 1_500_000_000))
    sound = keel("check", "--select=ABC101").stdout
    (database,) = (project / ".keel_lint_cache").rglob("*.db")
    database.write_bytes(DAMAGES[damage](database.read_bytes()))
    for _ in range(2):
        done = keel("check", "--select=ABC101")
        assert (done.returncode, done.stdout) == (1, sound)
        assert "bug" not in done.stderr


def test_runs_at_once_share_a_cache(keel: Run, shell: Shell, project: Path) -> None:
    for number in range(30):
        (project / f"more{number}.py").write_text(TASKS)
    alone = keel("check", "--select=ABC101", "--output-format=json", "--no-cache").stdout
    line = " & ".join(f"$KEEL check --select=ABC101 --output-format=json > ../{number}.json" for number in range(4))
    assert shell(f"{line} & wait").stderr == b""
    assert {(project.parent / f"{number}.json").read_text() for number in range(4)} == {alone}


def test_two_fixes_at_once_leave_whole_files(shell: Shell, project: Path) -> None:
    for number in range(30):
        (project / f"more{number}.py").write_text(TASKS)
    done = shell("$KEEL check -q --fix --select=ABC101 & $KEEL check -q --fix --select=ABC101 & wait")
    assert b"failed" not in done.stderr
    shell("$KEEL check -q --fix --select=ABC101")
    assert {path.read_text() for path in project.glob("*.py")} == {TASKS.replace("danger", "harmless")}
    assert [path for path in project.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("after", [0.2, 0.5])
def test_a_run_that_is_killed_leaves_whole_files(keel: Run, packs: Path, project: Path, after: float) -> None:
    for number in range(60):
        (project / f"more{number}.py").write_text(TASKS)
    command = [sys.executable, "-m", "keel_lint", "check", "-q", "--fix", "--select=ABC101"]
    with subprocess.Popen(command, cwd=project, env={**os.environ, "PYTHONPATH": str(packs)}, stdout=subprocess.DEVNULL) as run:
        time.sleep(after)
        run.send_signal(signal.SIGKILL)
    assert {path.read_text() for path in project.glob("*.py")} <= {TASKS, TASKS.replace("danger", "harmless")}
    assert keel("check", "-q", "--fix", "--select=ABC101").returncode == 0
    assert {path.read_text() for path in project.glob("*.py")} == {TASKS.replace("danger", "harmless")}


def test_a_very_deep_folder_is_checked(keel: Run, project: Path) -> None:
    deep = project.joinpath(*["d" * 20] * 100)
    deep.mkdir(parents=True)
    (deep / "deep.py").write_text(TASKS)
    done = keel("check", "--select=ABC101", "--output-format=concise")
    assert (done.returncode, done.stdout.count("ABC101")) == (1, 2)
