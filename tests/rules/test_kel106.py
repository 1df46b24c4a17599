"""KEL106: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

MODELS = """\
from django.contrib.auth.models import AbstractUser
from django.db import models

class Customer(AbstractUser):
    pass

class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    total = models.IntegerField()
"""
HEAD = """\
from functools import partial
from celery import group, shared_task
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from shop.models import Customer, Order

@shared_task
def send(*args, **kwargs):
    print(args, kwargs)

"""


def project(code: str, **more: str) -> dict[str, str]:
    """The files of a small shop with `code` in one of them."""
    return {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/a.py": HEAD + code, **more}


FLAGGED = {
    "get": "def f():\n    send.delay(Order.objects.get(pk=1))\n",
    "made": "def f():\n    order = Order(total=1)\n    order.save()\n    send.delay(order)\n",
    "get_or_create": "def f():\n    order, made = Order.objects.get_or_create(total=1)\n    send.delay(order)\n",
    "first of a filter": "def f():\n    order = Order.objects.filter(total=1).order_by('pk').first()\n    send.delay(order)\n",
    "own manager method": "def f():\n    order = Order.objects.open().filter(total=1).first()\n    send.delay(order)\n",
    "index": "def f():\n    send.delay(Order.objects.all()[0])\n",
    "loop": "def f():\n    for order in Order.objects.all():\n        send.delay(order)\n",
    "comprehension": "def f():\n    group(send.s(order) for order in Order.objects.all()).delay()\n",
    "annotation": "def f(order: Order):\n    send.delay(order)\n",
    "optional": "def f(order: 'Order | None'):\n    send.delay(order)\n",
    "list of": "def f(orders: list[Order]):\n    send.delay(orders)\n",
    "foreign key": "def f(order: Order):\n    send.delay(order.customer)\n",
    "both branches": (
        "def f(x):\n    if x:\n        o = Order.objects.get(pk=1)\n    else:\n        o = Order()\n    send.delay(o)\n"
    ),
    "none or": "def f(x):\n    o = None\n    if x:\n        o = Order.objects.get(pk=1)\n    send.delay(o)\n",
    "closure": "def f(order: Order):\n    transaction.on_commit(lambda: send.delay(order))\n",
    "default of a lambda": "def f(order: Order):\n    transaction.on_commit(lambda order=order: send.delay(order))\n",
    "partial": "def f(order: Order):\n    transaction.on_commit(partial(send.delay, order))\n",
    "args": "def f(order: Order):\n    send.apply_async(args=[1, order])\n",
    "positional args": "def f(order: Order):\n    send.apply_async((order,))\n",
    "kwargs": "def f(order: Order):\n    send.apply_async(kwargs={'order': order})\n",
    "dict call": "def f(order: Order):\n    send.apply_async(kwargs=dict(order=order))\n",
    "on_commit": "def f(order: Order):\n    send.delay_on_commit(order)\n",
    "send_task": "from celery import Celery\napp = Celery()\ndef f(order: Order):\n    app.send_task('x', [order])\n",
    "request": "def f(request: HttpRequest):\n    send.delay(request)\n",
    "request of a view": "def f(request):\n    if request.method == 'POST':\n        send.delay(request)\n",
    "user": "def f(request: HttpRequest):\n    send.delay(request.user)\n",
    "request of a class": (
        "from django.views import View\nclass V(View):\n    def post(self, *a):\n        send.delay(self.request)\n"
    ),
    "signal": (
        "from django.dispatch import receiver\nfrom django.db.models.signals import post_save\n"
        "@receiver(post_save, sender=Order)\ndef f(sender, instance, **kwargs):\n    send.delay(instance)\n"
    ),
    "list": "def f():\n    send.delay(list(Order.objects.all()))\n",
    "async": "async def f():\n    order = await Order.objects.aget(pk=1)\n    send.delay(order)\n",
    "shortcut": "def f(pk):\n    send.delay(get_object_or_404(Order, pk=pk))\n",
    "queryset annotation": "from django.db.models import QuerySet\ndef f(orders: QuerySet[Order]):\n    send.delay(orders)\n",
    "sliced": "def f():\n    send.delay(Order.objects.all()[:3])\n",
    "related": "def f(customer: Customer):\n    send.delay(customer.order_set.all())\n",
}


@pytest.mark.parametrize("code", FLAGGED.values(), ids=FLAGGED)
def test_flagged(lint: Lint, code: str) -> None:
    (finding,) = lint(project(code), "KEL106")
    assert "EncodeError" in finding.message


SILENT = {
    "pk": "def f(order: Order):\n    send.delay(order.pk, order.id, order.customer_id, order.customer.pk)\n",
    "field": "def f(order: Order):\n    send.delay(order.total)\n",
    "rebound": "def f(order: Order):\n    order = order.pk\n    send.delay(order)\n",
    "one branch": "def f(order: Order, x):\n    if x:\n        order = order.pk\n    send.delay(order)\n",
    "other branch": "def f(x):\n    if x:\n        o = Order()\n    else:\n        o = 1\n    send.delay(o)\n",
    "next round": "def f(xs):\n    o = Order()\n    for x in xs:\n        send.delay(o)\n        o = x\n",
    "values_list": "def f():\n    send.delay(Order.objects.values_list('pk', flat=True))\n",
    "first of values": "def f():\n    send.delay(Order.objects.values('pk').first())\n",
    "count": "def f():\n    send.delay(Order.objects.count(), Order.objects.filter(pk=1).exists())\n",
    "keys": "def f():\n    send.delay([order.pk for order in Order.objects.all()])\n",
    "another request": "def f(request):\n    send.delay(request)\n",
    "request of a task": "@shared_task(bind=True)\ndef f(self):\n    send.delay(self.request.id)\n",
    "self": "class A:\n    def f(self):\n        send.delay(self)\n",
    "unknown": "def f(order):\n    send.delay(order)\n",
    "option": "def f(order: Order):\n    send.apply_async((1,), link=order)\n",
    "call": "def f(order: Order):\n    send(order)\n",
    "shadowed": "def f(order: Order):\n    return [send.delay(order) for order in range(3)]\n",
    "not a task": "def f(order: Order, timer):\n    timer.delay(order)\n",
    "str": "def f(order: Order):\n    send.delay(str(order), f'{order}', repr(order))\n",
    "serializer of the call": "def f(order: Order):\n    send.apply_async((order,), serializer='own')\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent(lint: Lint, code: str) -> None:
    assert lint(project(code), "KEL106") == []


USE = "def f(order: Order):\n    send.delay(order)\n"


def test_pickle_means_a_stale_copy(lint: Lint) -> None:
    (finding,) = lint(project(USE, **{"settings.py": "CELERY_TASK_SERIALIZER = 'pickle'\n"}), "KEL106")
    assert "EncodeError" not in finding.message
    assert "overwrites newer changes" in finding.message


@pytest.mark.parametrize(
    "more",
    [
        {"settings.py": "CELERY_TASK_SERIALIZER = 'with_models'\n"},
        {"enc.py": "import celery\nfrom kombu.utils.json import register_type\nregister_type(object, 'o', 1, 2)\n"},
    ],
    ids=["custom serializer", "registered type"],
)
def test_own_encoding(lint: Lint, more: dict[str, str]) -> None:
    assert lint(project(USE, **more), "KEL106") == []


def test_model_that_encodes_itself(lint: Lint) -> None:
    files = project(USE)
    files["shop/models.py"] += "    def __json__(self):\n        return self.pk\n"
    assert lint(files, "KEL106") == []


def test_pydantic_task(lint: Lint) -> None:
    files = project(USE)
    files["shop/a.py"] = files["shop/a.py"].replace("@shared_task", "@shared_task(pydantic=True)")
    assert lint(files, "KEL106") == []


def test_sqlalchemy(lint: Lint) -> None:
    code = (
        "from celery import shared_task\nfrom sqlalchemy.orm import DeclarativeBase, mapped_column\n"
        "class Base(DeclarativeBase): ...\nclass Order(Base):\n    id = mapped_column()\n"
        "@shared_task\ndef send(order): ...\n"
        "def f(session):\n    send.delay(session.get(Order, 1))\n"
        "def g(session):\n    order = session.query(Order).filter_by(id=1).one()\n    send.delay(order)\n"
    )
    found = lint({"a.py": code}, "KEL106")
    assert [finding.span.row for finding in found] == [9, 12]
    assert "pass `order.id`" in found[1].message
    assert found[1].fix is None


def test_unknown_models_of_a_document(lint: Lint) -> None:
    found = lint({"a.py": "def f():\n    order = Order.objects.get(pk=1)\n    send_receipt.delay(order)\n"}, "KEL106")
    assert [finding.span.row for finding in found] == [3]


TASKS = """\
from celery import shared_task

