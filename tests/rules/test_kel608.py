"""KEL608, where an example cannot show it: blocking calls that several activities reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HELPER = """
import requests


def rate(currency):
    first = requests.get(f"https://rates.example/{currency}", timeout=5)
    return first or requests.get(f"https://other.example/{currency}", timeout=5)
"""
ACTIVITY = """
from temporalio import activity

from rates import rate


@activity.defn
async def {name}(currency: str):
    return rate(currency)
"""


def places(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.path.rpartition("/")[2], finding.span.row) for finding in findings]


def files(*names: str) -> Mapping[str, str]:
    return {"rates.py": HELPER, **{f"{name}.py": ACTIVITY.replace("{name}", name) for name in names}}


def test_a_helper_of_two_activities_is_said_once(lint: Lint) -> None:
    findings = lint(files("first", "second"), "KEL608")
    assert places(findings) == [("first.py", 9)]
    assert "(and for 1 more that reaches it)" in findings[0].message


def test_calls_of_one_kind_in_one_helper_are_said_once(lint: Lint) -> None:
    findings = lint(files("only"), "KEL608")
    assert places(findings) == [("only.py", 9)]
    assert [hop.span.row for hop in findings[0].hops] == [9, 6]


def test_an_activity_that_calls_another_does_not_repeat_what_is_said_of_that(lint: Lint) -> None:
    other = (
        "from temporalio import activity\nfrom first import first\n\n@activity.defn\nasync def outer():\n    await first('')\n"
    )
    assert places(lint({**files("first"), "outer.py": other}, "KEL608")) == [("first.py", 9)]


@pytest.mark.parametrize(
    "call",
    [
        "await asyncio.to_thread(rate, currency)",
        "await loop.run_in_executor(None, rate, currency)",
        "await loop.run_in_executor(None, partial(rate, currency))",
        "pool.submit(rate, currency)",
        "Thread(target=rate, args=[currency]).start()",
        "await in_thread(currency)",
    ],
)
def test_what_a_thread_runs(lint: Lint, call: str) -> None:
    imports = "import asyncio\nfrom functools import partial\nfrom threading import Thread\nfrom somewhere import threaded\n"
    helper = "\n\n@threaded\ndef in_thread(currency):\n    return rate(currency)\n"
    text = imports + ACTIVITY.replace("{name}", "only").replace("return rate(currency)", call) + helper
    assert lint({"rates.py": HELPER, "only.py": text}, "KEL608") == []
    assert lint({"rates.py": HELPER, "only.py": text.replace(call, "rate(currency)")}, "KEL608")


def test_a_call_of_several_lines_is_named_on_one(lint: Lint) -> None:
    helper = HELPER.replace("requests.get(f", "requests.get(\n        f").replace(
        ", timeout=5)", ",\n        timeout=5,\n    )"
    )
    (found,) = lint({"rates.py": helper, "pay.py": ACTIVITY.replace("{name}", "pay")})
    assert '`requests.get(f"https://rates.example/{currency}", timeout=5)`' in found.message
