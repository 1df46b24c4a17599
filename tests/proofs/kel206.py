"""KEL206: options of automatic retries do nothing alone."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
import crm
from celery import shared_task


@shared_task(retry_backoff=1, retry_jitter=False, max_retries=5)  # KEL206
def sync_user(user_id):
    crm.save(user_id)
"""


class IsNeverRetried(Told):
    """The service is down for half a second."""

    code = "KEL206"
    claim = "a task with `retry_backoff` alone fails once and is not retried"
    environment = {"DOWN_FOR": "0.5"}
    harm = ("refused user 7", "worker raised ConnectionError", "result FAILURE")
    clean = ("refused user 7", "saved user 7", "result SUCCESS")
    files = {
        "shop/tasks.py": TASKS,
        "shop/orders.py": """\
from shop.tasks import sync_user


def act():
    return sync_user.delay(7)
""",
    }
    repair = {"shop/tasks.py": TASKS.replace("(retry_backoff", "(autoretry_for=(ConnectionError,), retry_backoff")}
