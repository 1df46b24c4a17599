"""keel-lint's own code holds what it asks of others: types, lint, the order of imports, and keel-lint on itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keel_lint.rule import Registry

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


def test_the_readme_names_rules_as_they_are() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (KEL\d{3}) \| ([a-z-]+) \| ([a-z ]*?) *\|", readme, re.MULTILINE)
    installed = Registry.installed().rules
    engines = [one for one in installed.values() if one.engine != "keel"]
    assert f"{len(rows)} of {len(engines)} rules" in readme
    for code, slug, fix in rows:
        assert installed[code].slug == slug
        assert bool(fix) == (installed[code].fix in ("safe", "unsafe"))


@pytest.mark.parametrize("start", ["$ keel-lint check shop/services.py", "$ keel-lint check --diff"])
def test_the_readme_shows_what_is_printed(start: str) -> None:
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    command, shown = next(block for block in blocks if block.startswith(start)).split("\n", 1)
    words = [sys.executable, "-m", "keel_lint", *command.split()[2:], "--no-cache"]
    shop = ROOT / "fixtures" / "checkout" / "bad"
    done = subprocess.run(words, cwd=shop, env={**os.environ, "COLUMNS": ""}, capture_output=True, text=True, check=False)
    assert done.stdout == shown
    assert done.returncode == 1


def test_the_readme_has_the_figures_of_the_page_on_performance() -> None:
    readme, page = ((ROOT / name).read_text() for name in ("README.md", "docs/performance.md"))
    rows = {
        "for the first time": r"\| keel-lint, cold \| ([\d.]+) \|.*?\| ruff, no cache \| ([\d.]+) \|",
        "nothing has changed": r"\| keel-lint, nothing changed \| ([\d.]+) \|.*?\| ruff, cache \| ([\d.]+) \|",
        "one file has changed": r"\| keel-lint, one changed file \| ([\d.]+) \|",
    }
    for name, pattern in rows.items():
        measured = re.search(pattern, page)
        assert measured is not None
        cells = re.findall(rf"^\| {name} \| (.*?) s \|(?: (.*?) s)? \|$", readme, re.MULTILINE)
        assert [tuple(filter(None, found)) for found in cells] == [measured.groups()]


def test_links_in_the_documentation_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    prose = {page: re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE) for page in pages}
    links = [(page, link) for page, text in prose.items() for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []
