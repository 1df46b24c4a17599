"""Functions that workflow code must not call, because a replay cannot give back what they gave or did: one table a kind.

Whether Temporal's sandbox refuses a call is no matter of these tables: see `keel_lint.jobs.sandbox`.
Sources: https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements and, for what the sandbox lets
through, calls that were run inside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from keel_lint.jobs.outside import talks
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal[
    "clock", "randomness", "sleep", "io", "environment", "threads", "waits", "client", "identity", "declared", "state", "order"
]

EVERY_CALL = -1


class Reading(Record, frozen=True):
    """A function that gives another value, or does something again, each time it is called.

    `fixed_by` is the position of the argument with which it does not (`time.gmtime(seconds)`), `keyword` that argument's name;
    `EVERY_CALL` where no argument helps. `unless` is a pattern; a call in whose arguments it is found is harmless. `harmless`
    says that the call gives the same every time, so that it only matters where the sandbox refuses it. `raises` is what the
    workflow's event loop does with the call, in the sandbox and outside it.
    """

    fixed_by: int = EVERY_CALL
    keyword: str = ""
    unless: str = ""
    harmless: bool = False
    raises: str = ""


class Readings:
    """A table of readings by canonical name; a name that ends in `.*` stands for all below it."""

    def __init__(self, table: Mapping[str, Reading]) -> None:
        self.table = table

    def get(self, name: str) -> Reading | None:
        """The reading that a call of this name is."""
        found = self.table.get(name)
        if found is not None:
            return found
        parts = name.split(".")
        patterns = (".".join(parts[:length]) + ".*" for length in range(len(parts) - 1, 0, -1))
        return next((self.table[pattern] for pattern in patterns if pattern in self.table), None)


def _each(names: Iterable[str], reading: Reading, owner: str = "") -> dict[str, Reading]:
    return dict.fromkeys((f"{owner}.{name}" if owner else name for name in names), reading)


_ANY = Reading()
_HARMLESS = Reading(harmless=True)

# -- clock ----------------------------------------------------------------------------------------------------------------

_TIME = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns",
    "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns",
)  # fmt: skip

CLOCKS = Readings(
    {
        **_each(("now", "today", "utcnow"), _ANY, "datetime.datetime"),
        "datetime.date.today": _ANY,
        **_each(_TIME, _ANY, "time"),
        "time.localtime": Reading(fixed_by=0),
        **_each(("gmtime", "ctime", "asctime"), Reading(fixed_by=0), "time"),
        "time.strftime": Reading(fixed_by=1),
        "timeit.default_timer": _ANY,
        "email.utils.localtime": Reading(fixed_by=0, keyword="dt"),
        "email.utils.formatdate": Reading(fixed_by=0, keyword="timeval"),
        "django.utils.timezone.now": _ANY,
        **_each(("localtime", "localdate"), Reading(fixed_by=0, keyword="value"), "django.utils.timezone"),
        **_each(("now", "today", "tomorrow", "yesterday", "DateTime.now"), _ANY, "pendulum"),
        **_each(("now", "utcnow", "Arrow.now", "Arrow.utcnow"), _ANY, "arrow"),
        **_each(("now", "today", "utcnow"), _ANY, "pandas.Timestamp"),
    }
)
"""Functions that read the clock. The sandbox refuses `time.localtime` with an argument too."""

# -- randomness -----------------------------------------------------------------------------------------------------------

GENERATOR_METHODS = frozenset({
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random", "randrange", "sample", "shuffle",
    "triangular", "uniform", "vonmisesvariate", "weibullvariate",
})  # fmt: skip
"""What both the module `random` and a generator such as `workflow.random()` can do, but for seeding."""

_SECRETS = ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe", "SystemRandom")
_NUMPY = (
    "beta", "binomial", "bytes", "choice", "exponential", "gamma", "geometric", "lognormal", "normal", "permutation", "poisson",
    "rand", "randint", "randn", "random", "random_integers", "random_sample", "ranf", "sample", "shuffle", "standard_normal",
    "triangular", "uniform",
)  # fmt: skip

RANDOMNESS = Readings(
    {
        **_each((*sorted(GENERATOR_METHODS), "seed", "getstate", "setstate"), _ANY, "random"),
        "random.Random": Reading(fixed_by=0, keyword="x"),
        "random.SystemRandom": _ANY,
        **_each(_SECRETS, _ANY, "secrets"),
        **_each(("uuid1", "uuid4", "uuid6", "uuid7", "getnode"), _ANY, "uuid"),
        "uuid.uuid8": Reading(fixed_by=2, keyword="c"),
        **_each(("urandom", "getrandom"), _ANY, "os"),
        **_each(("RAND_bytes", "RAND_pseudo_bytes"), _ANY, "ssl"),
        "email.utils.make_msgid": _ANY,
        **_each(_NUMPY, _ANY, "numpy.random"),
        **_each(("default_rng", "RandomState"), Reading(fixed_by=0, keyword="seed"), "numpy.random"),
        "shortuuid.uuid": Reading(fixed_by=0, keyword="name"),
        **_each(("uuid1", "uuid4", "uuid6", "uuid7"), _ANY, "uuid_utils"),
        **_each(("uuid6", "uuid7", "uuid8"), _ANY, "uuid6"),
        "ulid.ULID": Reading(fixed_by=0),
        "ulid.new": _ANY,
        "nanoid.generate": _ANY,
        "cuid2.cuid_wrapper": _ANY,
    }
)
"""Functions that draw a random value."""

# -- waiting and blocking -------------------------------------------------------------------------------------------------

SLEEPS = Readings({"time.sleep": _ANY, "gevent.sleep": _ANY, "eventlet.sleep": _ANY})
"""Functions that stop the thread they are called in."""

WAITS = Readings({"asyncio.wait": _ANY, "asyncio.as_completed": _ANY})
"""Functions of asyncio that keep what they wait for in a set, so that the order in which tasks go on differs."""

_NO_THREADS = Reading(raises="NotImplementedError")

THREADS = Readings(
    {
        **_each(("Thread", "Timer", "start_new_thread"), _ANY, "threading"),
        **_each(
            ("Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore", "local"), _HARMLESS, "threading"
        ),
        "_thread.start_new_thread": _ANY,
        **_each(("ThreadPoolExecutor", "ProcessPoolExecutor", "thread.ThreadPoolExecutor"), _ANY, "concurrent.futures"),
        **_each(("Process", "Pool", "Manager", "Queue", "pool.Pool", "pool.ThreadPool", "dummy.Pool"), _ANY, "multiprocessing"),
        "asyncio.to_thread": _NO_THREADS,
        **_each(
            ("get_running_loop.run_in_executor", "get_event_loop.run_in_executor", "AbstractEventLoop.run_in_executor"),
            _NO_THREADS,
            "asyncio",
        ),
        **_each(("sync_to_async", "SyncToAsync"), _NO_THREADS, "asgiref.sync"),
        "anyio.to_thread.run_sync": _ANY,
        "starlette.concurrency.run_in_threadpool": _ANY,
        "fastapi.concurrency.run_in_threadpool": _ANY,
    }
)
"""What starts threads or processes, or keeps them in step."""

# -- input and output -----------------------------------------------------------------------------------------------------

_OS = (
    "access", "chdir", "chmod", "chown", "close", "fsync", "kill", "link", "listdir", "lstat", "makedirs", "mkdir", "open",
    "popen", "read", "readlink", "remove", "removedirs", "rename", "renames", "replace", "rmdir", "scandir", "stat", "statvfs",
    "symlink", "system", "truncate", "unlink", "utime", "walk", "write",
)  # fmt: skip
_OS_PATH = (
    "exists",
    "getatime",
    "getctime",
    "getmtime",
    "getsize",
    "isdir",
    "isfile",
    "islink",
    "lexists",
    "realpath",
    "samefile",
)
_PATH = (
    "chmod", "exists", "glob", "group", "hardlink_to", "is_block_device", "is_char_device", "is_dir", "is_fifo", "is_file",
    "is_mount", "is_socket", "is_symlink", "iterdir", "lchmod", "link_to", "lstat", "mkdir", "open", "owner", "read_bytes",
    "read_text", "readlink", "rename", "replace", "resolve", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch",
    "unlink", "walk", "write_bytes", "write_text",
)  # fmt: skip
_SOCKET = (
    "create_connection", "create_server", "getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo",
    "socket", "socketpair",
)  # fmt: skip
_NO_STREAMS = Reading(raises="NotImplementedError")

IO = Readings(
    {
        **_each(("open", "input"), _ANY, "builtins"),
        **_each(("open", "open_code"), _ANY, "io"),
        **_each(("getline", "getlines"), _ANY, "linecache"),
        **_each(("codecs.open", "gzip.open", "bz2.open", "lzma.open", "tarfile.open", "dbm.open", "shelve.open"), _ANY),
        **_each(("extract", "extractall"), _ANY, "zipfile.ZipFile"),
        **_each(("extract", "extractall"), _ANY, "tarfile.TarFile"),
        **_each(_OS, _ANY, "os"),
        **_each(_OS_PATH, _ANY, "os.path"),
        **_each(_PATH, _ANY, "pathlib.Path"),
        **_each(_SOCKET, _ANY, "socket"),
        **_each(
            ("fileinput.*", "filecmp.*", "ftplib.*", "glob.glob", "glob.iglob", "imaplib.*", "poplib.*", "smtplib.*"), _ANY
        ),
        **_each(("http.client.HTTPConnection", "http.client.HTTPSConnection", "urllib.request.urlopen"), _ANY),
        **_each(("urllib.request.urlretrieve", "webbrowser.open", "xmlrpc.client.ServerProxy"), _ANY),
        **_each(("call", "check_call", "check_output", "getoutput", "getstatusoutput", "run", "Popen"), _ANY, "subprocess"),
        **_each(("copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "rmtree", "make_archive"), _ANY, "shutil"),
        **_each(("disk_usage", "unpack_archive", "which", "chown"), _ANY, "shutil"),
        **_each(("NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryDirectory", "TemporaryFile"), _ANY, "tempfile"),
        **_each(("gettempdir", "mkdtemp", "mkstemp", "mktemp"), _ANY, "tempfile"),
        **_each(("create_subprocess_exec", "create_subprocess_shell"), _NO_STREAMS, "asyncio"),
        **_each(("open_connection", "open_unix_connection", "start_server", "start_unix_server"), _NO_STREAMS, "asyncio"),
        **_each(("aiofiles.open", "anyio.open_file", "aiofiles.os.*"), _ANY),
        "sqlite3.connect": Reading(unless=":memory:"),
        **_each(("psycopg.connect", "psycopg.Connection.connect", "psycopg.AsyncConnection.connect", "psycopg2.connect"), _ANY),
        **_each(("asyncpg.connect", "asyncpg.create_pool", "aiosqlite.connect", "pymysql.connect", "MySQLdb.connect"), _ANY),
        **_each(("mysql.connector.connect", "pymongo.MongoClient", "motor.motor_asyncio.AsyncIOMotorClient"), _ANY),
        **_each(("redis.Redis", "redis.StrictRedis", "redis.from_url", "redis.asyncio.Redis", "redis.asyncio.from_url"), _ANY),
        **_each(("sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine"), _ANY),
        **_each(("django.db.connection.cursor", "django.db.transaction.atomic"), _ANY),
    }
)
"""What reads or writes files, talks to the network or a database, or starts a program."""

ORM_QUERIES = frozenset({
    f"{prefix}{name}"
    for prefix in ("", "a")
    for name in (
        "aggregate", "bulk_create", "bulk_update", "count", "create", "delete", "earliest", "exists", "explain", "first", "get",
        "get_or_create", "in_bulk", "last", "latest", "update", "update_or_create",
    )
})  # fmt: skip
"""Methods of a Django manager or queryset that ask the database at once."""

# -- environment ----------------------------------------------------------------------------------------------------------

_OS_STATE = (
    "cpu_count", "getcwd", "getcwdb", "getegid", "getenv", "getenvb", "geteuid", "getgid", "getloadavg", "getlogin", "getpgid",
    "getpgrp", "getuid", "process_cpu_count", "putenv", "sched_getaffinity", "umask", "uname", "unsetenv",
)  # fmt: skip

ENVIRONMENT = Readings(
    {
        **_each(_OS_STATE, _ANY, "os"),
        # The number of a process goes into logs; nobody takes another path for it.
        **_each(("getpid", "getppid"), _HARMLESS, "os"),
        "os.path.expanduser": _ANY,
        "os.path.expandvars": _ANY,
        **_each(("cwd", "expanduser", "home"), _ANY, "pathlib.Path"),
        "platform.*": _ANY,
        **_each(("getfqdn", "gethostname"), _ANY, "socket"),
        **_each(("getpass", "getuser"), _ANY, "getpass"),
        "resource.getrusage": _ANY,
        **_each(("dotenv.load_dotenv", "dotenv.dotenv_values", "decouple.config"), _ANY),
    }
)
"""Functions that read what a process was started with, or where."""

ENVIRONMENT_VARIABLES = frozenset({"os.environ", "os.environb", "sys.argv"})
"""What is read without a call."""

# -- the rest -------------------------------------------------------------------------------------------------------------

CLIENTS = Readings({
    "temporalio.client.Client": _ANY,
    "temporalio.client.Client.connect": Reading(raises="hangs"),
    "temporalio.service.ServiceClient.connect": Reading(raises="hangs"),
    "temporalio.worker.Worker": _ANY,
    **_each(
        (
            "execute_workflow", "start_workflow", "get_workflow_handle", "get_workflow_handle_for", "list_workflows",
            "execute_update_with_start_workflow", "start_update_with_start_workflow", "create_schedule", "get_schedule_handle",
        ),
        Reading(raises="hangs"),
        "temporalio.client.Client",
    ),
})  # fmt: skip
"""What talks to the Temporal service."""

GIVES = {"temporalio.client.Client.connect": "temporalio.client.Client"}
"""What a function gives that is no class itself."""

IDENTITIES = Readings(
    {
        "builtins.hash": _ANY,
        "builtins.id": _ANY,
    }
)
"""Functions whose result differs from process to process."""

TABLES: dict[Kind, Readings] = {
    "clock": CLOCKS,
    "randomness": RANDOMNESS,
    "sleep": SLEEPS,
    "io": IO,
    "environment": ENVIRONMENT,
    "threads": THREADS,
    "waits": WAITS,
    "client": CLIENTS,
    "identity": IDENTITIES,
}
"""The kinds of calls, each with its table."""


def reading_of(name: str) -> tuple[Kind, Reading] | None:
    """The kind of a call of this canonical name, and what is known of it; `None` for one that is deterministic."""
    for kind, table in TABLES.items():
        found = table.get(name)
        if found is not None:
            return kind, found
    return ("io", _ANY) if talks(name) else None


def is_excused(reading: Reading, arguments: str) -> bool:
    """Whether the arguments of a call, as source, make it harmless."""
    return bool(reading.unless) and re.search(reading.unless, arguments) is not None
