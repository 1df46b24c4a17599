"""KEL208: what is caught in the task is no reason to retry."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
import crm
from celery import shared_task


@shared_task(autoretry_for=(ConnectionError,), retry_backoff=1, retry_jitter=False, max_retries=5)
def sync_user(user_id):
    try:
        crm.save(user_id)
    except ConnectionError:  # KEL208
        print("no sync")
"""


class IsNeverRetried(Told):
    """The service is down for half a second."""

    code = "KEL208"
    claim = "the task runs once, saves nothing, and is a `SUCCESS`"
    environment = {"DOWN_FOR": "0.5"}
    harm = ("refused user 7", "result SUCCESS")
    clean = ("refused user 7", "saved user 7", "result SUCCESS")
    files = {
        "shop/tasks.py": TASKS,
        "shop/orders.py": """\
from shop.tasks import sync_user


def act():
    return sync_user.delay(7)
""",
    }
    repair = {"shop/tasks.py": TASKS.replace('print("no sync")', 'print("no sync")\n        raise')}
