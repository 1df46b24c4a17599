"""Real code: every check ends well, and every fix leaves code that parses and that a second run does not change.

`KEEL_LINT_CORPUS` names folders with checkouts, separated as `PATH` is; without it nothing here runs.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import libcst
import pytest

CHECKOUTS = [Path(name) for name in os.environ.get("KEEL_LINT_CORPUS", "").split(os.pathsep) if name]

pytestmark = pytest.mark.skipif(not CHECKOUTS, reason="KEEL_LINT_CORPUS names no checkouts")


def keel(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keel_lint", "check", "--isolated", "--no-cache", *arguments, "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(params=CHECKOUTS, ids=lambda path: path.name)
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a checkout, as a repository of its own."""
    copy: Path = tmp_path / request.param.name
    ignored = shutil.ignore_patterns(".git", "node_modules", ".keel_lint_cache")
    shutil.copytree(request.param, copy, symlinks=True, ignore=ignored)
    subprocess.run(["git", "init", "-q", str(copy)], check=True)
    return copy


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*.py") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_fixes_parse_converge_and_keep_the_rest(checkout: Path) -> None:
    before = contents(checkout)
    listed = keel(checkout, "--select=ALL", "--output-format=json")
    assert listed.returncode in (0, 1), listed.stderr
    findings = json.loads(listed.stdout)
    assert not [finding for finding in findings if finding["code"] == "KEL000"]
    # What one rule's fix writes can be another rule's finding: a time limit for all tasks, and a loop that swallows it.
    codes = ",".join(sorted({finding["code"] for finding in findings}))
    fix(checkout, codes)
    after = contents(checkout)
    for path in differing(before, after):
        strays = changed_rows(before[path], after[path]) - edited_rows(findings, checkout / path)
        assert not strays, f"{path}: rows changed that no fix edits: {sorted(strays)}"
    fixed = fix(checkout, "ALL")
    after = contents(checkout)
    for path in differing(before, after):
        libcst.parse_module(after[path])
    assert fix(checkout, "ALL") == fixed
    assert contents(checkout) == after


def fix(folder: Path, codes: str) -> str:
    """Applies all fixes of these rules; what is left, as JSON."""
    fixed = keel(folder, f"--select={codes or 'ALL'}", "--fix", "--unsafe-fixes", "--output-format=json")
    assert fixed.returncode in (0, 1), fixed.stderr
    return fixed.stdout


def differing(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """The paths of the files that have changed."""
    return [path for path in after if after[path] != before[path]]


def edited_rows(findings: list[dict[str, Any]], path: Path) -> set[int]:
    """The rows of a file that the fixes on offer edit, with the one before and the one after each."""
    rows: set[int] = set()
    for finding in findings:
        fix = finding["keel"].get("fix") or finding["fix"] or {"edits": []}
        for edit in fix["edits"]:
            if Path(edit.get("filename", finding["filename"])) == path:
                rows.update(range(edit["location"]["row"] - 1, edit["end_location"]["row"] + 2))
    return rows


def changed_rows(before: bytes, after: bytes) -> set[int]:
    """The rows of the old text that the new one does not have, byte for byte, and those before which it has more."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    rows: set[int] = set()
    for tag, start, end, _, _ in matcher.get_opcodes():
        if tag != "equal":
            rows.update(range(start + 1, max(end, start + 1) + 1))
    return rows
