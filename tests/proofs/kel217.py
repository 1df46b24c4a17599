"""KEL217: a server that never answers keeps the worker."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY


class KeepsTheWorker(Proof[CeleryStage]):
    """The server takes the connection and says nothing."""

    code = "KEL217"
    claim = "a request without a timeout waits for a silent server, and the next task does not start"
    stage = CeleryStage
    shortened = {"timeout=30": "timeout=1"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
from urllib.request import urlopen

from celery import shared_task
from world import happened


@shared_task
def fetch_rates(url):
    happened("asks")
    urlopen(url).read()  # KEL217


@shared_task
def thank(mail):
    happened("thanked", mail)
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        worker = stage.start_worker()
        tasks = stage.load("shop.tasks")
        tasks.fetch_rates.delay(f"http://127.0.0.1:{stage.silent_server()}/")
        stage.wait_for("asks")
        tasks.thank.delay("ann@example.com")
        stage.wait_for("thanked ann@example.com", window=3)
        if "TimeoutError" in worker.text():
            stage.happened("TimeoutError")

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["asks"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["asks", "thanked ann@example.com", "TimeoutError"]
