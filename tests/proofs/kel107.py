"""KEL107: JSON has no sets."""

from __future__ import annotations

from tests.proofs.told import ToldAtTheCall


class RaisesEncodeError(ToldAtTheCall):
    """The message is never sent."""

    code = "KEL107"
    claim = "a set as an argument: the call raises `EncodeError`, and no message is sent"
    raises = "EncodeError"
    files = {
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def index(keys):
    print(keys)
""",
        "shop/orders.py": """\
from shop.tasks import index


def act():
    index.delay(set([1, 2]))  # KEL107
""",
    }
