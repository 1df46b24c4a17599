"""A project to check and a rule pack to check it with, so that these tests depend on no rule of keel-lint's own.

The pack `example` flags calls inside tasks by their names: `danger()` (ABC101, safely fixed to `harmless()`), `worry()`
(ABC102, unsafely fixed to `relax()`), `crash()` (ABC103, which fails).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RULE = '''"""A call of `{called}`."""

from keel_lint.rule import Rule


class {name}(Rule):
    code = "{code}"
    slug = "{slug}"
    group = "correctness"
    engine = "celery"
    fix = {fix!r}
    judges = ("task",)

    def visit_Call(self, node):
        if self.definition.code(node.func) == "{called}":
            {body}
'''
FIX = """fix = self.definition.fix("Call `{new}`", "{kind}")
            fix.replace(node.func, "{new}")
            self.report(node, "`{called}` is called", fix=fix)"""

TASKS = """\
from celery import shared_task


@shared_task
def one():
    danger()


@shared_task
def two():
    worry()
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `PYTHONPATH` that holds the installed pack `example`."""
    folder = tmp_path_factory.mktemp("packs")
    package = install_pack(folder, "example", "example_pack")
    rules = [
        ("ABC101", "danger", "safe", FIX.format(new="harmless", kind="safe", called="danger")),
        ("ABC102", "worry", "unsafe", FIX.format(new="relax", kind="unsafe", called="worry")),
        ("ABC103", "crash", None, 'raise RuntimeError("no good")'),
    ]
    for code, called, fix, body in rules:
        text = RULE.format(called=called, name=called.title(), code=code, slug=f"{called}-called", fix=fix, body=body)
        (package / f"{code.lower()}_{called}.py").write_text(text)
    return folder


def install_pack(folder: Path, name: str, package: str) -> Path:
    """Make an empty rule pack with the metadata that an installed distribution has; returns the package's folder."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[keel_lint.rules]\n{name} = {package}\n")
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    return folder / package


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one file, `tasks.py`, of which ABC101 and ABC102 have something to say."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (root / "tasks.py").write_text(TASKS)
    return root


@pytest.fixture
def keel(packs: Path, project: Path) -> Run:
    """Run the command in the project, in a process of its own, with only the pack's rules selected."""

    def run(
        *words: str, stdin: str | None = None, cwd: Path = project, path: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KEEL_LINT_", "PYTHON"))}
        # What PYTHONPATH held comes last: it may say which checkout of keel-lint is tested
        folders = [*map(str, filter(None, (packs, path))), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        return subprocess.run(
            [sys.executable, "-m", "keel_lint", *words],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**inherited, "PYTHONPATH": os.pathsep.join(folders), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
