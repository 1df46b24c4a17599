"""The flake8 door: the real flake8 finds what the command line finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = """\
from celery import shared_task


@shared_task
def charge(order_id):
    print(order_id)
"""
VIEWS = """\
from django.db import transaction

from shop.tasks import charge


def pay(order):
    with transaction.atomic():
        order.save()
        charge.delay(order.pk)


def pay_twice(order):
    with transaction.atomic():
        charge.delay(order.pk)  # noqa: KEL101 -- the row is there already
        charge.delay(order.pk)  # keel: ignore KEL101 -- and so is this one
        charge.delay(order.pk)


def refund(order):
    charge.delay_on_commit(order.pk)  # noqa: KEL101
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tasks.py").write_text(TASKS)
    (package / "views.py").write_text(VIEWS)
    for number in range(6):
        (package / f"more{number}.py").write_text(VIEWS)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def flake8(folder: Path, *arguments: str, stdin: str | None = None) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "flake8",
        "--select=KEL",
        "--format=%(path)s:%(row)d:%(col)d:%(code)s %(text)s",
        *arguments,
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, input=stdin, check=False)
    assert run.returncode in (0, 1), run.stderr
    assert not run.stderr
    return sorted(line.removeprefix("./") for line in run.stdout.splitlines())


def keel(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "keel_lint", "check", "--no-cache", "--output-format=json", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    found = []
    for finding in json.loads(run.stdout):
        place = Path(finding["filename"]).relative_to(folder.resolve()).as_posix()
        found.append(f"{place}:{finding['location']['row']}:{finding['location']['column']}:{finding['code']}")
    return sorted(found)


def places(lines: list[str]) -> list[str]:
    return sorted(line.partition(" ")[0] for line in lines)


def without_unused(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.endswith("KEL002")]


def test_same_findings_as_the_command_line(shop: Path) -> None:
    theirs = keel(shop, ".")
    assert any(line.endswith("KEL101") for line in theirs)
    assert any(line.endswith("KEL002") for line in theirs)
    assert places(flake8(shop, ".")) == without_unused(theirs)


def test_same_findings_in_several_processes(shop: Path) -> None:
    assert flake8(shop, "-j", "2", ".") == flake8(shop, "-j", "1", ".")


def test_one_file_uses_the_whole_project(shop: Path) -> None:
    assert places(flake8(shop, "shop/views.py")) == without_unused(keel(shop, "shop/views.py"))


def test_standard_input_wins_over_the_disk(shop: Path) -> None:
    changed = VIEWS.replace("charge.delay(order.pk)\n\n\ndef pay_twice", "charge.delay_on_commit(order.pk)\n\n\ndef pay_twice")
    lines = places(flake8(shop, "--stdin-display-name", "shop/views.py", "-", stdin=changed))
    assert lines == ["shop/views.py:16:9:KEL101"]


def test_disable_noqa_shows_what_comments_hide(shop: Path) -> None:
    rows = {line.split(":")[1] for line in flake8(shop, "--disable-noqa", "shop/views.py") if "KEL101" in line}
    assert rows == {"9", "14", "15", "16"}


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_newlines_and_byte_order_mark(shop: Path, newline: str, bom: str) -> None:
    (shop / "shop" / "views.py").write_bytes((bom + VIEWS.replace("\n", newline)).encode())
    assert places(flake8(shop, "shop/views.py")) == without_unused(keel(shop, "shop/views.py"))


def test_a_configuration_error_is_said(shop: Path) -> None:
    (shop / "keel-lint.toml").write_text("selct = ['KEL101']\n")
    lines = flake8(shop, "shop/views.py")
    assert len(lines) == 1
    assert "KEL000 nothing was checked" in lines[0]
    assert "selct" in lines[0]
