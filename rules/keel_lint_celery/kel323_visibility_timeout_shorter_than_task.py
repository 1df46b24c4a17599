"""A task may run longer than the broker waits for its acknowledgement

## What it does
Reports tasks with `acks_late` whose time limit is longer than the visibility timeout of Redis or SQS: what
`broker_transport_options` says, else an hour with Redis and half an hour with SQS. The limit and `acks_late` may come from
the decorator, the base class, `task_annotations` or the settings. Where both come from the settings, there is one finding, at
the limit.

## Why is this bad?
With `acks_late` a message is acknowledged when the task is over. Redis and SQS deliver a message that is not acknowledged in
time again, while the task still runs: a second worker does the same work beside the first, then a third.

## Example
### At a task
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


@app.task(acks_late=True, time_limit=3 * 60 * 60)  # KEL323
def export(shop_id):
    print(shop_id)
```

### In the settings
```python title="shop/settings.py"
CELERY_BROKER_URL = "sqs://"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 2 * 60 * 60  # KEL323
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```

## Use instead
### A visibility timeout above the limit
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.broker_transport_options = {"visibility_timeout": 4 * 60 * 60}


@app.task(acks_late=True, time_limit=3 * 60 * 60)
def export(shop_id):
    print(shop_id)
```

### Acknowledged before it runs
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


@app.task(time_limit=3 * 60 * 60)
def export(shop_id):
    print(shop_id)
```

### A broker that does not do so
```python
from celery import Celery

app = Celery("shop", broker="amqp://localhost")


@app.task(acks_late=True, time_limit=3 * 60 * 60)
def export(shop_id):
    print(shop_id)
```

## Fix safety
There is none: a longer timeout also makes lost messages come back later.

## Known missed alarms
Tasks without a limit, brokers whose address only the environment knows, and applications that share a broker with another
visibility timeout (the shortest counts).

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#visibility-timeout
- https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/sqs.html
- https://docs.celeryq.dev/en/stable/faq.html#faq-acks-late-vs-retry
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.brokers import spelled
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Option, Task

_LIMITS = ("time_limit", "soft_time_limit")
_SETTINGS = ("task_time_limit", "task_soft_time_limit")


class VisibilityTimeoutShorterThanTask(Rule):
    """Finds tasks that the broker delivers again while they run."""

    code = "KEL323"
    slug = "visibility-timeout-shorter-than-task"
    group = "reliability"
    engine = "celery"
    judges = ("settings", "task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the broker delivers again."""
        return glance.jobs.broker is not None

    def finish(self) -> None:
        """Judge the definition as a task, or as the place of a setting."""
        task = self.definition.task
        if task is not None:
            self._judge_task(task)
        elif self.definition.jobs.setting("task_acks_late") is True:
            self._judge_settings()

    def _judge_task(self, task: Task) -> None:
        tasks = self.definition.jobs.tasks
        late = tasks.option(task, "acks_late")
        options = (tasks.option(task, name) for name in _LIMITS)
        limit = next((one for one in options if one is not None and one.value is not None), None)
        if late is None or late.value is not True or limit is None or {late.origin, limit.origin} == {"settings"}:
            return
        if self._is_too_long(limit.value):
            self._say(self._place(limit, late), f"`{task.definition.name}` may run for", limit.value)

    def _place(self, *options: Option) -> tuple[int, int]:
        """The first of these options that stands in the definition, else its name."""
        fact = self.definition.fact
        here = (one for one in options if one.path == self.definition.path and fact.start <= one.start < fact.end)
        return next(((one.start, one.end) for one in here), fact.name_span)

    def _judge_settings(self) -> None:
        jobs, fact = self.definition.jobs, self.definition.fact
        for name in _SETTINGS:
            limit = jobs.setting(name)
            if limit is None:
                continue
            places = (one for one in jobs.settings.get(name) if one.path == self.definition.path)
            place = next((one for one in places if fact.start <= one.start < fact.end), None)
            if place is not None and self._is_too_long(limit):
                self._say((place.start, place.end), "tasks acknowledge late and may run for", limit)
            return

    def _is_too_long(self, limit: object) -> bool:
        broker = self.definition.jobs.broker
        return broker is not None and isinstance(limit, (int, float)) and limit > broker.visibility

    def _say(self, place: tuple[int, int], what: str, limit: object) -> None:
        broker = self.definition.jobs.broker
        assert broker is not None
        assert isinstance(limit, (int, float))
        name = "Redis" if broker.kind == "redis" else "SQS"
        default = " (its default)" if broker.is_default else ""
        message = (
            f"{what} {spelled(limit)}, but {name} delivers a message that is not acknowledged after "
            f"{spelled(broker.visibility)}{default} again: a second worker runs it too; raise `visibility_timeout` in "
            "`broker_transport_options`"
        )
        self.report(place, message)
