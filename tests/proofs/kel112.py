"""KEL112: of `eta` and `countdown`, one is ignored."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
from celery import shared_task
from world import happened


@shared_task
def remind(user_id):
    happened("reminded", user_id)


@shared_task
def say_good_night():
    happened("said good night")
"""
ORDERS = """\
from datetime import datetime, timezone

from shop.tasks import remind, say_good_night


def act():
    remind.apply_async(
        args=[7],
        eta=datetime(2100, 1, 1, tzinfo=timezone.utc),  # KEL112
        countdown=0.5,
    )
    say_good_night.delay()
"""


class EtaIsIgnored(Told):
    """Nothing says so."""

    code = "KEL112"
    claim = "with a `countdown` beside it, an `eta` in the year 2100 is ignored: the task runs at once"
    harm = ("reminded 7", "said good night")
    clean = ("said good night",)
    files = {"shop/tasks.py": TASKS, "shop/orders.py": ORDERS}
    repair = {"shop/orders.py": ORDERS.replace("        countdown=0.5,\n", "")}
