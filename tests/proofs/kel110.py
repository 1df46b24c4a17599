"""KEL110: a time without a zone is taken for UTC."""

from __future__ import annotations

from tests.proofs.told import Told


class RunsAtOnce(Told):
    """New York is hours behind UTC, so that its next hour has passed there. With the clock on UTC there is no harm."""

    code = "KEL110"
    claim = "in New York, a task for the next hour runs at once"
    environment = {"TZ": "America/New_York"}
    harm = ("reminded 7", "said good night")
    clean = ("said good night",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def remind(user_id):
    happened("reminded", user_id)


@shared_task
def say_good_night():
    happened("said good night")
""",
        "shop/orders.py": """\
from datetime import datetime, timedelta

from shop.tasks import remind, say_good_night


def act():
    remind.apply_async(args=[7], eta=datetime.now() + timedelta(hours=1))  # KEL110
    say_good_night.delay()
""",
    }
