"""A task talks to another service and is never retried

## What it does
Finds tasks that call out (HTTP, mail, cloud services, search engines), themselves or through functions of the project, and
that neither retry nor catch what these calls raise. Tasks that beat starts again within the hour are left alone, and so are
clients that try again by themselves (boto3, Google's and Azure's, OpenAI's) or are told to.

## Why is this bad?
Services time out, answer 503, and limit rates. Celery does not retry by itself: the first such answer ends the task as
`FAILURE`, and its work is lost, the mail, the webhook, the synchronised row, though a minute later it would have gone through.

## Example
### A request
```python
import requests
from celery import shared_task


@shared_task
def sync_user(user_id):  # KEL202
    response = requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    response.raise_for_status()
```

### In a function that the task calls
```python title="shop/search.py"
from elasticsearch.helpers import bulk


def index(client, rows):
    bulk(client, ({"_id": row.pk} for row in rows))
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.models import Product
from shop.search import index


@shared_task(time_limit=600)
def index_products(client_name):  # KEL202
    index(client_name, Product.objects.all())
```

### A client
```python
from celery import shared_task
from hubspot_client.api import HubspotApi


@shared_task(acks_late=True)
def sync_deal(deal_id):  # KEL202
    HubspotApi().deals.create({"id": deal_id})
```

## Use instead
### Automatic retries
```python
import requests
from celery import shared_task


@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=5)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10).raise_for_status()
```

### `self.retry()`
```python
import requests
from celery import shared_task


@shared_task(bind=True, max_retries=5)
def sync_user(self, user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=30 * 2**self.request.retries)
```

### A failure that is dealt with
```python
import requests
from celery import shared_task

from shop.models import User


@shared_task
def sync_user(user_id):
    try:
        requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
    except requests.RequestException:
        User.objects.filter(pk=user_id).update(needs_sync=True)
```

### The base class retries
```python
import requests
from celery import Task, shared_task


class SyncTask(Task):
    autoretry_for = (requests.RequestException,)


@shared_task(base=SyncTask)
def sync_user(user_id):
    requests.post("https://crm.example/users", json={"id": user_id}, timeout=10)
```

### Beat starts it again
```python
import requests
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.beat_schedule = {"rates": {"task": "example.fetch_rates", "schedule": 600}}


@app.task
def fetch_rates():
    print(requests.get("https://rates.example/today", timeout=10).json())
```

### A schedule that is put together from others
```python title="shop/schedules.py"
from celery.schedules import crontab

HOURLY = {"rates": {"task": "shop.tasks.fetch_rates", "schedule": crontab(minute="30")}}
DAILY = {"report": {"task": "shop.tasks.report", "schedule": crontab(hour="3", minute="0")}}
```
```python title="shop/settings.py"
from shop.schedules import DAILY, HOURLY

CELERY_BEAT_SCHEDULE = {**DAILY, **HOURLY}
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```
```python title="shop/tasks.py"
import requests
from celery import shared_task


@shared_task
def fetch_rates():
    print(requests.get("https://rates.example/today", timeout=10).json())
```

### The client tries again
```python
import boto3
from celery import shared_task
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk


@shared_task
def export(rows):
    boto3.client("s3").put_object(Bucket="shop", Key="rows", Body=str(rows))
    bulk(Elasticsearch("https://search.example", retry_on_timeout=True, max_retries=5), rows)
```

### Nothing outside
```python
from celery import shared_task

from shop.models import User


@shared_task
def close(user_id):
    User.objects.filter(pk=user_id).update(closed=True)
```

## Fix safety
Unsafe: `autoretry_for` with the exceptions of the library, `retry_backoff` and a limit are added: what the task did before the
failure is done again. Offered where the task calls `requests` or `httpx` itself.

## Known missed alarms
Services behind an interface of the project, databases, and a task that catches an exception around another call.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.outside import outgoing, way
from keel_lint.jobs.values import fold
from keel_lint.rule import Rule
from keel_lint_celery._code import task_decorator
from keel_lint_celery._handlers import tries_round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.outside import Outgoing
    from keel_lint.jobs.tasks import Task

_NOTHING: tuple[object, ...] = (None, (), [], False)
_TRIES_AGAIN = re.compile(
    r"(?:aioboto3|anthropic|azure|boto3|botocore|github|google|openai)\.|django\.core\.mail\.mail_(?:admins|managers)\Z"
)
"""Clients that try again by themselves, and mails about failures."""
_SCHEDULE = re.compile(r"""schedule["']?\s*[:=]\s*(.+?)(?:,\s*["'\n]|\Z)""", re.DOTALL)
_STRING = re.compile(r"""(["']).*?\1""")
_NAME = re.compile(r"\b[A-Za-z_][\w.]*")
_HOURLY = re.compile(r"""hour=(?!["']?\*)|day_of_week=|day_of_month=""")
_HOUR = 3600
_RAISES = {"requests": "requests.RequestException", "httpx": "httpx.HTTPError"}


class MissingRetry(Rule):
    """Finds tasks that give up at the first failure of a service."""

    code = "KEL202"
    slug = "missing-retry"
    group = "reliability"
    engine = "celery"
    versions = ">=4"
    fix = "unsafe"
    judges = ("task",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the task never retries, and calls out."""
        task = glance.jobs.tasks.at(glance.path, glance.position)
        if task is None or task.definition.kind != "function" or _may_retry(glance.jobs, task) or b".retry(" in glance.text:
            return False
        return not _is_periodic(glance.jobs, task) and bool(outgoing(glance.project, glance.path, glance.position))

    def finish(self) -> None:
        """Judge the task by the first call to the outside that nothing catches."""
        task = self.definition.task
        sent = outgoing(self.definition.project, self.definition.path, self.definition.position)
        left = [one for one in sent if not self._is_dealt_with(one)]
        # What makes a session only says that there will be calls: one of these says more.
        found = next((one for one in left if not one.name.lower().endswith("session")), next(iter(left), None))
        if task is None or found is None or self._hands_itself_on(task):
            return
        message = (
            f"`{task.definition.name}` calls `{found.name}` and is never retried: one timeout or 503 ends it as FAILURE and "
            "the work is lost; add `autoretry_for=(...)` and `retry_backoff=True`"
        )
        self.report(
            task.definition.name_span,
            message,
            fix=self._fix(task, found),
            hops=way(self.definition.project, found, "talks to a service"),
        )

    def _is_dealt_with(self, found: Outgoing) -> bool:
        """Whether something catches what the call raises, on the way to it too, or the client is told to try again."""
        if _TRIES_AGAIN.match(found.name):
            return True
        places = [(path, start, end) for path, start, end, _ in found.through] + [(found.path, found.start, found.end)]
        sources = [self.definition.project.source(path).slice(start, end) for path, start, end in places]
        if found.through:
            maker = self._holder(found.path, found.start)
            sources.append(maker.source.slice(maker.fact.start, maker.fact.end))
        return any("retr" in text.lower() for text in sources) or any(self._is_caught(*place) for place in places)

    def _is_caught(self, path: str, start: int, end: int) -> bool:
        """Whether a handler stands round a call, or it is itself in one: what is told about a failure is no work."""
        holder = self._holder(path, start)
        node = holder.call_at(start, end)
        if node is None or holder.nearest(node, cst.ExceptHandler) is not None:
            return True
        return any(tried.handlers for tried in tries_round(holder, node))

    def _holder(self, path: str, start: int) -> Definition:
        """The definition in which a call stands."""
        here = self.definition
        if path == here.path and here.fact.start <= start < here.fact.end:
            return here
        facts = here.project.facts(path)
        inside = [at for at, one in enumerate(facts.definitions) if one.start <= start < one.end and one.kind == "function"]
        return here.elsewhere(path, inside[-1] if inside else 0)

    def _hands_itself_on(self, task: Task) -> bool:
        own = task.definition.parameters[0].name if task.is_bound and task.definition.parameters else ""
        arguments = self.definition.find_all(cst.Arg)
        return bool(own) and any(isinstance(one.value, cst.Name) and one.value.value == own for one in arguments)

    def _fix(self, task: Task, found: Outgoing) -> FixBuilder | None:
        decorator = task_decorator(self.definition, task)
        raised = _RAISES.get(found.name.partition(".")[0])
        if decorator is None or raised is None or found.through or {"max_retries", "retry_backoff"} & set(task.given):
            return None
        builder = self.definition.fix("Retry with a growing delay", "unsafe")
        name = builder.name(raised)
        builder.insert_decorator_arguments(decorator, f"autoretry_for=({name},), retry_backoff=True, max_retries=5")
        return builder


def _may_retry(jobs: Jobs, task: Task) -> bool:
    """Whether the task is retried, or may be: by its options, or by a class that cannot be read or runs it in its own way."""
    option = jobs.tasks.option(task, "autoretry_for")
    if jobs.tasks.is_opaque(task) or (option is not None and option.value not in _NOTHING):
        return True
    running = jobs.tasks.overriding(task, "__call__")
    if running is None:
        return False
    body = jobs.project.facts(running[0]).definitions[running[1]]
    return "retry" in jobs.project.source(running[0]).slice(body.start, body.end)


def _is_periodic(jobs: Jobs, task: Task) -> bool:
    """Whether beat starts the task again within the hour, so that the next run makes up for a failed one."""
    if "run_every" in task.given:
        return True
    last = task.name.rpartition(".")[2]
    name = rf"""["'](?:[\w.]*\.)?{re.escape(last)}["']"""
    none: tuple[str, ...] = ()
    schedules = jobs.project.memo(("schedules of beat",), lambda: tuple(_schedules(jobs)), none)
    for text in (one for one in schedules if last in one):
        found = re.search(rf"""task["']?\s*[:=]\s*{name}[^{{}}]*""", text)
        if found is not None:
            opened = text.rfind("{", 0, found.start()) + 1
            return _is_frequent(text[opened : found.end()])
        if re.search(name, text):
            return True
    return _is_added(jobs, last)


def _is_frequent(entry: str) -> bool:
    """Whether an entry of the schedule, as source, comes round within the hour; what cannot be told does."""
    schedule = _SCHEDULE.search(entry)
    if schedule is None:
        return True
    text = schedule[1].strip().rstrip(",")
    if "crontab" in text:
        return _HOURLY.search(text) is None
    value = fold(text)
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return not isinstance(seconds, (int, float)) or seconds <= _HOUR


def _is_added(jobs: Jobs, name: str) -> bool:
    """Whether the project calls `add_periodic_task` for a task of this name."""
    none: tuple[str, ...] = ()
    return any(name in text for text in jobs.project.memo(("added to beat",), lambda: tuple(_additions(jobs)), none))


def _additions(jobs: Jobs) -> Iterator[str]:
    """The source of every call that gives beat an entry."""
    for path in jobs.relevant:
        facts = jobs.project.try_facts(path)
        for call in facts.calls if facts is not None else ():
            if call.callee.endswith("add_periodic_task"):
                yield jobs.project.source(path).slice(call.start, call.end)


def _schedules(jobs: Jobs) -> Iterator[str]:
    """The source of each file in which beat's schedule stands."""
    return (jobs.project.source(path).text.decode("utf-8", "replace") for path in dict.fromkeys(_scheduling(jobs)))


def _scheduling(jobs: Jobs) -> Iterator[str]:
    for setting in jobs.settings.get("beat_schedule"):
        yield setting.path
        # A schedule may be put together from others: `{**HOURLY, **DAILY}`, `dict(HOURLY)`, `schedule()`.
        for name in dict.fromkeys(_NAME.findall(_STRING.sub("", setting.value))):
            symbol = jobs.project.resolve(setting.path, name)
            if symbol.path and symbol.path != setting.path:
                yield symbol.path