@shared_task(bind=True)
def send(self, order: "Order", *, copy=False):
    \"\"\"Send it.\"\"\"
    print(order.total)
"""
VIEWS = """\
from functools import partial
from django.db import transaction
from shop.models import Order
from shop.tasks import send

def one(pk):
    order = Order.objects.get(pk=pk)
    send.delay(order, copy=True)

def many():
    for order in Order.objects.all():
        transaction.on_commit(partial(send.delay, order=order))
"""


def shop(tasks: str = TASKS, views: str = VIEWS, **more: str) -> dict[str, str]:
    """A shop whose task and dispatches stand in files of their own."""
    return {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/tasks.py": tasks, "shop/views.py": views, **more}


def fixed(finding: Finding) -> dict[str, str]:
    """All files that a fix changes, by name."""
    assert finding.fix is not None
    paths = {edit.path or finding.path for edit in finding.fix.edits}
    return {
        Path(path).name: Source.read(Path(path))
        .apply(
            [
                edit
                for edit in sorted(finding.fix.edits, key=lambda edit: edit.span.start)
                if (edit.path or finding.path) == path
            ]
        )
        .decode()
        for path in paths
    }


def test_fix_changes_the_task_and_all_dispatches(lint: Lint) -> None:
    found = lint(shop(), "KEL106")
    assert [finding.span.row for finding in found] == [8, 12]
    assert fixed(found[0]) == fixed(found[1])
    assert fixed(found[0]) == {
        "tasks.py": TASKS.replace('order: "Order"', "order_id: int").replace(
            "    print", "    from shop.models import Order\n    order = Order.objects.get(pk=order_id)\n    print"
        ),
        "views.py": VIEWS.replace("(order, copy", "(order.pk, copy").replace("order=order", "order_id=order.pk"),
    }
    assert lint({f"shop/{name}": text for name, text in fixed(found[0]).items()}, "KEL106") == []


def test_fix_uses_the_import_of_the_task(lint: Lint) -> None:
    found = lint(shop("from shop.models import Order\n" + TASKS), "KEL106")
    assert "\n    order = Order.objects.get(pk=order_id)\n" in fixed(found[0])["tasks.py"]
    assert "    from shop.models" not in fixed(found[0])["tasks.py"]


def test_fix_does_not_trust_an_import_for_type_checking(lint: Lint) -> None:
    head = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.models import Order\n"
    found = lint(shop(head + TASKS), "KEL106")
    assert fixed(found[0])["tasks.py"].count("from shop.models import Order") == 2


REFUSED = {
    "called": shop(more="from shop.tasks import send\nsend(1)\n"),
    "other argument": shop(views=f"{VIEWS}\ndef other():\n    send.delay(7)\n"),
    "other model": shop(views=f"from shop.models import Customer\n{VIEWS}\ndef other(c: Customer):\n    send.delay(c)\n"),
    "handed on": shop(views=f"{VIEWS}\ndef other(run):\n    run(send)\n"),
    "signature": shop(views=f"{VIEWS}\ndef other(order: Order):\n    return send.s(order)\n"),
    "unpacked": shop(views=f"{VIEWS}\ndef other(args):\n    send.delay(*args)\n"),
    "renamed": shop(extra="from shop.tasks import send as deliver\ndeliver.delay(1)\n"),
    "by name": shop(extra="import celery\nSCHEDULE = {'task': 'shop.tasks.send'}\n"),
    "name taken": shop(TASKS.replace("copy=False", "order_id=0")),
    "default": shop(TASKS.replace('"Order"', '"Order" = None')),
    "sends itself": shop(f"{TASKS}    self.apply_async((order,))\n"),
    "retries with arguments": shop(f"{TASKS}    self.retry(args=(order,))\n"),
    "one line": shop(
        "from celery import shared_task\n@shared_task(bind=True)\ndef send(self, order, copy=False): print(order)\n"
    ),
}


@pytest.mark.parametrize("files", REFUSED.values(), ids=REFUSED)
def test_fix_is_refused(lint: Lint, files: dict[str, str]) -> None:
    named = {name if name.endswith(".py") else f"shop/{name}.py": text for name, text in files.items()}
    found = [finding for finding in lint(named, "KEL106") if finding.path.endswith("views.py")]
    assert found
    assert all(finding.fix is None for finding in found)
