"""KEL111: a message that is put off for longer than the visibility timeout is delivered again before it is due."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import PATIENCE, Proof
from tests.proofs.projects import CELERY

QUICK = """\
app.conf.broker_transport_options = {"visibility_timeout": 1, "unacked_restore_interval": 0.3, "unacked_restore_throttle": 1}
"""
SLOW = QUICK.replace('"visibility_timeout": 1,', '"visibility_timeout": 3600,')
APP = f"""\
from celery import Celery

app = Celery("shop", broker="redis://localhost", include=["shop.tasks"])
{QUICK}"""


class RunsTwice(Proof[CeleryStage]):
    """Twenty seconds and one stand for six hours and one. `CELERY_BROKER_URL` says where the broker is."""

    code = "KEL111"
    claim = "a reminder that is due after the visibility timeout is delivered to a second worker too, and both send it"
    stage = CeleryStage
    deadline = 120
    project = {
        "shop/__init__.py": CELERY["shop/__init__.py"],
        "shop/app.py": APP,
        "shop/tasks.py": """\
from shop.app import app
from world import happened


@app.task
def remind(order_id):
    happened("reminded", order_id)
""",
        "shop/orders.py": """\
from shop.tasks import remind


def order(order_id):
    remind.apply_async((order_id,), countdown=20)  # KEL111
""",
    }
    repair = {"shop/app.py": APP.replace(QUICK, SLOW)}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.use_broker()
        stage.start_worker()
        stage.start_worker()
        stage.load("shop.orders").order(7)
        stage.watch(bool, 20 + PATIENCE)
        stage.watch(lambda seen: len(seen) >= 2, PATIENCE if stage.face == "bad" else 1)

    def is_harm(self, seen: list[str]) -> bool:
        return len(seen) >= 2 and set(seen) == {"reminded 7"}

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["reminded 7"]
