"""What `pip install` brings: the command, both rule packs and the flake8 plugin."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip(f"pip reaches no package index, where the build backend is: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_every_source_file_is_in_the_wheel(wheel: Path) -> None:
    packaged = set(ZipFile(wheel).namelist())
    for root in (ROOT / "src", ROOT / "rules"):
        sources = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
        assert sources
        assert sources <= packaged
    assert {"keel_lint/py.typed", "keel_lint_celery/py.typed", "keel_lint_temporal/py.typed"} <= packaged
    assert not [name for name in packaged if name.startswith(("tests/", "fixtures/", "docs/", "bench/"))]


def test_the_entry_points_are_in_the_wheel(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        points = configparser.ConfigParser()
        points.optionxform = str  # type: ignore[assignment,method-assign]
        points.read_string(archive.read(name).decode())
    assert dict(points["console_scripts"]) == {"keel-lint": "keel_lint.cli:program"}
    assert dict(points["flake8.extension"]) == {"KEL": "keel_lint.flake8:Plugin"}
    assert {"keel_lint_celery", "keel_lint_temporal", "keel_lint.itself"} == set(points["keel_lint.rules"].values())
