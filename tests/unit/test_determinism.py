"""What functions reach: against a search that is as plain as can be, and case by case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keel_lint.flow import Flow
from keel_lint.jobs import Jobs
from keel_lint.project import Project
from tests.unit.memory import Memory

if TYPE_CHECKING:
    from keel_lint.flow.determinism import Determinism

EFFECTS = {"clock": "time.time()", "randomness": "random.random()", "environment": "os.getenv('X')", "sleep": "time.sleep(1)"}
MODEL = "from django.db import models\n\nclass Order(models.Model):\n    pass\n\n"
IMPORTS = "import os\nimport random\nimport time\n"

Place = tuple[int, int]
"""A generated function: module and number."""


@dataclass(frozen=True)
class Function:
    """What a generated function does: effects and calls."""

    effects: tuple[str, ...]
    calls: tuple[Place, ...]


Program = tuple[tuple[Function, ...], ...]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Up to three modules of up to four functions that call each other in any way."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    places = [(module, number) for module, size in enumerate(sizes) for number in range(size)]
    function = st.builds(
        Function,
        st.lists(st.sampled_from(sorted(EFFECTS)), max_size=2, unique=True).map(tuple),
        st.lists(st.sampled_from(places), max_size=3).map(tuple),
    )
    return tuple(tuple(draw(function) for _ in range(size)) for size in sizes)


def source(program: Program, module: int) -> str:
    """A module of a program; it imports the others whole, and itself."""
    lines = [IMPORTS, *(f"import m{other}" for other in range(len(program)) if other != module)]
    for number, function in enumerate(program[module]):
        lines.append(f"\n\ndef f{number}():\n    pass")
        lines += [f"    {EFFECTS[kind]}" for kind in function.effects]
        lines += [f"    {'' if other == module else f'm{other}.'}f{called}()" for other, called in function.calls]
    return "\n".join(lines) + "\n"


def determinism(files: Mapping[str, str], trusted: Mapping[str, str] | None = None) -> Determinism:
    """The determinism of files that were never written."""
    project = Project(Path("/nowhere"), sorted(files), Memory(files))
    jobs = Jobs(project, tuple(sorted(files)), functions=trusted or {})
    return Flow(jobs).determinism


def of_program(program: Program) -> Determinism:
    return determinism({f"m{module}.py": source(program, module) for module in range(len(program))})


def position(asked: Determinism, path: str, name: str) -> int:
    definitions = asked._project.facts(path).definitions
    return next(index for index, definition in enumerate(definitions) if definition.qualname == name)


def distances(program: Program, start: Place) -> dict[str, int]:
    """For each kind how many calls lead to the nearest effect, by walking outward from the function."""
    found: dict[str, int] = {}
    level, seen, depth = [start], {start}, 0
    while level:
        for module, number in level:
            for kind in program[module][number].effects:
                found.setdefault(kind, depth)
        reached = [place for module, number in level for place in program[module][number].calls]
        level = [place for place in dict.fromkeys(reached) if place not in seen]
        seen.update(level)
        depth += 1
    return found


def answers(asked: Determinism, places: Iterable[Place]) -> dict[Place, dict[str, tuple[object, ...]]]:
    """For each function the nearest effects, as the names of the calls that lead there and the place of the effect."""
    made: dict[Place, dict[str, tuple[object, ...]]] = {}
    for module, number in places:
        path = f"m{module}.py"
        nearest = asked.effects(path, position(asked, path, f"f{number}"))
        made[module, number] = {
            r.effect.kind: (*(e.start for e in r.edges), r.effect.path, r.effect.start) for r in nearest.values()
        }
    return made


@settings(max_examples=150, deadline=None)
@given(programs(), st.randoms(use_true_random=False))
def test_the_nearest_effects_are_those_of_a_plain_search_in_whatever_order_one_asks(program: Program, chance: object) -> None:
    places = [(module, number) for module, functions in enumerate(program) for number in range(len(functions))]
    found = answers(of_program(program), places)
    for place in places:
        assert {kind: len(path) - 2 for kind, path in found[place].items()} == distances(program, place)
    shuffled = list(places)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert answers(of_program(program), shuffled) == found


@settings(max_examples=50, deadline=None)
@given(programs())
def test_each_path_is_one_of_calls_that_are_there(program: Program) -> None:
    asked = of_program(program)
    for module, functions in enumerate(program):
        for number in range(len(functions)):
            path = f"m{module}.py"
            for reached in asked.effects(path, position(asked, path, f"f{number}")).values():
                here = (path, position(asked, path, f"f{number}"))
                for edge in reached.edges:
                    assert edge in asked.edges(*here)
                    here = edge.target
                assert reached.effect in asked.own(*here)


def test_a_chain_longer_than_the_stack() -> None:
    lines = [f"def f{number}():\n    f{number + 1}()\n" for number in range(3000)]
    asked = determinism({"m.py": "import time\n" + "".join(lines) + "def f3000():\n    time.time()\n"})
    (reached,) = asked.effects("m.py", position(asked, "m.py", "f0")).values()
    assert len(reached.edges) == 3000


# -- case by case -----------------------------------------------------------------------------------------------------------


def kinds(body: str, trusted: Mapping[str, str] | None = None, **others: str) -> set[str]:
    """The kinds of effects that `f` has."""
    head = f"{IMPORTS}import uuid\nfrom datetime import datetime\nfrom temporalio import activity, workflow\n"
    beside = {f"app/{name}.py": dedent(text) for name, text in others.items()}
    files = {"app/util.py": head + dedent(body), "app/__init__.py": "", **beside}
    asked = determinism(files, trusted)
    return {one.effect.kind for one in asked.effects("app/util.py", position(asked, "app/util.py", "f")).values()}


@pytest.mark.parametrize(
    "body",
    [
        "def f():\n    if workflow.in_workflow():\n        return workflow.time()\n    return time.time()",
        "def f():\n    if workflow.unsafe.in_sandbox():\n        return workflow.time()\n    else:\n        return time.time()",
        "def f():\n    if not workflow.in_workflow():\n        time.sleep(1)",
        "def f():\n    return workflow.time() if workflow.in_workflow() else time.time()",
        "def f():\n    return workflow.in_workflow() or time.time()",
        "def f():\n    if not workflow.in_workflow() and True:\n        time.sleep(1)",
        "def f():\n    try:\n        return workflow.now()\n    except RuntimeError:\n        return datetime.now()",
        "def f():\n    if not workflow.unsafe.is_replaying():\n        time.sleep(1)",
        "def inside():\n    return workflow.in_workflow()\n\ndef f():\n    if inside():\n        return\n    time.time()",
        "@activity.defn\ndef act():\n    time.time()\n\ndef f():\n    act()",
        "def f():\n    return time.gmtime(5), random.Random(7), uuid.uuid5(uuid.NAMESPACE_DNS, 'a')",
        "def now(at=None):\n    return at or time.time()\n\ndef f():\n    return now(5)",
        "def now(at=None):\n    if at is None:\n        at = time.time()\n    return at\n\ndef f():\n    return now(at=f)",
        "def f():\n    def inner():\n        time.time()",
        f"{MODEL}def f():\n    return Order.objects.filter(id=1)",
        "count = 0\n\ndef f():\n    global count\n    count += 1",
        "SEEN = []\n\ndef f():\n    SEEN.append(1)",
        "CACHE = {}\n\ndef f(a):\n    if a not in CACHE:\n        CACHE[a] = 1\n    return CACHE[a]",
        "def f():\n    return hash(('a', 'b')) == hash(f), id(f) in {1}",
    ],
)
def test_nothing_is_reached(body: str) -> None:
    assert kinds(body) == set()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("def f():\n    if workflow.in_workflow():\n        return time.time()", "clock"),
        ("def f():\n    if workflow.in_workflow():\n        pass\n    return time.time()", "clock"),
        ("def f():\n    try:\n        return int('1')\n    except ValueError:\n        return datetime.now()", "clock"),
        (
            "async def f():\n    try:\n        await g(workflow.now())\n    except ValueError:\n        return time.time()",
            "clock",
        ),
        (
            "def f():\n    try:\n        workflow.start_activity('a')\n    except ValueError:\n        return time.time()",
            "clock",
        ),
        ("def now(at=None):\n    return at or time.time()\n\ndef f():\n    return now()", "clock"),
        (
            "def now(at=None):\n    if at is None:\n        at = time.time()\n    return at\n\ndef f():\n    return now(None)",
            "clock",
        ),
        ("def g(items):\n    if items:\n        return 1\n    time.time()\n\ndef f():\n    g([])", "clock"),
        ("def f():\n    def inner():\n        time.time()\n    inner()", "clock"),
        ("def f():\n    return os.environ['X']", "environment"),
        ("def f():\n    return 'X' in os.environ", "environment"),
        ("class A:\n    def g(self):\n        time.sleep(1)\n\ndef f(a: A):\n    a.g()", "sleep"),
        ("class A:\n    def __init__(self):\n        self.id = uuid.uuid4()\n\ndef f():\n    return A()", "randomness"),
        ("def f():\n    return hash('a') % 8", "identity"),
        ("def f():\n    number = hash('a')\n    return number % 8", "identity"),
        ("SEEN = []\n\ndef f():\n    SEEN.append(1)\n    return len(SEEN)", "state"),
        ("SEEN = [1]\n\ndef f():\n    return SEEN.pop()", "state"),
        ("SEEN = {}\n\ndef f():\n    SEEN['a'] = 1\n    return SEEN", "state"),
        ("count = 0\n\ndef f():\n    global count\n    count += 1\n    return count", "state"),
        ("from pathlib import Path\n\ndef f():\n    return Path('a').read_text()", "io"),
        (f"{MODEL}def f():\n    return Order.objects.filter(id=1).first()", "io"),
        ("from pathlib import Path\n\ndef f(path: Path):\n    return path.read_text()", "io"),
        ("from pathlib import Path\n\ndef f():\n    path = Path('a')\n    return path.exists()", "io"),
    ],
)
def test_one_kind_is_reached(body: str, kind: str) -> None:
    assert kinds(body) == {kind}


@pytest.mark.parametrize(
    "field",
    [
        "id: str = field(default_factory=uuid.uuid4)",
        "id: str = field(default_factory=lambda: str(uuid.uuid4()))",
        "id: str = pydantic.Field(default_factory=lambda: uuid.uuid4())",
    ],
)
def test_default_factories_run_where_no_value_is_given(field: str) -> None:
    model = f"import pydantic\nfrom dataclasses import dataclass, field\n\n@dataclass\nclass A:\n    {field}\n"
    assert kinds(f"{model}\ndef f():\n    return A(id='a')") == set()
    if "str(" not in field:
        assert kinds(f"{model}\ndef f():\n    return A()") == {"randomness"}


@pytest.mark.parametrize("name", ["app.clock.now", "app.clock", "app"])
def test_a_function_that_is_configured_as_deterministic_is_not_looked_into(name: str) -> None:
    body = "from app.clock import now\n\ndef f():\n    return now()"
    clock = "import time\n\ndef now():\n    return time.time()\n"
    assert kinds(body, clock=clock) == {"clock"}
    assert kinds(body, {name: "deterministic"}, clock=clock) == set()


def test_a_function_that_is_configured_as_non_deterministic() -> None:
    body = "from app.pure import pick\nimport vendor\n\ndef f():\n    return pick()\n"
    pure = "def pick():\n    return 1\n"
    assert kinds(body, pure=pure) == set()
    assert kinds(body, {"app.pure.pick": "non-deterministic"}, pure=pure) == {"declared"}
    assert kinds("import vendor\n\ndef f():\n    return vendor.pick()", {"vendor.pick": "non-deterministic"}) == {"declared"}


@pytest.mark.parametrize(
    ("body", "is_unordered"),
    [
        ("async def f(names: set[str]):\n    for name in names:\n        await g(name)", True),
        ("async def f(names: list[str]):\n    for name in names:\n        await g(name)", False),
        ("async def f(names: set[int]):\n    for name in names:\n        await g(name)", False),
        ("async def f(names: 'frozenset[str] | None'):\n    for name in names or ():\n        await g(name)", True),
        ("async def f(names):\n    for name in set(names):\n        await g(name)", True),
        ("async def f(names):\n    for name in sorted(set(names)):\n        await g(name)", False),
        ("async def f(names):\n    for name in list({n.lower() for n in names}):\n        await g(name)", True),
        ("async def f(names):\n    todo = set(names)\n    for name in todo - {'a'}:\n        await g(name)", True),
        (
            "async def f(names):\n    todo = set(names)\n    todo = sorted(todo)\n    for name in todo:\n        await g(name)",
            False,
        ),
        ("async def f(names):\n    for name in {'a'}:\n        await g(name)", False),
        ("async def f(names):\n    for name in {1, 2}:\n        await g(name)", False),
        ("async def f(names: set[str]):\n    for name in names:\n        g(name)", False),
        ("async def f(names: set[str]):\n    return [await g(name) for name in names]", True),
        ("async def f(names: set[str]):\n    await asyncio.gather(*(g(name) for name in names))", True),
        ("async def f(names: set[str]):\n    return [len(name) for name in names]", False),
        ("async def f(names: dict[str, set[str]]):\n    for name in names['a']:\n        await g(name)", True),
        ("async def f(names: dict[str, set[str]]):\n    for name in names:\n        await g(name)", False),
    ],
)
def test_going_through_a_set(body: str, is_unordered: bool) -> None:
    assert kinds(f"import asyncio\n\nasync def g(name): ...\n\n{body}") == ({"order"} if is_unordered else set())
