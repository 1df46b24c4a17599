"""KEL121: what its examples cannot show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

RECEIVER = """
from celery import shared_task
from django.db.models.signals import {signal}
from django.dispatch import receiver

from shop.models import Product

@shared_task
def index(product_id): ...

@receiver({signal}, sender=Product)
def changed(sender, instance, **kwargs):
    index.delay(instance.pk)
"""


@pytest.mark.parametrize(
    ("signal", "early"),
    [("post_delete", "still finds the row"), ("pre_delete", "still finds the row"), ("m2m_changed", "finds the old relations")],
)
def test_the_message_says_what_a_quick_worker_sees(lint: Lint, signal: str, early: str) -> None:
    (finding,) = lint({"signals.py": RECEIVER.format(signal=signal)}, "KEL121")
    assert f"a quick worker {early}, and after a rollback" in finding.message
