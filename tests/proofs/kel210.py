"""KEL210: a text cannot be raised."""

from __future__ import annotations

from tests.proofs.told import Told


class EndsInTypeError(Told):
    """After the last retry, Celery raises what it was given."""

    code = "KEL210"
    claim = "after the last retry the task ends in `TypeError`, and the reason is lost"
    harm = ("tried 7", "tried 7", "worker raised TypeError")
    clean = ("tried 7", "tried 7", "worker raised Exception")
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task(bind=True, max_retries=1)
def sync_user(self, user_id):
    happened("tried", user_id)
    raise self.retry(exc="crm said no", countdown=0)  # KEL210
""",
        "shop/orders.py": """\
from shop.tasks import sync_user


def act():
    sync_user.delay(7)
""",
    }
