"""KEL204: what can never succeed comes back for ever."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import PATIENCE, Proof
from tests.proofs.projects import CELERY

MANY = 30
REFUSED = "refused user 7"
TASKS = """\
import crm
from celery import shared_task


@shared_task(autoretry_for=(ConnectionError,), retry_kwargs={"countdown": 0}, max_retries=None)  # KEL204
def sync_user(user_id):
    crm.save(user_id)
"""


class NeverFails(Proof[CeleryStage]):
    """The service refuses this user each time. Nobody can wait for ever: ten times Celery's own limit are taken for it."""

    code = "KEL204"
    claim = "a message that can never succeed is tried 30 times, ten times Celery's own limit, and is no `FAILURE` yet"
    stage = CeleryStage
    environment = {"DOWN_FOR": "600"}
    project = {**CELERY, "shop/tasks.py": TASKS}
    repair = {"shop/tasks.py": TASKS.replace("max_retries=None", "max_retries=3")}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker()
        result = stage.load("shop.tasks").sync_user.delay(7)
        stage.watch(lambda seen: seen.count(REFUSED) >= MANY or result.state == "FAILURE", PATIENCE)
        stage.happened(result.state)

    def is_harm(self, seen: list[str]) -> bool:
        return seen.count(REFUSED) >= MANY and "FAILURE" not in seen

    def is_clean(self, seen: list[str]) -> bool:
        return seen == [REFUSED] * 4 + ["FAILURE"]
