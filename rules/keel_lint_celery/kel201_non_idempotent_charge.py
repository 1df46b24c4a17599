"""A task moves money, and nothing keeps its second run from moving it again

## What it does
Finds calls in tasks that charge, refund, pay out or transfer: those of Stripe, Braintree, Adyen, PayPal, Square, Razorpay and
Mollie, functions and methods called `charge`, `refund`, `capture`, `payout` or `transfer` on something that pays, and the
functions listed in `charge-calls`. A finding means that the call has no idempotency key that stays the same from run to run,
and that nothing before it looks up whether the money has moved already. Calls behind functions of the project are followed;
the path says how the task gets there.

## Why is this bad?
Every task can run twice. A retry runs it from the top, after whatever it has done. With `acks_late` a message comes again when
its worker is lost or, with Redis and SQS, when the task takes longer than the visibility timeout. A client that loses the
broker while it publishes sends the message again. The second run charges the customer a second time, and the task is a
`SUCCESS`.

## Example
### A plain charge
```python
from celery import shared_task

from shop.billing import charge


@shared_task
def charge_user(user_id, amount):
    charge(user_id, amount)  # KEL201
```

### A retry charges again
```python
import stripe
from celery import shared_task

from shop.mail import send_receipt


@shared_task(bind=True, autoretry_for=(ConnectionError,), retry_backoff=True)
def charge_order(self, customer, amount):
    stripe.PaymentIntent.create(  # KEL201
        amount=amount,
        currency="eur",
        customer=customer,
        confirm=True,
    )
    send_receipt(customer, amount)
```

### A key that is new in every run
```python
import uuid

from celery import shared_task
from stripe import StripeClient

client = StripeClient("sk_test")


@shared_task(bind=True, acks_late=True)
def pay_out(self, seller, amount):
    key = str(uuid.uuid4())
    client.payouts.create({"amount": amount, "destination": seller}, {"idempotency_key": key})  # KEL201
```

### Behind a function of the project
```python title="shop/billing.py"
import stripe


def bill(customer, amount):
    return stripe.Charge.create(customer=customer, amount=amount, currency="eur")
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.billing import bill


@shared_task
def bill_customer(customer, amount):
    bill(customer, amount)  # KEL201
```

## Use instead
### Look first
```python
from celery import shared_task

from shop.billing import already_charged, charge


@shared_task
def charge_user(user_id, amount, payment_id):
    if already_charged(payment_id):
        return
    charge(user_id, amount, payment_id)
```

### An idempotency key
`self.request.id` is the same for every run of one message, retries and redeliveries included.
```python
import stripe
from celery import shared_task


@shared_task(bind=True, autoretry_for=(ConnectionError,), retry_backoff=True)
def charge_order(self, customer, amount):
    stripe.Charge.create(
        amount=amount,
        currency="eur",
        customer=customer,
        idempotency_key=self.request.id,
    )
```

### A locked row that says what has been done
```python
import stripe
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def charge_order(order_id):
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status != "pending":
            return
        stripe.Charge.create(amount=order.total, currency="eur", customer=order.customer)
        order.status = "charged"
        order.save()
```

### A row that can only be made once
```python
from celery import shared_task
from django.db import IntegrityError

from shop.gateways import gateway
from shop.models import Payment


@shared_task
def charge_order(order_id, amount, payment_id):
    try:
        Payment.objects.create(payment_id=payment_id)
    except IntegrityError:
        return
    gateway.charge(order_id, amount)
```

### Only what is still due
```python
import stripe
from celery import shared_task

from shop.models import Invoice


@shared_task
def charge_due_invoices():
    for invoice in Invoice.objects.filter(paid=False):
        stripe.Charge.create(amount=invoice.total, currency="eur", customer=invoice.customer)
        invoice.mark_paid()
```

## Fix safety
Unsafe. There is a fix where the service takes an idempotency key (Stripe, Adyen, Square, Mollie), the call stands in no loop
and is the only one of its task. In a bound task the key is `self.request.id`; in any other it is a parameter that names the
payment (`payment_id`, `transaction_id`, ...), and without one there is no fix. The key protects against a second run of the
same message, not against a second `delay()` for the same payment, and services forget keys after a while (Stripe after 24
hours at the earliest).

## Known missed alarms
Payments under names of the project's own that are not in `charge-calls`, requests to the HTTP API of a service without its
client, a check whose answer has nothing to do with the payment, and a check that two workers pass at the same time. Calls that
a service refuses the second time are left alone: capturing or confirming a payment, refunding the whole of it.

## Options
- `charge-calls`: dotted names of the project's functions that move money, as in `["shop.billing.settle"]`.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
- https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#visibility-timeout
- https://docs.stripe.com/api/idempotent_requests
- https://docs.adyen.com/development-resources/api-idempotency
- https://developer.squareup.com/docs/build-basics/common-api-patterns/idempotency
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.charges import Charges, last, may_pay
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.charges import Charge
    from keel_lint.jobs.tasks import Task

_NAMES_PAYMENT = re.compile(r"(?:payment|charge|refund|payout|transfer|transaction|operation|request)_id|idempotency_key")
_PASS_DOWN = "pass an idempotency key down to it, or return before it when the money has moved"


class NonIdempotentCharge(Rule):
    """Finds payments in tasks that a second run makes again."""

    code = "KEL201"
    slug = "non-idempotent-charge"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task", "task-class")
    proof = "celery"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._charges = Charges(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition, or the file that it leads to, speaks of money."""
        return any(may_pay(glance, call) for call in glance.calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may move money."""
        task = self.definition.task
        found = self._charges.judge(node) if task is not None else None
        if task is None or found is None:
            return None
        if isinstance(found, str):
            return self.decline(node, found)
        if found.fresh is not None:
            fix = self._fix_of_fresh(node, task, found.fresh)
            return self.report(node, _message_of_fresh(found.shown, task), fix=fix)
        instead = "pass an `idempotency_key` that every run of the message shares" if found.key else _LOOK_FIRST
        message = self._message(found.shown, task, _PASS_DOWN if found.hops else instead)
        return self.report(node, message, fix=self._fix(node, task, found), hops=found.hops)

    def _message(self, shown: str, task: Task, instead: str) -> str:
        again = f"`{shown}` moves the money again when `{task.definition.name}` runs again"
        return f"{again}, and {self._why(task)}; {instead}"

    def _why(self, task: Task) -> str:
        tasks = self.definition.jobs.tasks
        retries = tasks.option(task, "autoretry_for")
        if (retries is not None and retries.value not in ((), [], None)) or any(
            last(call) == "retry" for call in self.definition.find_all(cst.Call)
        ):
            return "it retries"
        late = tasks.option(task, "acks_late")
        if late is not None and late.value is not False and late.value is not None:
            return "`acks_late` delivers a message again when its worker is lost"
        return "Celery can deliver a message twice"

    def _fix(self, node: cst.Call, task: Task, found: Charge) -> FixBuilder | None:
        key = self._stable_key(task, found.service)
        return self._charges.with_key(node, found, key) if key is not None else None

    def _fix_of_fresh(self, node: cst.Call, task: Task, fresh: cst.BaseExpression) -> FixBuilder | None:
        key = self._stable_key(task, "")
        if key is None or not task.is_bound or not self._charges.is_alone(node):
            return None
        builder = self.definition.fix("Use the task's id, which stays the same from run to run", "unsafe")
        builder.replace(fresh, key)
        return builder

    def _stable_key(self, task: Task, name: str) -> str | None:
        """An expression that has the same value in every run of a message."""
        parameters = task.definition.parameters
        if task.is_bound and parameters:
            return f"{parameters[0].name}.request.id"
        if not isinstance(self.definition.node, cst.FunctionDef):
            return None
        named = next((one.name for one in parameters if _NAMES_PAYMENT.fullmatch(one.name)), None)
        what = name.rpartition(".")[0].rpartition(".")[2].lower()
        return f'f"{what}-{{{named}}}"' if named is not None else None


_LOOK_FIRST = "return before it when the money has moved, or hand on a key such as `payment_id`"


def _message_of_fresh(shown: str, task: Task) -> str:
    return (
        f"the idempotency key of `{shown}` is a new one each time `{task.definition.name}` runs, so a second run moves the "
        "money again; take a key that every run of the message shares, such as `self.request.id`"
    )
