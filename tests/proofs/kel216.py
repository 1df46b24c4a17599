"""KEL216: the soft time limit is an exception like any other."""

from __future__ import annotations

from tests.proofs.told import Told


class IsKilled(Told):
    """The first user makes the service hang, and so does the second. It takes half a second to clean up.

    The hard limit sends SIGTERM, which a `finally` sees as `SystemExit`, and SIGKILL a tenth of a second later.
    """

    code = "KEL216"
    claim = "the soft limit is taken for the failure of one item, and the hard one kills the process before it has cleaned up"
    pool = "prefork"
    harm = ("no sync 1", "result FAILURE")
    clean = ("cleaned up", "worker raised SoftTimeLimitExceeded", "result FAILURE")
    files = {
        "shop/tasks.py": """\
import time

from celery import shared_task
from world import happened


@shared_task(soft_time_limit=1, time_limit=3)
def sync_users(user_ids):
    try:
        for user_id in user_ids:
            try:
                push(user_id)
            except Exception:  # KEL216
                happened("no sync", user_id)
    finally:
        time.sleep(0.5)
        happened("cleaned up")


def push(user_id):
    time.sleep(600)
""",
        "shop/orders.py": """\
from shop.tasks import sync_users


def act():
    return sync_users.delay([1, 2])
""",
    }
