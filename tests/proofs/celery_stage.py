"""The judges `celery` (real worker processes) and `publish` (harm that shows at the call), and the services they run on."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from tests.proofs.harness import PATIENCE, Face, NotHere, Process, ProofFailure, Stage, wait_until

FAKE_REDIS = """
import sys
from fakeredis import TcpFakeServer
server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
server.RequestHandlerClass.disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
print("port", server.server_address[1], "ready", flush=True)
server.serve_forever()
"""
_TRIES = 5


class PublishStage(Stage):
    """A project with a broker of its own: redis-server where it is on PATH, else fakeredis's server. No worker."""

    judge: ClassVar[str] = "publish"
    broker: Process

    def __init__(self, folder: Path, face: Face) -> None:
        super().__init__(folder, face)
        self.versions["Celery"] = version("celery")

    def start_broker(self, *options: str) -> None:
        """Start a broker and tell the project of it: `BROKER_URL` in the environment. `options` are those of redis-server.

        Raises `NotHere` where there are options and no redis-server.
        """
        server = shutil.which("redis-server") if os.environ.get("KEEL_PROOF_BROKER") != "fake" else None
        if server is None and options:
            raise NotHere("no redis-server on PATH")
        port = self._redis(server, options) if server is not None else self._fake_redis()
        os.environ["BROKER_URL"] = f"redis://127.0.0.1:{port}/0"

    def use_broker(self) -> None:
        """Have Celery use the broker where the project's code names another one, as people do in production."""
        os.environ["CELERY_BROKER_URL"] = os.environ["BROKER_URL"]

    def _redis(self, server: str, options: tuple[str, ...]) -> int:
        said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
        self.versions["redis-server"] = re.findall(r"v=(\S+)", said)[0]
        quiet = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder))
        for _ in range(_TRIES):  # another process may take the port between the choice and the start
            port = _free_port()
            process = self.start("redis", server, "--port", str(port), *quiet, *options)
            wait_until(lambda process=process: "Ready to accept" in process.text() or not process.runs(), PATIENCE)  # type: ignore[misc]
            if process.runs():
                self.broker = process
                return port
        raise ProofFailure("redis-server does not start")

    def _fake_redis(self) -> int:
        self.versions["fakeredis"] = version("fakeredis")
        self.broker = self.start("redis", sys.executable, "-c", FAKE_REDIS)
        self.broker.wait_until_it_says("ready")
        return int(re.findall(r"port (\d+)", self.broker.text())[0])

    def waiting(self, queue: str = "celery") -> list[bytes]:
        """The messages that wait in a queue, as the broker keeps them, the latest first."""
        messages: list[bytes] = self._client().lrange(queue, 0, -1)
        return messages

    def _client(self) -> Any:
        import redis

        return redis.Redis.from_url(os.environ["BROKER_URL"])

    def silent_server(self) -> int:
        """The port of a server that takes a connection and never says a word, as long as the case lasts."""
        self._silent = socket.create_server(("127.0.0.1", 0))
        port: int = self._silent.getsockname()[1]
        return port

    # -- Django -----------------------------------------------------------------------------------------------------------

    def set_up_django(self, database: Literal["SQLite", "PostgreSQL"] = "SQLite", settings: str = "shop.settings") -> None:
        """Start Django with a fresh database, which the project reads from `DATABASE`, and make the tables of its models."""
        self.versions["Django"] = version("django")
        default = self._sqlite() if database == "SQLite" else self._postgresql()
        os.environ.update(DJANGO_SETTINGS_MODULE=settings, DATABASE=json.dumps(default))
        import django
        from django.apps import apps
        from django.db import connection

        django.setup()
        with connection.schema_editor() as editor:
            for model in apps.get_models():
                editor.create_model(model)

    def _sqlite(self) -> dict[str, Any]:
        self.versions["SQLite"] = sqlite3.sqlite_version
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.folder / "shop.sqlite3"), "OPTIONS": {"timeout": 20}}

    def _postgresql(self) -> dict[str, Any]:
        programs = _postgresql_programs()
        said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        self.versions["PostgreSQL"] = re.findall(r"\d+(?:\.\d+)*", said)[0]
        # The path of a socket may be no longer than about a hundred bytes, and the server's user must reach it.
        data = self.folder_elsewhere("/tmp")
        user = _unprivileged_user()
        if user is not None:
            os.chown(data, user, -1)
        made = subprocess.run(
            [programs / "initdb", "-D", data / "data", "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale"],
            capture_output=True, text=True, check=False, user=user,
        )  # fmt: skip
        if made.returncode:
            raise ProofFailure(f"initdb: {made.stderr}")
        options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={data}", "-c", "fsync=off")
        server = self.start("postgres", str(programs / "postgres"), "-D", str(data / "data"), *options, user=user)
        server.wait_until_it_says("ready to accept connections")
        return {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "shop", "HOST": str(data)}


class CeleryStage(PublishStage):
    """The same with worker processes."""

    judge: ClassVar[str] = "celery"

    def start_worker(self, app: str = "shop", *, pool: str = "solo", concurrency: int = 1) -> Process:
        """Start a worker and wait until it takes messages."""
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO", "--include", "fence")
        size = ("--pool", pool, "--concurrency", str(concurrency))
        os.environ["C_FORCE_ROOT"] = "1"
        worker = self.start("worker", sys.executable, "-m", "celery", "-A", app, "worker", *size, *quiet)
        worker.wait_until_it_says(" ready.")
        return worker

    def start_beat(self, app: str = "shop") -> Process:
        """Start beat and wait until it publishes what is due."""
        quiet = ("--schedule", str(self.folder / "beat"), "--pidfile", "", "--loglevel", "INFO")
        beat = self.start("beat", sys.executable, "-m", "celery", "-A", app, "beat", *quiet)
        beat.wait_until_it_says("beat: Starting")
        return beat

    def kill_worker(self, worker: Process) -> None:
        """SIGKILL for a worker with all its children.

        Redis notices at once. fakeredis notices when the dead worker's BRPOP is over, and would give it a message until then.
        """
        worker.kill()
        client = self._client()
        for one in client.client_list():
            client.client_unblock(int(one["id"]))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _postgresql_programs() -> Path:
    """The folder with `postgres` and `initdb`, which Debian keeps off PATH. Raises `NotHere` where there is none."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve()] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise NotHere("no PostgreSQL on this machine")
    return found[-1].parent


def _unprivileged_user() -> int | None:
    """The user to run PostgreSQL as, which refuses root; `None` where the process is not root's."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise NotHere("PostgreSQL refuses to run as root, and there is no other user")
