"""KEL117: while a handler waits for the broker, the event loop serves nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from tests.proofs.celery_stage import PublishStage
from tests.proofs.harness import Proof
from tests.proofs.projects import DJANGO


class ServesNobodyElse(Proof[PublishStage]):
    """The broker takes connections and does not answer, until it goes on."""

    code = "KEL117"
    claim = "while one request waits for a broker that is stuck, another one is not answered"
    stage = PublishStage
    project = {
        **DJANGO,
        "shop/settings.py": f"""{DJANGO["shop/settings.py"]}
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "shop.views"
""",
        "shop/asgi.py": """\
from django.core.asgi import get_asgi_application

application = get_asgi_application()
""",
        "shop/models.py": "",
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
""",
        "shop/views.py": """\
from django.http import HttpRequest, HttpResponse
from django.urls import path
from world import happened

from shop.tasks import send_receipt


async def checkout(request: HttpRequest):
    happened("checks out")
    send_receipt.delay(7)  # KEL117
    return HttpResponse()


async def health(request: HttpRequest):
    happened("is healthy")
    return HttpResponse()


urlpatterns = [path("checkout", checkout), path("health", health)]
""",
    }

    def play(self, stage: PublishStage) -> None:
        stage.start_broker()
        stage.set_up_django()
        os.kill(stage.broker.pid, signal.SIGSTOP)
        helper = threading.Thread(target=self._go_on, args=(stage,))
        helper.start()
        asyncio.run(self._serve(stage))
        helper.join()
        stage.happened("messages:", len(stage.waiting()))

    def _go_on(self, stage: PublishStage) -> None:
        stage.wait_for("checks out")
        stage.wait_for("is healthy", window=2)
        stage.happened("the broker goes on")
        os.kill(stage.broker.pid, signal.SIGCONT)

    async def _serve(self, stage: PublishStage) -> None:
        from django.test import AsyncClient

        async def ask_for_health() -> None:
            while "checks out" not in stage.seen():
                await asyncio.sleep(0.01)
            await AsyncClient().get("/health")

        await asyncio.gather(AsyncClient().get("/checkout"), ask_for_health())

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["checks out", "the broker goes on", "is healthy", "messages: 1"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["checks out", "is healthy", "the broker goes on", "messages: 1"]
