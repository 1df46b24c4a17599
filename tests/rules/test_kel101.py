"""KEL101: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

HEAD = """\
from functools import partial
from celery import chain, group, shared_task
from django.db import transaction
from django.db.transaction import atomic

@shared_task
def send(pk, **options):
    print(pk)

"""


def fixed(finding: Finding) -> str:
    """The file after the fix of a finding."""
    assert finding.fix is not None
    return Source.read(Path(finding.path)).apply(finding.fix.edits).decode()


FLAGGED = {
    "in try": "def f():\n    with atomic():\n        try:\n            send.delay(1)\n        finally:\n            pass\n",
    "bare atomic": "def f():\n    with transaction.atomic:\n        send.delay(1)\n",
    "signature": "def f():\n    with atomic():\n        send.s(1).delay()\n",
    "set": "def f():\n    with atomic():\n        send.s(1).set(queue='q').apply_async()\n",
    "canvas": "def f():\n    with atomic():\n        chain(send.si(1), send.si(2)).delay()\n",
    "comprehension": "def f():\n    with atomic():\n        [send.delay(pk) for pk in range(3)]\n",
    "two items": "def f():\n    with open('x') as x, atomic():\n        send.delay(1)\n",
    "nested with": "def f():\n    with atomic():\n        with open('x'):\n            send.delay(1)\n",
    "method": "class A:\n    @transaction.atomic\n    def f(self):\n        send.delay(1)\n",
    "nested function": "def f():\n    def g():\n        send.delay(1)\n    with atomic():\n        g()\n",
    "countdown": "@atomic(durable=True)\ndef f():\n    send.apply_async((1,), countdown=60)\n",
    "alias of atomic": "only = transaction.atomic\ndef f():\n    with only():\n        send.delay(1)\n",
    "dispatch": (
        "from django.utils.decorators import method_decorator\n"
        "@method_decorator(transaction.atomic, name='dispatch')\n"
        "class V:\n    def post(self, request):\n        send.delay(1)\n"
    ),
    "own decorator": (
        "def in_transaction(f):\n    def g(*args):\n        with atomic():\n            return f(*args)\n    return g\n"
        "@in_transaction\ndef h():\n    send.delay(1)\n"
    ),
    "own decorator with arguments": (
        "def traced(name):\n    def decorate(f):\n        @atomic\n        def g(*args):\n            return f(*args)\n"
        "        return g\n    return decorate\n"
        "@traced('x')\ndef h():\n    send.delay(1)\n"
    ),
    "context manager as decorator": (
        "from contextlib import contextmanager\n@contextmanager\ndef traced():\n    with atomic():\n        yield\n"
        "@traced()\ndef h():\n    send.delay(1)\n"
    ),
}


@pytest.mark.parametrize("code", FLAGGED.values(), ids=FLAGGED)
def test_flagged(lint: Lint, code: str) -> None:
    assert [finding.code for finding in lint({"a.py": HEAD + code}, "KEL101")] == ["KEL101"]


SILENT = {
    "after": "def f():\n    with atomic():\n        pass\n    send.delay(1)\n",
    "before": "def f():\n    send.delay(1)\n    with atomic():\n        pass\n",
    "lambda": "def f():\n    with atomic():\n        transaction.on_commit(lambda: send.delay(1))\n",
    "partial": "def f():\n    with atomic():\n        transaction.on_commit(partial(send.delay, 1))\n",
    "bound method": "def f():\n    with atomic():\n        transaction.on_commit(send.delay)\n",
    "nested function": (
        "def f():\n    with atomic():\n        def g():\n            send.delay(1)\n        transaction.on_commit(g)\n"
    ),
    "on_commit as decorator": (
        "def f():\n    with atomic():\n        @transaction.on_commit\n        def g():\n            send.delay(1)\n"
    ),
    "delay_on_commit": "@atomic\ndef f():\n    send.delay_on_commit(1)\n    send.apply_async_on_commit((1,))\n",
    "not a task": "def f(timer):\n    with atomic():\n        timer.delay(1)\n",
    "called": "def f():\n    with atomic():\n        send(1)\n",
    "async": "@atomic\nasync def f():\n    send.delay(1)\n",
    "replica": "def f():\n    with atomic(using='replica'):\n        send.delay(1)\n",
    "other block": "def f(lock):\n    with lock.atomic():\n        send.delay(1)\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL101") == []


BASE = """\
from celery import Task
from django.db import transaction

