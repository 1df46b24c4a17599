"""What the documentation shows of a terminal is what the terminal shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).parents[2] / "docs"

_BLOCK = re.compile(
    r'^(?P<fence>```+)(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=fence)$', re.DOTALL | re.MULTILINE
)


def run(folder: Path, command: str) -> str:
    """All that a command says."""
    name, *words = command.split()
    programs = {"keel-lint": [sys.executable, "-m", "keel_lint"], "python": [sys.executable], "git": ["git"]}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KEEL_LINT_", "PYTHON", "PYTEST_"))}
    environment = {**inherited, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*programs[name], *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a block of console, each with the output that is shown."""
    for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = session.partition("\n")
        yield command, output


def replay(page: str, folder: Path) -> list[str]:
    """Write the files of a page and run its commands, in their order; the commands that say what is shown."""
    compared = []
    for block in _BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if block["title"]:
            file = folder / block["title"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["text"], encoding="utf-8")
        elif block["language"] == "console":
            for command, output in sessions(block["text"]):
                if " pip " in command:
                    continue
                if (folder / "pyproject.toml").exists():
                    install(folder)
                said = run(folder, command)
                if output:
                    assert said == output
                    compared.append(command)
    return compared


def install(folder: Path) -> None:
    """Give the package in a folder the metadata that pip would."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in project["entry-points"].items()
    ]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text("\n".join(points))


def test_getting_started(tmp_path: Path) -> None:
    assert len(replay("getting-started.md", tmp_path)) == 5


def test_writing_a_rule_pack(tmp_path: Path) -> None:
    assert len(replay("rule-packs.md", tmp_path)) == 3
    tests = run(tmp_path, "python -m pytest -q -p no:cacheprovider -p no:xdist tests")
    assert re.search(r"^2 passed", tests, re.MULTILINE), tests
