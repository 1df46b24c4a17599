"""KEL608: one activity that blocks stops all others of its worker."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import healthy, runs, runs_again


class AnotherActivityIsTimedOut(WorkerProof):
    """Beside it runs one that sends a heartbeat ten times a second; the web page takes three seconds."""

    code = "KEL608"
    claim = "while it waits, another activity cannot send its heartbeats, is timed out and tried again"
    scenarios = (Scenario("Order", seconds=20.0),)
    harm = runs_again("beat")
    clean = healthy() & runs("beat", times=1) & runs("fetch", times=1)
    needs = ("requests",)
    beside = {
        "orders.py": """\
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

LONG = timedelta(seconds=20)


@workflow.defn
class Order:
    @workflow.run
    async def run(self) -> None:
        url = await workflow.execute_activity("serve", start_to_close_timeout=LONG)
        at_once = RetryPolicy(initial_interval=timedelta(milliseconds=50))
        beating = workflow.start_activity(
            "beat", start_to_close_timeout=LONG, heartbeat_timeout=timedelta(seconds=1), retry_policy=at_once
        )
        await workflow.sleep(0.3)
        await workflow.execute_activity("fetch", url, start_to_close_timeout=LONG)
        await workflow.execute_activity("stop", start_to_close_timeout=LONG)
        await beating
""",
        "others.py": """\
import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from temporalio import activity


STOPPED = threading.Event()


class Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(3)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@activity.defn
def serve() -> str:
    server = HTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@activity.defn
async def beat() -> None:
    while not STOPPED.is_set():
        activity.heartbeat()
        await asyncio.sleep(0.1)


@activity.defn
async def stop() -> None:
    STOPPED.set()
""",
    }
