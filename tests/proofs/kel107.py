"""KEL107: JSON has no sets, and no files."""

from __future__ import annotations

from typing import Any

from tests.proofs.celery_stage import PublishStage
from tests.proofs.harness import Proof, first
from tests.proofs.projects import DJANGO
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


class RefusesAFile(Proof[PublishStage]):
    """An uploaded file is an object of Django's."""

    code = "KEL107"
    claim = "an uploaded file as an argument: the call raises `EncodeError`, and no message is sent"
    stage = PublishStage
    project = {
        **DJANGO,
        "shop/tasks.py": """\
from celery import shared_task
from django.core.files.storage import default_storage


@shared_task
def scan(document):
    print(document)
""",
        "shop/views.py": """\
from django.http import HttpRequest

from shop.tasks import scan


def receive(request: HttpRequest):
    scan.delay(request.FILES["document"])  # KEL107
""",
    }
    repair = {
        "shop/views.py": """\
from django.core.files.storage import default_storage
from django.http import HttpRequest

from shop.tasks import scan


def receive(request: HttpRequest):
    name = default_storage.save("document", request.FILES["document"])
    scan.delay(name)
""",
    }

    def play(self, stage: PublishStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        try:
            stage.load("shop.views").receive(_request())
        except Exception as error:
            stage.happened(first(error))
        stage.happened("messages:", len(stage.waiting()))

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["EncodeError", "messages: 0"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["messages: 1"]


def _request() -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import RequestFactory

    return RequestFactory().post("/", {"document": SimpleUploadedFile("document", b"text")})
