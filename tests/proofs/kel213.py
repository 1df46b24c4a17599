"""KEL213: a task that catches every exception has succeeded."""

from __future__ import annotations

from tests.proofs.told import Told

TASKS = """\
import logging

import crm
from celery import shared_task
from world import happened

logger = logging.getLogger(__name__)


@shared_task
def hand_over(user_id):
    try:
        crm.save(user_id)
    except Exception:  # KEL213
        logger.exception("not handed over: %s", user_id)


@shared_task
def erase(user_id):
    happened("erased user", user_id)
"""


class NextStepRuns(Told):
    """The service is down."""

    code = "KEL213"
    claim = "the service refuses the user, and the next task of the chain erases what was not handed over"
    environment = {"DOWN_FOR": "600"}
    harm = ("refused user 7", "erased user 7")
    clean = ("refused user 7", "worker raised ConnectionError")
    files = {
        "shop/tasks.py": TASKS,
        "shop/orders.py": """\
from celery import chain

from shop.tasks import erase, hand_over


def act():
    chain(hand_over.si(7), erase.si(7)).delay()
""",
    }
    repair = {"shop/tasks.py": TASKS.replace('handed over: %s", user_id)\n', 'handed over: %s", user_id)\n        raise\n')}
