"""KEL201: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """\
import secrets, uuid
import braintree, razorpay, stripe
from Adyen import Adyen
from celery import Task, shared_task
from mollie.api.client import Client
from square import Square
from stripe import StripeClient
from shop.billing import charge, gateway, ledger, refund
from shop.models import Order, Payment, User

client = StripeClient("x")

"""

FLAGGED = {
    "create": "@shared_task\ndef f(a):\n    stripe.Charge.create(amount=a)\n",
    "async": "@shared_task\nasync def f(a):\n    await stripe.PaymentIntent.create_async(amount=a)\n",
    "client": "@shared_task\ndef f(a):\n    client.payment_intents.create(params={'amount': a})\n",
    "local client": "@shared_task\ndef f(a):\n    c = StripeClient('x')\n    c.v1.transfers.create({'amount': a})\n",
    "part of a refund": "@shared_task\ndef f(c, a):\n    stripe.Refund.create(charge=c, amount=a)\n",
    "braintree": "@shared_task\ndef f(a):\n    g = braintree.BraintreeGateway()\n    g.transaction.sale({'amount': a})\n",
    "adyen": "@shared_task\ndef f(r):\n    Adyen().checkout.payments_api.payments(request=r)\n",
    "razorpay": "@shared_task\ndef f(p, a):\n    razorpay.Client().payment.refund(p, {'amount': a})\n",
    "mollie": "@shared_task\ndef f(a):\n    Client().payments.create({'amount': a})\n",
    "class": "class Pay(Task):\n    def run(self, a):\n        stripe.Charge.create(amount=a)\n",
    "method": "@shared_task\ndef f(user, a):\n    gateway.charge(user, a)\n",
    "refund": "@shared_task\ndef f(order_id):\n    refund(order_id)\n",
    "capture": "@shared_task\ndef f(order_id, amount):\n    gateway.capture(order_id, amount)\n",
    "transfer": "@shared_task\ndef f(a, b, amount):\n    ledger.transfer(a, b, amount)\n",
    "validation": "@shared_task\ndef f(u, a):\n    if a <= 0:\n        return\n    charge(u, a)\n",
    "flag": (
        "from django.conf import settings\n@shared_task\ndef f(u, a):\n    if settings.OFF:\n        return\n    charge(u, a)\n"
    ),
    "only that it exists": (
        "@shared_task\ndef f(i, a):\n    user = User.objects.filter(pk=i).first()\n    if user is None:\n"
        "        return\n    charge(user, a)\n"
    ),
    "not found": (
        "@shared_task\ndef f(i, a):\n    try:\n        user = User.objects.get(pk=i)\n"
        "    except User.DoesNotExist:\n        return\n"
        "    charge(user, a)\n"
    ),
    "beside the point": (
        "@shared_task\ndef f(i, a):\n    user = User.objects.get(pk=i)\n    if not user.is_active:\n"
        "        return\n    charge(user, a)\n"
    ),
    "check afterwards": (
        "@shared_task\ndef f(i, a):\n    charge(i, a)\n    if Payment.objects.filter(user=i).exists():\n        return\n"
    ),
    "fresh key": "@shared_task\ndef f(a):\n    stripe.Charge.create(amount=a, idempotency_key=str(uuid.uuid4()))\n",
    "fresh part of a key": "@shared_task\ndef f(o):\n    stripe.Charge.create(idempotency_key=f'{o}-{secrets.token_hex()}')\n",
    "fresh mandatory key": (
        "@shared_task\ndef f(a):\n    Square().payments.create(idempotency_key=uuid.uuid4().hex, amount=a)\n"
    ),
}


@pytest.mark.parametrize("code", FLAGGED.values(), ids=FLAGGED)
def test_flagged(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL201")
    assert "again" in finding.message


SILENT = {
    "no task": "def f(a):\n    stripe.Charge.create(amount=a)\n",
    "refused the second time": (
        "@shared_task\ndef f(i):\n    stripe.PaymentIntent.capture(i)\n    stripe.Refund.create(charge=i)\n"
    ),
    "key in a variable": "@shared_task\ndef f(o):\n    params = {'idempotency_key': o}\n    stripe.Charge.create(**params)\n",
    "key put in": ("@shared_task\ndef f(o):\n    p = {}\n    p['idempotency_key'] = o\n    client.charges.create({}, p)\n"),
    "unknown arguments": "@shared_task\ndef f(**kwargs):\n    stripe.Charge.create(**kwargs)\n",
    "key kept": "@shared_task\ndef f(p):\n    stripe.Charge.create(idempotency_key=p.key or str(uuid.uuid4()))\n",
    "mandatory key": "@shared_task\ndef f(o):\n    Square().payments.create(idempotency_key=o)\n",
    "test round it": (
        "@shared_task\ndef f(i):\n    order = Order.objects.get(pk=i)\n    if order.status == 'new':\n"
        "        charge(i, order.total)\n"
    ),
    "created": (
        "@shared_task\ndef f(i, a):\n    _, created = Payment.objects.get_or_create(order=i)\n"
        "    if not created:\n        return\n"
        "    charge(i, a)\n"
    ),
    "what is found has a state": (
        "@shared_task\ndef f(i):\n    try:\n        order = Order.objects.get(pk=i, paid=False)\n"
        "    except Order.DoesNotExist:\n"
        "        return\n    charge(order, 1)\n"
    ),
    "found before": (
        "@shared_task\ndef f(i, a):\n    done = Payment.objects.filter(order_id=i).first()\n    if done:\n"
        "        return\n    charge(i, a)\n"
    ),
    "assert": "@shared_task\ndef f(i, a):\n    assert not Payment.objects.filter(order=i).exists()\n    charge(i, a)\n",
    "claim": "@shared_task\ndef f(i, a):\n    claim_payment(i)\n    charge(i, a)\n",
    "decorator": "@shared_task\n@idempotent\ndef f(i, a):\n    charge(i, a)\n",
    "cache": "@shared_task\ndef f(i, a):\n    if not cache.add(i, 1):\n        return\n    charge(i, a)\n",
    "loop over what is open": (
        "@shared_task\ndef f():\n    rows = Order.objects.filter(paid=False)\n    for o in rows:\n        charge(o, 1)\n"
    ),
    "other captures": (
        "import sentry_sdk\n@shared_task\ndef f(e):\n    sentry_sdk.capture_exception(e)\n    camera.capture(e)\n"
        "    sftp.transfer(e)\n"
    ),
    "battery": "@shared_task\ndef f(e):\n    battery.charge()\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL201") == []


FIXES = {
    "bound": (
        "@shared_task(bind=True)\ndef f(task, a):\n    stripe.Charge.create(amount=a)\n",
        [", idempotency_key=task.request.id"],
    ),
    "client": (
        "@shared_task(bind=True)\ndef f(self, a):\n    client.charges.create({'amount': a})\n",
        [', options={"idempotency_key": self.request.id}'],
    ),
    "parameter": (
        "@shared_task\ndef f(payment_id, a):\n    stripe.Charge.create(amount=a)\n",
        [', idempotency_key=f"charge-{payment_id}"'],
    ),
    "fresh": (
        "@shared_task(bind=True)\ndef f(self, a):\n    stripe.Charge.create(amount=a, idempotency_key=str(uuid.uuid4()))\n",
        ["self.request.id"],
    ),
    "nothing to name it by": ("@shared_task\ndef f(order_id):\n    stripe.Charge.create(amount=1)\n", None),
    "loop": ("@shared_task(bind=True)\ndef f(self, x):\n    for a in x:\n        stripe.Charge.create(amount=a)\n", None),
    "no key to give": ("@shared_task(bind=True)\ndef f(self, a):\n    braintree.Transaction.sale({'amount': a})\n", None),
}


@pytest.mark.parametrize(("code", "expected"), FIXES.values(), ids=FIXES)
def test_fix(lint: Lint, code: str, expected: list[str] | None) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL201")
    assert ([edit.content for edit in finding.fix.edits] if finding.fix else None) == expected


def test_the_guard_in_a_called_function_counts(lint: Lint) -> None:
    billing = "import stripe\ndef bill(order):\n    if order.paid:\n        return\n    stripe.Charge.create(amount=1)\n"
    task = "from celery import shared_task\nfrom billing import bill\n@shared_task\ndef f(order):\n    bill(order)\n"
    assert lint({"billing.py": billing, "tasks.py": task}, "KEL201") == []


def test_the_path_to_a_payment_is_shown(lint: Lint) -> None:
    billing = "import stripe\ndef pay(a):\n    stripe.Charge.create(amount=a)\ndef bill(a):\n    pay(a)\n"
    task = "from celery import shared_task\nfrom billing import bill\n@shared_task\ndef f(a):\n    bill(a)\n"
    (finding,) = lint({"billing.py": billing, "tasks.py": task}, "KEL201")
    assert finding.span.row == 5
    assert [hop.span.row for hop in finding.hops] == [5, 3]


@pytest.mark.parametrize(
    ("decorator", "words"),
    [
        ("@shared_task(autoretry_for=(OSError,))", "it retries"),
        ("@shared_task(acks_late=True)", "`acks_late`"),
        ("@shared_task", "twice"),
    ],
)
def test_the_message_says_why_it_runs_again(lint: Lint, decorator: str, words: str) -> None:
    (finding,) = lint({"a.py": f"{HEAD}{decorator}\ndef f(u, a):\n    charge(u, a)\n"}, "KEL201")
    assert words in finding.message
