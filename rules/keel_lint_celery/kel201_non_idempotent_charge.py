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
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.finding import Hop
from keel_lint.jobs.guards import Guards
from keel_lint.jobs.instances import made_name
from keel_lint.jobs.outside import followed, leads_to
from keel_lint.jobs.payments import WORDS, carries_key, is_careful, is_service, paying_verb, payment, pays_a_part
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call, Import
    from keel_lint.jobs.outside import Through
    from keel_lint.jobs.payments import Payment
    from keel_lint.jobs.tasks import Task
    from keel_lint.project import Project

_FRESH = re.compile(
    r"uuid\.uuid[14]|secrets\.\w+|random\.\w+|os\.urandom|time\.\w+|datetime\.datetime\.(?:now|utcnow)|.*timezone\.now"
)
_PAYING = re.compile(r"pay(?!load)|charge|refund|capture|transfer|sale|credit", re.IGNORECASE)
_KEY_WORD = re.compile(r"idempot", re.IGNORECASE)
_NAMES_PAYMENT = re.compile(r"(?:payment|charge|refund|payout|transfer|transaction|operation|request)_id|idempotency_key")


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
        self.charges = 0

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition, or the file that it leads to, speaks of money."""
        return any(_may_pay(glance, call) for call in glance.calls)

    @cached_property
    def _receivers(self) -> Receivers:
        return self.definition.once(Receivers)

    @cached_property
    def _guards(self) -> Guards:
        return Guards(self.definition, self._receivers.bindings)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may move money."""
        task = self.definition.task
        fact = self.definition.call_fact(node)
        if task is None or (fact is not None and not _may_pay(self.definition, fact)):
            return
        name = self._receivers.called(node)
        known = payment(name)
        if known is not None:
            self._judge_service(node, task, name or "", known)
        elif name in self.definition.jobs.charge_calls:
            self._judge_plain(node, task, "charge")
        elif not is_service(name) and (verb := self._verb(node)) is not None:
            self._judge_plain(node, task, verb)
        else:
            self._judge_followed(node, task)

    # -- payment services -------------------------------------------------------------------------------------------------

    def _judge_service(self, node: cst.Call, task: Task, name: str, known: Payment) -> None:
        given = self._given(node)
        if known.by_amount and not pays_a_part(given, len(node.args)):
            return None
        fresh = self._fresh_key(node)
        if (carries_key(given) or self._spreads_unknown(node)) and fresh is None:
            return self.decline(node, _HAS_KEY)
        if self._guards.guarded(node):
            return self.decline(node, _IS_GUARDED)
        shown = self.definition.code(node.func).partition("\n")[0]
        if fresh is not None:
            return self.report(node, _message_of_fresh(shown, task), fix=self._fix_of_fresh(node, task, fresh))
        instead = "pass an `idempotency_key` that every run of the message shares" if known.key else _LOOK_FIRST
        return self.report(node, self._message(shown, task, instead), fix=self._fix(node, task, name, known))

    def _given(self, node: cst.Call) -> str:
        """The arguments as source text, with what the variables among them hold."""
        names = {name.value: name for argument in node.args for name in descendants(argument) if isinstance(name, cst.Name)}
        texts = [self.definition.code(node.func), *(self.definition.code(argument) for argument in node.args)]
        for name in names.values():
            bound = self._receivers.bindings.reaching(name)
            texts += [self.definition.code(one.source) for one in bound if one.source is not None]
        texts += self._changes(frozenset(names))
        return " ".join(texts)

    def _changes(self, names: frozenset[str]) -> Iterator[str]:
        """`params["idempotency_key"] = ...` and `params.update(...)`, as source text."""
        for assign in self.definition.find_all(cst.Assign):
            target = assign.targets[0].target
            if isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name) and target.value.value in names:
                yield self.definition.code(assign)
        for call in self.definition.find_all(cst.Call):
            owner = call.func.value if isinstance(call.func, cst.Attribute) else None
            if isinstance(owner, cst.Name) and owner.value in names and _last(call) in {"update", "setdefault"}:
                yield self.definition.code(call)

    def _spreads_unknown(self, node: cst.Call) -> bool:
        """Whether a `**` may bring a key that cannot be seen."""
        spread = [argument.value for argument in node.args if argument.star == "**"]
        return any(not self._is_seen(value) for value in spread)

    def _is_seen(self, value: cst.BaseExpression) -> bool:
        if isinstance(value, cst.Name):
            bound = self._receivers.bindings.reaching(value)
            return bool(bound) and all(isinstance(one.source, (cst.Dict, cst.Call)) for one in bound)
        return isinstance(value, cst.Dict)

    def _fresh_key(self, node: cst.Call) -> cst.BaseExpression | None:
        """The idempotency key of a call, where each run makes a new one."""
        for value in self._keys(node):
            made = self._held(value)
            if any(isinstance(one, (cst.BooleanOperation, cst.IfExp)) for one in descendants(made)):
                continue
            calls = (one for one in descendants(made) if isinstance(one, cst.Call))
            if any(_FRESH.fullmatch(self.definition.called(call) or "") for call in calls):
                return value
        return None

    def _keys(self, node: cst.Call) -> Iterator[cst.BaseExpression]:
        for argument in node.args:
            if argument.keyword is not None and _KEY_WORD.search(argument.keyword.value):
                yield argument.value
            for one in descendants(self._held(argument.value)):
                if isinstance(one, cst.DictElement) and _KEY_WORD.search(self.definition.code(one.key)):
                    yield one.value

    def _held(self, value: cst.BaseExpression) -> cst.CSTNode:
        """What a variable holds, or the value itself."""
        bound = self._receivers.bindings.reaching(value) if isinstance(value, cst.Name) else []
        source = bound[0].source if len(bound) == 1 and bound[0].how == "value" else None
        return source if source is not None else value

    # -- plain calls ------------------------------------------------------------------------------------------------------

    def _verb(self, node: cst.Call) -> str | None:
        receiver = self.definition.code(node.func.value) if isinstance(node.func, cst.Attribute) else ""
        arguments = ", ".join(self.definition.code(argument) for argument in node.args)
        function = _last(node) if receiver else (self.definition.called(node) or _last(node)).rpartition(".")[2]
        return paying_verb(receiver, function, arguments)

    def _judge_plain(self, node: cst.Call, task: Task, verb: str) -> None:
        arguments = ", ".join(self.definition.code(argument) for argument in node.args)
        if carries_key(arguments, verb) or self._spreads_unknown(node):
            return self.decline(node, _HAS_KEY)
        if self._is_careful(node) or self._guards.guarded(node):
            return self.decline(node, _IS_GUARDED)
        shown = self.definition.code(node.func).partition("\n")[0]
        return self.report(node, self._message(shown, task, _LOOK_FIRST))

    def _is_careful(self, node: cst.Call) -> bool:
        """Whether a function of the project that is called looks first by itself."""
        symbol = self._symbol(node)
        if symbol is None:
            return False
        facts = self.definition.project.facts(symbol[0])
        body = facts.definitions[symbol[1]]
        return is_careful(self.definition.project.source(symbol[0]).slice(body.body_start, body.end))

    def _symbol(self, node: cst.Call) -> tuple[str, int] | None:
        """The function of the project that a call calls."""
        fact = self.definition.call_fact(node)
        if fact is None:
            return None
        symbol = self.definition.project.resolve(self.definition.path, fact.callee, fact.scope)
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        kind = self.definition.project.facts(symbol.path).definitions[symbol.definition].kind
        return (symbol.path, symbol.definition) if kind == "function" else None

    # -- through functions of the project ---------------------------------------------------------------------------------

    def _judge_followed(self, node: cst.Call, task: Task) -> None:
        target = self._symbol(node)
        if target is None or self._is_careful(node):
            return
        found = self._payment_in(*target)
        if found is None or carries_key(self.definition.code(node)) or self._guards.guarded(node):
            return
        name, hops = found
        instead = "pass an idempotency key down to it, or return before it when the money has moved"
        self.report(node, self._message(name, task, instead), hops=hops)

    def _payment_in(self, path: str, position: int) -> tuple[str, tuple[Hop, ...]] | None:
        """The first payment without a key that a function of the project makes, and the way to it."""
        project = self.definition.project
        for here, call, symbol, through in followed(project, path, position, WORDS):
            name = made_name(project, symbol)
            known = payment(name)
            text = project.source(here).slice(call.start, call.end)
            if known is None or carries_key(text) or "**" in text or (known.by_amount and not pays_a_part(text, 0)):
                continue
            if not any(self._is_careful_at(place, offset) for place, offset, _, _ in (*through, (here, call.start, 0, ""))):
                return name, self._hops((*through, (here, call.start, call.end, name)))
        return None

    def _is_careful_at(self, path: str, offset: int) -> bool:
        project = self.definition.project
        facts = project.facts(path)
        round_it = [one for one in facts.definitions if one.kind == "function" and one.start <= offset < one.end]
        return any(is_careful(project.source(path).slice(one.body_start, one.end)) for one in round_it)

    def _hops(self, through: Through) -> tuple[Hop, ...]:
        project = self.definition.project
        return tuple(
            Hop(project.absolute(path), project.source(path).span(start, end), f"`{name}` is called here")
            for path, start, end, name in through
        )

    # -- words and fixes --------------------------------------------------------------------------------------------------

    def _message(self, shown: str, task: Task, instead: str) -> str:
        again = f"`{shown}` moves the money again when `{task.definition.name}` runs again"
        return f"{again}, and {self._why(task)}; {instead}"

    def _why(self, task: Task) -> str:
        tasks = self.definition.jobs.tasks
        retries = tasks.option(task, "autoretry_for")
        if (retries is not None and retries.value not in ((), [], None)) or any(
            _last(call) == "retry" for call in self.definition.find_all(cst.Call)
        ):
            return "it retries"
        late = tasks.option(task, "acks_late")
        if late is not None and late.value is not False and late.value is not None:
            return "`acks_late` delivers a message again when its worker is lost"
        return "Celery can deliver a message twice"

    def _fix(self, node: cst.Call, task: Task, name: str, known: Payment) -> FixBuilder | None:
        key = self._stable_key(task, name)
        if key is None or not known.key or not self._is_alone(node):
            return None
        builder = self.definition.fix("Pass an idempotency key that stays the same from run to run", "unsafe")
        if known.key == "argument":
            builder.insert_argument(node, f"idempotency_key={key}")
            return builder
        plain = [argument for argument in node.args if argument.keyword is None]
        if len(plain) > 1 or any(argument.keyword and argument.keyword.value == "options" for argument in node.args):
            return None
        builder.insert_argument(node, f'options={{"idempotency_key": {key}}}')
        return builder

    def _fix_of_fresh(self, node: cst.Call, task: Task, fresh: cst.BaseExpression) -> FixBuilder | None:
        key = self._stable_key(task, "")
        if key is None or not task.is_bound or not self._is_alone(node):
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

    def _is_alone(self, node: cst.Call) -> bool:
        """Whether a call is made at most once in a run, and is the only payment: a key must not be used twice."""
        loops = (cst.For, cst.While, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp, cst.Lambda)
        if self.definition.nearest(node, *loops) is not None:
            return False
        paying = [one for one in self.definition.find_all(cst.Call) if payment(self._receivers.called(one)) is not None]
        return len(paying) == 1


