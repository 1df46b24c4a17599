"""KEL303: a chord waits for results, and a member that ignores its own stores none."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY


class BodyNeverRuns(Proof[CeleryStage]):
    """A database keeps the results, and a task of Celery's looks for them every second."""

    code = "KEL303"
    claim = "all members of the chord have run, and its body does not run while Celery looks for their results three times"
    stage = CeleryStage
    project = {
        "shop/__init__.py": CELERY["shop/__init__.py"],
        "shop/app.py": """\
import os

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"], backend="db+sqlite:///results.sqlite3", include=["shop.tasks"])
""",
        "shop/tasks.py": """\
from world import happened

from shop.app import app


@app.task(ignore_result=True)
def charge(order_id):
    happened("charged", order_id)
    return order_id


@app.task
def sum_up(totals):
    happened("sum", sum(totals))
""",
        "shop/orders.py": """\
from celery import chord

from shop.tasks import charge, sum_up


def close(order_ids):
    chord([charge.s(one) for one in order_ids])(sum_up.s())  # KEL303
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        worker = stage.start_worker()
        stage.load("shop.orders").close([1, 2])
        stage.watch(lambda seen: "sum 3" in seen or worker.text().count("retry: Retry in 1.0s") >= 3)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["charged 1", "charged 2"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["charged 1", "charged 2", "sum 3"]
