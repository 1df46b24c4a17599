"""A double of the payment service: it takes money each time, but once only for one idempotency key, as the real one does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from world import happened, seen

SLOW = 3.0


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


@dataclass
class PaymentIntent:
    """The same for `async def`: the money is taken at once, and the first answer of a process takes its time."""

    id: str
    _by_key: ClassVar[dict[str, str]] = {}
    _calls: ClassVar[int] = 0

    @classmethod
    async def create_async(cls, *, amount: int, currency: str, idempotency_key: str = "") -> PaymentIntent:
        """Take the money, unless it has been taken for this key, and say so on standard output."""
        cls._calls += 1
        call = cls._calls
        if idempotency_key not in cls._by_key:
            print("charged", amount, currency, flush=True)
        if idempotency_key:
            cls._by_key[idempotency_key] = f"pi_{call}"
        if call == 1:
            await asyncio.sleep(SLOW)
        return cls(f"pi_{call}")
