"""KEL207: a `Retry` that is caught ends the try as a success."""

from __future__ import annotations

from tests.proofs.told import Told


class NextTaskRunsTwice(Told):
    """A chain goes on with each try that ends as `SUCCESS`."""

    code = "KEL207"
    claim = "the next task of the chain runs before the retry, and again after it"
    environment = {"DOWN_FOR": "0.5"}
    harm = ("refused user 7", "thanked", "saved user 7", "thanked")
    clean = ("refused user 7", "saved user 7", "thanked")
    files = {
        "shop/tasks.py": """\
import crm
from celery import shared_task
from world import happened


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        try:
            crm.save(user_id)
        except ConnectionError as error:
            self.retry(exc=error, countdown=1)  # KEL207
    except Exception:
        print("no sync")


@shared_task
def thank():
    happened("thanked")
""",
        "shop/orders.py": """\
from celery import chain

from shop.tasks import sync_user, thank


def act():
    chain(sync_user.si(7), thank.si()).delay()
""",
    }
