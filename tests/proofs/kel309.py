"""KEL309: one name, two functions."""

from __future__ import annotations

from tests.proofs.projects import CELERY
from tests.proofs.told import Told

REMINDERS = """\
from celery import shared_task
from world import happened


@shared_task(name="shop.send")  # KEL309
def send_reminder(order_id):
    happened("reminder", order_id)
"""


class OneRunsForBoth(Told):
    """Which one is kept depends on the order of imports."""

    code = "KEL309"
    claim = "two tasks of one name: the function of one of them runs for both"
    harm = ("sent both",)
    clean = ("invoice 7", "reminder 7", "sent both")
    files = {
        "shop/app.py": CELERY["shop/app.py"].replace('["shop.tasks"]', '["shop.invoices", "shop.reminders"]'),
        "shop/invoices.py": """\
from celery import shared_task
from world import happened


@shared_task(name="shop.send")
def send_invoice(order_id):
    happened("invoice", order_id)
""",
        "shop/reminders.py": REMINDERS,
        "shop/orders.py": """\
from world import happened

from shop.invoices import send_invoice
from shop.reminders import send_reminder


def act():
    send_invoice.delay(7)
    send_reminder.delay(7)
    happened("sent both")
""",
    }
    repair = {"shop/reminders.py": REMINDERS.replace("shop.send", "shop.remind")}

    def is_harm(self, seen: list[str]) -> bool:
        return seen.count("invoice 7") == 2 or seen.count("reminder 7") == 2
