"""Several Django settings modules: which of them counts, who says so, and what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

APP = 'from celery import Celery\n\napp = Celery("shop")\napp.config_from_object("django.conf:settings", namespace="CELERY")\n'
TASKS = """\
import requests
from celery import shared_task


@shared_task
def fetch(url):
    requests.get(url, timeout=5)
"""
STARTER = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.base")\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop in which one environment sets a time limit and the other does not."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    settings = tmp_path / "shop" / "settings"
    settings.mkdir(parents=True)
    for path, text in (
        (tmp_path / "shop" / "__init__.py", ""),
        (tmp_path / "shop" / "celery.py", APP),
        (tmp_path / "shop" / "tasks.py", TASKS),
        (settings / "__init__.py", ""),
        (settings / "base.py", "CELERY_TIMEZONE = 'UTC'\n"),
        (settings / "heroku.py", "from .base import *\n\nCELERY_TASK_TIME_LIMIT = 300\n"),
    ):
        path.write_text(text)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keel_lint", "check", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def codes(folder: Path, *words: str) -> list[str]:
    return [one["code"] for one in json.loads(run(folder, "--select", "KEL214", "--output-format", "json", *words).stdout)]


def configure(folder: Path, module: str) -> None:
    (folder / "pyproject.toml").write_text(f'[tool.keel-lint]\nsettings = "{module}"\n')


def test_a_setting_counts_where_any_candidate_sets_it(shop: Path) -> None:
    assert codes(shop) == []


def test_the_configured_module_decides(shop: Path) -> None:
    for module, expected in (("shop.settings.heroku", []), ("shop.settings.base", ["KEL214"]), ("shop.settings.heroku", [])):
        configure(shop, module)
        assert codes(shop) == expected, module


def test_the_module_that_a_process_starts_with_decides(shop: Path) -> None:
    assert codes(shop) == []
    (shop / "manage.py").write_text(STARTER)
    assert codes(shop) == ["KEL214"]
    assert codes(shop, "--isolated") == ["KEL214"]
    (shop / "manage.py").write_text(STARTER.replace("base", "heroku"))
    assert codes(shop) == []


def test_what_a_configured_module_says_counts_though_its_name_says_development(shop: Path) -> None:
    (shop / "shop" / "settings" / "dev.py").write_text("CELERY_TASK_TIME_LIMIT = 60\n")
    configure(shop, "shop.settings.dev")
    assert codes(shop) == []


def test_a_module_that_is_not_there_is_status_2(shop: Path) -> None:
    configure(shop, "shop.settings.nosuch")
    for _ in range(2):
        done = run(shop)
        assert done.returncode == 2
        assert "`settings` names shop.settings.nosuch, which is no module" in done.stderr


def test_show_settings_says_which_counts_and_why(shop: Path) -> None:
    assert "no file names a module" in run(shop, "--show-settings").stdout
    (shop / "manage.py").write_text(STARTER)
    assert "# Django's settings: shop/settings/base.py, named by manage.py" in run(shop, "--show-settings").stdout
    configure(shop, "shop.settings.heroku")
    shown = run(shop, "--show-settings").stdout
    assert "# Django's settings: shop/settings/heroku.py, named by `settings` in keel-lint's configuration" in shown
    assert "named by manage.py" not in shown
