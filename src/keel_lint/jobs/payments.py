"""Calls that move money, and what tells a payment service that it has been asked before: an idempotency key.

Sources: https://docs.stripe.com/api/idempotent_requests, https://docs.adyen.com/development-resources/api-idempotency,
https://developer.squareup.com/docs/build-basics/common-api-patterns/idempotency,
https://developer.paypal.com/api/rest/reference/idempotency, https://docs.mollie.com/reference/api-idempotency
"""

from __future__ import annotations

import re
from typing import Literal

from keel_lint.record import Record

Key = Literal["argument", "options", ""]


class Payment(Record, frozen=True):
    """A call of a payment service. `key` is how it takes an idempotency key: as the argument `idempotency_key`, in the dict
    `options`, or not at all. `by_amount` says that only a part can be paid back twice: the whole is refused the second time.
    """

    key: Key = ""
    by_amount: bool = False


_STRIPE = r"(?:Charge|PaymentIntent|Transfer|Payout|Topup|InvoiceItem|Subscription)"
_STRIPE_CLIENT = r"(?:charges|payment_intents|transfers|payouts|topups|invoice_items|subscriptions)"
_PAYMENTS: tuple[tuple[re.Pattern[str], Payment], ...] = tuple(
    (re.compile(rf"(?:{pattern})\Z"), payment)
    for pattern, payment in (
        (rf"stripe\.{_STRIPE}\.create(?:_async)?", Payment("argument")),
        (r"stripe\.Refund\.create(?:_async)?", Payment("argument", by_amount=True)),
        (rf"stripe\.StripeClient\.(?:v1\.)?{_STRIPE_CLIENT}\.create(?:_async)?", Payment("options")),
        (r"stripe\.StripeClient\.(?:v1\.)?refunds\.create(?:_async)?", Payment("options", by_amount=True)),
        (r"braintree\.(?:BraintreeGateway\.transaction|Transaction)\.(?:sale|credit)", Payment()),
        (r"braintree\.(?:BraintreeGateway\.transaction|Transaction)\.refund", Payment(by_amount=True)),
        (r"Adyen\.(?:\w+\.)*(?:payments|authorise|payout|refund_captured_payment|transfer_funds)", Payment("argument")),
        (r"paypalrestsdk\.(?:\w+\.)*Payout\.create", Payment()),
        (r"paypalrestsdk\.(?:\w+\.)*(?:Sale|Capture)\.refund", Payment(by_amount=True)),
        (r"paypalrestsdk\.(?:\w+\.)*Authorization\.capture", Payment()),
        (r"paypal(?:checkout|payouts)sdk\.(?:\w+\.)*(?:PayoutsPost|AuthorizationsCapture)Request", Payment()),
        (r"square\.(?:\w+\.)*(?:payments\.create(?:_payment)?|refunds\.refund_payment)", Payment("argument")),
        (r"razorpay\.Client\.(?:payout|transfer|refund)\.create", Payment()),
        (r"razorpay\.Client\.payment\.(?:transfer|createRecurring)", Payment()),
        (r"razorpay\.Client\.payment\.refund", Payment(by_amount=True)),
        (r"mollie\.api\.client\.Client\.(?:\w+\.)*(?:payments|refunds|payment_refunds)\.create", Payment("argument")),
    )
)

WORDS = frozenset({b"Adyen", b"braintree", b"mollie", b"paypal", b"razorpay", b"square", b"stripe"})
"""One of these stands in an import of every file that calls a payment service."""

