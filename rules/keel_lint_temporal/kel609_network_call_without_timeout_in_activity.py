"""An activity waits for a service without a timeout.

## What it does

Reports calls in `def` activities, and in the functions of the project that they call, that wait for ever unless they are given
a timeout, and are given none: `requests`, `urllib`, `urllib3`, `smtplib`, `ftplib`, sockets and the like.

## Why is this bad?

Temporal cannot stop a thread. When the service does not answer, the attempt times out on the server and the next one begins,
while the first still sits in its thread, and so does the next. The threads of the worker fill up until it runs nothing any
more: other activities time out without having begun, and the worker looks healthy.

## Example

```python
import requests
from temporalio import activity


@activity.defn
def load(order_id: str) -> str:
    return requests.get(f"https://shop.example/{order_id}").text  # KEL609
```

### In a helper

```python
import requests
from temporalio import activity


def fetch(order_id: str) -> str:
    return requests.get(f"https://shop.example/{order_id}").text  # the way is shown


@activity.defn
def load(order_id: str) -> str:
    return fetch(order_id)  # KEL609
```

## Use instead

### A timeout well below that of the attempt

```python
import requests
from temporalio import activity


@activity.defn
def load(order_id: str) -> str:
    return requests.get(f"https://shop.example/{order_id}", timeout=10).text
```

### A client that has one

```python
import httpx
from temporalio import activity


@activity.defn
async def load(order_id: str) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"https://shop.example/{order_id}")).text
```

### A session that sets it

```python
import requests
from requests import Session
from temporalio import activity

OPTIONS = {"timeout": 10}


class Timed(Session):
    def send(self, request, **options):
        return super().send(request, timeout=10)


@activity.defn
def load(order_id: str) -> str:
    return requests.get(f"https://shop.example/{order_id}", **OPTIONS).text + Timed().get("https://shop.example").text
```

## Fix safety

Unsafe: `timeout=10` is a guess. A service that takes longer would now fail the attempt, which is then tried again.

## Known missed alarms

Methods of objects whose class cannot be told, clients that have a timeout of their own, however long, and `async def`
activities: what blocks there is KEL608.

## Options

None.

## References

- https://requests.readthedocs.io/en/latest/user/advanced/#timeouts
- https://docs.temporal.io/develop/python/python-sdk-sync-vs-async
- https://docs.temporal.io/encyclopedia/detecting-activity-failures#start-to-close-timeout
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.outside import calls_on, outgoing
from keel_lint.rule import Rule
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.jobs.outside import Outgoing

_TAKES_ARGUMENT = (
    "requests.",
    "urllib.request.urlopen",
    "urllib3.",
    "smtplib.",
    "imaplib.",
    "poplib.",
    "ftplib.",
    "http.client.",
)


class NetworkCallWithoutTimeoutInActivity(Rule):
    code = "KEL609"
    slug = "network-call-without-timeout-in-activity"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity",)
    proof = "worker"

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Judge an activity."""
        if node.asynchronous is not None or not is_activity(self.definition, node):
            return
        seen: set[tuple[int, int]] = set()
        for call in outgoing(self.definition.project, self.definition.path, self.definition.scope(node.body)):
            where = call.through[0][1:3] if call.through else (call.start, call.end)
            if call.waits and where not in seen:
                seen.add(where)
                self.say(node, call, where)

    def say(self, node: cst.FunctionDef, call: Outgoing, where: tuple[int, int]) -> None:
        written = f"`{call.name}`"
        reached = f"{written}, called through `{call.through[0][3]}`," if call.through else written
        message = (
            f"{reached} has no timeout: when the service does not answer, `{node.name.value}` keeps its thread for ever, and "
            "every new attempt takes one more; pass `timeout=10`"
        )
        places = [*call.through[1:], (call.path, call.start, call.end, call.name)] if call.through else []
        hops = calls_on(self.definition.project, places)
        self.report(where, message, fix=None if call.through else self.insertion(node, call), hops=hops)

    def insertion(self, node: cst.FunctionDef, call: Outgoing) -> FixBuilder | None:
        if not call.name.startswith(_TAKES_ARGUMENT):
            return None
        for found in self.definition.find_all(cst.Call, node.body):
            if self.definition.span(found) == (call.start, call.end):
                fix = self.definition.fix("Add `timeout=10`", "unsafe")
                fix.insert_argument(found, "timeout=10")
                return fix
        return None
