"""An activity moves money, and a second attempt moves it again.

## What it does

Reports calls in activities, and in functions of the project that they call, that charge, capture, refund, pay out or transfer,
without an idempotency key and without a look at what has been done before. Payment services are known by their clients (Stripe,
Braintree, Adyen, PayPal, Square, Razorpay, Mollie); other functions by their names and arguments, and by the setting
`charge-calls`. Activities that are only ever called with `maximum_attempts=1` are left alone.

## Why is this bad?

An activity is run *at least* once. When the worker dies after the payment service has answered, when the answer comes after
`start_to_close_timeout`, or when a line behind the charge raises, the server starts another attempt, and the default is to go
on for ever. Without a key the payment service cannot know that it has been asked before: the customer is charged for each
attempt.

## Example

```python
import stripe
from temporalio import activity


@activity.defn
async def charge(order_id: str, amount: int) -> str:
    intent = await stripe.PaymentIntent.create_async(amount=amount, currency="eur")  # KEL603
    return intent.id
```

### A service that is known by its words only

```python
from temporalio import activity

from shop.bank import gateway


@activity.defn
def pay_out(seller: str, amount: int) -> None:
    gateway.payout(seller, amount)  # KEL603
```

## Use instead

### A key that all attempts share

```python
import stripe
from temporalio import activity


@activity.defn
async def charge(order_id: str, amount: int) -> str:
    info = activity.info()
    key = f"{info.workflow_run_id}-{info.activity_id}"
    intent = await stripe.PaymentIntent.create_async(amount=amount, currency="eur", idempotency_key=key)
    return intent.id
```

### Look first

```python
import stripe
from shop.models import Payment
from temporalio import activity


@activity.defn
async def charge(order_id: str, amount: int) -> None:
    payment = await Payment.objects.aget(order_id=order_id)
    if payment.is_done:
        return
    await stripe.PaymentIntent.create_async(amount=amount, currency="eur")
```

### One attempt, and the workflow decides

```python
from datetime import timedelta

import stripe
from temporalio import activity, workflow
from temporalio.common import RetryPolicy


@activity.defn
async def charge(order_id: str, amount: int) -> None:
    await stripe.PaymentIntent.create_async(amount=amount, currency="eur")


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(
            charge,
            args=[order_id, 5],
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
```

## Fix safety

Unsafe: the key is made of the run and the activity, `f"{activity.info().workflow_run_id}-{activity.info().activity_id}"`. All
attempts share it; a workflow that runs the activity once more for the same order has another one.

## Known missed alarms

Payments that are made in a way that cannot be followed, services whose clients are not known under names that say nothing, and
guards that look at the wrong thing.

## Options

- `charge-calls`: the functions of the project that move money, by dotted name.

## References

- https://docs.temporal.io/activity-definition#idempotency
- https://docs.stripe.com/api/idempotent_requests
- https://docs.temporal.io/encyclopedia/retry-policies
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.jobs.charges import Charges, may_pay
from keel_lint.rule import Rule
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.charges import Charge

_ONCE = re.compile(r"\bmaximum_attempts\s*=\s*1\b")
_LOOK_FIRST = "return before it when the money has moved, or hand on a key such as `payment_id`"


class NonIdempotentChargeActivity(Rule):
    code = "KEL603"
    slug = "non-idempotent-charge-activity"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity",)
    proof = "worker"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.charges = Charges(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition, or the file that it leads to, speaks of money."""
        return any(may_pay(glance, call) for call in glance.calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may move money."""
        activity = self.activity(node)
        found = self.charges.judge(node) if activity is not None else None
        if activity is None or found is None:
            return None
        if isinstance(found, str):
            return self.decline(node, found)
        if self.is_tried_once(activity.name.value):
            return self.decline(node, "every call of the activity allows one attempt only")
        return self.report(node, self.message(activity.name.value, found), fix=self.fixed(node, found), hops=found.hops)

    def activity(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The activity in which a node stands."""
        functions = (above for above in self.definition.ancestors(node) if isinstance(above, cst.FunctionDef))
        return next((function for function in functions if is_activity(self.definition, function)), None)

    def message(self, name: str, found: Charge) -> str:
        if found.fresh is not None:
            return (
                f"the idempotency key of `{found.shown}` is a new one in each attempt of `{name}`, so a retry moves the money "
                "again; take one that all attempts share, from `activity.info()`"
            )
        instead = "pass an `idempotency_key` that all attempts share, from `activity.info()`" if found.key else _LOOK_FIRST
        again = f"`{found.shown}` moves the money again when `{name}` is retried"
        return f"{again}, and an attempt that times out or loses its worker after the payment is; {instead}"

    def is_tried_once(self, name: str) -> bool:
        """Whether the project only calls an activity with a retry policy of one attempt."""
        texts = list(self.options(name))
        return bool(texts) and all(_ONCE.search(text) for text in texts)

    def options(self, name: str) -> Iterator[str]:
        """The arguments of the calls of an activity, as source."""
        project = self.definition.project
        for path in project.naming(name):
            facts = project.try_facts(path)
            for call in facts.calls if facts is not None else ():
                first = call.arguments[0].text.rpartition(".")[2].strip("\"'") if call.arguments else ""
                if first == name and call.callee.rpartition(".")[2] in ACTIVITY_CALLS:
                    yield " ".join(f"{argument.keyword}={argument.text}" for argument in call.arguments)

    def fixed(self, node: cst.Call, found: Charge) -> FixBuilder | None:
        """A key that all attempts share."""
        fix = self.charges.with_key(node, found, "") if found.fresh is None else None
        if fix is None and found.fresh is None:
            return None
        builder = self.definition.fix("Pass a key that all attempts share", "unsafe")
        info = builder.name("temporalio.activity.info", node)
        key = f'f"{{{info}().workflow_run_id}}-{{{info}().activity_id}}"'
        if found.fresh is not None:
            builder.replace(found.fresh, key)
        elif found.key == "argument":
            builder.insert_argument(node, f"idempotency_key={key}")
        else:
            builder.insert_argument(node, f'options={{"idempotency_key": {key}}}')
        return builder
