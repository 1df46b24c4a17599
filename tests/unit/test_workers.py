"""What a worker registers, and the queue that it polls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keel_lint.jobs import Jobs
from keel_lint.project import Project
from tests.unit.memory import Memory

if TYPE_CHECKING:
    from keel_lint.jobs.workers import Listing, WorkerCall

HEAD = (
    "from temporalio import activity, workflow\nfrom temporalio.worker import Worker\nfrom app.more import MORE, more\n"
    "from app import more as module\n\n"
    "@activity.defn\nasync def ship(): ...\n\n@activity.defn(name='post')\nasync def mail(): ...\n\n"
    "@activity.defn(dynamic=True)\nasync def anything(args): ...\n\n"
    "class Stock:\n    @activity.defn\n    async def reserve(self): ...\n"
    "    @staticmethod\n    @activity.defn\n    async def count(): ...\n\n"
    "@workflow.defn\nclass Order:\n    @workflow.run\n    async def run(self): ...\n\n"
    "LIST = [ship]\nGROWING = [ship]\nGROWING.append(mail)\nstock = Stock()\nQUEUE = 'ord' + 'ers'\n\n"
)
MORE = (
    "from temporalio import activity\n\n@activity.defn\nasync def refund(): ...\n\nMORE = [refund]\n\n"
    "def more():\n    found = [refund]\n    return found\n\n"
    "def several(a):\n    if a:\n        return [refund]\n    return []\n"
)


def workers(code: str, **others: str) -> list[WorkerCall]:
    contents = {"app/__init__.py": "", "app/more.py": MORE, "app/worker.py": HEAD + code, **others}
    jobs = Jobs(Project(Path(), tuple(contents), Memory(contents)), tuple(contents))
    return list(jobs.workers.registered.workers)


def activities(expression: str, before: str = "") -> Listing:
    code = f"def make(client, given):\n    {before}\n    return Worker(client, task_queue='q', activities={expression})\n"
    (worker,) = workers(code)
    return worker.activities


@pytest.mark.parametrize(
    ("expression", "before", "names", "is_whole"),
    [
        ("[ship, mail]", "", ["ship", "post"], True),
        ("LIST", "", ["ship"], True),
        ("[*LIST, mail]", "", ["ship", "post"], True),
        ("LIST + MORE", "", ["ship", "refund"], True),
        ("more()", "", ["refund"], True),
        ("list(module.MORE)", "", ["refund"], True),
        ("found", "found = [ship]", ["ship"], True),
        ("found", "found = [ship]; found.append(given)", ["ship"], False),
        ("[stock.reserve]", "", ["reserve"], True),
        ("[local.reserve]", "local = Stock()", ["reserve"], True),
        ("[Stock().reserve]", "", ["reserve"], True),
        ("GROWING", "", ["ship"], False),
        ("given", "", [], False),
        ("[ship, given]", "", ["ship"], False),
        ("[f for f in LIST]", "", [], False),
        ("module.several(1)", "", ["refund"], False),
        ("[ship] if given else [mail]", "", ["ship", "post"], False),
        ("given or []", "", [], False),
    ],
)
def test_what_a_list_holds(expression: str, before: str, names: list[str], is_whole: bool) -> None:
    found = activities(expression, before)
    assert ([item.name for item in found.items], found.is_whole) == (names, is_whole)


@pytest.mark.parametrize(
    ("expression", "is_unbound"),
    [("[Stock.reserve]", True), ("[Stock().reserve]", False), ("[Stock.count]", False), ("[ship]", False)],
)
def test_a_method_without_an_instance(expression: str, is_unbound: bool) -> None:
    assert [item.is_unbound for item in activities(expression).items] == [is_unbound]


def test_a_dynamic_activity_has_every_name() -> None:
    assert activities("[anything]").has("whatever")
    assert not activities("[ship]").has("whatever")


@pytest.mark.parametrize(
    ("arguments", "queue", "executor"),
    [
        ("task_queue='a'", "a", "missing"),
        ("task_queue=QUEUE", "orders", "missing"),
        ("task_queue=unknown()", None, "missing"),
        ("task_queue='a', activity_executor=pool", "a", "given"),
        ("task_queue='a', **options", "a", "unknown"),
        ("task_queue='a', plugins=[p]", "a", "unknown"),
    ],
)
def test_queue_and_executor(arguments: str, queue: str | None, executor: str) -> None:
    (worker,) = workers(f"worker = Worker(client, workflows=[Order], {arguments})\n")
    assert (worker.queue, worker.executor) == (queue, executor)
    assert [item.name for item in worker.workflows.items] == ["Order"]


def test_other_workers_are_none() -> None:
    assert workers("class Worker2: ...\nfrom threads import Worker as Other\nother = Other(1)\n") == []
