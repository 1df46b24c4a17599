"""KEL217: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

SHARED = "import requests\ndef push(x):\n    requests.post('https://crm.example', json=x)\n"


def task(name: str, body: str, options: str = "") -> str:
    head = "import requests, socket\nfrom celery import shared_task\nfrom shared import push\n"
    return f"{head}@shared_task({options})\ndef {name}(x):\n    {body}\n"


def test_the_message_says_how_many_tasks_get_to_the_call(lint: Lint) -> None:
    files = {f"{name}.py": task(name, "push(x)") for name in "cab"}
    (finding,) = lint({"shared.py": SHARED, **files}, "KEL217")
    assert Path(finding.path).name == "a.py"
    assert "(3 tasks get there)" in finding.message


def test_the_task_that_makes_the_call_itself_is_the_first(lint: Lint) -> None:
    other = "from celery import shared_task\nfrom b import b\n@shared_task\ndef a(x):\n    b(x)\n"
    (finding,) = lint({"shared.py": SHARED, "a.py": other, "b.py": task("b", "requests.get(x)")}, "KEL217")
    assert Path(finding.path).name == "b.py"
    assert "(2 tasks get there)" in finding.message


def test_a_task_that_gives_all_sockets_a_timeout_is_not_the_first(lint: Lint) -> None:
    first = task("a", "push(x)") + "socket.setdefaulttimeout(9)\n"
    (finding,) = lint({"shared.py": SHARED, "a.py": first, "b.py": task("b", "push(x)")}, "KEL217")
    assert Path(finding.path).name == "b.py"
    assert "tasks get there" not in finding.message


def test_a_call_that_only_test_code_gets_to_is_reported_there(lint: Lint) -> None:
    (finding,) = lint({"shared.py": SHARED, "tests/a.py": task("a", "push(x)")}, "KEL217")
    assert Path(finding.path).name == "a.py"


@pytest.mark.parametrize("options", ["", "time_limit=9", "soft_time_limit=9"])
def test_for_ever_is_said_only_where_no_time_limit_ends_the_task(lint: Lint, options: str) -> None:
    (finding,) = lint({"a.py": task("a", "requests.get(x)", options)}, "KEL217")
    assert ("for ever" in finding.message) is (options == "")


def test_a_function_that_goes_by_the_class_of_its_argument_is_not_followed_to_the_call(lint: Lint) -> None:
    by_class = "import requests\ndef push(x):\n    if not isinstance(x, str):\n        return None\n    requests.post(x)\n"
    assert lint({"shared.py": by_class, "a.py": task("a", "push(x)")}, "KEL217") == []
    assert len(lint({"shared.py": by_class, "a.py": task("a", "requests.get(x)")}, "KEL217")) == 1


def test_a_file_that_only_passes_on_to_another_one_is_followed(lint: Lint) -> None:
    between = "from shared import push as send\ndef hand_on(x):\n    send(x)\n"
    body = "from between import hand_on\n    hand_on(x)"
    (finding,) = lint({"shared.py": SHARED, "between.py": between, "a.py": task("a", body)}, "KEL217")
    assert [hop.path.rpartition("/")[2] for hop in finding.hops] == ["a.py", "between.py", "shared.py"]
