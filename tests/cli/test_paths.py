"""A path of several files, through every door: how it is shown, what cuts it, and who is told of a change on the way.

The dispatch stands in `orders.py`, the transaction is opened in `audit.py` and entered through `tracing.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASKS = "from celery import shared_task\n\n\n@shared_task\ndef send_receipt(order_id):\n    print(order_id)\n"
AUDIT = """\
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def audited():
    with transaction.atomic():
        yield
"""
TRACING = """\
from contextlib import contextmanager

from shop.audit import audited


@contextmanager
def traced():
    with audited():
        yield
"""
ORDERS = """\
from shop.tasks import send_receipt
from shop.tracing import traced


def place_order(order):
    with traced():
        order.save()
        send_receipt.delay(order.pk)
"""
HOPS = [
    ("audit.py", "    with transaction.atomic():"),
    ("tracing.py", "    with audited():"),
    ("orders.py", "    with traced():"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    package = tmp_path / "shop"
    package.mkdir()
    for name, text in (("__init__", ""), ("tasks", TASKS), ("audit", AUDIT), ("tracing", TRACING), ("orders", ORDERS)):
        (package / f"{name}.py").write_text(text)
    (package / "unrelated.py").write_text("import celery\n")
    return tmp_path


def run(folder: Path, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEEL_LINT_")}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done


def check(folder: Path, *words: str, stdin: str | None = None) -> str:
    return run(folder, "keel_lint", "check", "--select", "KEL101,KEL002", *words, stdin=stdin).stdout


def found(folder: Path, *words: str, stdin: str | None = None) -> list[tuple[str, str]]:
    listed = json.loads(check(folder, "--output-format", "json", *words, stdin=stdin))
    return [(Path(one["filename"]).name, one["code"]) for one in listed]


def suppress(folder: Path, name: str, line: str, comment: str) -> None:
    file = folder / "shop" / name
    text = file.read_text()
    assert text.count(f"{line}\n") == 1
    file.write_text(text.replace(f"{line}\n", f"{line}  # {comment}\n"))


# -- how it is shown ------------------------------------------------------------------------------------------------------


def test_full_prints_each_hop_with_its_line(shop: Path) -> None:
    text = check(shop)
    places = [text.index(f"shop/{name}:") for name, _ in HOPS]
    assert text.index("path 1") < text.index("path 2") < text.index("path 3")
    assert places[:2] == sorted(places[:2])
    for _, line in HOPS:
        assert line.strip() in text


def test_one_line_formats_append_the_way(shop: Path) -> None:
    via = "(via `transaction.atomic` opens a transaction -> enters `audited` -> enters `traced`)"
    assert via in check(shop, "--output-format", "concise")
    assert via in run(shop, "flake8", "--select=KEL", "shop").stdout


def test_json_has_the_path_under_keel(shop: Path) -> None:
    (finding,) = json.loads(check(shop, "--output-format", "json"))
    path = finding["keel"]["path"]
    assert [(Path(hop["filename"]).name, hop["location"]["row"]) for hop in path] == [
        ("audit.py", 8),
        ("tracing.py", 8),
        ("orders.py", 6),
    ]
    assert all(set(hop) == {"end_location", "filename", "location", "what"} for hop in path)


def test_sarif_has_code_flows_and_related_locations(shop: Path) -> None:
    document: dict[str, Any] = json.loads(check(shop, "--output-format", "sarif"))
    (result,) = document["runs"][0]["results"]
    steps = [one["location"] for one in result["codeFlows"][0]["threadFlows"][0]["locations"]]
    related = result["relatedLocations"]
    uris = [one["physicalLocation"]["artifactLocation"]["uri"] for one in related]
    assert uris == ["shop/audit.py", "shop/tracing.py", "shop/orders.py"]
    assert [one["message"]["text"] for one in steps[:3]] == [one["message"]["text"] for one in related]
    assert steps[-1]["physicalLocation"]["region"]["startLine"] == 8


# -- what cuts it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "line"), HOPS, ids=[name for name, _ in HOPS])
@pytest.mark.parametrize("comment", ["keel: ignore KEL101 -- replayed", "noqa: KEL101", "ruff: ignore[KEL101]"])
def test_a_comment_at_any_hop_cuts_the_path_through_both_doors(shop: Path, name: str, line: str, comment: str) -> None:
    suppress(shop, name, line, comment)
    assert found(shop) == []
    assert run(shop, "flake8", "--select=KEL", "shop").stdout == ""
    assert found(shop, "--ignore-noqa") == [("orders.py", "KEL101")]
    assert "KEL101" in run(shop, "flake8", "--select=KEL", "--disable-noqa", "shop").stdout


@pytest.mark.parametrize(("name", "line"), HOPS, ids=[name for name, _ in HOPS])
def test_a_blanket_noqa_cuts_no_path(shop: Path, name: str, line: str) -> None:
    suppress(shop, name, line, "noqa")
    assert found(shop) == [("orders.py", "KEL101")]


# -- who is told ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [("--no-cache",), ()], ids=["cold", "warm"])
def test_a_file_on_the_way_is_told_of_what_it_causes(shop: Path, cache: tuple[str, ...]) -> None:
    """The dispatch stands in a file that was not passed."""
    for _ in range(2):
        for name, expected in (("audit.py", True), ("tracing.py", True), ("tasks.py", False), ("unrelated.py", False)):
            assert found(shop, *cache, f"shop/{name}") == ([("orders.py", "KEL101")] if expected else [])


def test_a_transaction_opened_in_a_passed_file_is_found_though_the_dispatch_was_clean_before(shop: Path) -> None:
    (shop / "shop" / "audit.py").write_text(AUDIT.replace("with transaction.atomic():", "if transaction:"))
    assert found(shop) == []
    assert found(shop, "shop/audit.py") == []
    (shop / "shop" / "audit.py").write_text(AUDIT)
    assert found(shop, "shop/audit.py") == [("orders.py", "KEL101")]
    assert found(shop, "shop/tasks.py") == []


def test_what_its_own_configuration_leaves_out_is_left_out_of_this_too(shop: Path) -> None:
    assert found(shop, "--exclude", "orders.py", "shop/audit.py") == []
    assert found(shop, "--per-file-ignores", "orders.py:KEL101", "shop/audit.py") == []
    (shop / "shop" / "orders.py").rename(shop / "shop" / "test_orders.py")
    assert found(shop, "shop/audit.py") == []
    assert found(shop, "--tests", "shop/audit.py") == [("test_orders.py", "KEL101")]


def test_only_passed_files_are_changed(shop: Path) -> None:
    for words in (("--fix", "--unsafe-fixes"), ("--add-noqa",)):
        run(shop, "keel_lint", "check", "--select", "KEL101", *words, "shop/audit.py")
        assert (shop / "shop" / "orders.py").read_text() == ORDERS
    assert found(shop, "--fix", "shop/audit.py") == [("orders.py", "KEL101")]


def test_standard_input_is_told_of_its_own_findings_only(shop: Path) -> None:
    assert found(shop, "--stdin-filename", "shop/audit.py", "-", stdin=AUDIT) == []
    assert found(shop, "--stdin-filename", "shop/orders.py", "-", stdin=ORDERS) == [("orders.py", "KEL101")]


# -- a path through callers -----------------------------------------------------------------------------------------------

VIEWS = "from shop.service import place\n\n\ndef view(order):\n    place(order)\n"
WRAPPED = """\
from django.db import transaction

