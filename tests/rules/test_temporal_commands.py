"""KEL611 to KEL613, KEL615, KEL616 and KEL701: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding
from tests.rules.temporal_code import IMPORTS, in_run, with_run

Lint = Callable[..., list[Finding]]

OPTIONS = "start_to_close_timeout=MINUTE"

DROPPED = {
    "a child": "workflow.start_child_workflow('A', id='a')",
    "a condition": "workflow.wait_condition(given)",
    "a Nexus operation": "client = workflow.create_nexus_client(service=S, endpoint='e')\nclient.execute_operation('o', 1)",
    "a signal to a child": "child = await workflow.start_child_workflow('A', id='a')\nchild.signal('b')",
    "in a branch": f"if given:\n    workflow.execute_local_activity('a', {OPTIONS})",
    "in a function inside": "async def inner():\n    workflow.sleep(1)\nawait inner()",
    "one that is returned": f"return workflow.execute_activity('a', {OPTIONS})",
    "a handle": f"workflow.start_local_activity('a', {OPTIONS})",
}


@pytest.mark.parametrize("body", DROPPED.values(), ids=DROPPED)
def test_a_command_that_is_dropped(lint: Lint, body: str) -> None:
    found = lint({"a.py": in_run(body)}, "KEL611")
    assert [finding.code for finding in found] == ["KEL611"]
    assert found[0].fix is not None


KEPT = {
    "a task": "asyncio.create_task(workflow.sleep(1))",
    "a list": f"await asyncio.gather(*[workflow.execute_activity(a, {OPTIONS}) for a in given])",
    "used later": f"x = workflow.execute_activity('a', {OPTIONS})\nreturn await x",
    "dropped on purpose": f"_ = workflow.start_activity('a', {OPTIONS})",
    "a child is cancelled": "child = await workflow.start_child_workflow('A', id='a')\nchild.cancel()",
    "a lambda": "given(lambda: workflow.sleep(1))",
    "a plain function": "workflow.logger.info('a')\nworkflow.upsert_memo({})\nworkflow.continue_as_new()",
}


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_a_command_that_is_kept(lint: Lint, body: str) -> None:
    assert lint({"a.py": in_run(body)}, "KEL611") == []


def test_functions_of_the_project(lint: Lint) -> None:
    helpers = "async def later(): ...\n\ndef now(): ...\n\nasync def each():\n    yield 1\n\n@wrapped\nasync def odd(): ...\n"
    body = "later()\nnow()\neach()\nodd()\nawait later()\nasyncio.create_task(later())"
    code = "from helpers import each, later, now, odd\n" + in_run(body)
    found = lint({"helpers.py": helpers, "a.py": code}, "KEL611")
    assert [finding.message.split()[0] for finding in found] == ["`later`"]


def test_a_plain_handler_must_become_a_coroutine(lint: Lint) -> None:
    found = lint({"a.py": with_run("@workflow.signal\ndef on(self):\n    workflow.sleep(1)")}, "KEL611")
    assert [finding.fix for finding in found] == [None]
    assert "make `on` an `async def`" in found[0].message


ARGUMENTS = {
    "KEL612": [
        f"await workflow.execute_activity('a', 1, 2, {OPTIONS})",
        f"await workflow.execute_local_activity_method(given, 1, 2, {OPTIONS})",
        f"await workflow.start_activity_class(given, 1, *given, 2, {OPTIONS})",
        "await workflow.start_child_workflow('A', 1, 2, id='a')",
        "workflow.continue_as_new(1, 2)",
    ],
    "KEL613": [
        f"await workflow.execute_activity('a', 1, args=given, {OPTIONS})",
        f"await workflow.execute_activity('a', arg=1, args=[2], {OPTIONS})",
        "workflow.continue_as_new(1, args=[2])",
    ],
    "": [
        f"await workflow.execute_activity('a', *given, {OPTIONS})",
        f"await workflow.execute_activity('a', 1, *given, {OPTIONS})",
        f"await workflow.execute_activity(*given, 1, 2, {OPTIONS})",
        f"await workflow.execute_activity('a', 1, args=(), {OPTIONS})",
        f"await workflow.execute_activity('a', args=[1, 2], {OPTIONS})",
        "workflow.continue_as_new(1)",
    ],
}


@pytest.mark.parametrize(("code", "call"), [(code, call) for code, calls in ARGUMENTS.items() for call in calls])
def test_arguments(lint: Lint, code: str, call: str) -> None:
    assert [finding.code for finding in lint({"a.py": in_run(call)}, "KEL612", "KEL613")] == ([code] if code else [])


def test_a_client_by_its_annotation_and_by_its_making(lint: Lint) -> None:
    text = (
        "async def f(client: Client, other):\n    await client.start_workflow('A', 1, 2, id='a', task_queue='q')\n"
        "    made = await Client.connect('localhost')\n    await made.execute_workflow('A', 1, 2, id='a', task_queue='q')\n"
        "    await other.start_workflow('A', 1, 2, id='a', task_queue='q')\n"
    )
    assert [finding.span.row for finding in lint({"a.py": IMPORTS + text}, "KEL612")] == [
        IMPORTS.count("\n") + 2,
        IMPORTS.count("\n") + 4,
    ]


POLICIES = {
    "RetryPolicy(timedelta(seconds=9), 2.0, timedelta(seconds=3))": 1,
    "RetryPolicy(maximum_interval=timedelta(milliseconds=10))": 1,
    "RetryPolicy(initial_interval=timedelta(seconds=-1))": 1,
    "RetryPolicy(maximum_attempts=-1)": 1,
    "RetryPolicy(non_retryable_error_types=(ValueError, 'KeyError', Mine))": 2,
    "RetryPolicy(initial_interval=timedelta(hours=1), maximum_interval=timedelta(0))": 0,
    "RetryPolicy(backoff_coefficient=1, maximum_attempts=0)": 0,
    "RetryPolicy(backoff_coefficient=0.1, maximum_attempts=1)": 0,
    "RetryPolicy(maximum_attempts=1, non_retryable_error_types=[Mine])": 1,
    "RetryPolicy(non_retryable_error_types=NAMES)": 0,
    "RetryPolicy(non_retryable_error_types=[NAMES[0], *NAMES, Mine.__name__])": 0,
    "RetryPolicy(**{'maximum_attempts': -1})": 0,
    "Other(maximum_attempts=-1)": 0,
}


@pytest.mark.parametrize(("policy", "times"), POLICIES.items(), ids=POLICIES)
def test_a_retry_policy(lint: Lint, policy: str, times: int) -> None:
    assert len(lint({"a.py": f"{IMPORTS}NAMES = ['ValueError']\nPOLICY = {policy}\n"}, "KEL615")) == times


TYPES = {"'app.Mine'": 1, "'Mine'": 0, "'app.mine'": 0, "'com.shop.Mine'": 0, "'stated.Mine'": 0}


@pytest.mark.parametrize(("name", "times"), TYPES.items(), ids=TYPES)
def test_the_name_of_an_error(lint: Lint, name: str, times: int) -> None:
    text = f"{IMPORTS}POLICY = RetryPolicy(non_retryable_error_types=[{name}])\n"
    assert len(lint({"a.py": text, "b.py": IMPORTS + "error = ApplicationError('a', type='stated.Mine')\n"}, "KEL616")) == times


ENDLESS = {
    "a timer": "while True:\n    await workflow.sleep(1)",
    "a condition with a timeout": "while 1:\n    await workflow.wait_condition(given, timeout=1)",
    "a loop that is left inside": "while True:\n    for x in given:\n        await workflow.sleep(1)",
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_a_loop_without_an_end(lint: Lint, body: str) -> None:
    assert [finding.code for finding in lint({"a.py": in_run(body)}, "KEL701")] == ["KEL701"]


ENDING = {
    "a break": "while True:\n    await workflow.sleep(1)\n    if given:\n        break",
    "only messages": "while True:\n    await workflow.wait_condition(given)",
    "begins anew elsewhere": "while True:\n    await workflow.sleep(1)\n    self.again()\nworkflow.continue_as_new()",
    "bounded": "while given:\n    await workflow.sleep(1)",
    "a task of its own": "async def beat():\n    while True:\n        await workflow.sleep(1)\nasyncio.create_task(beat())",
}


@pytest.mark.parametrize("body", ENDING.values(), ids=ENDING)
def test_a_loop_that_may_end(lint: Lint, body: str) -> None:
    assert lint({"a.py": in_run(body)}, "KEL701") == []


def test_a_loop_in_a_task_of_the_workflow_may_be_cancelled(lint: Lint) -> None:
    beat = "async def beat(self):\n    while True:\n        await workflow.sleep(1)"
    assert lint({"a.py": with_run(beat, "task = asyncio.create_task(self.beat())\ntask.cancel()")}, "KEL701") == []
    assert len(lint({"a.py": with_run(beat, "await self.beat()")}, "KEL701")) == 1
