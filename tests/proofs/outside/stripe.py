"""A double of the payment service: it takes money each time, but once only for one idempotency key, as the real one does."""

from __future__ import annotations

from world import happened, seen


class Charge:
    """The calls that take money."""

    @staticmethod
    def create(*, customer: str, amount: int, currency: str, idempotency_key: str = "") -> None:
        """Take the money, unless a charge with this key has been made."""
        if idempotency_key and f"charge made for key {idempotency_key}" in seen():
            return
        happened("charged", customer, amount, currency)
        if idempotency_key:
            happened("charge made for key", idempotency_key)