from shop.service import place


def view(order):
    with transaction.atomic():
        place(order)
"""
SERVICE = "from shop.sending import send\n\n\ndef place(order):\n    order.save()\n    send(order)\n"
SENDING = "from shop.tasks import send_receipt\n\n\ndef send(order):\n    send_receipt.delay(order.pk)\n"
CALLS = [
    ("views.py", "    with transaction.atomic():"),
    ("views.py", "        place(order)"),
    ("service.py", "    send(order)"),
]


@pytest.fixture
def layers(shop: Path) -> Path:
    for name, text in (("views", VIEWS), ("service", SERVICE), ("sending", SENDING), ("orders", ""), ("tracing", "")):
        (shop / "shop" / f"{name}.py").write_text(text)
    return shop


@pytest.mark.parametrize("cache", [("--no-cache",), ()], ids=["cold", "warm"])
def test_who_wraps_a_call_is_told_of_the_dispatch_at_its_end(layers: Path, cache: tuple[str, ...]) -> None:
    assert found(layers, *cache) == []
    (layers / "shop" / "views.py").write_text(WRAPPED)
    for name in ("views.py", "service.py", "sending.py"):
        assert found(layers, *cache, f"shop/{name}") == [("sending.py", "KEL101")]
    assert found(layers, *cache, "shop/tasks.py") == []
    (layers / "shop" / "views.py").write_text(VIEWS)
    assert found(layers, *cache, "shop/views.py") == []


@pytest.mark.parametrize(("name", "line"), CALLS)
def test_a_comment_at_any_caller_cuts_the_path_through_both_doors(layers: Path, name: str, line: str) -> None:
    (layers / "shop" / "views.py").write_text(WRAPPED)
    assert found(layers) == [("sending.py", "KEL101")]
    suppress(layers, name, line, "keel: ignore KEL101 -- replayed")
    assert found(layers) == []
    assert found(layers, "shop/views.py") == []
    assert run(layers, "flake8", "--select=KEL", "shop").stdout == ""
    assert run(layers, "flake8", "--select=KEL", "shop/sending.py").stdout == ""
