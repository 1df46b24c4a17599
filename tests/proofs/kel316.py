"""KEL316: unpickling runs code of the message."""

from __future__ import annotations

import os

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY

APP = f"""{CELERY["shop/app.py"]}
app.conf.accept_content = ["json", "pickle"]  # KEL316
"""


class Stranger:
    """An argument that calls a function where it is unpickled, here a harmless one."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        from world import happened

        return happened, ("the message's code ran",)


class RunsCodeOfTheMessage(Proof[CeleryStage]):
    """Somebody who can reach the broker knows the name of a task, and nothing else."""

    code = "KEL316"
    claim = "a message that a stranger puts into the queue runs its own code in the worker"
    stage = CeleryStage
    project = {
        **CELERY,
        "shop/app.py": APP,
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def thank(mail):
    happened("thanked", mail if isinstance(mail, str) else "nobody")
""",
    }
    repair = {"shop/app.py": APP.replace(', "pickle"', "")}

    def play(self, stage: CeleryStage) -> None:
        from celery import Celery

        stage.start_broker()
        worker = stage.start_worker()
        Celery(broker=os.environ["BROKER_URL"]).send_task("shop.tasks.thank", [Stranger()], serializer="pickle")
        stage.load("shop.tasks").thank.delay("ann")
        stage.wait_for("thanked ann")
        if "Refusing to deserialize" in worker.text():
            stage.happened("refused")

    def is_harm(self, seen: list[str]) -> bool:
        return seen[0] == "the message's code ran" and seen[-2:] == ["thanked nobody", "thanked ann"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["thanked ann", "refused"]
