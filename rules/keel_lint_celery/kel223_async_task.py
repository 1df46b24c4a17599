"""A task is an async function, whose body never runs

## What it does
Finds `async def` under a task decorator.

## Why is this bad?
A worker calls the function and takes what it returns for the result. An `async def` returns a coroutine that nobody awaits:
the body never runs. With a result backend the task ends in `EncodeError: Object of type coroutine is not JSON serializable`;
with `ignore_result=True` it ends as `SUCCESS`, with nothing done.

## Example
### A shared task
```python
from celery import shared_task

from shop.mail import send


@shared_task
async def send_receipt(order_id: int) -> None:  # KEL223
    await send(order_id)
```

### With options and arguments of each kind
```python
from celery import Celery

from shop.mail import send

app = Celery("shop", broker="redis://localhost")


@app.task(bind=True, ignore_result=True)
async def send_receipt(self, order_id, *extra, loud=False, **options):  # KEL223
    await send(order_id, *extra, loud=loud, **options)
```

## Use instead
### A loop of its own
```python
import asyncio

from celery import shared_task

from shop.mail import send


@shared_task
def send_receipt(order_id: int) -> None:
    asyncio.run(send(order_id))
```

### `async_to_sync`
```python
from asgiref.sync import async_to_sync
from celery import shared_task


@shared_task
@async_to_sync
async def send_receipt(order_id: int) -> None:
    print(order_id)
```

### A class of tasks that awaits
```python
import asyncio

from celery import Task, shared_task


class AsyncTask(Task):
    def __call__(self, *args, **kwargs):
        return asyncio.run(super().__call__(*args, **kwargs))


@shared_task(base=AsyncTask)
async def send_receipt(order_id: int) -> None:
    print(order_id)
```

### A pool that awaits
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.worker_pool = "celery_aio_pool.pool:AsyncIOPool"


@app.task
async def send_receipt(order_id):
    print(order_id)
```

## Fix safety
Unsafe: the body starts to run. Each run gets a loop of its own, so what is tied to another loop, a client or a pool of
connections at module level, fails in it.

## Known missed alarms
Tasks with a base class of their own, under another decorator, and projects that name a pool.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html
- https://docs.python.org/3/library/asyncio-runner.html#asyncio.run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Parameter


class AsyncTask(Rule):
    """Finds tasks whose body is a coroutine."""

    code = "KEL223"
    slug = "async-task"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition is an `async def`, and nothing is there that may await it."""
        if not glance.fact.is_async:
            return False
        task = glance.jobs.tasks.at(glance.path, glance.position)
        is_plain = task is not None and "base" not in task.given and not glance.jobs.tasks.is_opaque(task)
        return is_plain and not glance.jobs.settings.task_classes and not glance.jobs.settings.get("worker_pool")

    def finish(self) -> None:
        """Judge the task."""
        task = self.definition.task
        if task is None or len(task.definition.decorators) != 1:
            return
        name = task.definition.name
        message = (
            f"a worker does not await `{name}`: its body never runs, and the task ends in EncodeError for the coroutine or, "
            f"with `ignore_result`, as SUCCESS; make it a `def` that calls `asyncio.run(...)`"
        )
        self.report(task.definition.name_span, message, fix=self._fix())

    def _fix(self) -> FixBuilder | None:
        """A `def` of the same name in front, which runs the coroutine; that one gets an underscore."""
        fact, source = self.definition.fact, self.definition.source
        if fact.depth or f"_{fact.name}".encode() in source.text:
            return None
        builder = self.definition.fix("Run the coroutine in a `def`", "unsafe")
        start = source.text.rindex(b"async", 0, fact.name_start)
        # The parameters and the return annotation, with the colon.
        colon = source.text.rindex(b":", 0, fact.body_start) + 1
        header = source.slice(fact.name_start, colon)
        line = source.line(source.row(fact.body_start))
        indent = line[: len(line) - len(line.lstrip())]
        if "#" in header or not indent:
            return None
        run = f"{builder.name('asyncio')}.run(_{fact.name}({', '.join(_arguments(fact.parameters))}))"
        builder.insert(start, f"def {header}\n{indent}return {run}\n\n\n")
        builder.insert(fact.name_start, "_")
        return builder


def _arguments(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    """What hands all parameters on."""
    for one in parameters:
        stars = {"vararg": "*", "kwarg": "**"}.get(one.kind, "")
        yield f"{one.name}={one.name}" if one.kind == "kwonly" else f"{stars}{one.name}"
