"""The search for open transactions against an oracle that tries every way, on generated programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from keel_lint.flow.calls import Calls
from keel_lint.flow.transactions import Transactions
from keel_lint.project import Project
from tests.unit.memory import Memory

MODULES = ("views", "services", "orders")
HEAD = "from celery import shared_task\nfrom django.db import transaction\n\n\n@shared_task\ndef work():\n    pass\n\n\n"


@dataclass(frozen=True)
class Function:
    """One function of a generated program: what it calls, each plainly or in a block, and whether it dispatches."""

    module: int
    is_method: bool
    is_atomic: bool
    dispatches: bool
    calls: tuple[tuple[int, str], ...]


Program = tuple[Function, ...]
FUNCTIONS = st.builds(
    Function,
    module=st.integers(0, len(MODULES) - 1),
    is_method=st.booleans(),
    is_atomic=st.integers(0, 5).map(lambda number: number == 0),
    dispatches=st.booleans(),
    calls=st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from(("plain", "plain", "block", "commit", "thread"))), max_size=3
    ).map(tuple),
)
PROGRAMS = st.lists(FUNCTIONS, min_size=2, max_size=8).map(tuple)


def targets(program: Program, index: int) -> Iterator[tuple[int, str]]:
    """The functions that a function calls; numbers wrap round."""
    yield from ((number % len(program), how) for number, how in program[index].calls)


def written(program: Program) -> dict[str, str]:
    """The source of a program."""
    files = {}
    for position, module in enumerate(MODULES):
        others = "".join(f"import {name}\n" for name in MODULES if name != module)
        body = "".join(source(program, index) for index, one in enumerate(program) if one.module == position)
        files[f"{module}.py"] = f"from functools import partial\nfrom threading import Thread\n{others}{HEAD}{body}"
    return files


def source(program: Program, index: int) -> str:
    """The source of one function: at module level, or the method of a class of its own."""
    function = program[index]
    lines = ["@transaction.atomic"] * function.is_atomic + [f"def run_{index}({'self' if function.is_method else ''}):"]
    for target, how in targets(program, index):
        called = reference(program, function, target)
        lines += {
            "plain": [f"    {called}()"],
            "block": ["    with transaction.atomic():", f"        {called}()"],
            "commit": [f"    transaction.on_commit({called})"],
            "thread": [f"    Thread(target={called}).start()"],
        }[how]
    lines += ["    work.delay()"] * function.dispatches + ["    pass", "", ""]
    if not function.is_method:
        return "\n".join(lines) + "\n"
    return "\n".join([f"class Service{index}:", *(f"    {line}" if line else "" for line in lines)]) + "\n"


def reference(program: Program, caller: Function, target: int) -> str:
    """How one function names another."""
    called = program[target]
    prefix = "" if called.module == caller.module else f"{MODULES[called.module]}."
    return f"{prefix}Service{target}().run_{target}" if called.is_method else f"{prefix}run_{target}"


def shortest(program: Program, index: int) -> int | None:
    """The number of calls on the shortest way from an open transaction into a function's body: all ways are tried."""
    best = {one: 0 for one, function in enumerate(program) if function.is_atomic}
    for _ in product(program, range(2)):
        for caller in range(len(program)):
            for target, how in targets(program, caller):
                length = 1 if how == "block" else best[caller] + 1 if how == "plain" and caller in best else None
                if length is not None and length < best.get(target, length + 1):
                    best[target] = length
    return best.get(index)


NEARER_BEHIND_A_BLOCK = (
    Function(0, False, False, True, ()),
    Function(0, False, False, False, ((0, "plain"),)),
    Function(0, False, True, False, ((0, "plain"), (1, "block"))),
)


@given(PROGRAMS)
@example(NEARER_BEHIND_A_BLOCK)
@settings(max_examples=150, deadline=None)
def test_a_dispatch_is_in_a_transaction_exactly_where_a_way_leads_from_one(program: Program) -> None:
    project = Project(Path("/project"), [f"{module}.py" for module in MODULES], Memory(written(program)))
    transactions = Transactions(project, Calls(project), lambda _path: True)
    found: dict[int, int | None] = {}
    for path in sorted(project.paths):
        facts = project.facts(path)
        for call in facts.calls:
            if call.callee == "work.delay":
                opened = transactions.round_call(path, call)
                index = int(facts.definitions[call.scope].name.removeprefix("run_"))
                found[index] = None if opened is None else len(opened.hops) - 1
    assert found == {index: shortest(program, index) for index, one in enumerate(program) if one.dispatches}
