"""KEL109: a payload in an argument fills the broker."""

from __future__ import annotations

import os
from pathlib import Path

from tests.proofs.celery_stage import CeleryStage, PublishStage
from tests.proofs.harness import Proof, first
from tests.proofs.projects import CELERY

PROJECT = {
    **CELERY,
    "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def import_products(content):
    happened("imported", len(content), "bytes")


""",
    "shop/upload.py": """\
from pathlib import Path

from shop.tasks import import_products


def upload(path):
    content = Path(path).read_bytes()
    import_products.delay(content)  # KEL109
""",
}
REPAIR = {
    "shop/tasks.py": """\
from pathlib import Path

from celery import shared_task
from world import happened


@shared_task
def import_products(path):
    happened("imported", len(Path(path).read_bytes()), "bytes")


""",
    "shop/upload.py": """\
from shop.tasks import import_products


def upload(path):
    import_products.delay(str(path))
""",
}
MEGABYTE = 1_000_000


def a_file(stage: PublishStage) -> Path:
    """A file of a megabyte."""
    path = stage.folder / "products.csv"
    path.write_bytes(os.urandom(MEGABYTE))
    return path


class FillsTheMessage(Proof[CeleryStage]):
    """The payload stands in the broker until a worker takes it."""

    code = "KEL109"
    claim = "one megabyte waits in the broker as a message of more than 1.3 MB; the path to it as one of less than 2 kB"
    stage = CeleryStage
    project = PROJECT
    repair = REPAIR

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.load("shop.upload").upload(a_file(stage))
        (message,) = stage.waiting()
        size = (
            "more than 1.3 MB" if len(message) > 1_300_000 else "less than 2 kB" if len(message) < 2_000 else f"{len(message)}"
        )
        stage.happened("message:", size)
        stage.start_worker()
        stage.wait_for("imported 1000000 bytes")

    def is_harm(self, seen: list[str]) -> bool:
        return "message: more than 1.3 MB" in seen

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["message: less than 2 kB", "imported 1000000 bytes"]


class FillsTheBroker(Proof[PublishStage]):
    """Redis with little memory and no worker about: what a queue that backs up comes to."""

    code = "KEL109"
    claim = "with 12 MB and no worker about, Redis runs out of memory before twenty files of 1 MB are sent"
    stage = PublishStage
    project = PROJECT
    repair = REPAIR

    def play(self, stage: PublishStage) -> None:
        stage.start_broker("--maxmemory", "12mb", "--maxmemory-policy", "noeviction")
        path, upload = a_file(stage), stage.load("shop.upload").upload
        try:
            for _ in range(20):
                upload(path)
        except Exception as error:
            stage.happened(first(error))
        stage.happened("all sent" if len(stage.waiting()) == 20 else "not all sent")

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["OutOfMemoryError", "not all sent"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["all sent"]
