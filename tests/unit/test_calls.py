"""The call graph: what is called, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keel_lint.flow.branches import Branches
from keel_lint.flow.calls import Calls
from keel_lint.project import Project
from tests.unit.memory import Memory

SHOP = """
class Base:
    def go(self):
        self.work()

class Order(Base):
    def work(self):
        pass

    @classmethod
    def make(cls) -> "Order":
        return cls()

    @property
    def twin(self) -> "Order": ...

class Special(Order):
    pass

def build() -> Order:
    return Order()

def plain():
    pass

shared = Order()
"""


def graph(files: Mapping[str, str]) -> tuple[Project, Calls]:
    """A project of these files, and its call graph."""
    project = Project(Path("/project"), sorted(files), Memory(files))
    return project, Calls(project)


def position(project: Project, path: str, qualname: str) -> int:
    """Where a definition stands among those of its file."""
    return next(i for i, d in enumerate(project.facts(path).definitions) if d.qualname == qualname)


def callers(files: Mapping[str, str], path: str, qualname: str) -> set[str]:
    """The functions that run a function, each as `file: name how`."""
    project, calls = graph(files)
    found = calls.callers(path, position(project, path, qualname))
    names = ((edge, project.facts(edge.path).definitions[edge.scope].qualname if edge.scope >= 0 else "") for edge in found)
    return {f"{edge.path}: {name} {edge.how}" for edge, name in names}


@pytest.mark.parametrize(
    "body",
    [
        "Order().work()",
        "Order.make().work()",
        "Special().work()",
        "order = Order()\n    order.work()",
        "order = build()\n    order.work()",
        "order = build()\n    other = order\n    other.work()",
        "order: Order = unknown()\n    order.work()",
        "shared.work()",
        "Order().twin.work()",
        "Order.work(unknown())",
        "order = Order() if unknown() else build()\n    order.work()",
        "with Order() as order:\n        order.work()",
        "from shop import Order as Late\n    Late().work()",
        "order = Order.objects.filter(x=1).first()\n    order.work()",
        "order = Order(" + "x, " * 200 + ")\n    order.work()",
    ],
)
def test_a_method_is_found_through_the_class_of_its_object(body: str) -> None:
    files = {"shop.py": SHOP, "use.py": f"from shop import *\n\ndef use():\n    {body}\n"}
    assert "use.py: use call" in callers(files, "shop.py", "Order.work")


@pytest.mark.parametrize(
    "parameter",
    ["order: Order", "order: 'Order'", "order: Order | None", "order: Optional[Order]", "*, order: 'Order | None' = None"],
)
def test_a_method_is_found_through_an_annotation(parameter: str) -> None:
    files = {"shop.py": SHOP, "use.py": f"from shop import Order\n\ndef use({parameter}):\n    order.work()\n"}
    assert "use.py: use call" in callers(files, "shop.py", "Order.work")


@pytest.mark.parametrize(
    "body",
    [
        "thing.work()",
        "thing = unknown()\n    thing.work()",
        "from other import work\n    work()",
        "Other().work()",
        "order = Order() if unknown() else None or Other()\n    order.work()",
        "[Order()][0].work()",
    ],
)
def test_what_is_not_sure_is_no_edge(body: str) -> None:
    use = f"from shop import Order\n\nclass Other:\n    def work(self): ...\n\ndef use(thing):\n    {body}\n"
    files = {"shop.py": SHOP, "other.py": "def work(): ...\n", "use.py": use}
    assert not any(name.startswith("use.py") for name in callers(files, "shop.py", "Order.work"))


def test_self_is_of_the_class_or_of_one_that_inherits_from_it() -> None:
    assert callers({"shop.py": SHOP}, "shop.py", "Order.work") == {"shop.py: Base.go call"}


def test_super_skips_the_class_itself() -> None:
    code = SHOP + "\nclass Third(Special):\n    def work(self):\n        super().work()\n"
    assert "shop.py: Third.work call" in callers({"shop.py": code}, "shop.py", "Order.work")
    assert callers({"shop.py": code}, "shop.py", "Third.work") == {"shop.py: Base.go call"}


def test_the_only_method_of_a_name_is_presumed_where_the_variable_has_the_name_of_the_class() -> None:
    files = {
        "shop.py": "class PaidOrder:\n    def fulfill(self): ...\n",
        "use.py": "def use(order):\n    order.fulfill()\n\ndef other(basket):\n    basket.fulfill()\n",
    }
    assert callers(files, "shop.py", "PaidOrder.fulfill") == {"use.py: use call"}
    files["more.py"] = "class Wish:\n    def fulfill(self): ...\n"
    assert callers(files, "shop.py", "PaidOrder.fulfill") == set()


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("list(map(plain, items))", "passed"),
        ("asyncio.run(plain())", "call"),
        ("async_to_sync(plain)()", "passed"),
        ("transaction.on_commit(plain)", "committed"),
        ("transaction.on_commit(partial(plain, 1), using='other')", "committed"),
        ("transaction.on_commit(lambda: plain())", "call"),
        ("Thread(target=plain).start()", "thread"),
        ("pool.submit(plain, 1)", "thread"),
        ("asyncio.to_thread(plain)", "thread"),
        ("sync_to_async(plain)", "thread"),
    ],
)
def test_a_function_is_run_by_what_it_is_handed_to(body: str, how: str) -> None:
    head = (
        "import asyncio\nfrom functools import partial\nfrom threading import Thread\nfrom asgiref.sync import async_to_sync, "
        "sync_to_async\nfrom django.db import transaction\nfrom shop import plain\n"
    )
    found = callers({"shop.py": SHOP, "use.py": f"{head}\ndef use(pool, items):\n    {body}\n"}, "shop.py", "plain")
    assert {name.rpartition(" ")[2] for name in found} == {how}


def test_handing_a_function_to_something_unknown_is_no_edge() -> None:
    files = {"shop.py": SHOP, "use.py": "from shop import plain\nimport thing\n\ndef use():\n    thing.later(plain)\n"}
    assert callers(files, "shop.py", "plain") == set()


def test_callers_are_found_through_packages_that_export_the_name_again() -> None:
    files = {
        "shop/__init__.py": "from shop.core import plain\n",
        "shop/core.py": "def plain(): ...\n",
        "use.py": "import shop\n\ndef use():\n    shop.plain()\n",
        "alias.py": "from shop import plain as mine\n\ndef use():\n    mine()\n",
    }
    assert callers(files, "shop/core.py", "plain") == {"alias.py: use call", "use.py: use call"}


def test_test_code_calls_nothing() -> None:
    files = {"shop.py": SHOP, "tests/test_shop.py": "from shop import plain\n\ndef test():\n    plain()\n"}
    assert callers(files, "shop.py", "plain") == set()


def test_a_call_on_an_object_of_which_nothing_is_known_is_counted() -> None:
    project, calls = graph({"shop.py": "def use(thing):\n    thing.work()\n"})
    with project.recording() as reads:
        assert calls.callees("shop.py", 0) == ()
    assert ("unresolved", "shop.py", "2", "5", "thing.work") in reads


FLAGGED = "def target(a, flag=False, *, mode=None):\n    {}\n"


@pytest.mark.parametrize(
    ("body", "call", "reached"),
    [
        ("if flag:\n        here()", "target(1)", False),
        ("if flag:\n        here()", "target(1, True)", True),
        ("if flag:\n        here()", "target(1, unknown)", True),
        ("if flag:\n        here()", "target(1, *unknown)", True),
        ("if flag:\n        here()", "target(1, **unknown)", True),
        ("if not flag:\n        here()", "target(1, flag=True)", False),
        ("if not flag and a:\n        here()", "target(1, flag=True)", False),
        ("if flag or a:\n        here()", "target(b)", True),
        ("if flag:\n        return\n    here()", "target(1, flag=True)", False),
        ("if flag:\n        return\n    here()", "target(1)", True),
        ("if a:\n        pass\n    elif flag:\n        here()", "target(b)", False),
        ("if mode is None:\n        return\n    here()", "target(1)", False),
        ("if mode == 'x':\n        here()", "target(1, mode='y')", False),
        ("for one in a:\n        if not flag:\n            continue\n        here()", "target(1)", False),
        ("try:\n        if flag:\n            here()\n    except ValueError:\n        pass", "target(1)", False),
        ("flag = a or flag\n    if flag:\n        here()", "target(b)", True),
        ("if flag:\n        pass\n    else:\n        here()", "target(1)", True),
    ],
)
def test_a_constant_closes_the_branches_that_it_does_not_enter(body: str, call: str, reached: bool) -> None:
    code = FLAGGED.format(body) + f"\ndef use(b, unknown):\n    {call}\n"
    project, calls = graph({"shop.py": code})
    (edge,) = calls.callers("shop.py", 0)
    branches = Branches(project)
    place = project.source("shop.py").text.index(b"here()")
    assert branches.cannot_reach("shop.py", 0, place, branches.passed(edge, {})) is not reached
