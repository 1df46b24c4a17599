"""Odd files through the other doors: flake8's processes and standard input, and the names that pre-commit passes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_flake8 import TASKS, VIEWS
from tests.cli.test_odd_files import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

FLAGGED = f"from shop.tasks import charge\n{VIEWS}"
ODD: dict[str, bytes] = {
    "latin_1": b"# coding: latin-1\nx = '\xe9'\n" + FLAGGED.encode(),
    "lies": b"# coding: ascii\n" + FLAGGED.encode() + "x = 'é'\n".encode(),
    "unknown": b"# coding: no-such-thing\n" + FLAGGED.encode(),
    "not_utf_8": FLAGGED.encode() + b"x = '\xff'\n",
    "null": FLAGGED.encode() + b"\0",
    "mark": b"\xef\xbb\xbf" + FLAGGED.encode(),
    "crlf": FLAGGED.replace("\n", "\r\n").encode(),
    "cr": FLAGGED.replace("\n", "\r").encode(),
    "form_feed": FLAGGED.replace("\n\n", "\n\f\n").encode(),
    "separators": FLAGGED.encode() + "x = '\u2028\x85\x1c'\n".encode(),
    "deep": FLAGGED.encode() + b"charge.delay(" + b"[" * 90 + b"]" * 90 + b")\n",
    "too_deep": FLAGGED.encode() + b"charge.delay(" + b"(" * 3000 + b")" * 3000 + b")\n",
    "unclosed": FLAGGED.encode() + b"x = (\n",
    "no_end": FLAGGED.rstrip().encode() + b"\\",
    "empty": b"",
    "blank": b"\f",
}
try:
    ast.parse("\0")
except SyntaxError:
    pass
except ValueError:  # so it was before Python 3.11.4, and flake8 itself ends with a traceback then
    del ODD["null"]
FOUND = {"latin_1", "mark", "crlf", "form_feed", "separators", "deep"}
"""Those that flake8 can read and Python can parse."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text(TASKS)
    (package / "views.py").write_text(VIEWS)
    for name, raw in ODD.items():
        (package / f"{name}.py").write_bytes(raw)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def flake8(folder: Path, *words: str, stdin: bytes | None = None) -> bytes:
    command = [sys.executable, "-m", "flake8", "--select=KEL", "--format=%(path)s:%(row)d:%(code)s", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, input=stdin, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == b""
    assert b"KEL000" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_flake8_finds_the_rest_beside_odd_files(shop: Path, jobs: str) -> None:
    found = {line.rpartition("/")[2].partition(".")[0] for line in flake8(shop, "-j", jobs).decode().splitlines()}
    assert found >= FOUND | {"views"}


def test_flake8_takes_odd_files_from_standard_input(shop: Path) -> None:
    for name in ODD.keys() - {"not_utf_8"}:  # flake8 itself takes no such text
        raw = ODD[name]
        found = flake8(shop, "--stdin-display-name", f"shop/{name}.py", "-", stdin=raw)
        assert (b"KEL101" in found) >= (name in FOUND), name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names")
def test_names_are_passed_as_pre_commit_passes_them(keel: Run, project: Path) -> None:
    """That is how the hooks are run: all names at once, behind the options."""
    names = [os.fsdecode(name) for name in NAMES if not name.startswith(b"-")]
    for name in names:
        (project / name).write_text((project / "tasks.py").read_text())
    done = keel("check", "--force-exclude", "--select=ABC101", "--output-format=json-lines", *names)
    assert (done.returncode, len(done.stdout.split("\n")) - 1, done.stderr) == (1, len(names), "")
    assert keel("check", "--force-exclude", "--fix", "--exit-non-zero-on-fix", "--select=ABC101", *names).returncode == 1
    assert [name for name in names if "danger()" in (project / name).read_text()] == []
