"""Calls that stop the thread they are made in until something outside has answered: one table a kind, by canonical name.

In an `async def` that thread is the event loop's. What reads or writes one file is left out: on a local disk it takes less time
than handing it to a thread. Making a client is no blocking call, what it is asked to do is. Calls of Django's ORM are left out,
too: in an event loop they raise `SynchronousOnlyOperation`.
Sources: https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code,
https://docs.temporal.io/develop/python/python-sdk-sync-vs-async, and the documentation of each client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from keel_lint.jobs.outside import WAITING, is_mail

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["sleep", "network", "database", "program", "files", "waiting"]


def _in(owner: str, *names: str) -> list[str]:
    return [f"{owner}.{name}" for name in names]


_POOLS = tuple(
    f"concurrent.futures.{module}{name}"
    for name in ("ThreadPoolExecutor", "ProcessPoolExecutor", "Executor")
    for module in ("", "thread.", "process.", "_base.")
)
_VERBS = ("delete", "get", "head", "options", "patch", "post", "put", "request", "stream")
# These only remember the host: the first request connects.
_LAZY = {"http.client.HTTPConnection", "http.client.HTTPSConnection"}

_TABLES: dict[Kind, Iterable[str]] = {
    "sleep": ("time.sleep", "gevent.sleep", "eventlet.sleep"),
    "network": (
        *(WAITING - _LAZY),
        *(f"{connection}.{name}" for connection in _LAZY for name in ("connect", "getresponse", "request")),
        "urllib.request.urlretrieve",
        *_in("socket", "getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo"),
        *_in("socket.socket", "accept", "connect", "recv", "sendall"),
        *_in("socket.create_connection", "recv", "sendall"),
        *_in("httpx", *_VERBS),
        *_in("httpx.Client", *_VERBS, "send"),
        "paramiko.SSHClient.exec_command", "sendgrid.SendGridAPIClient.send", "webbrowser.open",
    ),
    "database": (
        *_in("psycopg", "connect", "Connection.connect"),
        *_in("psycopg_pool.ConnectionPool", "connection", "getconn"),
        *_in("psycopg2", "connect"),
        *_in("pymysql", "connect"),
        *_in("MySQLdb", "connect"),
        *_in("mysql.connector", "connect"),
        *_in("pyodbc", "connect"),
        *_in("snowflake.connector", "connect"),
        *_in("sqlalchemy.create_engine", "begin", "connect", "execute"),
        *(
            f"sqlalchemy.{module}Session.{name}"
            for module in ("orm.", "orm.session.")
            for name in ("commit", "execute", "flush", "refresh", "scalar", "scalars")
        ),
        *_in("sqlmodel.Session", "commit", "exec", "execute", "flush", "refresh"),
    ),
    "program": (
        *_in("subprocess", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "run"),
        *_in("subprocess.Popen", "communicate", "wait"),
        *_in("os", "system", "wait", "waitpid"),
        "builtins.input", "getpass.getpass",
    ),
    "files": (
        *_in("shutil", "copytree", "make_archive", "rmtree", "unpack_archive"),
        *(f"{archive}.extractall" for archive in ("tarfile.TarFile", "tarfile.open", "zipfile.ZipFile")),
    ),
    "waiting": (
        *(f"{pool}.{name}" for pool in _POOLS for name in ("map", "submit.result", "submit.exception")),
        *_in("concurrent.futures", "as_completed", "wait", "Future.result", "Future.exception"),
        *_in("asyncio.run_coroutine_threadsafe", "result", "exception"),
        *(f"queue.{kind}Queue.{name}" for kind in ("", "Lifo", "Priority", "Simple") for name in ("get", "join")),
        *_in("threading", "Event.wait", "Barrier.wait", "Condition.wait", "Condition.wait_for", "Thread.join"),
        *_in("multiprocessing", "Process.join", "Queue.get"),
        *_in("temporalio.activity", "wait_for_cancelled_sync", "wait_for_worker_shutdown_sync"),
    ),
}  # fmt: skip

_KINDS: dict[str, Kind] = {name: kind for kind, names in _TABLES.items() for name in names}

_ASKS = (
    r"cancel|capture|confirm|count|create|delete|delete_many|delete_one|fetch|find_one|find_one_and_update|generate|insert_many"
    r"|insert_one|list|modify|parse|pay|refund|replace_one|retrieve|search|send|update|update_many|update_one"
)
_AWS = r"boto3(?:\.Session|\.session\.Session)?"
_CLIENTS: tuple[re.Pattern[str], ...] = (
    # What a client of AWS can do is made from data: all but these asks the service.
    re.compile(
        rf"{_AWS}\.client\.(?:get_paginator\.paginate\.\w+|get_waiter\.wait"
        r"|(?!can_paginate$|close$|generate_|get_paginator$|get_waiter$)[a-z]\w*)"
    ),
    re.compile(rf"{_AWS}\.resource\.[A-Z]\w*\.(?!batch_writer$)[a-z]\w*"),
    re.compile(rf"(?:openai\.(?:Azure)?OpenAI|anthropic\.Anthropic\w*)\.[\w.]+\.(?:{_ASKS}|content|count_tokens|stream)"),
    re.compile(rf"stripe\.(?!Webhook\b|error\b)(?:\w+\.)+(?:{_ASKS}|del_|finalize_invoice|void_invoice)"),
    re.compile(rf"twilio\.rest\.Client\.[\w.]+\.(?:{_ASKS})"),
    re.compile(r"slack_sdk\.(?:web\.)?(?:client\.)?WebClient\.(?:api_call|[a-z]+_[a-zA-Z_]+)"),
    re.compile(r"(?:slack_sdk\.webhook\.)?(?:client\.)?WebhookClient\.send(?:_dict)?"),
    re.compile(rf"pymongo\.(?:mongo_client\.)?MongoClient\.[\w.]+\.(?:{_ASKS}|aggregate|count_documents|distinct)"),
    re.compile(
        r"(?:elasticsearch\.Elasticsearch|opensearchpy\.OpenSearch)\.(?:(?:cluster|indices)\.)?(?!close$|options$)[a-z]\w*"
    ),
    re.compile(
        r"google\.cloud\.storage\.Client\.(?:[\w.]+\.)?"
        r"(?:copy_blob|create_bucket|delete|download_\w+|exists|get_blob|get_bucket|list_blobs|list_buckets|upload_\w+)"
    ),
    re.compile(r"google\.cloud\.bigquery\.Client\.(?:[\w.]+\.)?(?:insert_rows\w*|load_table_\w+|query|query_and_wait|result)"),
    re.compile(
        r"redis\.(?:client\.)?(?:Redis|StrictRedis|from_url|Redis\.from_url)\."
        r"(?:pipeline\.execute|lock\.acquire"
        r"|(?!close$|connection_pool|from_url|get_connection_kwargs|lock$|lock\.|pipeline|pubsub|register_script|set_response_)[a-z]\w*)"
    ),
)
"""Clients that have one name for each thing that their service can do."""


def kind_of(name: str) -> Kind | None:
    """What a call of this canonical name waits for; `None` for one that does not block, or of which nothing is known."""
    known = _KINDS.get(name)
    if known is not None or name.endswith("_async"):
        return known
    return "network" if is_mail(name) or any(client.fullmatch(name) for client in _CLIENTS) else None
