"""KEL317: in production, nothing is sent."""

from __future__ import annotations

from tests.proofs.projects import SETTINGS
from tests.proofs.told import Told


class RunsInTheRequest(Told):
    """The receipt is meant for a second later, and in another process."""

    code = "KEL317"
    claim = "a task that is put off runs before the request goes on, in its process; no worker gets it"
    harm = ("receipt in the request", "answered the request")
    clean = ("answered the request", "receipt elsewhere")
    files = {
        "shop/models.py": "",
        "shop/settings.py": f"{SETTINGS}CELERY_TASK_ALWAYS_EAGER = True  # KEL317\n",
        "shop/tasks.py": """\
import sys

from celery import shared_task
from world import happened


@shared_task
def send_receipt(order_id):
    happened("receipt in the request" if "shop.orders" in sys.modules else "receipt elsewhere")
""",
        "shop/orders.py": """\
from world import happened

from shop.tasks import send_receipt


def act():
    send_receipt.apply_async((7,), countdown=1)
    happened("answered the request")
""",
    }
    repair = {"shop/settings.py": f'{SETTINGS}CELERY_TASK_ALWAYS_EAGER = os.environ.get("EAGER") == "1"\n'}

    def is_harm(self, seen: list[str]) -> bool:
        return super().is_harm(seen) and seen.index("receipt in the request") < seen.index("answered the request")
