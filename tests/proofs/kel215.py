"""KEL215: a soft limit above the hard one is refused."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall

TASKS = """\
from celery import shared_task


@shared_task(soft_time_limit=600, time_limit=300)  # KEL215
def export(order_ids):
    print(order_ids)
"""


class RaisesValueError(ToldAtTheCall):
    """Whoever publishes the task is told."""

    code = "KEL215"
    claim = "each call of the task raises `ValueError`, and no message is sent"
    raises = "ValueError"
    files = {
        "shop/tasks.py": TASKS,
        "shop/orders.py": """\
from shop.tasks import export


def act():
    export.delay([7])
""",
    }
    repair = {"shop/tasks.py": TASKS.replace("soft_time_limit=600, time_limit=300", "soft_time_limit=300, time_limit=600")}
