"""`keel-lint why`: each reason for which a line is flagged or silent, said from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CELERY = """\
from celery import Celery, Task
from django.db import transaction


class Deferring(Task):
    def apply_async(self, *args, **kwargs):
        return transaction.on_commit(lambda: super().apply_async(*args, **kwargs))


app = Celery("shop")
app.conf.task_time_limit = 300
app.conf.task_acks_late = True
"""
TASKS = """\
from shop.celery import Deferring, app


@app.task(max_retries=7)
def send_receipt(order_id):
    print(order_id)


@app.task(base=Deferring)
def count(order_id):
    print(order_id)
"""
ORDERS = """\
from django.db import transaction

from shop.tasks import count, send_receipt


def place_order(order):
    with transaction.atomic():
        send_receipt.delay(order.pk)
        count.delay(order.pk)
        send_receipt.delay(order.pk)  # noqa: KEL101 -- replayed
    send_receipt.delay(order.pk)
    transaction.on_commit(lambda: send_receipt.delay(order.pk))


def guess(queue):
    queue.delay(1)


NUMBER = 1
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    package = tmp_path / "shop"
    package.mkdir()
    for name, text in (("__init__", ""), ("celery", CELERY), ("tasks", TASKS), ("orders", ORDERS)):
        (package / f"{name}.py").write_text(text)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEEL_LINT_")}
    command = [sys.executable, "-m", "keel_lint", "why", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def line_of(folder: Path, name: str, code: str) -> str:
    """`file:line` of the first line that holds some code."""
    lines = (folder / "shop" / name).read_text().splitlines()
    return f"shop/{name}:{next(row for row, line in enumerate(lines, 1) if code in line)}"


def why(folder: Path, place: str, *words: str) -> dict[str, Any]:
    done = run(folder, place, *words, "--output-format", "json")
    assert done.returncode in (0, 1), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def reasons(told: dict[str, Any], code: str) -> list[str]:
    return [one["reason"] for one in told["silences"] if one["code"] == code]


# -- flagged --------------------------------------------------------------------------------------------------------------


def test_a_flagged_line_shows_the_finding_its_path_and_how_to_accept_it(shop: Path) -> None:
    done = run(shop, line_of(shop, "orders.py", "send_receipt.delay"))
    assert done.returncode == 1
    assert "path 1: `transaction.atomic` opens a transaction" in done.stdout
    assert "with transaction.atomic():" in done.stdout
    assert "# noqa: KEL101 -- reason` on line 8 or on the line of a hop" in done.stdout


def test_the_line_of_a_hop_tells_what_passes_there(shop: Path) -> None:
    told = why(shop, line_of(shop, "orders.py", "with transaction.atomic"))
    assert told["findings"] == []
    assert [(one["code"], one["location"]["row"]) for one in told["through"]] == [("KEL101", 8)]


def test_a_column_narrows(shop: Path) -> None:
    place = line_of(shop, "orders.py", "send_receipt.delay")
    assert [one["code"] for one in why(shop, f"{place}:10")["findings"]] == ["KEL101"]
    assert why(shop, f"{place}:3")["findings"] == []


# -- silent ---------------------------------------------------------------------------------------------------------------


def test_a_base_class_that_defers(shop: Path) -> None:
    told = why(shop, line_of(shop, "orders.py", "count.delay"))
    assert told["findings"] == []
    assert reasons(told, "KEL101") == ["its method, or the base class of the task, waits for the commit by itself"]


def test_no_transaction_is_known_to_be_open(shop: Path) -> None:
    told = why(shop, "shop/orders.py:11")
    assert told["text"] == "send_receipt.delay(order.pk)"
    assert reasons(told, "KEL101") == ["no transaction is known to be open when this runs"]


def test_inside_on_commit(shop: Path) -> None:
    told = why(shop, line_of(shop, "orders.py", "on_commit"))
    (dispatch,) = [one for one in told["things"] if one["kind"] == "dispatch"]
    assert "inside `on_commit` on line 12" in dispatch["what"]


def test_a_suppressed_line_names_the_comment_and_the_hop(shop: Path) -> None:
    place = line_of(shop, "orders.py", "noqa")
    (one,) = why(shop, place)["suppressed"]
    assert (one["comment"], one["hop"], one["reason"], one["row"]) == ("# noqa: KEL101", 0, "replayed", 10)
    orders = shop / "shop" / "orders.py"
    orders.write_text(ORDERS.replace("atomic():", "atomic():  # keel: ignore KEL101 -- on purpose"))
    (one,) = why(shop, "shop/orders.py:8")["suppressed"]
    assert (one["comment"], one["hop"], one["reason"], one["row"]) == ("# keel: ignore KEL101", 1, "on purpose", 7)


def test_a_call_that_cannot_be_resolved_says_as_what_it_was_looked_up(shop: Path) -> None:
    (one,) = why(shop, line_of(shop, "orders.py", "queue.delay"))["unresolved"]
    assert one["callee"] == "queue.delay"
    assert one["looked_up"].startswith("`queue`, a variable of the function")


def test_a_call_that_someone_else_could_not_resolve_is_named_where_it_stands(shop: Path) -> None:
    """A check counts it on behalf of the dispatch in another file, and sends the reader here."""
    (shop / "shop" / "carts.py").write_text(
        "from django.db import transaction\n\nfrom shop.orders import place_order\n\n\n"
        "def checkout(carts):\n    with transaction.atomic():\n        for cart in carts:\n            cart.pay()\n"
    )
    (shop / "shop" / "payments.py").write_text(
        "from shop.tasks import send_receipt\n\n\nclass Cart:\n    def pay(self):\n        send_receipt.delay(1)\n"
    )
    command = [sys.executable, "-m", "keel_lint", "check", "--output-format", "json-lines", "shop"]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False)
    places = [
        (one["filename"], one["location"]["row"]) for one in json.loads(done.stdout.splitlines()[-1])["keel"]["unresolved"]
    ]
    assert (f"{shop}/shop/carts.py", 9) in places
    for file, row in places:
        assert why(shop, f"{file}:{row}")["unresolved"] != []


