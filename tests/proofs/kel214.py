"""KEL214: a task without a time limit that waits for a silent server keeps its worker process for ever."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY


class KeepsTheWorkerProcess(Proof[CeleryStage]):
    """One task limits itself, and another one does not."""

    code = "KEL214"
    claim = "a task that waits for a server that never answers keeps the worker process, and the next task does not start"
    stage = CeleryStage
    shortened = {"soft_time_limit=300": "soft_time_limit=1"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
from urllib.request import urlopen

from celery import shared_task
from world import happened


@shared_task
def fetch_rates(url):  # KEL214
    happened("asks")
    urlopen(url).read()


@shared_task(soft_time_limit=10, time_limit=20)
def thank(mail):
    happened("thanked", mail)
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker(pool="prefork")
        tasks = stage.load("shop.tasks")
        tasks.fetch_rates.delay(f"http://127.0.0.1:{stage.silent_server()}/")
        stage.wait_for("asks")
        tasks.thank.delay("ann@example.com")
        stage.wait_for("thanked ann@example.com", window=2)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["asks"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["asks", "thanked ann@example.com"]


class NothingLimitsIt(KeepsTheWorkerProcess):
    """No task has a limit: one finding, at the application, and one fix for all."""

    claim = "where the application sets no limit, any task that hangs keeps its worker process"
    shortened = {"task_soft_time_limit = 29 * 60": "task_soft_time_limit = 1"}
    project = {
        "shop/__init__.py": CELERY["shop/__init__.py"],
        "shop/app.py": """\
import os

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"], include=["shop.tasks"])  # KEL214
""",
        "shop/tasks.py": """\
from urllib.request import urlopen

from celery import shared_task
from world import happened


@shared_task
def fetch_rates(url):
    happened("asks")
    urlopen(url).read()


@shared_task
def thank(mail):
    happened("thanked", mail)
""",
    }
