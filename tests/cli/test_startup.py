"""What a run imports: each door pays only for what it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from keel_lint.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def modules(project: Path, packs: Path, *words: str) -> set[str]:
    """The modules that a run of the command line has imported when it ends."""
    environment = {**os.environ, "PYTHONPATH": str(packs)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_the_version_and_the_help_import_no_engine(project: Path, packs: Path) -> None:
    assert not {"libcst", "tree_sitter", "sqlite3", "keel_lint.runner", "msgspec"} & modules(project, packs, "--version")
    assert not {"libcst", "tree_sitter", "sqlite3", "keel_lint.runner"} & modules(project, packs, "check", "--help")


def test_a_run_that_finds_everything_in_the_cache_parses_nothing(project: Path, packs: Path) -> None:
    cold, warm = (modules(project, packs, "check", "--select", "ABC", "--output-format", "concise") for _ in range(2))
    parsers = {"libcst", "tree_sitter"}
    assert parsers <= cold
    assert not parsers & warm


def test_a_changed_file_is_not_parsed_where_no_rule_can_apply(project: Path, packs: Path) -> None:
    (project / "plain.py").write_text("value = 1\n")
    modules(project, packs, "check", "--select", "ABC")
    (project / "plain.py").write_text("value = 2\n")
    assert "libcst" not in modules(project, packs, "check", "--select", "ABC")


def test_no_run_imports_what_it_never_needs(project: Path, packs: Path) -> None:
    cold = modules(project, packs, "check", "--select", "ABC", "--no-cache")
    assert not {"asyncio", "rich", "click", "libcst.matchers", "http", "unittest"} & cold
