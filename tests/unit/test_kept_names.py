"""To find out which files name a function, a run takes apart only what has changed since the last one or holds a new name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from keel_lint import discovery, naming
from keel_lint.rule import Registry
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder

if TYPE_CHECKING:
    from pathlib import Path

FILES = 30
"""Enough for a second process to judge half of them."""

SENDER = """\
from celery import shared_task


@shared_task
def send(order):
    print(order)


def pay_{number}(order):
    send.delay(order.pk)
"""
CALLER = """\
from django.db import transaction

from shop.orders_{number} import pay_{number}


def close_{number:02}(order):
    with transaction.atomic():
        pay_{number}(order)
"""


def write(path: Path, text: str, time: int) -> None:
    """Write a file that looks old, so that its time is believed."""
    path.write_text(text)
    os.utime(path, (time, time))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose dispatches stand in functions that others call in transactions."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / ".git").mkdir()
    write(folder / "__init__.py", "", 1_000_000_000)
    for number in range(FILES):
        write(folder / f"orders_{number}.py", SENDER.format(number=number), 1_000_000_000)
        write(folder / f"views_{number}.py", CALLER.format(number=number), 1_000_000_000)
    return tmp_path


def check(root: Path) -> list[str]:
    """The files in which something is found."""
    registry = Registry.installed()
    finder = SettingsFinder(Overrides.from_arguments({"select": ["KEL101"]}), registry=registry)
    return [finding.path.rpartition("/")[2] for finding in Linter([root], finder, registry, cache=True).check().findings]


@pytest.mark.parametrize("processes", [1, 2])
def test_only_changed_files_are_taken_apart_again(shop: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    assert len(check(shop)) == FILES
    taken_apart: list[bytes] = []

    def seen(raw: bytes) -> frozenset[bytes]:
        taken_apart.append(raw)
        return discovery.identifiers(raw)

    monkeypatch.setattr(naming, "identifiers", seen)
    if processes == 1:
        monkeypatch.setattr("keel_lint.processes.can_fork", lambda: False)
    # Whether `close_01` is called in a transaction was of no interest before.
    changed = CALLER.format(number=1).replace("with transaction.atomic()", "if order")
    write(shop / "shop/views_1.py", changed, 1_000_000_001)
    found = check(shop)
    assert len(found) == FILES - 1
    assert "orders_1.py" not in found
    assert set(taken_apart) == {changed.encode()}