_HAS_KEY = "an idempotency key is passed, or may be in what `**` spreads"
_IS_GUARDED = "the code looks first whether the money has moved already"
_LOOK_FIRST = "return before it when the money has moved, or hand on a key such as `payment_id`"


def _message_of_fresh(shown: str, task: Task) -> str:
    return (
        f"the idempotency key of `{shown}` is a new one each time `{task.definition.name}` runs, so a second run moves the "
        "money again; take a key that every run of the message shares, such as `self.request.id`"
    )


def _last(call: cst.Call) -> str:
    """The last part of the name of what a call calls."""
    func = call.func
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""


def _may_pay(where: Definition | Glance, call: Call) -> bool:
    """Whether the call's words, or the file that it leads to, speak of money: asked before the dear questions."""
    if where.jobs.charge_calls:
        return True
    head, _, rest = call.callee.partition(".")
    imports = [record for record in where.facts.imports if record.name == head]
    if any(_PAYING.search(name) for name in (head, rest, *(record.attribute for record in imports))):
        return True
    if not imports:
        return where.project.mentions(where.path, WORDS)
    leads = (leads_to(where.project, where.path, record, call.callee) for record in imports)
    return any(_speaks_of_money(where.project, record, module) for record, module in zip(imports, leads, strict=True))


def _speaks_of_money(project: Project, record: Import, module: str | None) -> bool:
    if module is None:
        return any(word.decode() in record.module for word in WORDS)
    return module.endswith("__init__.py") or project.mentions(module, WORDS)
