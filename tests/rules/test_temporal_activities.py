"""KEL602 to KEL605, KEL609, KEL610, KEL618, KEL623 to KEL625, KEL627 and KEL801: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding
from tests.rules.temporal_code import IMPORTS, in_run, with_run

Lint = Callable[..., list[Finding]]

HOUR = "start_to_close_timeout=timedelta(hours=1)"
BEAT = "heartbeat_timeout=timedelta(seconds=5)"
SILENT_ACTIVITY = "@activity.defn\nasync def act():\n    return 1\n\n\n"
BEATING_ACTIVITY = "@activity.defn\nasync def act():\n    activity.heartbeat()\n\n\n"


def beating(body: str) -> str:
    """An activity with a body in which `{beat}` sends a heartbeat."""
    return "@activity.defn\nasync def act():\n    " + body.format(beat="activity.heartbeat()") + "\n\n\n"


def calling(activity: str, options: str, function: str = "execute_activity", named: str = "act") -> str:
    """An activity, and a workflow that calls it."""
    return in_run(f"await workflow.{function}({named}, {options})").replace("@workflow.defn", f"{activity}@workflow.defn")


WAITED_FOR = {
    "by name": calling(SILENT_ACTIVITY, f"{HOUR}, {BEAT}", named="'act'"),
    "by another name": calling(SILENT_ACTIVITY.replace("defn", "defn(name='b')"), f"{HOUR}, {BEAT}", named="'b'"),
    "from a constant": calling(f"OPTIONS = dict({BEAT})\n\n" + SILENT_ACTIVITY, f"{HOUR}, **OPTIONS"),
    "without a limit of an attempt": calling(SILENT_ACTIVITY, f"schedule_to_close_timeout=MINUTE, {BEAT}"),
    "through a class": calling(
        "class Acts:\n    @activity.defn\n    def act(self): ...\n\n", f"{HOUR}, {BEAT}", "start_activity_method", "Acts.act"
    ),
}


@pytest.mark.parametrize("code", WAITED_FOR.values(), ids=WAITED_FOR)
def test_a_heartbeat_that_never_comes(lint: Lint, code: str) -> None:
    assert [finding.code for finding in lint({"a.py": code}, "KEL604", "KEL605")] == ["KEL604"]


COMING = {
    "sent": calling(BEATING_ACTIVITY, f"{HOUR}, {BEAT}"),
    "sent by a helper": calling(
        "def beat():\n    activity.heartbeat()\n\n" + SILENT_ACTIVITY.replace("return 1", "beat()"), f"{HOUR}, {BEAT}"
    ),
    "sent by something unknown": calling(SILENT_ACTIVITY.replace("return 1", "Heartbeater().start()"), f"{HOUR}, {BEAT}"),
    "completed elsewhere": calling(SILENT_ACTIVITY.replace("return 1", "activity.raise_complete_async()"), f"{HOUR}, {BEAT}"),
    "sent by another method": calling(
        "class Acts:\n    def beat(self):\n        activity.heartbeat()\n\n    @activity.defn\n    def act(self): ...\n\n",
        f"{HOUR}, {BEAT}",
        named="Acts.act",
    ),
    "decorated": calling(SILENT_ACTIVITY.replace("defn\n", "defn\n@beating\n"), f"{HOUR}, {BEAT}"),
    "not set": calling(SILENT_ACTIVITY, f"{HOUR}, heartbeat_timeout=None"),
    "not known": calling(SILENT_ACTIVITY, f"{HOUR}, heartbeat_timeout=given"),
    "an activity of others": calling("from vendor import act\n\n", f"{HOUR}, {BEAT}"),
    "two of one name": calling(SILENT_ACTIVITY + SILENT_ACTIVITY, f"{HOUR}, {BEAT}", named="'act'"),
    "a local activity": calling(SILENT_ACTIVITY, f"{HOUR}, {BEAT}", "execute_local_activity"),
}


@pytest.mark.parametrize("code", COMING.values(), ids=COMING)
def test_a_heartbeat_that_may_come(lint: Lint, code: str) -> None:
    assert lint({"a.py": code}, "KEL604") == []


def test_an_object_of_an_unknown_class_may_send_heartbeats(lint: Lint) -> None:
    code = calling(SILENT_ACTIVITY.replace("act()", "act(pump=None)").replace("return 1", "pump.export()"), f"{HOUR}, {BEAT}")
    pump = "from temporalio import activity\n\nclass Pump:\n    def export(self):\n        activity.heartbeat()\n"
    assert len(lint({"a.py": code}, "KEL604")) == 1
    assert lint({"a.py": code, "b.py": pump}, "KEL604") == []


def test_an_interceptor_may_send_heartbeats(lint: Lint) -> None:
    interceptor = (
        "from temporalio import activity\nfrom temporalio.worker import ActivityInboundInterceptor\n\n"
        "class Beating(ActivityInboundInterceptor):\n    async def execute_activity(self, input):\n"
        "        activity.heartbeat()\n"
    )
    assert lint({"a.py": WAITED_FOR["by name"], "b.py": interceptor}, "KEL604") == []


WATCHED = {
    "not watched": (f"{HOUR}", 1),
    "watched": (f"{HOUR}, {BEAT}", 0),
    "perhaps": (f"{HOUR}, heartbeat_timeout=given", 0),
    "not known": (f"{HOUR}, **given", 0),
    "none": (f"{HOUR}, heartbeat_timeout=None", 1),
    "short": ("start_to_close_timeout=timedelta(seconds=60)", 0),
    "short altogether": (f"{HOUR}, schedule_to_close_timeout=timedelta(seconds=9)", 0),
}


@pytest.mark.parametrize(("options", "times"), WATCHED.values(), ids=WATCHED)
def test_a_heartbeat_that_nobody_watches(lint: Lint, options: str, times: int) -> None:
    assert len(lint({"a.py": calling(beating("while True:\n        {beat}"), options)}, "KEL605")) == times


BEATS = {
    "once": ("{beat}", 0),
    "before and after": ("{beat}\n    given()\n    {beat}", 0),
    "beside a loop": ("{beat}\n    for one in given():\n        one()\n    {beat}", 0),
    "in a loop": ("for one in given():\n        if one:\n            {beat}", 1),
    "in an async loop": ("async for one in given():\n        {beat}", 1),
}


@pytest.mark.parametrize(("body", "times"), BEATS.values(), ids=BEATS)
def test_heartbeats_go_on_in_a_loop(lint: Lint, body: str, times: int) -> None:
    assert len(lint({"a.py": calling(beating(body), HOUR)}, "KEL605")) == times
    in_class = "class Acts:\n    @activity.defn\n    async def act(self):\n        " + body.replace("\n", "\n    ")
    code = calling(in_class.format(beat="activity.heartbeat()") + "\n\n\n", HOUR, "execute_activity_method", "Acts.act")
    assert len(lint({"a.py": code}, "KEL605")) == times


DIRECT = {
    "from another module": ("from acts import act\n", "await act()", 1),
    "a method of the module's object": ("from acts import acts\n", "await acts.pay()", 1),
    "in a function inside": ("from acts import act\n", "async def inner():\n    await act()\nawait inner()", 1),
    "in gather": ("from acts import act\n", "await asyncio.gather(act(), act())", 2),
    "not decorated": ("from acts import plain\n", "plain()", 0),
    "handed on": ("from acts import act\n", "given(act)", 0),
    "unknown": ("", "given.act()", 0),
}


@pytest.mark.parametrize(("imports", "body", "times"), DIRECT.values(), ids=DIRECT)
def test_an_activity_called_as_a_function(lint: Lint, imports: str, body: str, times: int) -> None:
    acts = (
        "from temporalio import activity\n\n@activity.defn\nasync def act(): ...\n\ndef plain(): ...\n\n"
        "class Acts:\n    @activity.defn\n    async def pay(self): ...\n\nacts = Acts()\n"
    )
    assert len(lint({"acts.py": acts, "a.py": imports + in_run(body)}, "KEL610")) == times


PAYLOADS = {
    "Decimal": 1, "list[Decimal]": 1, "Decimal | None": 1, "'Decimal'": 1, "dict[str, date]": 1, "Path": 1, "timedelta": 1,
    "Colour": 1, "Line": 1, "list['Line']": 1, "Mine": 1, "Decimal | str": 0, "str": 0, "Any": 0, "Named": 0,
    "Callable[[Decimal], str]": 0,
    "Model": 0, "datetime": 0, "bytes": 0,
}  # fmt: skip


@pytest.mark.parametrize(("text", "times"), PAYLOADS.items(), ids=PAYLOADS)
def test_a_payload(lint: Lint, text: str, times: int) -> None:
    types = (
        "from collections.abc import Callable\nfrom datetime import datetime\nfrom pydantic import BaseModel\n\n"
        "class Colour(Enum):\n    A = 1\n\nclass Named(str, Enum):\n    A = 'a'\n\n"
        "@dataclass\nclass Line:\n    price: Decimal = Decimal(0)\n    name: str = ''\n\n"
        "class Model(BaseModel):\n    price: Decimal\n\n"
    )
    activity = f"@activity.defn\nasync def act(given: {text}) -> None: ...\n"
    assert len(lint({"a.py": IMPORTS + types + activity}, "KEL618")) == times


def test_a_converter_of_the_project_may_know_better(lint: Lint) -> None:
    code = IMPORTS + "@activity.defn\nasync def act() -> Decimal: ...\n"
    client = "from temporalio.client import Client\nfrom a import b\nclient = Client.connect('a', data_converter=b)\n"
    assert len(lint({"a.py": code}, "KEL618")) == 1
    assert lint({"a.py": code, "b.py": client}, "KEL618") == []


SWALLOWED = {
    "a bare except": ("", "activity.heartbeat()", "except:\n            continue", 1),
    "the errors of Temporal": ("", "activity.heartbeat()", "except FailureError:\n            pass", 1),
    "another error": ("", "activity.heartbeat()", "except ValueError:\n            pass", 0),
    "raised again": ("", "activity.heartbeat()", "except Exception:\n            raise", 0),
    "an async one": ("async ", "activity.heartbeat(await f())", "except Exception:\n            pass", 0),
    "an async one that catches all": ("async ", "activity.heartbeat(await f())", "except:\n            pass", 1),
    "looked at": ("", "activity.heartbeat()", "except Exception as e:\n            isinstance(e, CancelledError)", 0),
}


@pytest.mark.parametrize(("kind", "body", "handler", "times"), SWALLOWED.values(), ids=SWALLOWED)
def test_a_cancellation_in_an_activity(lint: Lint, kind: str, body: str, handler: str, times: int) -> None:
    code = f"@activity.defn\n{kind}def act(rows):\n    for row in rows:\n        try:\n            {body}\n        {handler}\n"
    assert len(lint({"a.py": IMPORTS + code}, "KEL623")) == times


def test_a_client_in_a_helper(lint: Lint) -> None:
    code = (
        "def handle():\n    return activity.client()\n\n\n@activity.defn\ndef one():\n    return handle()\n\n\n"
        "@activity.defn\nasync def two():\n    return handle()\n"
    )
    (found,) = lint({"a.py": IMPORTS + code}, "KEL624")
    assert "`handle` calls" in found.message
    assert found.fix is None


LOOPS = {
    "run": ("import asyncio", "asyncio.run(activity.client().close())", "await activity.client().close()"),
    "run under a name of its own": (
        "from asyncio import run as go",
        "return go(activity.client().close())",
        "return await act",
    ),
    "no loop": ("import asyncio", "asyncio.iscoroutine(activity.client())", "asyncio.iscoroutine(activity.client())"),
    "a loop of its own": ("import asyncio", "asyncio.new_event_loop().run_until_complete(activity.client().close())", ""),
    "somebody's loop": ("", "LOOP.run_until_complete(activity.client().close())", ""),
    "a coroutine that is kept": ("import asyncio", "c = activity.client().close()\n    asyncio.run(c)", ""),
    "in the middle of a line": ("import asyncio", "asyncio.run(activity.client().close()).real", ""),
    "in a function inside": ("import asyncio", "def f():\n        asyncio.run(g())\n    activity.client(f)", ""),
    "in a helper": ("import asyncio\ndef f(c):\n    asyncio.run(c)\n", "f(activity.client().close())", ""),
    "of asgiref": ("from asgiref.sync import async_to_sync as sync", "sync(activity.client().close)()", ""),
}


@pytest.mark.parametrize(("head", "body", "after"), LOOPS.values(), ids=LOOPS)
def test_no_loop_runs_inside_the_workers_loop(lint: Lint, head: str, body: str, after: str) -> None:
    text = f"{IMPORTS}{head}\n@activity.defn\ndef act():\n    {body}\n"
    (found,) = lint({"a.py": text}, "KEL624")
    assert (found.fix is not None) == bool(after)
    raw = text.encode()
    for edit in reversed(found.fix.edits if found.fix is not None else ()):
        raw = raw[: edit.span.start] + edit.content.encode() + raw[edit.span.end :]
    assert not after or ("async def act" in raw.decode() and after in raw.decode())


LOGS = {
    "workflow.logger.info('a', b=1)": "workflow.logger.info('a', extra={\"b\": 1})",
    "workflow.logger.info('a', b=1, c=given)": 'workflow.logger.info(\'a\', extra={"b": 1, "c": given})',
    "workflow.logger.error('a', exc_info=True, b=1)": "workflow.logger.error('a', exc_info=True, extra={\"b\": 1})",
}


@pytest.mark.parametrize(("before", "after"), LOGS.items())
def test_fields_move_into_extra(lint: Lint, before: str, after: str) -> None:
    text = in_run(before)
    (found,) = lint({"a.py": text}, "KEL627")
    assert found.fix is not None
    raw = text.encode()
    for edit in reversed(found.fix.edits):
        raw = raw[: edit.span.start] + edit.content.encode() + raw[edit.span.end :]
    assert after in raw.decode()


@pytest.mark.parametrize(
    "call", ["workflow.logger.info('a', **given)", "given.logger.info('a', b=1)", "workflow.logger.bind(b=1)"]
)
def test_other_loggers_take_fields(lint: Lint, call: str) -> None:
    assert lint({"a.py": in_run(call)}, "KEL627") == []


def test_a_network_call_through_a_helper_of_another_module(lint: Lint) -> None:
    helper = "import requests\n\ndef fetch():\n    return requests.get('http://a')\n"
    code = (
        "import shop\n"
        + IMPORTS
        + "@activity.defn\ndef one():\n    return shop.fetch()\n\n\n@activity.defn\nasync def two():\n    shop.fetch()\n"
    )
    (found,) = lint({"shop.py": helper, "a.py": code}, "KEL609")
    assert (len(found.hops), found.fix) == (1, None)


CHARGES = {
    "in a method": ("class Acts:\n    @activity.defn\n    def pay(self, a):\n        stripe.Charge.create(amount=a)\n", 1),
    "in a loop": ("@activity.defn\ndef pay(rows):\n    for a in rows:\n        stripe.Charge.create(amount=a)\n", 1),
    "a fresh key": ("@activity.defn\ndef pay(a):\n    stripe.Charge.create(amount=a, idempotency_key=str(uuid.uuid4()))\n", 1),
    "a key": ("@activity.defn\ndef pay(a, k):\n    stripe.Charge.create(amount=a, idempotency_key=k)\n", 0),
    "no activity": ("def pay(a):\n    stripe.Charge.create(amount=a)\n", 0),
    "a look": ("@activity.defn\ndef pay(a):\n    if paid(a):\n        return\n    stripe.Charge.create(amount=a)\n", 0),
}


@pytest.mark.parametrize(("code", "times"), CHARGES.values(), ids=CHARGES)
def test_a_charge_in_an_activity(lint: Lint, code: str, times: int) -> None:
    assert len(lint({"a.py": f"import uuid\nimport stripe\n{IMPORTS}{code}"}, "KEL603")) == times


def test_an_activity_that_is_tried_once_here_and_again_there(lint: Lint) -> None:
    pay = "import stripe\n" + IMPORTS + CHARGES["in a loop"][0]
    once = "from pay import pay\n" + in_run(
        f"await workflow.execute_activity(pay, 1, {HOUR}, retry_policy=RetryPolicy(maximum_attempts=1))"
    )
    often = "from pay import pay\n" + in_run(f"await workflow.execute_activity(pay, 1, {HOUR})")
    assert lint({"pay.py": pay, "a.py": once}, "KEL603") == []
    assert len(lint({"pay.py": pay, "a.py": once, "b.py": often}, "KEL603")) == 1


def step(name: str) -> str:
    """An activity call."""
    return f"await workflow.execute_activity('{name}', {HOUR})"


MONEY = {
    "kept": (f"{step('capture_payment')}\n{step('ship')}", 1),
    "a child after it": (f"{step('charge_card')}\nawait workflow.execute_child_workflow('Ship', id='a')", 1),
    "last": (f"{step('ship')}\n{step('charge_card')}", 0),
    "with an end": (f"{step('charge_card')}\ntry:\n    {step('ship')}\nfinally:\n    given()", 0),
    "another kind of charge": (f"{step('charge_battery')}\n{step('ship')}", 0),
}


@pytest.mark.parametrize(("body", "times"), MONEY.values(), ids=MONEY)
def test_money_that_is_kept(lint: Lint, body: str, times: int) -> None:
    assert len(lint({"a.py": in_run(body)}, "KEL625")) == times


def test_retries_bounded_by_a_constant(lint: Lint) -> None:
    code = "FEW = RetryPolicy(maximum_attempts=3)\n\n\n"
    bounded = in_run(f"await workflow.execute_activity('a', {HOUR}, retry_policy=FEW)").replace(
        "class Mine", code + "class Mine"
    )
    assert lint({"a.py": bounded}, "KEL602") == []
    assert (
        len(lint({"a.py": in_run(f"await workflow.execute_activity('a', {HOUR}, retry_policy=RetryPolicy())")}, "KEL602")) == 1
    )


IDS = {"f'a-{uuid.uuid4()}'": 1, "str(time.time())": 1, "given": 0, "given or str(uuid.uuid4())": 0, "uuid.uuid5(a, b).hex": 0}


@pytest.mark.parametrize(("text", "times"), IDS.items(), ids=IDS)
def test_an_identifier(lint: Lint, text: str, times: int) -> None:
    call = f"await client.start_workflow('A', id={text}, task_queue='q')"
    code = f"import time, uuid\n{IMPORTS}async def f(client: Client, given):\n    {call}\n"
    assert len(lint({"a.py": code}, "KEL801")) == times


def test_a_child_takes_its_identifier_from_the_history(lint: Lint) -> None:
    code = with_run("", "await workflow.start_child_workflow('A', id=str(workflow.uuid4()))")
    assert lint({"a.py": code}, "KEL801") == []