class OnCommit(Task):
    def {method}(self, *args, **kwargs):
        return transaction.on_commit(lambda: super(OnCommit, self).{method}(*args, **kwargs))
"""
USE = """\
from django.db.transaction import atomic
from tasks import send

@atomic
def f():
    send.delay(1)
    send.apply_async((1,))
    send.s(1).delay()
"""
TASKS = {
    "base=": "from celery import shared_task\nfrom base import OnCommit\n@shared_task(base=OnCommit)\ndef send(pk): ...\n",
    "task_cls=": (
        "from celery import Celery\nfrom base import OnCommit\napp = Celery(task_cls=OnCommit)\n@app.task\ndef send(pk): ...\n"
    ),
    "task_cls string": "from celery import Celery\napp = Celery(task_cls='base:OnCommit')\n@app.task\ndef send(pk): ...\n",
    "app.Task": (
        "import celery\nfrom base import OnCommit\napp = celery.Celery()\napp.Task = OnCommit\n@app.task\ndef send(pk): ...\n"
    ),
}


@pytest.mark.parametrize("tasks", TASKS.values(), ids=TASKS)
def test_base_class_that_defers(lint: Lint, tasks: str) -> None:
    """`delay` and signatures go through `apply_async`, not the other way round."""
    own_delay = lint({"base.py": BASE.format(method="delay"), "tasks.py": tasks, "use.py": USE}, "KEL101")
    assert [finding.span.row for finding in own_delay] == [7, 8]
    assert lint({"base.py": BASE.format(method="apply_async")}, "KEL101") == []


def test_base_class_that_does_not_defer(lint: Lint) -> None:
    base = BASE.format(method="delay").replace("transaction.on_commit(lambda: ", "(").replace("delay(*args", "delay(*args")
    tasks = TASKS["base="]
    found = lint({"base.py": base, "tasks.py": tasks, "use.py": USE}, "KEL101")
    assert [finding.span.row for finding in found] == [6, 7, 8]
    assert "transaction.on_commit(partial(send.delay, 1))" in fixed(found[0])


def test_seed(lint: Lint) -> None:
    """Code from a document, where nothing is imported."""
    code = (
        "# BAD: Task might run before transaction commits\n@transaction.atomic\ndef create_order(request):\n"
        "    order = Order.objects.create(...)\n    process_order.delay(order.id)  # Might fail: order not yet committed!\n\n"
        "# GOOD: Task runs after transaction commits\n@transaction.atomic\ndef create_order(request):\n"
        "    order = Order.objects.create(...)\n    process_order.delay_on_commit(order.id)  # Safe!\n"
    )
    (finding,) = lint({"a.py": code}, "KEL101")
    assert finding.span.row == 5
    assert "DoesNotExist" in finding.message
    assert fixed(finding).count("process_order.delay_on_commit(order.id)") == 2


FIXES = {
    "default": ("atomic()", "send.delay(1)", "send.delay_on_commit(1)"),
    "apply_async": ("atomic()", "send.apply_async((1,), countdown=3)", "send.apply_async_on_commit((1,), countdown=3)"),
    "default alias": ("atomic(using='default')", "send.delay(1)", "send.delay_on_commit(1)"),
    "alias": ("atomic('b')", "send.delay(1)", "transaction.on_commit(partial(send.delay, 1), using='b')"),
    "no arguments": ("atomic(using='b')", "send.delay()", "transaction.on_commit(send.delay, using='b')"),
    "signature": ("atomic()", "send.s(1).delay()", "transaction.on_commit(send.s(1).delay)"),
    "lines": (
        "atomic(using='b')",
        "send.delay(\n            1,  # one\n        )",
        "transaction.on_commit(partial(\n            send.delay,\n            1,  # one\n        ), using='b')",
    ),
}


@pytest.mark.parametrize(("block", "before", "after"), FIXES.values(), ids=FIXES)
def test_fix(lint: Lint, block: str, before: str, after: str) -> None:
    (finding,) = lint({"a.py": f"{HEAD}def f():\n    with {block}:\n        {before}\n"}, "KEL101")
    assert fixed(finding) == f"{HEAD}def f():\n    with {block}:\n        {after}\n"


def test_fix_for_old_celery(lint: Lint) -> None:
    code = f"{HEAD}@atomic\ndef f():\n    send.delay(1)\n"
    (finding,) = lint({"a.py": code, "requirements.txt": "celery==5.3.6\n"}, "KEL101")
    assert "transaction.on_commit(partial(send.delay, 1))" in fixed(finding)


@pytest.mark.parametrize("line", ["result = send.delay(1)", "return send.delay(1)", "print(send.delay(1).id)"])
def test_no_fix_where_the_result_is_used(lint: Lint, line: str) -> None:
    (finding,) = lint({"a.py": f"{HEAD}@atomic\ndef f():\n    {line}\n"}, "KEL101")
    assert finding.fix is None


def test_path(lint: Lint) -> None:
    """The hops lead from where the transaction is opened, through the project's context manager, to the call."""
    tracing = "from contextlib import contextmanager\nfrom django.db.transaction import atomic\n"
    tracing += "@contextmanager\ndef traced(name):\n    with atomic(using='b'):\n        yield\n"
    code = (
        f"{HEAD}from tracing import traced\ndef f():\n    def g():\n        send.delay(1)\n    with traced('x'):\n        g()\n"
    )
    (finding,) = lint({"a.py": code, "tracing.py": tracing}, "KEL101")
    assert [(Path(hop.path).name, hop.what) for hop in finding.hops] == [
        ("tracing.py", "`atomic` opens a transaction"),
        ("a.py", "enters `traced`"),
        ("a.py", "calls `g`"),
    ]
    assert "using='b'" in fixed(finding)