def test_the_rules_of_a_method_are_those_that_look_at_the_method(shop: Path) -> None:
    (shop / "shop" / "views.py").write_text(
        "from shop.tasks import send_receipt\n\n\nclass View:\n    def post(self):\n        send_receipt.delay(1)\n"
    )
    assert "KEL106" in why(shop, "shop/views.py:6")["judged"]


def test_a_fix_that_check_would_not_apply_has_no_star(shop: Path) -> None:
    place = line_of(shop, "orders.py", "send_receipt.delay")
    assert "KEL101 `" in run(shop, place).stdout
    assert "KEL101 [*] `" in run(shop, place, "--config", "unsafe-fixes = true").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--ignore", "KEL101"), "`ignore` takes it away"),
        (("--select", "KEL106"), "`select` does not name it"),
        (("--config", 'per-file-ignores = { "orders.py" = ["KEL101"] }'), "`per-file-ignores` takes it away from this file"),
    ],
)
def test_a_rule_that_is_not_selected_says_why(shop: Path, words: tuple[str, ...], reason: str) -> None:
    told = why(shop, line_of(shop, "orders.py", "send_receipt.delay"), *words)
    assert told["findings"] == []
    assert [one["reason"] for one in told["left_out"] if one["code"] == "KEL101"] == [reason]


def test_a_rule_that_is_off_by_default_says_what_runs_it(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.keel-lint]\nextend-select = ["KEL101"]\n')
    told = why(shop, line_of(shop, "orders.py", "send_receipt.delay"))
    for one in told["left_out"]:
        assert one["remedy"] == f"--extend-select {one['code']}"
        assert one["reason"]


# -- files ----------------------------------------------------------------------------------------------------------------


def test_a_file_without_a_word_of_an_engine(shop: Path) -> None:
    (shop / "shop" / "plain.py").write_text("def f():\n    return 1\n")
    done = run(shop, "shop/plain.py:2")
    assert done.returncode == 0
    assert "no word of an engine stands in the file's code" in done.stdout


