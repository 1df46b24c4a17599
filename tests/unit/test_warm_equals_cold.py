"""Whatever is changed between two runs, the run with a cache finds what a run without one finds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keel_lint.rule import ENTRY_POINTS, Registry
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder

if TYPE_CHECKING:
    from keel_lint.outcome import Outcome

MakePack = Callable[[str, Mapping[str, str]], str]

PROBE = '''\
"""All that a rule can ask, in the messages of findings."""

from __future__ import annotations

from keel_lint.jobs.tasks import SETTING_OF_OPTION
from keel_lint.rule import Rule


SETTING = "django.conf.settings.CELERY_TASK_TIME_LIMIT"


class Probe(Rule):
    code = "PRB001"
    slug = "probe-everything"
    group = "correctness"
    engine = "celery"
    judges = ("dispatch", "settings", "beat", "task", "task-class", "workflow", "activity-call", "activity", "worker")

    def visit_Call(self, node) -> None:
        definition, jobs = self.definition, self.definition.jobs
        fact = definition.call_fact(node)
        dispatch = fact and jobs.dispatches.of(definition.path, fact)
        opened = fact and definition.flow.transactions.round_call(definition.path, fact)
        values = [definition.value(argument.value) for argument in node.args]
        said = definition.called(node), values, dispatch and self.about(dispatch.task), jobs.version("celery")
        self.report(node, repr(said), hops=opened.hops if opened else ())

    def about(self, task) -> object:
        if task is None:
            return None
        tasks = self.definition.jobs.tasks
        options = [tasks.option(task, name) for name in SETTING_OF_OPTION]
        return task.name, options, tasks.base_is_opaque(task), tasks.overriding(task, "delay")

    def finish(self) -> None:
        definition, jobs = self.definition, self.definition.jobs
        settings = {name: [one.value for one in found] for name, found in jobs.settings.settings.items()}
        everything = settings, [task.name for task in jobs.all_tasks], self.about(definition.task), jobs.charge_calls
        self.report(definition.fact.name_span, repr((everything, self.registered())))

    def registered(self) -> object:
        definition, jobs = self.definition, self.definition.jobs
        names = "shop.tasks.send", "shop.tasks.deliver", "shop.tusks.send", "send-mail", "shop.tasks.Base"
        missing = [jobs.names.missing(name, definition.path) for name in names]
        constants = [jobs.tasks.constant(definition.path, name) for name in ("LIMIT", SETTING)]
        return jobs.names.given, missing, jobs.workers.registered, jobs.broker, jobs.setting("task_time_limit"), constants
'''
ABSENT = "\0"
"""The text of a slot whose file is not there."""

SLOTS: dict[str, tuple[str, ...]] = {
    "task decorator": (
        "@shared_task",
        "@shared_task(bind=True)",
        "@shared_task(acks_late=True, time_limit=5)",
        "@shared_task(base=Base)",
        "@app.task",
        "@app.task(soft_time_limit=LIMIT, base=Base)",
        "",
    ),
    "task name": ("send", "deliver"),
    "task comment": ("", "  # keel: ignore KEL101 -- it reads nothing", "  # noqa: KEL101 -- it reads nothing"),
    "task body": ("charge(order)", "time.sleep(5)", "requests.get(url)", "order.save("),
    "package": ("", "from shop.tasks import send\n", "from .tasks import *\n", ABSENT),
    "import": (
        "from shop.tasks import send",
        "from shop.tasks import deliver as send",
        "from .tasks import send",
        "from shop.api import send",
        "from shop import send",
        "from tasks import send",
        "send = connect()",
    ),
    "re-export": ("from shop.tasks import send\n", "from shop.tasks import *\n", "send = print\n", ABSENT),
    "service block": ("with transaction.atomic():", "with boundary():", "if order:", "for order in orders:"),
    "service call": ("send.delay(order.pk)", "send.delay(order)", "send.apply_async((order.pk,), countdown=9)", "later(order)"),
    "service comment": ("", "  # keel: ignore KEL101 -- on purpose", "  # noqa: KEL101, KEL106", "  # noqa"),
    "service comment above": ("", "# keel: disable KEL101 -- until 2020-01-01", "# keel: file-ignore KEL1 -- all of it"),
    "boundary": ("with transaction.atomic():", "with nothing():", ABSENT),
    "view block": ("with transaction.atomic():", "if order:"),
    "view call": ("pay(order)", "send.delay(order.pk)"),
    "view comment": ("", "  # keel: ignore KEL101 -- on purpose"),
    "settings": (
        "CELERY_TASK_TIME_LIMIT = 60\n",
        "CELERY_TASK_ALWAYS_EAGER = True\n",
        "CELERY_TASK_ACKS_LATE = True\n",
        "DATABASES = {'default': {'ATOMIC_REQUESTS': True}}\n",
        "CELERY_TASK_SERIALIZER = 'pickle'\nCELERY_ACCEPT_CONTENT = ['pickle']\n",
        "from shop.tasks import LIMIT\nCELERY_BROKER_URL = 'redis://x'\nWAIT = LIMIT\nCELERY_TASK_TIME_LIMIT = 2 * LIMIT\n",
        "CELERY_BEAT_SCHEDULE = {'send': {'task': 'shop.tasks.send', 'schedule': 60, 'args': (1)}}\n",
        "",
        ABSENT,
    ),
    "application": (
        "app = Celery('shop')\n",
        "app = Celery('shop', task_cls='shop.base:Base')\n",
        "app = Celery('shop')\napp.conf.task_time_limit = 30\n",
        "app = object()\n",
        ABSENT,
    ),
    "base": (
        "class Base(Task):\n    time_limit = 9\n",
        "class Base(DjangoTask):\n    pass\n",
        "class Base(Task):\n    def delay(self, *args):\n        return self.delay_on_commit(*args)\n",
        "class Base:\n    pass\n",
        ABSENT,
    ),
    "limit": ("LIMIT = 5\n", "LIMIT = 50\n", "LIMIT = limit()\n"),
    "entry": (
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.tasks')\n",
        ABSENT,
    ),
    "worker": (
        "worker = Worker(client, task_queue='orders', workflows=[Order], activities=[ship])\n",
        "worker = Worker(client, task_queue='orders', workflows=[Order], activities=[*ACTIVITIES])\n",
        "worker = Worker(client, task_queue=QUEUE, workflows=[Order])\n",
        "worker = Worker(client, **options)\n",
        ABSENT,
    ),
    "requirements": ("celery==5.3.1\n", "celery==5.4.0\n", "celery\n", ABSENT),
    "workflow body": (
        "return time.time()",
        "return now()",
        "return await workflow.execute_activity(ship, order)",
        "return await workflow.execute_activity(ship, order, start_to_close_timeout=LIMIT)",
        "return await workflow.execute_activity(ship, order, **OPTIONS)",
    ),
    "helpers": (
        "def now():\n    return time.time()\n",
        "def now():\n    return random.random()\n",
        "def now():\n    return 1\n",
        "from time import time as now\n",
        ABSENT,
    ),
    "activity": (
        "@activity.defn\nasync def ship(order):\n    time.sleep(1)\n\n\nACTIVITIES = [ship]\nQUEUE = 'orders'\n",
        "@activity.defn(name='post')\ndef ship(order):\n    pass\n\n\nACTIVITIES = []\nQUEUE = 'post'\n",
        "def ship(order):\n    pass\n",
        ABSENT,
    ),
    "configuration": (
        ABSENT,
        "[per-file-ignores]\n'service.py' = ['KEL101']\n",
        "charge-calls = ['shop.service.pay']\n",
        "roots = ['shop']\n",
    ),
}

IMPORTS = "import random, time, requests\nfrom celery import Celery, Task, shared_task\nfrom django.db import transaction\n"


def project(chosen: Mapping[str, str]) -> dict[str, str]:
    """The files of the project that a choice for each slot makes; a file one of whose slots is absent is left out."""
    of = chosen.__getitem__
    files = {
        "shop/__init__.py": of("package"),
        "shop/tasks.py": f"{IMPORTS}from shop.base import Base\nfrom shop.celery import app\n{of('limit')}\n\n"
        f"{of('task decorator')}\ndef {of('task name')}(order):{of('task comment')}\n    {of('task body')}\n",
        "shop/api.py": of("re-export"),
        "shop/service.py": f"{IMPORTS}from shop.boundary import boundary\n{of('import')}\n{of('service comment above')}\n\n\n"
        f"def pay(order):\n    {of('service block')}\n        {of('service call')}{of('service comment')}\n",
        "shop/boundary.py": f"import contextlib\n{IMPORTS}\n\n@contextlib.contextmanager\ndef boundary():\n"
        f"    {of('boundary')}\n        yield\n",
        "shop/views.py": f"{IMPORTS}{of('import')}\nfrom shop.service import pay\n\n\ndef view(request, order):\n"
        f"    {of('view block')}\n        {of('view call')}{of('view comment')}\n",
        "shop/settings.py": of("settings"),
        "shop/celery.py": f"{IMPORTS}{of('application')}",
        "shop/base.py": f"{IMPORTS}from celery.contrib.django.task import DjangoTask\n\n\n{of('base')}",
        "requirements.txt": of("requirements"),
        "shop/workflows.py": f"import time\nfrom temporalio import workflow\nfrom shop.activities import ship\n"
        f"from shop.helpers import now\nfrom shop.tasks import LIMIT\n\nOPTIONS = options()\n\n\n@workflow.defn\nclass Order:\n"
        f"    @workflow.run\n    async def run(self, order):\n        {of('workflow body')}\n",
        "shop/helpers.py": f"import random\nimport time\n\n\n{of('helpers')}",
        "shop/activities.py": f"import time\nfrom temporalio import activity\n\n\n{of('activity')}",
        "manage.py": f"import os\n{of('entry')}",
        "shop/worker.py": "from temporalio.worker import Worker\nfrom shop.activities import ACTIVITIES, QUEUE, ship\n"
        f"from shop.workflows import Order\n\n{of('worker')}",
        "keel-lint.toml": of("configuration"),
    }
    return {name: text for name, text in files.items() if ABSENT not in text}


class Checkout:
    """A project on disk. With `aged`, files look as if they were written long ago, so that their times are believed."""

    def __init__(self, root: Path, registry: Registry, *, aged: bool) -> None:
        self.root, self.registry, self.aged = root, registry, aged
        self.written: dict[str, str] = {}
        self.ticks = iter(range(1_000_000_000, 2_000_000_000))
        (root / ".git").mkdir()

    def become(self, files: Mapping[str, str]) -> None:
        """Write what has changed, delete what is no more."""
        for name in self.written.keys() - files.keys():
            (self.root / name).unlink()
        for name, text in files.items():
            if self.written.get(name) != text:
                self.write(self.root / name, text)
        self.written = dict(files)

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if self.aged:
            os.utime(path, (next(self.ticks),) * 2)

    def agree(self, *names: str) -> None:
        """Assert that a warm run of these paths, or of the whole project, finds what a cold one finds."""
        warm, cold = self.check(*names, cache=True), self.check(*names, cache=False)
        assert list(map(str, warm.findings)) == list(map(str, cold.findings))  # a difference that can be read
        assert warm == cold

    def check(self, *names: str, cache: bool) -> Outcome:
        finder = SettingsFinder(Overrides.from_arguments({"select": ["ALL"]}), registry=self.registry)
        paths = [self.root / name for name in names] or [self.root]
        return Linter(paths, finder, self.registry, cache=cache).check()


@pytest.fixture(scope="module")
def registry(make_pack: MakePack) -> Registry:
    """The installed rules, and one that asks for everything."""
    installed = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    made = Registry.of_packages({**installed, "everything": make_pack("keel_lint_everything", {"prb001.py": PROBE})})
    assert not made.broken
    return made


@pytest.fixture(scope="module")
def folders() -> Iterator[Iterator[Path]]:
    """New folders, as many as asked for."""
    with tempfile.TemporaryDirectory() as name:

        def made() -> Iterator[Path]:
            while True:
                yield Path(tempfile.mkdtemp(dir=name))

        yield made()


FIRST = {slot: choices[0] for slot, choices in SLOTS.items()}
JOINED = {
    "task decorator": "@app.task(soft_time_limit=LIMIT, base=Base)",
    "package": "from .tasks import *\n",
    "import": "from shop.api import send",
    "service block": "with boundary():",
    "view call": "send.delay(order.pk)",
    "workflow body": "return now()",
    "entry": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "worker": "worker = Worker(client, task_queue=QUEUE, workflows=[Order], activities=ACTIVITIES)\n",
}
"""Choices that make one file lean on as many others as can be."""
CHOICES = st.sampled_from([(slot, choice) for slot, choices in SLOTS.items() for choice in choices])
EDITS = st.lists(st.lists(CHOICES, min_size=1, max_size=3), min_size=1, max_size=8)


@pytest.mark.parametrize("aged", [True, False], ids=["aged", "just written"])
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(start=st.fixed_dictionaries({slot: st.sampled_from(choices) for slot, choices in SLOTS.items()}), edits=EDITS)
def test_a_warm_run_finds_what_a_cold_one_finds(
    folders: Iterator[Path], registry: Registry, aged: bool, start: dict[str, str], edits: list[list[tuple[str, str]]]
) -> None:
    checkout = Checkout(next(folders), registry, aged=aged)
    for edit in ([], *edits):
        start.update(edit)
        checkout.become(project(start))
        checkout.agree()
        checkout.agree("shop/service.py")


@pytest.mark.parametrize("aged", [True, False], ids=["aged", "just written"])
@pytest.mark.parametrize("slot", SLOTS)
def test_one_edit_after_the_other(folders: Iterator[Path], registry: Registry, aged: bool, slot: str) -> None:
    """Each single edit, so that none is left to luck."""
    checkout = Checkout(next(folders), registry, aged=aged)
    for choice in (SLOTS[slot][0], *SLOTS[slot]):
        checkout.become(project({**FIRST, **JOINED, slot: choice}))
        checkout.agree()


@pytest.mark.parametrize("slot", SLOTS)
def test_each_slot_counts(folders: Iterator[Path], registry: Registry, slot: str) -> None:
    """Edits on which nothing depends would prove nothing."""
    checkout = Checkout(next(folders), registry, aged=True)
    found = set()
    for choice in SLOTS[slot]:
        checkout.become(project({**FIRST, **JOINED, slot: choice}))
        found.add(tuple((one.code, one.path, one.message) for one in checkout.check(cache=False).findings))
    assert len(found) > 1