# -- what opens a transaction elsewhere -------------------------------------------------------------------------------------

SETTINGS = "DATABASES = {'default': {'ENGINE': 'x', 'ATOMIC_REQUESTS': True}}\n"
MODEL = "from django.db import models\n\nclass Order(models.Model):\n    total = models.IntegerField()\n"
VIEWS = (
    "from django.http import HttpRequest\nfrom django.views import View\n"
    "from rest_framework.decorators import action, api_view\n"
    "from rest_framework.viewsets import ModelViewSet\nfrom shop.models import Order\n"
)

OPENED = {
    "dispatch of a view": (
        "class Base(View):\n    @transaction.atomic\n"
        "    def dispatch(self, request):\n        return super().dispatch(request)\n"
        "class Pay(Base):\n    def post(self, request):\n        send.delay(1)\n"
    ),
    "block in dispatch": (
        "class Pay(View):\n    def dispatch(self, request):\n"
        "        with atomic():\n            return super().dispatch(request)\n"
        "    def post(self, request):\n        send.delay(1)\n"
    ),
    "caller of a caller": "def a():\n    send.delay(1)\ndef b():\n    a()\n@atomic\ndef c():\n    b()\n",
    "recursion": (
        "def a(n):\n    if n:\n        b(n - 1)\n    send.delay(1)\ndef b(n):\n    a(n)\n@atomic\ndef c():\n    b(3)\n"
    ),
    "method of the base": (
        "class A:\n    @atomic\n    def run(self):\n        self.step()\n"
        "class B(A):\n    def step(self):\n        send.delay(1)\n"
    ),
    "save of a model": (
        "class Paid(Order):\n    def save(self, *args):\n        super().save(*args)\n        send.delay(self.pk)\n"
        "def f():\n    with atomic():\n        Paid(total=1).save()\n"
    ),
    "get_or_create": (
        "class Paid(Order):\n    def save(self, *args):\n        send.delay(self.pk)\n"
        "def f():\n    Paid.objects.get_or_create(total=1)\n"
    ),
    "map": "def a(x):\n    send.delay(x)\n@atomic\ndef f():\n    list(map(a, [1]))\n",
    "on_commit of another database": (
        "def f():\n    with atomic(using='other'):\n        transaction.on_commit(lambda: send.delay(1))\n"
    ),
    "its own block in a task": "@shared_task\ndef work():\n    with atomic():\n        send.delay(1)\n",
}


