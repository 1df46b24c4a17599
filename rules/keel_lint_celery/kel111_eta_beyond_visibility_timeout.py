"""A task is put off for longer than the broker waits for its acknowledgement

## What it does
Reports `countdown=` and `eta=` of `apply_async`, `send_task` and `retry`, and `default_retry_delay`, that are longer than the
visibility timeout of Redis or SQS: what `broker_transport_options` says, else an hour with Redis and half an hour with SQS.
Constants are folded: `60 * 60 * 6`, `timedelta(hours=6).total_seconds()`, `now() + timedelta(hours=6)`.

## Why is this bad?
A worker takes the message at once and keeps it until it is due, without an acknowledgement. Redis and SQS deliver it again to
another worker each time the visibility timeout is over, and when it is due all of them run it.

## Example
```python
from datetime import datetime, timedelta, timezone

from celery import Celery

app = Celery("shop", broker="redis://localhost")
SIX_HOURS = 6 * 60 * 60


@app.task(bind=True, default_retry_delay=SIX_HOURS)  # KEL111
def remind(self, order_id):
    raise self.retry(countdown=SIX_HOURS)  # KEL111


def order(order_id):
    remind.apply_async((order_id,), countdown=SIX_HOURS)  # KEL111
    remind.apply_async((order_id,), eta=datetime.now(timezone.utc) + timedelta(days=1))  # KEL111
```

## Use instead
### A visibility timeout above the longest delay
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.broker_transport_options = {"visibility_timeout": 12 * 60 * 60}


@app.task
def remind(order_id):
    print(order_id)


def order(order_id):
    remind.apply_async((order_id,), countdown=6 * 60 * 60)
```

### A short delay
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")


@app.task
def remind(order_id):
    print(order_id)


def order(order_id, delay):
    remind.apply_async((order_id,), countdown=60)
    remind.apply_async((order_id,), countdown=delay)
```

### A broker that does not do so
```python
from celery import Celery

app = Celery("shop", broker="amqp://localhost")


@app.task
def remind(order_id):
    print(order_id)


def order(order_id):
    remind.apply_async((order_id,), countdown=6 * 60 * 60)
```

## Fix safety
There is none: for what is due in hours, a row with a date and a beat entry that looks for it lasts longer than a message.

## Known missed alarms
Delays that are computed when the program runs, brokers whose address only the environment knows, and RabbitMQ's
`consumer_timeout`, which closes the channel instead.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/calling.html#eta-and-countdown
- https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#visibility-timeout
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.brokers import spelled
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_DELAYED = frozenset({"apply_async", "apply_async_on_commit", "send_task"})
_WORDS = (b"countdown", b"eta", b"default_retry_delay")
_NOW = frozenset({"now", "utcnow"})


class EtaBeyondVisibilityTimeout(Rule):
    """Finds delays that the broker does not wait for."""

    code = "KEL111"
    slug = "eta-beyond-visibility-timeout"
    group = "reliability"
    engine = "celery"
    judges = ("dispatch", "task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether something is put off, and the broker delivers again."""
        return any(word in glance.text for word in _WORDS) and glance.jobs.broker is not None

    def finish(self) -> None:
        """Look at the delay between retries."""
        task = self.definition.task
        option = task.given.get("default_retry_delay") if task is not None else None
        if option is not None and option.path == self.definition.path and isinstance(option.value, (int, float)):
            self._judge((option.start, option.end), float(option.value), "a retry waits")

    def visit_Call(self, node: cst.Call) -> None:
        """Look at the delay of a dispatch or of a retry."""
        given = {a.keyword.value: a for a in node.args if a.keyword is not None and a.keyword.value in {"countdown", "eta"}}
        if not given or not self._is_delayed(node):
            return
        for name, argument in given.items():
            seconds = self._seconds(argument.value) if name == "countdown" else self._from_now(argument.value)
            if seconds is not None:
                self._judge(self.definition.span(argument), seconds, "the task waits")

    def _is_delayed(self, node: cst.Call) -> bool:
        fact = self.definition.call_fact(node)
        method = fact.callee.rpartition(".")[2] if fact is not None else ""
        if fact is None or method not in _DELAYED | {"retry"}:
            return False
        if method == "retry":
            task = self.definition.task
            return task is not None and (task.definition.kind == "class" or task.is_bound or "self" not in fact.callee)
        return self.definition.jobs.dispatches.of(self.definition.path, fact) is not None

    def _seconds(self, node: cst.BaseExpression) -> float | None:
        """A number of seconds; `timedelta(...).total_seconds()` too."""
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "total_seconds":
            node = node.func.value
        value = self.definition.value(node)
        if isinstance(value, timedelta):
            return value.total_seconds()
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def _from_now(self, node: cst.BaseExpression) -> float | None:
        """The seconds in `now() + timedelta(...)`."""
        if not isinstance(node, cst.BinaryOperation) or not isinstance(node.operator, cst.Add):
            return None
        for moment, delay in ((node.left, node.right), (node.right, node.left)):
            if isinstance(moment, cst.Call) and self.definition.code(moment.func).rpartition(".")[2] in _NOW:
                value = self.definition.value(delay)
                return value.total_seconds() if isinstance(value, timedelta) else None
        return None

    def _judge(self, place: tuple[int, int], seconds: float, what: str) -> None:
        broker = self.definition.jobs.broker
        if broker is None or seconds <= broker.visibility:
            return
        name = "Redis" if broker.kind == "redis" else "SQS"
        default = " (its default)" if broker.is_default else ""
        message = (
            f"{what} {spelled(seconds)}, but {name} delivers its message again every {spelled(broker.visibility)}{default}: it "
            "runs once for each of them; raise `visibility_timeout` in `broker_transport_options`, or keep the date in a table"
        )
        self.report(place, message)
