"""The hooks, run by the real pre-commit from this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("src", "rules", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
CONFIGURATION = """\
repos:
  - repo: {repository}
    rev: {commit}
    hooks:
      - id: keel-lint
      - id: keel-lint-fix
        stages: [manual]
      - id: keel-lint-project
"""
FLAGGED = """\
import random

from temporalio import workflow


@workflow.defn
class Draw:
    @workflow.run
    async def run(self) -> float:
        return random.random()
"""
CLEAN = FLAGGED.replace("random.random()", "workflow.random().random()")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    person = {f"GIT_{role}_{what}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **person, "PRE_COMMIT_COLOR": "never"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def git(folder: Path, *words: str) -> str:
    done = run(folder, "git", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A configuration that takes the hooks from a repository with what this checkout holds now, committed or not."""
    folder = tmp_path_factory.mktemp("hooks")
    pip = run(ROOT, sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder / "pip"), "hatchling")
    if pip.returncode:
        pytest.skip(f"pre-commit installs hooks with pip, which reaches no package index: {pip.stderr.strip()}")
    repository = folder / "repository"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, repository / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            repository.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, repository / part)
    return CONFIGURATION.format(repository=repository, commit=commit_all(repository))


@pytest.fixture
def shop(tmp_path: Path, configuration: str) -> Path:
    """A repository that uses the hooks. `orders.py` is changed and staged, `stock.py` and `generated/` are as committed."""
    (tmp_path / ".pre-commit-config.yaml").write_text(configuration)
    (tmp_path / "pyproject.toml").write_text('[tool.keel-lint]\nextend-exclude = ["generated"]\n')
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated" / "models.py").write_text(FLAGGED)
    (tmp_path / "stock.py").write_text(FLAGGED)
    (tmp_path / "orders.py").write_text(CLEAN)
    commit_all(tmp_path)
    return tmp_path


def hook(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "pre_commit", "run", *words)


def stage(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", name)


def test_only_what_is_committed_is_reported(shop: Path) -> None:
    stage(shop, "orders.py", f"{CLEAN}\n")
    done = hook(shop, "keel-lint")
    assert done.returncode == 0, done.stdout
    stage(shop, "orders.py", FLAGGED)
    done = hook(shop, "keel-lint")
    assert done.returncode == 1
    assert "KEL502" in done.stdout
    assert "orders.py" in done.stdout
    assert "stock.py" not in done.stdout


def test_excluded_files_are_passed_over(shop: Path) -> None:
    stage(shop, "generated/models.py", f"{FLAGGED}\n")
    done = hook(shop, "keel-lint")
    assert done.returncode == 0, done.stdout


def test_the_fixing_hook_fixes_and_fails(shop: Path) -> None:
    stage(shop, "orders.py", FLAGGED)
    done = hook(shop, "keel-lint-fix", "--hook-stage", "manual")
    assert done.returncode == 1, done.stdout
    assert (shop / "orders.py").read_text() == CLEAN
    git(shop, "add", "orders.py")
    assert hook(shop, "keel-lint-fix", "--hook-stage", "manual").returncode == 0


def test_the_hook_for_the_project_checks_every_file(shop: Path) -> None:
    done = hook(shop, "keel-lint-project", "--hook-stage", "pre-push")
    assert done.returncode == 1, done.stdout
    assert "stock.py" in done.stdout
    assert "generated" not in done.stdout