@pytest.mark.parametrize("code", OPENED.values(), ids=OPENED)
def test_flagged_through_what_opens_the_transaction(lint: Lint, code: str) -> None:
    findings = lint({"shop/__init__.py": "", "shop/models.py": MODEL, "shop/views.py": VIEWS + HEAD + code}, "KEL101")
    assert [one.code for one in findings] == ["KEL101"]
    assert findings[0].hops


NOT_OPENED = {
    "another class": (
        "class A:\n    @atomic\n    def run(self):\n        self.step()\n    def step(self):\n        pass\n"
        "class B(A):\n    def run(self):\n        self.step()\n    def step(self):\n        send.delay(1)\n"
    ),
    "sibling": (
        "class A:\n    def go(self):\n        self.step()\nclass B(A):\n    @atomic\n    def run(self):\n        self.go()\n"
        "    def step(self):\n        pass\nclass C(A):\n    def step(self):\n        send.delay(1)\n"
    ),
    "dispatched": (
        "@shared_task\ndef work():\n    send.delay(1)\n@atomic\ndef f():\n    transaction.on_commit(lambda: work.delay())\n"
    ),
    "thread": "def a():\n    send.delay(1)\n@atomic\ndef f(pool):\n    pool.submit(a)\n",
    "never called": "def f():\n    def inner():\n        send.delay(1)\n    with atomic():\n        return inner\n",
    "create alone": (
        "class Paid(Order):\n    def save(self, *args):\n"
        "        send.delay(self.pk)\ndef f():\n    Paid.objects.create(total=1)\n"
    ),
    "durable, then committed": (
        "def a():\n    with atomic(durable=True):\n        pass\n    send.delay(1)\ndef f():\n    a()\n"
    ),
    "the other arm": "def a(now):\n    if now:\n        return\n    send.delay(1)\n@atomic\ndef f():\n    a(now=True)\n",
}


@pytest.mark.parametrize("code", NOT_OPENED.values(), ids=NOT_OPENED)
def test_silent_where_no_transaction_leads_to_it(lint: Lint, code: str) -> None:
    assert lint({"shop/__init__.py": "", "shop/models.py": MODEL, "shop/views.py": VIEWS + HEAD + code}, "KEL101") == []


IN_REQUESTS = {
    "view class": ("class Pay(View):\n    def post(self, request):\n        Order().save()\n        send.delay(1)\n", 1),
    "action": (
        "class Pay(ModelViewSet):\n    @action(detail=True)\n    def pay(self, request):\n"
        "        Order().save()\n        send.delay(1)\n",
        1,
    ),
    "decorated": ("@api_view(['POST'])\ndef pay(request):\n    Order().save()\n    send.delay(1)\n", 1),
    "routed": ("def pay(request):\n    Order().save()\n    send.delay(1)\n", 1),
    "writes nothing": ("class Pay(View):\n    def post(self, request):\n        send.delay(1)\n", 0),
    "not atomic": ("@transaction.non_atomic_requests\ndef pay(request):\n    Order().save()\n    send.delay(1)\n", 0),
    "async": ("async def pay(request):\n    Order().save()\n    send.delay(1)\n", 0),
    "command": ("class Command:\n    def handle(self):\n        Order().save()\n        send.delay(1)\n", 0),
}


@pytest.mark.parametrize(("code", "count"), IN_REQUESTS.values(), ids=IN_REQUESTS)
@pytest.mark.parametrize("settings", [SETTINGS, SETTINGS.replace("True", "False"), "ATOMIC_REQUESTS = True\n"])
def test_requests_count_where_the_settings_make_them_atomic(lint: Lint, code: str, count: int, settings: str) -> None:
    routes = "from django.urls import path\nfrom shop import views\nurlpatterns = [path('pay', views.pay)]\n"
    files = {"shop/__init__.py": "", "shop/models.py": MODEL, "shop/urls.py": routes, "shop/settings.py": settings}
    findings = lint({**files, "shop/views.py": VIEWS + HEAD + code}, "KEL101")
    assert len(findings) == (count if settings is SETTINGS else 0)
