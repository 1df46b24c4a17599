"""KEL601: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

IMPORTS = """\
from datetime import timedelta
from typing import TypedDict

from temporalio import workflow
from temporalio.workflow import ActivityConfig, LocalActivityConfig

MINUTE = timedelta(minutes=1)
NOTHING = None
NO_TIMEOUT = {"heartbeat_timeout": MINUTE}
EMPTY = ActivityConfig(start_to_close_timeout=None)
GIVEN = dict(start_to_close_timeout=MINUTE)
ADDED = {"heartbeat_timeout": MINUTE}
ADDED["start_to_close_timeout"] = MINUTE
UPDATED = {}
UPDATED.update(start_to_close_timeout=MINUTE)
TWICE = {}
TWICE = GIVEN


class Mine(TypedDict, total=False):
    start_to_close_timeout: timedelta


def make() -> dict: ...
"""


def in_run(body: str, decorator: str = "@workflow.defn") -> str:
    """A workflow with this body of its run method."""
    head = f"{IMPORTS}\n\n{decorator}\nclass Wf:\n    @workflow.run\n    async def run(self, given: dict) -> None:\n"
    return head + indent(dedent(body).strip() + "\n", " " * 8)


def fixed(findings: list[Finding], text: str) -> str:
    """The text after the fixes of all findings."""
    edits = [edit for finding in findings if finding.fix for edit in finding.fix.edits]
    return Source.from_bytes(Path("wf.py"), text.encode()).apply(sorted(edits, key=lambda edit: edit.span.start)).decode()


FUNCTIONS = [
    f"{verb}_{kind}{how}"
    for verb in ("execute", "start")
    for kind in ("activity", "local_activity")
    for how in ("", "_class", "_method")
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function(lint: Lint, function: str) -> None:
    text = in_run(f"workflow.{function}('a')")
    (finding,) = lint({"wf.py": text}, "KEL601")
    amount = "seconds=10" if "_local_" in function else "minutes=10"
    assert f"`{function}('a')`" in finding.message
    assert f"('a', start_to_close_timeout=timedelta({amount}))" in fixed([finding], text)
    assert lint({"wf.py": fixed([finding], text)}, "KEL601") == []


@pytest.mark.parametrize(
    "options",
    [
        "start_to_close_timeout=None",
        "start_to_close_timeout=NOTHING, schedule_to_close_timeout=None",
        "schedule_to_close_timeout=timedelta(0)",
        "schedule_to_start_timeout=MINUTE, heartbeat_timeout=MINUTE",
        "**NO_TIMEOUT",
        "**{**NO_TIMEOUT}",
        "**{'start_to_close_timeout': None}",
        "**EMPTY",
        "**ActivityConfig(heartbeat_timeout=MINUTE)",
        "**(NO_TIMEOUT | EMPTY)",
        "**Mine()",
        "**local",
        "*given",
    ],
)
def test_no_timeout(lint: Lint, options: str) -> None:
    text = in_run(f"local = {{'summary': 'x'}}\nawait workflow.execute_activity('a', {options})")
    (finding,) = lint({"wf.py": text}, "KEL601")
    assert "retried for ever while the run looks Running" in finding.message


@pytest.mark.parametrize(
    "options",
    [
        "start_to_close_timeout=MINUTE",
        "schedule_to_close_timeout=given",
        "start_to_close_timeout=self.limit",
        "**GIVEN",
        "**{**NO_TIMEOUT, 'schedule_to_close_timeout': MINUTE}",
        "**(NO_TIMEOUT | GIVEN)",
        "**LocalActivityConfig(start_to_close_timeout=MINUTE)",
        "**Mine(start_to_close_timeout=MINUTE)",
        "**ActivityConfig(**GIVEN)",
        "**ADDED",
        "**UPDATED",
        "**TWICE",
        "**given",
        "**make()",
        "**self.options",
        "**grown",
        "**changing",
        "**(GIVEN if given else EMPTY)",
        "**{given: MINUTE}",
    ],
)
def test_a_timeout_or_what_may_hold_one(lint: Lint, options: str) -> None:
    body = f"""
        grown = {{}}
        grown["start_to_close_timeout"] = MINUTE
        changing = {{}}
        changing = make()
        await workflow.execute_activity('a', {options})
        """
    assert lint({"wf.py": in_run(body)}, "KEL601") == []


def test_options_in_another_file(lint: Lint) -> None:
    files = {
        "app/__init__.py": "",
        "app/options.py": "from x import A_DAY\nLONG = {'start_to_close_timeout': A_DAY}\nBARE = {'summary': 'x'}\n",
        "app/wf.py": "from app import options\nfrom app.options import BARE\n"
        + in_run("await workflow.execute_activity('a', **options.LONG)\nawait workflow.execute_activity('b', **BARE)"),
    }
    (finding,) = lint(files, "KEL601")
    assert "execute_activity('b')" in finding.message


@pytest.mark.parametrize(
    "assigns", ["input.start_to_close_timeout = MINUTE", "input = replace(input, schedule_to_close_timeout=MINUTE)"]
)
def test_an_interceptor_that_sets_timeouts(lint: Lint, assigns: str) -> None:
    interceptor = (
        "from temporalio.worker import WorkflowOutboundInterceptor\n\nclass Defaults(WorkflowOutboundInterceptor):\n"
        f"    def start_activity(self, input):\n        {assigns}\n        return self.next.start_activity(input)\n"
    )
    workflow = in_run("await workflow.execute_activity('a')")
    assert lint({"wf.py": workflow, "interceptor.py": interceptor}, "KEL601") == []
    assert len(lint({"wf.py": workflow, "interceptor.py": interceptor.replace(assigns, "log(input)")}, "KEL601")) == 1


def test_a_helper_outside_the_workflow(lint: Lint) -> None:
    text = f"{IMPORTS}\n\nasync def charge(order: str) -> None:\n    await workflow.execute_activity(charge_card, order)\n"
    (finding,) = lint({"wf.py": text}, "KEL601")
    assert finding.qualname == "charge"


def test_imported_by_name_and_renamed(lint: Lint) -> None:
    text = "from temporalio.workflow import execute_activity as act\n" + in_run("await act('a')")
    (finding,) = lint({"wf.py": text}, "KEL601")
    assert "`execute_activity('a')`" in finding.message


def test_timedelta_is_imported(lint: Lint) -> None:
    text = (
        "from temporalio import workflow\n\n\n@workflow.defn\nclass Wf:\n    @workflow.run\n"
        "    async def run(self) -> None:\n        await workflow.execute_activity('a')\n"
    )
    result = fixed(lint({"wf.py": text}, "KEL601"), text)
    assert "from datetime import timedelta\n" in result
    assert "execute_activity('a', start_to_close_timeout=timedelta(minutes=10))" in result


def test_no_fix_where_the_option_is_in_a_spread(lint: Lint) -> None:
    (finding,) = lint({"wf.py": in_run("await workflow.execute_activity('a', **EMPTY)")}, "KEL601")
    assert finding.fix is None


def test_queries_are_left_to_another_rule(lint: Lint) -> None:
    query = "    @workflow.query\n    def ask(self):\n        workflow.start_activity('a')\n"
    text = f"{IMPORTS}\n\n@workflow.defn\nclass Wf:\n{query}"
    assert lint({"wf.py": text}, "KEL601") == []


def test_failure_exception_types_end_the_run(lint: Lint) -> None:
    decorator = "@workflow.defn(failure_exception_types=[Exception])"
    (finding,) = lint({"wf.py": in_run("await workflow.execute_activity('a')", decorator)}, "KEL601")
    assert "ValueError and the run fails" in finding.message


@pytest.mark.parametrize("call", ["self.execute_activity('a')", "client.execute_activity('a')", "runner.start_activity('a')"])
def test_other_functions_of_the_same_name(lint: Lint, call: str) -> None:
    assert lint({"wf.py": in_run(f"await {call}")}, "KEL601") == []
