"""KEL209: `throw=False` lets the try go on."""

from __future__ import annotations

from tests.proofs.told import Told


class GoesOnEachTime(Told):
    """Twice the service says that it is too early."""

    code = "KEL209"
    claim = "a try that asks for a retry goes on as if all were well, and so does the next one"
    harm = ("synced 7", "synced 7", "synced 7")
    clean = ("synced 7",)
    files = {
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task(bind=True, max_retries=3)
def sync_user(self, user_id):
    if self.request.retries < 2:
        self.retry(countdown=0, throw=False)  # KEL209
    happened("synced", user_id)
""",
        "shop/orders.py": """\
from shop.tasks import sync_user


def act():
    sync_user.delay(7)
""",
    }
