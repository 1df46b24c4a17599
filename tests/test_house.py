"""keel-lint's own code holds what it asks of others: types, lint, the order of imports, and keel-lint on itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BESIDE_PYTHON = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["mypy"],
        ["ruff", "check", "--quiet", "."],
        ["lint-imports", "--no-logo"],
        ["keel-lint", "check", "."],
    ],
    ids=lambda command: command[0],
)
def test_clean(command: list[str]) -> None:
    path = f"{BESIDE_PYTHON}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_the_formats_that_the_documentation_names_exist() -> None:
    from keel_lint.report import FORMATS

    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "configuration.md").read_text()
    for name in ("github", "sarif"):
        assert name in FORMATS
        assert name in text
