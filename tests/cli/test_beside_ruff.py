"""keel-lint and ruff on the same files: neither takes away the other's comments."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """\
import os
from django.db import transaction

from shop.tasks import charge


def pay(order):
    with transaction.atomic():
        charge.delay(order.pk)  # noqa: KEL101 -- the worker waits for the row
        charge.delay(order.pk)  # ruff: ignore[KEL101] the worker waits for the row
        charge.delay(order.pk)  # keel: ignore KEL101 -- the worker waits for the row
        # keel: ignore KEL101 -- the worker waits for the row
        charge.delay(order.pk)
    value = os.getcwd()  # noqa: F841 -- kept for the debugger
    import sys  # noqa: F401, KEL101 -- one is used, the other is not
"""
TASKS = "from celery import shared_task\n\n\n@shared_task\ndef charge(order_id):\n    print(order_id)\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tasks.py").write_text(TASKS)
    (package / "views.py").write_text(CODE)
    ruff = '[tool.ruff.lint]\nselect = ["F", "ERA", "RUF100", "RUF101", "RUF102"]\npreview = true\nexternal = ["KEL"]\n'
    (tmp_path / "pyproject.toml").write_text(ruff)
    return tmp_path


def ruff(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    executable = shutil.which("ruff", path=Path(sys.executable).parent) or "ruff"
    return subprocess.run(
        [executable, "check", "--no-cache", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def keel(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keel_lint", "check", "--no-cache", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_ruff_leaves_keel_comments_alone(shop: Path) -> None:
    before = (shop / "shop/views.py").read_text()
    run = ruff(shop, "--fix", "--unsafe-fixes", ".")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (shop / "shop/views.py").read_text() == before


def test_without_external_ruff_takes_them_away(shop: Path) -> None:
    """The reason why the installation snippet sets `lint.external`: this test fails once ruff no longer needs it."""
    config = (shop / "pyproject.toml").read_text()
    (shop / "pyproject.toml").write_text(config.replace('external = ["KEL"]\n', ""))
    ruff(shop, "--fix", "--unsafe-fixes", ".")
    assert "noqa: KEL101 -- the worker waits" not in (shop / "shop/views.py").read_text()


def test_keel_honours_all_forms_and_leaves_ruffs_codes_alone(shop: Path) -> None:
    run = keel(shop, "--select=KEL101,KEL002", "--output-format=concise", ".")
    assert [line.split(" ")[1] for line in run.stdout.splitlines() if line.startswith("shop/")] == ["KEL002"]
    assert keel(shop, "--select=KEL101,KEL002", "--fix", "--unsafe-fixes", ".").returncode == 0
    after = (shop / "shop/views.py").read_text()
    assert after == CODE.replace("# noqa: F401, KEL101 -- one", "# noqa: F401 -- one")
    assert ruff(shop, ".").returncode == 0
