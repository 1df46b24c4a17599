"""KEL202: one answer 503, and the work is lost."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

from tests.proofs.harness import NotHere
from tests.proofs.told import Told

if TYPE_CHECKING:
    from tests.proofs.celery_stage import CeleryStage


class IsLost(Told):
    """The service is busy once."""

    code = "KEL202"
    claim = "the service answers 503 once, the task is a `FAILURE`, and nobody saves the user"
    harm = ("answered 503", "worker raised HTTPError", "result FAILURE")
    clean = ("answered 503", "saved the user", "result SUCCESS")
    files = {
        "shop/tasks.py": """\
import os

import requests
from celery import shared_task


@shared_task
def sync_user(user_id):  # KEL202
    response = requests.post(os.environ["CRM_URL"], json={"id": user_id}, timeout=10)
    response.raise_for_status()
""",
        "shop/orders.py": """\
from shop.tasks import sync_user


def act():
    return sync_user.delay(7)
""",
    }

    def play(self, stage: CeleryStage) -> None:
        if find_spec("requests") is None:
            raise NotHere("requests is not installed")
        stage.versions["requests"] = version("requests")
        server = HTTPServer(("127.0.0.1", 0), _busy_once(stage))
        Thread(target=server.serve_forever, daemon=True).start()
        os.environ["CRM_URL"] = f"http://127.0.0.1:{server.server_address[1]}/users"
        super().play(stage)


def _busy_once(stage: CeleryStage) -> type[BaseHTTPRequestHandler]:
    """A service that answers 503 to the first request, and notes what it does."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            is_busy = "answered 503" not in stage.seen()
            stage.happened("answered 503" if is_busy else "saved the user")
            self.send_response(503 if is_busy else 204)
            self.end_headers()

    return Answers