def test_test_code_and_excluded_and_ignored_files(shop: Path) -> None:
    for name in ("test_orders.py", "generated.py", "ignored.py"):
        (shop / "shop" / name).write_text(ORDERS)
    (shop / ".gitignore").write_text("ignored.py\n")
    (shop / "pyproject.toml").write_text('[tool.keel-lint]\nextend-exclude = ["generated.py"]\n')
    for name, note in (
        ("test_orders", "test code"),
        ("generated", "`exclude` leaves the file out"),
        ("ignored", "git ignores it"),
    ):
        told = why(shop, f"shop/{name}.py:8")
        assert any(note in one for one in told["notes"]), name
        assert [one["code"] for one in told["findings"]] == ["KEL101"]


def test_a_line_outside_every_definition(shop: Path) -> None:
    done = run(shop, line_of(shop, "orders.py", "NUMBER"))
    assert done.returncode == 0
    assert "none looks at this line" in done.stdout


# -- tasks ----------------------------------------------------------------------------------------------------------------


def test_a_task_shows_its_options_and_where_each_comes_from(shop: Path) -> None:
    told = why(shop, line_of(shop, "tasks.py", "def send_receipt"))
    options = {one["name"]: (one["value"], one["origin"], Path(one["path"]).name, one["row"]) for one in told["options"]}
    assert options["max_retries"] == ("7", "decorator", "tasks.py", 4)
    assert options["time_limit"] == ("300", "settings", "celery.py", 11)
    assert options["acks_late"] == ("True", "settings", "celery.py", 12)
    assert "shop.tasks.send_receipt" in [one["name"] for one in told["things"] if one["kind"] == "task"]


# -- errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("shop/orders.py", "FILE:LINE"),
        ("shop/nosuch.py:1", "no such file"),
        ("shop/orders.py:999", "no line 999"),
        ("shop/orders.py:0", "no line 0"),
    ],
)
def test_errors_are_status_2(shop: Path, place: str, said: str) -> None:
    done = run(shop, place)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_configuration_error_is_status_2(shop: Path) -> None:
    (shop / "pyproject.toml").write_text('[tool.keel-lint]\nselct = ["ABC"]\n')
    done = run(shop, "shop/orders.py:8")
    assert done.returncode == 2
    assert "selct" in done.stderr


def test_why_agrees_with_check(shop: Path) -> None:
    """Every line, cold and warm: what `why` says is reported is what `check` reports."""
    command = [sys.executable, "-m", "keel_lint", "check", "--output-format", "json", "shop"]
    listed = json.loads(subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False).stdout)
    found = [(one["location"]["row"], one["code"]) for one in listed if one["filename"].endswith("orders.py")]
    told = [why(shop, f"shop/orders.py:{row}")["findings"] for row in range(1, len(ORDERS.splitlines()) + 1)]
    assert [(one["location"]["row"], one["code"]) for findings in told for one in findings] == found != []


# -- what is left unresolved, in a check ----------------------------------------------------------------------------------


def check(folder: Path, output_format: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keel_lint", "check", "--output-format", output_format, "shop"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("output_format", ["full", "json", "sarif"])
def test_unresolved_calls_are_counted_in_the_footer_with_where_to_ask(shop: Path, output_format: str) -> None:
    for _ in range(2):
        assert "1 call could not be resolved" in check(shop, output_format).stderr
    assert "`keel-lint why shop/orders.py:16`" in check(shop, output_format).stderr


def test_unresolved_calls_are_listed_in_json(shop: Path) -> None:
    assert all(one["keel"]["unresolved_calls"] == 1 for one in json.loads(check(shop, "json").stdout))
    *findings, last = [json.loads(line) for line in check(shop, "json-lines").stdout.splitlines()]
    assert all("code" in one for one in findings)
    (left,) = last["keel"]["unresolved"]
    assert left == {"call": "queue.delay", "filename": f"{shop}/shop/orders.py", "location": {"column": 5, "row": 16}}
    (shop / "shop" / "orders.py").write_text(ORDERS.replace("    queue.delay(1)", "    pass"))
    assert all("code" in json.loads(line) for line in check(shop, "json-lines").stdout.splitlines())


def test_unresolved_calls_have_a_place_in_sarif(shop: Path) -> None:
    (log,) = json.loads(check(shop, "sarif").stdout)["runs"]
    told = log["invocations"][0]["toolExecutionNotifications"]
    places = [one["physicalLocation"] for note in told for one in note.get("locations", ())]
    assert [(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places] == [("shop/orders.py", 16)]