_SERVICES = ("Adyen.", "braintree.", "mollie.", "paypal", "razorpay.", "square.", "stripe.")
_OWED = r"(?:account|buyer|card|client|customer|invoice|member|merchant|order|payment|seller|subscription|user|wallet)s?"
_PAYS = re.compile(rf"(?P<verb>charge|refund|payout|pay_out)(?:_{_OWED})?\Z")
_PAYS_BY_NAME = re.compile(r"(?P<verb>capture|transfer)_(?:charge|funds|money|payment)s?\Z")
_MAY_PAY = re.compile(r"(?P<verb>capture|transfer)\Z")
_MONEY = re.compile(
    r"pay|charge|billing|invoice|wallet|bank|card|money|fund|amount|currency|price|cents|balance|merchant|stripe|braintree|adyen",
    re.IGNORECASE,
)
_PAYER = re.compile(r"customer|order|subscription|gateway|processor|provider|user|client|account|member|service", re.IGNORECASE)
_ANY_KEY = (
    r"idempot|dedup|sender_batch_id|request_id|paypal-request-id|operation_id|transaction_id|txn_id|\breference\b|[a-z]_key\b"
    r"|\brequest\.id\b"
)
_KEYS = {
    "charge": re.compile(rf"{_ANY_KEY}|payment_id|charge_id", re.IGNORECASE),
    "capture": re.compile(rf"{_ANY_KEY}|payment_id|charge_id|capture_id", re.IGNORECASE),
    "refund": re.compile(rf"{_ANY_KEY}|refund_id", re.IGNORECASE),
    "payout": re.compile(rf"{_ANY_KEY}|payout_id|payment_id", re.IGNORECASE),
    "transfer": re.compile(rf"{_ANY_KEY}|transfer_id|payment_id", re.IGNORECASE),
}
_SERVICE_KEY = re.compile(r"idempot|sender_batch_id|paypal-request-id", re.IGNORECASE)
_CAREFUL = re.compile(
    r"idempot|select_for_update|get_or_create|update_or_create|IntegrityError|UniqueViolation|already|\bnx=True|cache\.add\("
    r"|(?:\A|\n\s+)if [^\n]+:\s*\n?\s+(?:return|raise)\b",
    re.IGNORECASE,
)


def payment(name: str | None) -> Payment | None:
    """What a call of this canonical name does at a payment service that is known."""
    if name is None:
        return None
    return next((found for pattern, found in _PAYMENTS if pattern.match(name)), None)


def is_service(name: str | None) -> bool:
    """Whether a call goes to a payment service that is known."""
    return name is not None and name.startswith(_SERVICES)


def paying_verb(receiver: str, function: str, arguments: str) -> str | None:
    """The verb of a call that by its words moves money: `charge(user, amount)`, `gateway.capture(payment)`; else `None`.

    `receiver` and `arguments` are source text, the receiver empty for a plain function.
    """
    found = _PAYS_BY_NAME.match(function)
    if found is None:
        found = _PAYS.match(function)
        if found is not None and not _is_said_of_money(receiver, arguments):
            return None
    if found is None:
        found = _MAY_PAY.match(function)
        if found is not None and not _MONEY.search(f"{receiver} {arguments}"):
            return None
    return found["verb"].replace("pay_out", "payout") if found is not None else None


def is_named_so(function: str) -> bool:
    """Whether a function of this name may be one of those that `paying_verb` speaks of."""
    return any(pattern.match(function) for pattern in (_PAYS_BY_NAME, _PAYS, _MAY_PAY))


def _is_said_of_money(receiver: str, arguments: str) -> bool:
    if not receiver:
        return bool(arguments)
    return bool(_MONEY.search(f"{receiver} {arguments}") or _PAYER.search(receiver))


def carries_key(arguments: str, verb: str = "") -> bool:
    """Whether arguments, as source text, tell the payee that it has been asked before. Without a verb: a payment service."""
    return (_KEYS[verb] if verb else _SERVICE_KEY).search(arguments) is not None


def is_careful(code: str) -> bool:
    """Whether a function of the project, as source text, looks first whether the money has moved."""
    return _CAREFUL.search(code) is not None


def pays_a_part(arguments: str, count: int) -> bool:
    """Whether a refund is of an amount, and not of the whole."""
    return "amount" in arguments.lower() or "**" in arguments or count > 1
