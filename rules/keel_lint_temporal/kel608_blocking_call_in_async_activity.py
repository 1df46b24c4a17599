"""An async activity makes a call that blocks its worker's event loop

## What it does
Finds calls that stop the thread they are made in, in `async def` activities and in what these call, in other modules too:
`time.sleep()`, requests, `urllib.request`, the synchronous clients of httpx, boto3, OpenAI, Anthropic, Stripe, Redis and their
kind, `smtplib`, sockets, connections to databases, `subprocess.run()`, `shutil.rmtree()`, `Future.result()` of a thread.
A call that is handed to a thread (`asyncio.to_thread()`, `run_in_executor()`, `sync_to_async()`) blocks nobody, and
`rmtree(folder, ignore_errors=True)`, which clears scratch files away, seldom does.

What a helper does is reported once, in the first activity that reaches it; the path shows how.

## Why is this bad?
All async activities of a worker run in one thread, that of its event loop, which also sends the heartbeats, polls for more
and hands out workflow tasks. While one activity waits in a blocking call, all of that stands still: another activity
misses its heartbeat timeout and is tried a second time while the first attempt goes on, a cancellation is not seen, and
workflow tasks of this worker time out. A test with one activity at a time never shows it.

## Example
### In the activity
```python
import time

import requests
from temporalio import activity


@activity.defn
async def fetch(url: str) -> str:
    answer = requests.get(url, timeout=30)  # KEL608
    time.sleep(3)  # KEL608
    return answer.text
```

### In a helper
```python title="shop/files.py"
import shutil


class Workspace:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    async def clean(self) -> None:
        self.remove()

    def remove(self) -> None:
        shutil.rmtree(self.folder)
```
```python title="shop/activities.py"
from temporalio import activity

from shop.files import Workspace


@activity.defn
async def build(folder: str) -> None:
    workspace = Workspace(folder)
    await workspace.clean()  # KEL608
```

### With a client that the class keeps
```python
import boto3
from temporalio import activity


class Uploads:
    def __init__(self) -> None:
        self.store = boto3.client("s3")

    @activity.defn
    async def upload(self, name: str) -> None:
        self.store.upload_file(name, "orders", name)  # KEL608
```

### Waiting for a program
```python
import subprocess

from temporalio import activity


@activity.defn
async def convert(name: str) -> str:
    def run() -> str:
        return subprocess.check_output(["convert", name], text=True)  # KEL608

    return run()
```

## Use instead
### A plain `def`
The worker runs it in a thread of its `activity_executor`.
```python
import time

import requests
from temporalio import activity


@activity.defn
def fetch(url: str) -> str:
    answer = requests.get(url, timeout=30)
    time.sleep(1)
    return answer.text
```

### A thread for the call alone
```python
import asyncio
import shutil
from functools import partial

import requests
from temporalio import activity


@activity.defn
async def fetch(url: str, folder: str) -> str:
    answer = await asyncio.to_thread(requests.get, url, timeout=30)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, partial(shutil.rmtree, folder))
    await loop.run_in_executor(None, lambda: requests.delete(url, timeout=30))
    await asyncio.sleep(1)
    shutil.rmtree(folder, ignore_errors=True)
    return answer.text
```

### A client that does not block
```python
import asyncio

import httpx
from openai import AsyncOpenAI
from temporalio import activity


@activity.defn
async def ask(url: str, question: str) -> str:
    async with httpx.AsyncClient() as web:
        page = await web.get(url)
    process = await asyncio.create_subprocess_exec("sync")
    await process.wait()
    answer = await AsyncOpenAI().responses.create(input=f"{question} {page.text}", model="small")
    return answer.output_text
```

### A helper that a thread runs
```python title="shop/rates.py"
import requests
from asgiref.sync import sync_to_async


def exchange_rate(currency: str) -> float:
    return float(requests.get(f"https://rates.example/{currency}", timeout=5).text)


@sync_to_async
def inverse_rate(currency: str) -> float:
    return 1 / exchange_rate(currency)
```
```python title="shop/activities.py"
import asyncio

from temporalio import activity

from shop.rates import exchange_rate, inverse_rate


@activity.defn
async def rates(currency: str) -> list[float]:
    rate = await asyncio.to_thread(exchange_rate, currency)
    return [rate, await inverse_rate(currency)]
```

### What only takes a moment
```python
import queue
import time

import boto3
from temporalio import activity


@activity.defn
async def sign(name: str, waiting: queue.Queue[str]) -> str:
    time.sleep(0)
    with open(name) as file:
        key = file.readline() + waiting.get(block=False)
    return boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "orders", "Key": key})
```

## Fix safety
Unsafe. The call runs in another thread, at the same time as other activities: what it shares with them must bear that, and
between it and the next line other code can run. `time.sleep()` becomes `await asyncio.sleep()`, which a cancellation ends.
There is no fix in a plain `def`, which cannot wait, nor where more is done with the value than to keep or return it.

## Known missed alarms
Files that are read and written (on a local disk, threads cost more than they give), calculations that take long, clients
that are not in the table, objects whose class is not known, functions that are handed over as callbacks, and functions of
third parties that block.

## Options
None.

## References
- https://docs.temporal.io/develop/python/python-sdk-sync-vs-async
- https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.flow.blocking import DOES
from keel_lint.in_thread import can_wait, in_thread
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.blocking import Block
    from keel_lint.flow.reaching import Reached
    from keel_lint.glance import Glance

_HARM = "heartbeats, other async activities and workflow tasks of this worker stand still until it returns"


class BlockingCallInAsyncActivity(Rule):
    """Finds async activities that block the event loop."""

    code = "KEL608"
    slug = "blocking-call-in-async-activity"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether an async activity of the definition reaches a blocking call."""
        return next(_reached(glance), None) is not None

    def finish(self) -> None:
        """Judge each blocking call once, however many activities of the definition reach it."""
        calls = {
            (fact.start, fact.end): node
            for node in self.definition.find_all(cst.Call)
            if (fact := self.definition.call_fact(node)) is not None
        }
        said: set[object] = set()
        for reached, position in _reached(self.definition):
            block = reached.effect
            is_own = self._stands_here(block.path, block.start)
            # Calls of one kind in one helper are mended together.
            key = block if is_own else (block.path, block.scope, block.kind)
            if key in said:
                continue
            said.add(key)
            if is_own:
                self._say_own(reached, calls)
            else:
                self._say_far(reached, position, calls)

    def _say_own(self, reached: Reached[Block], calls: dict[tuple[int, int], cst.Call]) -> None:
        block = reached.effect
        node = calls.get((block.start, block.end))
        if node is None:
            return
        instead, fix = self._instead(node, block)
        message = (
            f"`{_called(block.name)}()` {DOES[block.kind]} in an async activity and blocks the event loop: {_HARM}; {instead}"
        )
        hops = self.definition.flow.blocking.hops(reached) if reached.edges else ()
        self.report(node, message, fix=fix, hops=hops)

    def _instead(self, node: cst.Call, block: Block) -> tuple[str, FixBuilder | None]:
        """What to write instead, and the fix that does."""
        if block.name == "time.sleep":
            fix = self.definition.fix("Use `await asyncio.sleep(...)`", "unsafe") if can_wait(self.definition, node) else None
            if fix is not None:
                fix.replace(node.func, f"await {fix.name('asyncio.sleep', node)}")
            return "use `await asyncio.sleep(...)`", fix
        if block.kind == "waiting":
            return "make the activity a plain `def`", None
        written = self.definition.code(node.func)
        thread = f"`await asyncio.to_thread({written if len(written) <= 40 and chr(10) not in written else '...'}, ...)`"
        return f"use {thread}, or make the activity a plain `def`", in_thread(self.definition, node)

    def _say_far(self, reached: Reached[Block], position: int, calls: dict[tuple[int, int], cst.Call]) -> None:
        """Speak of a call in a helper, unless another activity does that reaches it, too."""
        blocking = self.definition.flow.blocking
        block, here = reached.effect, (self.definition.path, position)
        others = [place for place in blocking.activities(reached) if place != here]
        edge = next(edge for edge in reversed(reached.edges) if self._stands_here(edge.path, edge.start))
        node = calls.get((edge.start, edge.end))
        if node is None:
            return None
        if others and min(others) < here:
            return self.decline(node, "another activity that reaches the same blocking call is reported")
        more = f" (and for {len(others)} more that reach{'es' if len(others) == 1 else ''} it)" if others else ""
        what = f"`{edge.written}()` leads this async activity{more} to `{blocking.spelling(block)}` in {block.path}"
        message = (
            f"{what}, which {DOES[block.kind]} and blocks the event loop: {_HARM}; "
            "use `await asyncio.to_thread(...)` there, or make the activity a plain `def`"
        )
        return self.report(node, message, hops=blocking.hops(reached))

    def _stands_here(self, path: str, offset: int) -> bool:
        return path == self.definition.path and self.definition.fact.start <= offset < self.definition.fact.end


def _reached(glance: Glance) -> Iterator[tuple[Reached[Block], int]]:
    """The blocking calls that the async activities of a definition reach, each with the activity's position."""
    blocking, loop = glance.flow.blocking, glance.flow.event_loop
    for position, fact in enumerate(glance.facts.definitions):
        if glance.fact.start <= fact.start < glance.fact.end and loop.is_async_activity(glance.path, position):
            found = blocking.effects(glance.path, position).values()
            yield from ((reached, position) for reached in sorted(found, key=lambda reached: reached.order))


def _called(name: str) -> str:
    """A canonical name as one would write it."""
    return name.removeprefix("builtins.")
