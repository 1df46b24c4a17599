"""KEL501: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

IMPORTS = """\
import datetime as dt
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from email.utils import formatdate, localtime
from typing import TYPE_CHECKING

import arrow
import pendulum
from django.utils import timezone as django_timezone
from temporalio import activity, workflow
"""
ANSWERED_WITH_ERROR = "always answered with an error"
RETRIED = "retried for ever while the run looks Running"
DIVERGES = "a replay gets another value"


def in_run(body: str, decorator: str = "@workflow.defn") -> str:
    """A workflow with this body of its run method."""
    head = f"{IMPORTS}\n\n{decorator}\nclass Wf:\n    @workflow.run\n    async def run(self, given: float) -> None:\n"
    return head + indent(dedent(body).strip() + "\n", " " * 8)


def in_class(members: str) -> str:
    """A workflow class with these members."""
    return f"{IMPORTS}\n\n@workflow.defn\nclass Wf:\n" + indent(dedent(members).strip() + "\n", " " * 4)


def fixed(findings: list[Finding], text: str) -> str:
    """The text after the fixes of all findings."""
    edits = [edit for finding in findings if finding.fix for edit in finding.fix.edits]
    return Source.from_bytes(Path("wf.py"), text.encode()).apply(sorted(edits, key=lambda edit: edit.span.start)).decode()


@pytest.mark.parametrize(
    ("call", "instead", "applicability"),
    [
        ("time.time()", "workflow.time()", "safe"),
        ("time.time_ns()", "workflow.time_ns()", "safe"),
        ("datetime.now(timezone.utc)", "workflow.now()", "safe"),
        ("dt.datetime.now(tz=dt.timezone.utc)", "workflow.now()", "safe"),
        ("datetime.now(dt.UTC)", "workflow.now()", "safe"),
        ("datetime.now()", "workflow.now()", "unsafe"),
        ("datetime.now(None)", "workflow.now()", "unsafe"),
        ("datetime.now(zone())", "workflow.now().astimezone(zone())", "unsafe"),
        ("dt.datetime.utcnow()", "workflow.now()", "unsafe"),
        ("dt.date.today()", "workflow.now().date()", "unsafe"),
        ("time.monotonic()", "workflow.time()", "unsafe"),
        ("time.perf_counter_ns()", "workflow.time_ns()", "unsafe"),
        ("time.clock_gettime(time.CLOCK_REALTIME)", "workflow.time()", "unsafe"),
        ("time.gmtime()", "time.gmtime(workflow.time())", "unsafe"),
        ("time.ctime(None)", None, None),
        ("time.strftime('%Y')", "workflow.now().strftime('%Y')", "unsafe"),
        ("time.localtime()", "workflow.now().timetuple()", "unsafe"),
        ("time.localtime(given)", None, None),
        ("time.asctime()", None, None),
        ("localtime()", "workflow.now()", "unsafe"),
        ("formatdate()", "formatdate(workflow.time())", "unsafe"),
        ("formatdate(localtime=True)", None, None),
        ("django_timezone.now()", "workflow.now()", "unsafe"),
        ("django_timezone.localdate()", None, None),
        ("pendulum.now('UTC')", None, None),
        ("arrow.utcnow()", None, None),
    ],
)
def test_each_clock_and_its_fix(lint: Lint, call: str, instead: str | None, applicability: str | None) -> None:
    text = in_run(f"value = {call}")
    (finding,) = lint({"wf.py": text}, "KEL501")
    assert finding.span.row == len(text.splitlines())
    assert finding.fix is None if applicability is None else finding.fix is not None
    if finding.fix is not None:
        assert finding.fix.applicability == applicability
        assert fixed([finding], text) == in_run(f"value = {instead}")
        assert lint({"wf.py": fixed([finding], text)}, "KEL501") == []


@pytest.mark.parametrize(
    "body",
    [
        "return time.gmtime(given), time.ctime(given), time.asctime(time.gmtime(given))",
        "return time.strftime('%Y', time.gmtime(given)), formatdate(given), localtime(workflow.now())",
        "return time.gmtime(*given), django_timezone.localtime(value=given)",
        "return datetime.fromtimestamp(given, timezone.utc), timedelta(seconds=given), date(2024, 1, 1)",
        "await workflow.sleep(1); time = given; return time.time()",
        "async def read(time): return time.time()",
        "return [time.time() for time in given]",
        "if TYPE_CHECKING:\n    time.time()",
        "if workflow.in_workflow():\n    pass\nelse:\n    time.time()",
        "if not workflow.in_workflow():\n    time.time()",
        "value: time.time() = 1",
        "clock = given\nclock = time.time\nclock()",
        "return isinstance(given, datetime), repr(datetime.now), self.use(datetime.now)",
        "return map(time.gmtime, given)",
        "now = workflow.now()\nreturn now.now()",
    ],
)
def test_no_clock_is_read(lint: Lint, body: str) -> None:
    assert lint({"wf.py": in_run(body)}, "KEL501") == []


@pytest.mark.parametrize(
    "body",
    [
        "clock = time.time\nreturn clock()",
        "import time as t\nreturn t.time()",
        "return (lambda: datetime.now())()",
        "def inner(at=time.time()):\n    return at",
        "def inner():\n    return time.time()",
        "@dataclass\nclass Mark:\n    at: float = field(default_factory=time.time)",
        "return defaultdict(time.monotonic)",
        "return f'{datetime.now():%Y}'",
        "return [x for x in given if x < time.time()]",
        "if workflow.in_workflow():\n    time.time()",
    ],
)
def test_a_clock_is_read_all_the_same(lint: Lint, body: str) -> None:
    (finding,) = lint({"wf.py": in_run(body)}, "KEL501")
    assert RETRIED in finding.message


def test_a_function_handed_over_is_replaced_by_its_counterpart(lint: Lint) -> None:
    text = in_run("return defaultdict(time.time)")
    findings = lint({"wf.py": text}, "KEL501")
    assert fixed(findings, text) == in_run("return defaultdict(workflow.time)")


@pytest.mark.parametrize(
    ("body", "decorator"),
    [
        ("return time.time()", "@workflow.defn(sandboxed=False)"),
        ("with workflow.unsafe.sandbox_unrestricted():\n    return time.time()", "@workflow.defn"),
        ("return time.gmtime()", "@workflow.defn"),
    ],
)
def test_without_the_sandbox_the_message_speaks_of_replay(lint: Lint, body: str, decorator: str) -> None:
    (finding,) = lint({"wf.py": in_run(body, decorator)}, "KEL501")
    assert DIVERGES in finding.message
    assert RETRIED not in finding.message


@pytest.mark.parametrize("runner", ["UnsandboxedWorkflowRunner()", "make(SandboxRestrictions.invalid_module_members_default)"])
def test_a_worker_that_changes_the_sandbox_is_mentioned(lint: Lint, runner: str) -> None:
    worker = f"from temporalio.worker import *\n\nworker = Worker(client, workflow_runner={runner})\n"
    (finding,) = lint({"wf.py": in_run("return time.time()"), "worker.py": worker}, "KEL501")
    assert "in the full sandbox it is refused" in finding.message


def test_failure_exception_types_end_the_run(lint: Lint) -> None:
    decorator = "@workflow.defn(failure_exception_types=[Exception])"
    (finding,) = lint({"wf.py": in_run("return time.time()", decorator)}, "KEL501")
    assert "the run fails" in finding.message


@pytest.mark.parametrize(
    ("body", "decorator", "expected"),
    [
        ("if not workflow.unsafe.is_replaying():\n    time.gmtime()", "@workflow.defn", 0),
        ("if workflow.unsafe.is_replaying():\n    pass\nelse:\n    time.gmtime()", "@workflow.defn", 0),
        ("if not workflow.unsafe.is_replaying():\n    time.time()", "@workflow.defn(sandboxed=False)", 0),
        ("if not workflow.unsafe.is_replaying():\n    time.time()", "@workflow.defn", 1),
        ("if workflow.unsafe.is_replaying():\n    time.gmtime()", "@workflow.defn", 1),
    ],
)
def test_what_replays_skip_matters_where_the_sandbox_refuses_it(lint: Lint, body: str, decorator: str, expected: int) -> None:
    assert len(lint({"wf.py": in_run(body, decorator)}, "KEL501")) == expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("def __init__(self): self.at = time.time()", RETRIED),
        ("@workflow.signal\ndef tell(self): time.time()", RETRIED),
        ("@workflow.update\nasync def change(self): time.time()", RETRIED),
        ("@workflow.query\ndef ask(self): return time.time()", ANSWERED_WITH_ERROR),
        ("@workflow.query\ndef ask(self): return self.age()\ndef age(self): return time.time()", ANSWERED_WITH_ERROR),
        ("@workflow.update\ndef set(self): ...\n@set.validator\ndef check(self): time.time()", "every update is rejected"),
        ("def helper(self): return time.time()", RETRIED),
        ("@property\ndef age(self): return time.time()", RETRIED),
        ("@workflow.run\nasync def run(self): Wf.stamp()\n@staticmethod\ndef stamp(): time.time()", RETRIED),
        ("@workflow.query\ndef ask(self): return time.gmtime()", None),
        ("@staticmethod\ndef new_id(): return time.time()", None),
        ("@classmethod\ndef new_id(cls): return time.time()", None),
        ("@activity.defn\nasync def act(self): return time.time()", None),
        ("def helper(self, at=time.time()): ...", None),
        ("started = time.time()", None),
    ],
)
def test_which_methods_are_workflow_code(lint: Lint, member: str, expected: str | None) -> None:
    findings = lint({"wf.py": in_class(member)}, "KEL501")
    assert len(findings) == (expected is not None)
    assert all(expected in finding.message for finding in findings if expected)


def test_a_loop_that_never_waits_has_no_safe_fix(lint: Lint) -> None:
    loops = (in_run(f"while time.time() < given:\n    {body}") for body in ("pass", "await workflow.sleep(1)"))
    spinning, waiting = (lint({"wf.py": loop}, "KEL501") for loop in loops)
    assert [finding.fix.applicability for finding in (*spinning, *waiting) if finding.fix] == ["unsafe", "safe"]


def test_the_workflow_module_under_another_name(lint: Lint) -> None:
    text = (
        "import time\nimport temporalio.workflow as wf\n\n@wf.defn\nclass Wf:\n"
        "    @wf.run\n    async def run(self) -> float:\n        return time.time()\n"
    )
    assert fixed(lint({"wf.py": text}, "KEL501"), text) == text.replace("time.time()", "wf.time()")


def test_a_class_that_is_no_workflow(lint: Lint) -> None:
    assert lint({"wf.py": in_run("return time.time()", "@dataclass")}, "KEL501") == []
