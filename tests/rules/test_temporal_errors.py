"""KEL702 to KEL706: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding
from tests.rules.temporal_code import IMPORTS, in_class, in_run, with_run

Lint = Callable[..., list[Finding]]

PLAIN = {
    "in a branch": in_run("if given:\n    raise ValueError"),
    "from a handler": in_run("try:\n    given()\nexcept KeyError as error:\n    raise ValueError('no') from error"),
    "one that is not caught": in_run("try:\n    raise ValueError('no')\nexcept KeyError:\n    pass"),
    "in the handler itself": in_run("try:\n    given()\nexcept Exception:\n    raise ValueError('no')"),
    "through two methods": with_run(
        "def a(self):\n    return self.b()\n\ndef b(self):\n    raise Mine('no')", "await workflow.sleep(1)\nself.a()"
    ),
    "through an awaited method": with_run("async def a(self):\n    raise Mine", "await self.a()"),
    "listed is another": in_run("if given:\n    raise ValueError", "@workflow.defn(failure_exception_types=[Mine])"),
    "none is listed": in_run("given()\nraise ValueError", "@workflow.defn(failure_exception_types=[])"),
}


@pytest.mark.parametrize("code", PLAIN.values(), ids=PLAIN)
def test_a_plain_exception(lint: Lint, code: str) -> None:
    assert [finding.code for finding in lint({"a.py": code}, "KEL702", "KEL703")] == ["KEL702"]


ASKED = "if given {first}:\n    return 1\nelif given == Fruit.PEAR:\n    return 2\nelse:\n    raise ValueError"
FRUIT = "class Fruit({base}):\n    APPLE = 'a'\n    PEAR = 'p'\n\n\n"
LEFT_OVER = {
    "all members": ("is Fruit.APPLE", "enum.Enum", 0),
    "of a derived enum": ("is Fruit.APPLE", "str, enum.Enum", 0),
    "no enum": ("is Fruit.APPLE", "object", 1),
    "a text": ("== 'a'", "enum.Enum", 1),
    "not a member": ("is not Fruit.APPLE", "enum.Enum", 1),
}


@pytest.mark.parametrize(("first", "base", "times"), LEFT_OVER.values(), ids=LEFT_OVER)
def test_what_is_left_when_all_members_are_asked_for(lint: Lint, first: str, base: str, times: int) -> None:
    code = in_run(ASKED.format(first=first)).replace(
        "@workflow.defn", f"import enum\n\n\n{FRUIT.format(base=base)}@workflow.defn"
    )
    assert len(lint({"a.py": code}, "KEL702")) == times


ENDING = {
    "a run that only raises": in_run("'to see what happens'\nraise ValueError"),
    "a failure of the project": in_run("raise Ours('no')"),
    "raised again": in_run("try:\n    given()\nexcept ValueError as error:\n    raise"),
    "a variable": in_run("try:\n    given()\nexcept ValueError as error:\n    raise error"),
    "a timeout ends the run": in_run("raise asyncio.TimeoutError"),
    "cancellation": in_run("raise asyncio.CancelledError"),
    "of another package": in_run("import vendor\nraise vendor.Refused('no')"),
    "caught by a base": in_run("try:\n    raise Mine\nexcept Exception:\n    pass"),
    "caught by something unknown": in_run("try:\n    raise Mine\nexcept given:\n    pass"),
    "caught where the method is called": with_run("def a(self):\n    raise Mine", "try:\n    self.a()\nexcept Mine:\n    pass"),
    "not awaited here": with_run(
        "async def a(self):\n    raise Mine", "await asyncio.gather(self.a(), return_exceptions=True)"
    ),
    "handed on": with_run("def a(self):\n    raise Mine", "await workflow.wait_condition(self.a)"),
    "never called": with_run("def a(self):\n    raise Mine"),
    "a base is listed": in_run("raise Ours", "@workflow.defn(failure_exception_types=[Mine])"),
    "the list is not known": in_run("raise Mine", "@workflow.defn(failure_exception_types=TYPES)"),
    "an activity in the class": with_run("@activity.defn\nasync def a(self):\n    raise Mine", "await self.a()"),
    "a function inside": in_run("def check():\n    raise Mine\ngiven(check)"),
    "not meant to be reached": in_run("raise NotImplementedError"),
    "no workflow": f"{IMPORTS}class Plain:\n    async def run(self):\n        raise ValueError\n",
}


@pytest.mark.parametrize("code", ENDING.values(), ids=ENDING)
def test_an_exception_that_ends_the_run_or_stays_inside(lint: Lint, code: str) -> None:
    assert lint({"a.py": code}, "KEL702", "KEL703") == []


def test_a_worker_of_the_project_lists_a_type(lint: Lint) -> None:
    worker = "from temporalio.worker import Worker\nWorker(c, task_queue='a', workflow_failure_exception_types=[Mine])\n"
    raised = in_run("if given:\n    raise ValueError\nraise Mine")
    assert [finding.message.split()[0] for finding in lint({"a.py": raised, "w.py": worker}, "KEL702")] == ["`ValueError`"]


DOCSTRING = 'class A:\n    """Like so.\n\n    {}\n    """\n'


@pytest.mark.parametrize("shown", ['"""{}"""', "'''{}'''", "# {}", DOCSTRING])
def test_what_a_docstring_or_a_comment_shows_is_no_worker(lint: Lint, shown: str) -> None:
    worker = "Worker(c, task_queue='a # b', workflow_failure_exception_types=[Exception])"
    files = {"a.py": in_run("if given:\n    raise Mine"), "w.py": "import temporalio\n" + shown.format(worker)}
    assert len(lint(files, "KEL702")) == 1
    assert lint({**files, "w.py": f"import temporalio\n{worker}  # so much for '\n"}, "KEL702") == []


def test_a_method_of_run_and_signal_is_reported_once(lint: Lint) -> None:
    code = with_run("@workflow.signal\ndef on(self):\n    self.a()\n\ndef a(self):\n    raise Mine", "self.a()")
    assert [finding.code for finding in lint({"a.py": code}, "KEL702", "KEL703")] == ["KEL702"]


def test_a_validator_and_a_query_may_raise(lint: Lint) -> None:
    code = with_run(
        "@workflow.update\ndef add(self): ...\n\n@add.validator\ndef check(self):\n    raise ValueError\n\n"
        "@workflow.query\ndef one(self):\n    raise ValueError"
    )
    assert lint({"a.py": code}, "KEL702", "KEL703") == []


CALL = "await workflow.execute_activity('a', start_to_close_timeout=MINUTE)"
CHILD = "await workflow.execute_child_workflow('A', id='a')"

DEAD = {
    "a timeout of the activity": f"try:\n    {CALL}\nexcept LateError:\n    pass",
    "the timeout of Python": f"try:\n    {CALL}\nexcept TimeoutError:\n    pass",
    "of another package": f"import requests\ntry:\n    {CALL}\nexcept requests.HTTPError:\n    pass",
    "two dead ones": f"try:\n    {CALL}\nexcept (Mine, ApplicationError):\n    pass",
    "a child": f"try:\n    {CHILD}\nexcept ActivityError:\n    pass",
    "beside quiet calls": f"try:\n    workflow.logger.info('a')\n    x = str(given)\n    {CALL}\nexcept Mine:\n    pass",
}


@pytest.mark.parametrize("body", DEAD.values(), ids=DEAD)
def test_a_dead_handler(lint: Lint, body: str) -> None:
    assert [finding.code for finding in lint({"a.py": in_run(body)}, "KEL704")] == ["KEL704"]


ALIVE = {
    "one that arrives": f"try:\n    {CALL}\nexcept ActivityError:\n    pass",
    "its base": f"try:\n    {CALL}\nexcept FailureError:\n    pass",
    "everything": f"try:\n    {CALL}\nexcept Exception:\n    pass",
    "one of two": f"try:\n    {CALL}\nexcept (Mine, ActivityError):\n    pass",
    "a child as well": f"try:\n    {CALL}\n    {CHILD}\nexcept ChildWorkflowError:\n    pass",
    "a function that may raise it": f"try:\n    given()\n    {CALL}\nexcept Mine:\n    pass",
    "raised here": f"try:\n    {CALL}\n    raise Mine\nexcept Mine:\n    pass",
    "a condition with a timeout": (
        f"try:\n    {CALL}\n    await workflow.wait_condition(given, timeout=1)\nexcept TimeoutError:\n    pass"
    ),
    "a timeout round it": f"try:\n    async with asyncio.timeout(1):\n        {CALL}\nexcept TimeoutError:\n    pass",
    "a handle that is awaited": f"try:\n    {CALL}\n    await given\nexcept Mine:\n    pass",
    "the language": f"try:\n    x = given['a']\n    {CALL}\nexcept KeyError:\n    pass",
    "no activity": "try:\n    await workflow.sleep(1)\nexcept Mine:\n    pass",
}


@pytest.mark.parametrize("body", ALIVE.values(), ids=ALIVE)
def test_a_handler_that_may_match(lint: Lint, body: str) -> None:
    assert lint({"a.py": in_run(body)}, "KEL704") == []


GOING_ON = {
    "a loop": f"while given:\n    try:\n        {CALL}\n    except Exception:\n        continue",
    "a child": f"for _ in given:\n    try:\n        {CHILD}\n    except ChildWorkflowError:\n        pass",
    "after a branch": f"if given:\n    try:\n        {CALL}\n    except FailureError as error:\n        given = error\n{CALL}",
    "several types": f"try:\n    {CALL}\nexcept (ValueError, ActivityError):\n    pass\n{CALL}",
}


@pytest.mark.parametrize("body", GOING_ON.values(), ids=GOING_ON)
def test_a_swallowed_cancellation(lint: Lint, body: str) -> None:
    found = lint({"a.py": in_run(body)}, "KEL705", "KEL706")
    assert [finding.code for finding in found] == ["KEL705"]
    assert found[0].fix is not None


LOOP = f"while given:\n    try:\n        {CALL}\n    "
STOPPING = {
    "asked": LOOP + "except Exception as e:\n        if is_cancelled_exception(e):\n            raise",
    "the cause": LOOP + "except ActivityError as e:\n        given = isinstance(e.cause, CancelledError)",
    "left": f"while given:\n    try:\n        {CALL}\n    except Exception:\n        break",
    "returned": f"try:\n    {CALL}\nexcept Exception:\n    return 1\n{CALL}",
    "compensated": f"try:\n    {CALL}\nexcept Exception:\n    {CALL}\n{CALL}",
    "cleaning up": f"try:\n    given()\nfinally:\n    try:\n        {CALL}\n    except Exception:\n        pass\n    given()",
    "let through before": (LOOP + "except asyncio.CancelledError:\n        raise\n    except ValueError:\n        pass"),
    "nothing after it": f"try:\n    {CALL}\nexcept Exception:\n    pass\nworkflow.logger.info('done')",
}


@pytest.mark.parametrize("body", STOPPING.values(), ids=STOPPING)
def test_a_cancellation_that_gets_through(lint: Lint, body: str) -> None:
    assert lint({"a.py": in_run(body)}, "KEL705", "KEL706") == []


def test_a_query_is_no_place_for_it(lint: Lint) -> None:
    code = with_run(
        "@workflow.query\nasync def one(self):\n    try:\n        await workflow.sleep(1)\n    except:\n        pass"
    )
    assert lint({"a.py": code}, "KEL706") == []


def test_a_function_that_runs_activities_is_workflow_code(lint: Lint) -> None:
    code = f"{IMPORTS}async def helper():\n    try:\n        {CALL}\n    except BaseException:\n        pass\n"
    assert [finding.code for finding in lint({"a.py": code}, "KEL706")] == ["KEL706"]


def test_a_class_with_a_dynamic_config_decides_itself(lint: Lint) -> None:
    code = in_class(
        "@workflow.dynamic_config\ndef config(self): ...\n\n@workflow.run\nasync def run(self):\n    raise ValueError"
    )
    assert lint({"a.py": code}, "KEL702") == []
