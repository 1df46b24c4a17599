"""KEL709 to KEL714, KEL717 and KEL723: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding
from tests.rules.temporal_code import IMPORTS, in_class, with_run

Lint = Callable[..., list[Finding]]

RUN = "@workflow.run\nasync def run(self): ...\n"

CHANGES = {
    "an item": "self.items['a'] = 1",
    "deleted": "del self.items['a']",
    "deep": "self.order.lines[0].price = 2",
    "unpacked": "self.a, other = 1, 2",
    "a set": "self.seen.add(1)",
    "in a branch of another test": "if not self.other:\n    self.items = []",
    "annotated": "self.count: int = 1",
}


@pytest.mark.parametrize("body", CHANGES.values(), ids=CHANGES)
def test_a_query_and_a_validator_that_change(lint: Lint, body: str) -> None:
    indented = body.replace("\n", "\n    ")
    code = with_run(
        f"@workflow.query\ndef one(self):\n    {indented}\n\n@workflow.update\ndef two(self): ...\n\n"
        f"@two.validator\ndef check(self):\n    {indented}"
    )
    assert [finding.code for finding in lint({"a.py": code}, "KEL710", "KEL713")] == ["KEL710", "KEL713"]


READS = {
    "a local": "items = []\nitems.append(1)",
    "a cache by key": "if 'a' not in self.cache:\n    self.cache['a'] = 1",
    "a cache by hasattr": "if not hasattr(self, 'total'):\n    self.total = 1",
    "a method that is only named": "return self.change",
    "an annotation": "self.count: int",
}


@pytest.mark.parametrize("body", READS.values(), ids=READS)
def test_a_query_that_only_reads(lint: Lint, body: str) -> None:
    indented = body.replace("\n", "\n    ")
    code = with_run(f"@workflow.query\ndef one(self):\n    {indented}\n\ndef change(self):\n    self.x = 1")
    assert lint({"a.py": code}, "KEL710") == []


def test_the_way_through_a_method_is_shown(lint: Lint) -> None:
    code = with_run(
        "@workflow.query\ndef one(self):\n    self.a()\n\ndef a(self):\n    self.b()\n\ndef b(self):\n    self.x = 1"
    )
    (found,) = lint({"a.py": code}, "KEL710")
    assert "through `self.a()`" in found.message
    assert len(found.hops) == 1


REFUSED = ["workflow.random()", "workflow.uuid4()", "asyncio.create_task(f())", "workflow.set_signal_handler('a', f)",
           "workflow.get_external_workflow_handle('a').signal('b')"]  # fmt: skip
ALLOWED = ["workflow.now()", "workflow.info()", "workflow.logger.info('a')", "workflow.memo()", "asyncio.iscoroutine(1)"]


@pytest.mark.parametrize(("call", "times"), [*((one, 1) for one in REFUSED), *((one, 0) for one in ALLOWED)])
def test_what_a_query_may_call(lint: Lint, call: str, times: int) -> None:
    assert len(lint({"a.py": with_run(f"@workflow.query\ndef one(self):\n    return {call}")}, "KEL712")) == times


def test_async_query_that_the_workflow_awaits_keeps_its_async(lint: Lint) -> None:
    code = with_run("@workflow.query\nasync def one(self):\n    return 1", "return await self.one()")
    assert [finding.fix for finding in lint({"a.py": code}, "KEL711")] == [None]


EARLY = {
    "a signal": ("self.x = []", "@workflow.signal\ndef on(self):\n    self.x.append(1)"),
    "through methods on both sides": (
        "self.a()",
        "def a(self):\n    self.x = {}\n\n@workflow.update\ndef on(self):\n    self.b()\n\ndef b(self):\n    return self.x",
    ),
    "added to": ("self.x = 1", "@workflow.signal\ndef on(self):\n    self.x += 1"),
    "in a loop": ("for self.x in given:\n    pass", "@workflow.signal\ndef on(self):\n    return self.x"),
    "a late query": ("await workflow.sleep(1)\nself.x = 1", "@workflow.query\ndef on(self):\n    return self.x"),
}


@pytest.mark.parametrize(("run", "body"), EARLY.values(), ids=EARLY)
def test_state_that_is_not_there_yet(lint: Lint, run: str, body: str) -> None:
    assert [finding.code for finding in lint({"a.py": with_run(body, run)}, "KEL709")] == ["KEL709"]


THERE = {
    "an early query": ("self.x = 1", "@workflow.query\ndef on(self):\n    return self.x"),
    "set by the handler": ("self.x = 1", "@workflow.signal\ndef on(self):\n    self.x = 2\n    return self.x"),
    "in the class": ("self.x = 1", "x = 0\n\n@workflow.signal\ndef on(self):\n    return self.x"),
    "in __init__": (
        "self.x = 1",
        "def __init__(self):\n    self.x, y = 1, 2\n\n@workflow.signal\ndef on(self):\n    return self.x",
    ),
    "after a wait": (
        "self.x = 1",
        "@workflow.signal\nasync def on(self):\n    await workflow.sleep(1)\n    return self.x",
    ),
    "in a lambda": ("self.x = 1", "@workflow.signal\ndef on(self):\n    return lambda: self.x"),
    "asked for": ("self.x = 1", "@workflow.signal\ndef on(self):\n    return getattr(self, 'x', 0)"),
    "a method": ("self.a()", "def a(self): ...\n\n@workflow.signal\ndef on(self):\n    self.a()"),
    "never set": ("pass", "@workflow.signal\ndef on(self):\n    return self.x"),
}


@pytest.mark.parametrize(("run", "body"), THERE.values(), ids=THERE)
def test_state_that_is_there(lint: Lint, run: str, body: str) -> None:
    assert lint({"a.py": with_run(body, run)}, "KEL709") == []


def test_a_base_class_may_set_it(lint: Lint) -> None:
    body = f"{RUN.replace('...', chr(10) + '    self.x = 1')}\n@workflow.signal\ndef on(self):\n    return self.x"
    assert lint({"a.py": in_class(body, bases="(Base)")}, "KEL709") == []
    assert len(lint({"a.py": in_class(body, bases="(Generic[T])")}, "KEL709")) == 1


def test_only_one_fix_makes_an_init(lint: Lint) -> None:
    body = "@workflow.signal\ndef on(self):\n    return self.x, self.y"
    found = lint({"a.py": with_run(body, "self.x = 1\nself.y = 2\nawait workflow.sleep(1)")}, "KEL709")
    assert [finding.fix is not None for finding in found] == [True, False]


WORK = "await workflow.execute_activity('a', start_to_close_timeout=MINUTE)"
CUT_OFF = {
    "through a method": f"@workflow.signal\nasync def on(self):\n    await self.a()\n\nasync def a(self):\n    {WORK}",
    "a timer in an update": "@workflow.update\nasync def on(self):\n    await workflow.sleep(1)",
}
FINISHED = {
    "only a condition": "@workflow.signal\nasync def on(self):\n    await workflow.wait_condition(f)",
    "a queue": "@workflow.signal\nasync def on(self):\n    await self.queue.put(1)",
    "a plain handler": "@workflow.signal\ndef on(self):\n    self.x = 1",
    "waited for in a method": (
        f"@workflow.signal\nasync def on(self):\n    {WORK}\n\ndef all(self):\n    workflow.all_handlers_finished()"
    ),
    "abandoned": (
        f"@workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)\nasync def on(self):\n    {WORK}"
    ),
}


@pytest.mark.parametrize(("body", "times"), [*((b, 1) for b in CUT_OFF.values()), *((b, 0) for b in FINISHED.values())])
def test_handlers_that_are_cut_off(lint: Lint, body: str, times: int) -> None:
    assert len(lint({"a.py": with_run(body, "await workflow.sleep(1)")}, "KEL714")) == times


@pytest.mark.parametrize("run", ["await asyncio.Future()", "while True:\n    await workflow.sleep(1)"])
def test_a_run_that_never_ends_cuts_nothing_off(lint: Lint, run: str) -> None:
    assert lint({"a.py": with_run(CUT_OFF["a timer in an update"], run)}, "KEL714") == []


def test_a_run_with_two_ends_has_no_fix(lint: Lint) -> None:
    body = CUT_OFF["a timer in an update"]
    one, two, last = (
        lint({"a.py": with_run(body, run)}, "KEL714")[0].fix
        for run in ("return 1", "if given:\n    return 1\nreturn 2", f"return {WORK}")
    )
    assert (one is None, two is None, last is None) == (False, True, True)


UPDATE = "@workflow.update\ndef add(self, item: str): ...\n"
REFUSED_SHAPES = {
    "two runs": f"{RUN}\n@workflow.run\nasync def second(self): ...",
    "init elsewhere": f"{RUN}\n@workflow.init\ndef begin(self): ...",
    "other types": "@workflow.init\ndef __init__(self, a: str): ...\n\n@workflow.run\nasync def run(self, a: int): ...",
    "a validator with more": f"{RUN}\n{UPDATE}\n@add.validator\ndef check(self, item: str, more: str): ...",
    "two queries": f"{RUN}\n@workflow.query(name='a')\ndef one(self): ...\n\n@workflow.query(name='a')\ndef two(self): ...",
}
FINE_SHAPES = {
    "dynamic": f"{RUN}\n@workflow.signal(dynamic=True)\ndef a(self, n, x): ...\n\n@workflow.signal\ndef b(self): ...",
    "the same name twice": f"{RUN}\n@workflow.query\ndef one(self): ...\n\n@workflow.query\ndef one(self): ...",
    "a signal and a query": f"{RUN}\n@workflow.query(name='a')\ndef a(self): ...\n\n@workflow.signal\ndef b(self): ...",
    "texts of types": "@workflow.init\ndef __init__(self, a: 'str'): ...\n\n@workflow.run\nasync def run(self, a: str): ...",
    "starred": f"{RUN}\n{UPDATE}\n@add.validator\ndef check(self, *items: str): ...",
    "put together": "async def _run(self): ...\n\nrun = workflow.run(_run)",
}


@pytest.mark.parametrize(
    ("body", "times"), [*((one, 1) for one in REFUSED_SHAPES.values()), *((one, 0) for one in FINE_SHAPES.values())]
)
def test_the_shape_of_a_workflow(lint: Lint, body: str, times: int) -> None:
    assert len(lint({"a.py": in_class(body)}, "KEL723")) == times


def test_a_run_that_is_only_inherited(lint: Lint) -> None:
    base = "class Base:\n    @workflow.run\n    async def run(self): ...\n\n\n"
    code = IMPORTS + base + "@workflow.defn\nclass Wf(Base):\n    @workflow.signal\n    def on(self): ...\n"
    assert [finding.code for finding in lint({"a.py": code}, "KEL723")] == ["KEL723"]


def test_continue_as_new_through_a_method(lint: Lint) -> None:
    code = with_run(
        "@workflow.update\nasync def on(self):\n    self.a()\n\ndef a(self):\n    workflow.continue_as_new()\n\n"
        "@workflow.signal\nasync def by_signal(self):\n    self.a()"
    )
    (found,) = lint({"a.py": code}, "KEL717")
    assert "update `on`" in found.message
