"""A task waits for the network without a timeout

## What it does
Finds calls in a task that wait for ever unless they are told not to: `requests`, `urllib`, `urllib3`, `smtplib`, `ftplib`,
`socket.create_connection` and the like without `timeout`, also in the functions of the project that the task calls. One call
is one finding: where several tasks get to it, it stands at the first of them (the one that makes the call itself, else by file
and line), with their number.

## Why is this bad?
A server that accepts the connection and never answers keeps the worker process for good: nothing fails, nothing is logged.
After as many such calls as there are processes the queue stands still. A time limit of the task frees the process, but kills
it where it stands.

## Example
### In the task
```python
import requests
from celery import shared_task


@shared_task
def sync_user(user_id):
    response = requests.post("https://crm.example/users", json={"id": user_id})  # KEL217
    response.raise_for_status()
```

### Through a session, a client, and other libraries
```python
import smtplib
from urllib.request import urlopen

import requests
from celery import shared_task


@shared_task
def sync_user(user_id):
    with requests.Session() as session:
        session.headers["X-User"] = str(user_id)
        session.get("https://crm.example/users")  # KEL217
    urlopen("https://crm.example/ping")  # KEL217
    server = smtplib.SMTP("mail.example", 25)  # KEL217
    server.quit()
```

### In a function that the task calls
```python title="shop/crm.py"
import requests


def push(user_id):
    return requests.post("https://crm.example/users", json={"id": user_id})
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.crm import push


@shared_task
def sync_user(user_id):
    push(user_id)  # KEL217
```

### Through a session that a function opens
```python title="shop/crm.py"
import requests


def push(user_id):
    request = requests.Request("POST", "https://crm.example/users", json={"id": user_id}).prepare()
    with requests.Session() as session:
        return session.send(request)
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.crm import push


@shared_task
def sync_user(user_id):
    push(user_id)  # KEL217
```

### In a function that two tasks call
```python title="shop/crm.py"
import requests


def push(user_id):
    return requests.post("https://crm.example/users", json={"id": user_id})
```
```python title="shop/orders.py"
from celery import shared_task

from shop.crm import push


@shared_task
def order(user_id):
    push(user_id)  # KEL217
```
```python title="shop/users.py"
from celery import shared_task

from shop.crm import push


@shared_task
def move(user_id):
    push(user_id)


@shared_task
def rename(user_id):
    push(user_id)
```

### In a task that another one calls as a function
```python
import requests
from celery import shared_task


@shared_task
def sync_users(user_ids):
    for user_id in user_ids:
        sync_user(user_id)


@shared_task
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id})  # KEL217
```

## Use instead
### A timeout
```python
import smtplib
import socket
from urllib.request import urlopen

import requests
from celery import shared_task


@shared_task
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=(3, 30))
    urlopen("https://crm.example/ping", None, 10)
    socket.create_connection(("crm.example", 443), 10).close()
    with smtplib.SMTP("mail.example", 25, timeout=10) as server:
        server.noop()
```

### Options that are put together elsewhere
```python
import requests
from celery import shared_task

OPTIONS = {"timeout": 10}


@shared_task
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, **OPTIONS)
```

### A session with an adapter of its own
```python
import requests
from celery import shared_task

from shop.http import TimeoutAdapter


@shared_task
def sync_user(user_id):
    session = requests.Session()
    session.mount("https://", TimeoutAdapter(10))
    session.get(f"https://crm.example/users/{user_id}")
```

### The same in a function that the task calls
```python title="shop/crm.py"
import requests

from shop.http import TimeoutAdapter


def pull(url):
    session = requests.Session()
    session.mount("https://", TimeoutAdapter(10))
    return session.get(url)


def push(url):
    with requests.Session() as session:
        return session.post(url, timeout=10)
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.crm import pull, push


@shared_task(autoretry_for=(OSError,), retry_backoff=True)
def sync_user(url):
    push(url)
    return pull(url)
```

### A library that has a timeout by itself
```python
import httpx
from celery import shared_task


@shared_task
def sync_user(user_id):
    httpx.post("https://crm.example/users", json={"id": user_id})
```

## Fix safety
Unsafe: `timeout=30` is added: a call that took longer and succeeded now fails. Where the call stands in another function there
is no fix.

## Known missed alarms
Calls on objects that come from elsewhere, and more than three functions away from the task. A suppression at the first task
that gets to a call is one for all of them, as there is no second finding.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html
- https://requests.readthedocs.io/en/latest/user/advanced/#timeouts
- https://docs.python.org/3/library/socket.html#socket.getdefaulttimeout
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from keel_lint.jobs.outside import WAITING, may_wait, outgoing, way
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule
from keel_lint_celery._code import is_spread, keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Task
    from keel_lint.project import Project

_BY_POSITION = {
    "ftplib.FTP": 5, "http.client.HTTPConnection": 3, "http.client.HTTPSConnection": 3, "imaplib.IMAP4": 3, "poplib.POP3": 3,
    "smtplib.LMTP": 5, "smtplib.SMTP": 4, "socket.create_connection": 2, "telnetlib.Telnet": 3, "urllib.request.urlopen": 3,
}  # fmt: skip
"""With how many positional arguments the last one is the timeout."""
_SECONDS = 30
_SETS_DEFAULT = b"setdefaulttimeout"
_LIMITS = ("time_limit", "soft_time_limit")


class _Reached(NamedTuple):
    """Which task reports a call, as (path, position), and how many tasks get to it."""

    first: tuple[str, int]
    tasks: int


class NetworkCallWithoutTimeout(Rule):
    """Finds calls of a task that may wait for ever."""

    code = "KEL217"
    slug = "network-call-without-timeout"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task may wait for the outside, and nothing gives all sockets a timeout."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        if task is None or _SETS_DEFAULT in glance.project.source(glance.path).text:
            return False
        return any(one.waits or may_wait(one.name) for one in outgoing(glance.project, glance.path, glance.position))

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call of the task itself."""
        name = self.definition.once(Receivers).called(node)
        if name not in WAITING or self._gives_up(node, name) or self._has_adapter(node):
            return
        found = self._reached.get((self.definition.path, self.definition.span(node)[0]))
        self.report(node, self._message(name, found.tasks if found is not None else 1), fix=self._fix(node))

    def finish(self) -> None:
        """Judge what the functions do that the task calls."""
        here, seen = (self.definition.path, self.definition.position), set[int]()
        for one in outgoing(self.definition.project, *here):
            first = one.through[0] if one.through else None
            if first is None or not one.waits or first[1] in seen:
                continue
            found = self._reached.get((one.path, one.start))
            # A task in test code is none of the project's.
            if found is not None and found.first != here:
                continue
            seen.add(first[1])
            tasks = found.tasks if found is not None else 1
            self.report(
                (first[1], first[2]), self._message(one.name, tasks), hops=way(self.definition.project, one, "waits here")
            )

    @property
    def _reached(self) -> Mapping[tuple[str, int], _Reached]:
        """The calls that wait for ever, by file and place, and which tasks of the project get to them."""
        definition, nothing = self.definition, dict[tuple[str, int], _Reached]()
        find = lambda: _reached(definition.project, definition.jobs.all_tasks)  # noqa: E731
        return definition.project.memo(("waiting calls of tasks",), find, nothing)

    def _message(self, name: str, tasks: int) -> str:
        reached = f" ({tasks} tasks get there)" if tasks > 1 else ""
        keeps = "until the time limit ends it" if self._is_limited() else "for ever, and no error is logged"
        return (
            f"`{name}` without a timeout{reached}: when the other side does not answer, it keeps the worker process {keeps}; "
            f"add `timeout={_SECONDS}`"
        )

    def _is_limited(self) -> bool:
        """Whether a time limit ends the task."""
        task = self.definition.task
        options = (self.definition.jobs.tasks.option(task, name) for name in _LIMITS) if task is not None else ()
        return any(option is not None and option.value is not None for option in options)

    def _gives_up(self, node: cst.Call, name: str) -> bool:
        """Whether a call has a timeout, or may have one."""
        if is_spread(node) or "timeout" in keywords(node):
            return True
        return sum(1 for one in node.args if one.keyword is None) >= _BY_POSITION.get(name, len(node.args) + 1)

    def _has_adapter(self, node: cst.Call) -> bool:
        """Whether the session is given an adapter, which may have a timeout."""
        func = node.func
        if not isinstance(func, cst.Attribute) or not isinstance(func.value, cst.Name):
            return False
        mounted = f"{func.value.value}.mount("
        return mounted in self.definition.source.slice(self.definition.fact.start, self.definition.fact.end)

    def _fix(self, node: cst.Call) -> FixBuilder:
        builder = self.definition.fix(f"Wait no longer than {_SECONDS} seconds", "unsafe")
        builder.insert_argument(node, f"timeout={_SECONDS}")
        return builder


def _reached(project: Project, tasks: Iterable[Task]) -> dict[tuple[str, int], _Reached]:
    """The calls without a timeout that tasks get to; a task that makes the call itself is the first."""
    ways: dict[tuple[str, int], set[tuple[bool, str, int]]] = {}
    for task in tasks:
        if _SETS_DEFAULT in project.source(task.path).text:
            continue
        for one in outgoing(project, task.path, task.position):
            if one.waits:
                ways.setdefault((one.path, one.start), set()).add((bool(one.through), task.path, task.position))
    return {call: _Reached(min(found)[1:], len(found)) for call, found in ways.items()}
