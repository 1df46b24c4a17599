"""A task is published, or waited for, in the event loop of a server

## What it does
Finds `.delay()`, `.apply_async()` and `send_task()`, and waiting for a result with `.get()` and its kin, in `async def`
handlers of FastAPI, Starlette, aiohttp, Sanic, Quart and Litestar, in asynchronous Django and Channels code, in async Temporal
activities, and in what these call. Django's views count where the project has an ASGI application: under WSGI each has a loop
of its own. What is handed to a thread does not count, nor do plain `def` handlers of FastAPI, which run in one.

## Why is this bad?
Celery publishes with a blocking socket. With a healthy broker that takes about a millisecond, and nobody notices. When the
broker is slow, restarting or behind a broken connection, the call connects, waits and tries again, and in that time the one
thread that serves all requests of the process does nothing else: every client waits, health checks fail, and the server is
taken out of rotation because of one message. Waiting for a result is worse: it stops the server for as long as the task takes.

## Example
### In a FastAPI handler
```python
from celery import shared_task
from fastapi import FastAPI

app = FastAPI()


@shared_task
def send_receipt(order_id):
    print(order_id)


@app.post("/orders/{order_id}")
async def place(order_id: int):
    send_receipt.delay(order_id)  # KEL117
    result = send_receipt.apply_async(args=[order_id], countdown=5)  # KEL117
    return {"task": result.id}
```

### In what a handler calls
```python title="shop/api.py"
from fastapi import APIRouter

from shop.services import OrderService

router = APIRouter()


@router.post("/orders/{order_id}")
async def place(order_id: int):
    await OrderService().place(order_id)
```
```python title="shop/services.py"
from shop.tasks import send_receipt


class OrderService:
    async def place(self, order_id):
        self.announce(order_id)

    def announce(self, order_id):
        send_receipt.delay(order_id)  # KEL117
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
```

### Waiting for the result
```python
from aiohttp import web
from celery import shared_task
from celery.result import AsyncResult


@shared_task
def price(order_id):
    return 10 * order_id


async def show(request: web.Request):
    total = price.delay(int(request.match_info["id"])).get(timeout=10)  # KEL117
    return web.json_response({"total": total})


async def wait(request: web.Request):
    total = AsyncResult(request.match_info["id"]).get(timeout=10)  # KEL117
    return web.json_response({"total": total})
```

### An asynchronous Django view
```python title="shop/asgi.py"
from django.core.asgi import get_asgi_application

application = get_asgi_application()
```
```python title="shop/views.py"
from django.http import HttpResponse
from django.views import View

from shop.tasks import send_receipt


class Checkout(View):
    async def post(self, request):
        send_receipt.delay(request.POST["order"])  # KEL117
        return HttpResponse()
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
```

## Use instead
### A thread
```python
import asyncio

from asgiref.sync import sync_to_async
from celery import shared_task
from fastapi import FastAPI

app = FastAPI()


@shared_task
def send_receipt(order_id):
    print(order_id)


@app.post("/orders/{order_id}")
async def place(order_id: int):
    result = await asyncio.to_thread(send_receipt.delay, order_id)
    await sync_to_async(send_receipt.delay)(order_id)
    await asyncio.to_thread(lambda: send_receipt.delay(order_id))
    return {"task": result.id}
```

### A result that is there
```python
from celery.result import AsyncResult
from fastapi import FastAPI

app = FastAPI()


@app.get("/totals/{task_id}")
async def total(task_id: str):
    result = AsyncResult(task_id)
    return {"total": result.get() if result.ready() else None}
```

### A plain `def`, which the framework runs in a thread
```python
from celery import shared_task
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


@shared_task
def send_receipt(order_id):
    print(order_id)


@app.post("/orders/{order_id}")
def place(order_id: int):
    return {"task": send_receipt.delay(order_id).id}


@app.post("/quotes/{order_id}")
async def quote(order_id: int, background: BackgroundTasks):
    background.add_task(send_receipt.delay, order_id)
```

### A loop that serves nobody else
```python
import asyncio

from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)


async def announce(order_ids):
    for order_id in order_ids:
        send_receipt.delay(order_id)


@shared_task
def announce_all(order_ids):
    asyncio.run(announce(order_ids))
```

### A view under WSGI
```python
from celery import shared_task
from django.http import HttpRequest, HttpResponse


@shared_task
def send_receipt(order_id):
    print(order_id)


async def checkout(request: HttpRequest):
    send_receipt.delay(request.POST["order"])
    return HttpResponse()
```

### A helper that a thread runs
```python
from asgiref.sync import sync_to_async
from celery import shared_task
from fastapi import APIRouter

router = APIRouter()


@shared_task
def send_receipt(order_id):
    print(order_id)


@sync_to_async
def announce(order_id):
    send_receipt.delay(order_id)


@router.post("/orders/{order_id}")
async def place(order_id: int):
    await announce(order_id)
```

## Fix safety
Unsafe. The call runs in another thread, with a database connection of its own, and other requests are served before the next
line runs. There is no fix in a plain `def`, which cannot wait, nor where more is done with the value than to keep or return it.

## Known missed alarms
Handlers that are registered without a decorator and do not name the type of their request, dependencies of FastAPI, other
frameworks, routers made by a factory or of a class of the project, `AsyncResult.state` and `.ready()`, which ask the result
backend, and a result that is handed from one function to another.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#connection-error-handling
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#broker-connection-timeout
- https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.in_thread import in_thread
from keel_lint.index.roles import DISPATCHES
from keel_lint.rule import Rule
from keel_lint_celery._results import WAITING, made_by

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.flow.event_loop import Handler
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call

_PUBLISHING = frozenset(name for name in DISPATCHES if not name.endswith("_on_commit"))

_STATES = frozenset({"ready", "state", "status", "successful"})


class BlockingDispatchInAsync(Rule):
    """Finds dispatches that block an event loop."""

    code = "KEL117"
    slug = "blocking-dispatch-in-async"
    group = "performance"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("dispatch", "result")
    proof = "publish"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._waited_for: set[int] = set()

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition publishes or waits in an event loop."""
        return any(_may_block(call) and _handler(glance, call) is not None for call in glance.calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may publish or wait."""
        fact = self.definition.call_fact(node)
        if fact is None or not _may_block(fact):
            return
        waits = isinstance(node.func, cst.Attribute) and node.func.attr.value in WAITING
        if waits:
            assert isinstance(node.func, cst.Attribute)
            made = made_by(self.definition, node.func.value)
            if made is None or self._is_known_to_be_ready(node, node.func.value):
                return
            self._waited_for.add(id(made))
        elif id(node) in self._waited_for or self.definition.jobs.dispatches.of(self.definition.path, fact) is None:
            return
        handler = _handler(self.definition, fact)
        if handler is not None:
            self._say(node, fact, handler, waits=waits)
        elif self.definition.facts.definitions[fact.scope].is_async:
            self.decline(node, "no server is known to run this in its event loop")

    def _is_known_to_be_ready(self, node: cst.Call, result: cst.BaseExpression) -> bool:
        """Whether the function asks a result for its state, too: then it waits only for what is there."""
        function = self.definition.nearest(node, cst.FunctionDef)
        asked = self.definition.find_all(cst.Attribute, function) if function is not None else iter(())
        name = self.definition.code(result)
        return any(one.attr.value in _STATES and self.definition.code(one.value) == name for one in asked)

    def _say(self, node: cst.Call, fact: Call, handler: Handler, *, waits: bool) -> None:
        is_here = handler.place == (self.definition.path, fact.scope)
        where = "here" if is_here else f"of `{handler.name}`"
        called = f"`{fact.callee.replace('()', '(...)')}()`"
        how_long = "until the task is done" if waits else "while the broker is slow or away"
        what = f"{called} blocks the event loop {where} {how_long}: nothing else of this process is served"
        publishes = isinstance(node.func, cst.Attribute) and id(node.func.value) in self._waited_for
        fix = in_thread(self.definition, node, whole=publishes)
        instead = self._instead(node, fact, publishes=publishes)
        self.report(node, f"{what}; {instead}", fix=fix, hops=() if is_here else handler.hops)

    def _instead(self, node: cst.Call, fact: Call, *, publishes: bool) -> str:
        function = self.definition.facts.definitions[fact.scope]
        if not function.is_async:
            return f"run `{function.name}` with `await asyncio.to_thread(...)`"
        written = self.definition.code(node.func)
        handed = "lambda: ..." if publishes else f"{written}, ..." if "\n" not in written else "..."
        return f"write `await asyncio.to_thread({handed})`"


def _may_block(call: Call) -> bool:
    """Whether a call publishes or waits, by its name. What is awaited is not Celery's own."""
    method = call.callee.rpartition(".")[2]
    return not call.awaited and call.scope >= 0 and (method in _PUBLISHING or method in WAITING)


def _handler(glance: Glance, call: Call) -> Handler | None:
    return glance.flow.event_loop.handler_of(glance.path, call)
