"""Messages are written in a format that the workers of the project do not accept

## What it does
Compares the serializer of messages, where the settings (`task_serializer`), a task or a dispatch names it, with
`accept_content`: JSON alone where that is not set. `result_serializer` is compared with `result_accept_content`, else with
`accept_content`.

## Why is this bad?
The worker logs `Refusing to deserialize disabled content of type ...` and throws the message away. The task never runs, and
who waits for its result waits for ever. A result in such a format raises `ContentDisallowed` where it is read.

## Example
### In the settings
```python title="shop/settings.py"
CELERY_TASK_SERIALIZER = "pickle"  # KEL315
CELERY_ACCEPT_CONTENT = ["json"]
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```

### At a task and at a dispatch
```python
from celery import Celery

app = Celery("shop")


@app.task(serializer="yaml")  # KEL315
def tag(image_id):
    print(image_id)


@app.task
def resize(image):
    print(image)


def upload(image):
    resize.apply_async((image,), serializer="pickle")  # KEL315
```

## Use instead
### What is accepted
```python title="shop/settings.py"
CELERY_TASK_SERIALIZER = "msgpack"
CELERY_ACCEPT_CONTENT = ["application/json", "application/x-msgpack"]
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```

### JSON
```python
from celery import Celery

app = Celery("shop")


@app.task(serializer="json")
def resize(image_id):
    print(image_id)


def upload(image_id, kind):
    resize.apply_async((image_id,), serializer="json")
    resize.apply_async((image_id,), serializer=kind)
```

### A serializer of one's own
```python
from celery import Celery
from kombu.serialization import register

from shop.encoding import dumps, loads

register("shop-json", dumps, loads, content_type="application/x-shop-json")
app = Celery("shop")
app.conf.update(task_serializer="shop-json", accept_content=["application/x-shop-json"])
```

## Fix safety
There is none: to accept more, or to write less, is yours to say.

## Known missed alarms
Settings that cannot be read, and workers with settings of their own.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#accept-content
- https://docs.celeryq.dev/en/stable/userguide/calling.html#serializers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.serializers import KNOWN, accepted, content_type
from keel_lint.rule import Rule
from keel_lint_celery._settings_code import production_settings

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.glance import Glance
    from keel_lint.jobs import Jobs

_REFUSED = "the worker refuses the message (ContentDisallowed) and the task never runs"
_SETTINGS = {"task_serializer": _REFUSED, "result_serializer": "who reads the result gets ContentDisallowed"}
_WORD = b"serializer"


class SerializerNotAccepted(Rule):
    """Finds serializers that are not accepted."""

    code = "KEL315"
    slug = "serializer-not-accepted"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    judges = ("dispatch", "settings", "task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a serializer is named, and it is known what is accepted."""
        is_named = _WORD in glance.text.lower()
        return is_named and _accepted(glance.jobs, "accept_content") is not None

    def finish(self) -> None:
        """Look at settings and at the options of a task."""
        for name, then in _SETTINGS.items():
            for place, value in production_settings(self.definition, name):
                self._judge(place, value, name, then)
        task = self.definition.task
        option = self.definition.jobs.tasks.option(task, "serializer") if task is not None else None
        if (
            option is not None
            and option.path == self.definition.path
            and option.origin != "settings"
            and self._holds(option.start)
        ):
            self._judge((option.start, option.end), option.value, "task_serializer", _REFUSED)

    def visit_Call(self, node: cst.Call) -> None:
        """Look at the serializer of a dispatch."""
        named = next((a for a in node.args if a.keyword is not None and a.keyword.value == "serializer"), None)
        fact = self.definition.call_fact(node) if named is not None else None
        dispatch = self.definition.jobs.dispatches.of(self.definition.path, fact) if fact is not None else None
        if (
            named is not None
            and dispatch is not None
            and dispatch.method in {"apply_async", "send_task", "apply_async_on_commit"}
        ):
            self._judge(self.definition.span(named), self.definition.value(named.value), "task_serializer", _REFUSED)

    def _holds(self, offset: int) -> bool:
        return self.definition.fact.start <= offset < self.definition.fact.end

    def _judge(self, place: tuple[int, int], value: object, name: str, then: str) -> None:
        serializer = content_type(value)
        lets_in = _accepted(self.definition.jobs, "result_accept_content" if name == "result_serializer" else "accept_content")
        if serializer not in KNOWN or lets_in is None or serializer in lets_in or not lets_in <= KNOWN:
            return
        known = " and ".join(f"`{one}`" for one in sorted(map(str, lets_in)))
        self.report(place, f"`{serializer}` is not accepted, only {known} is (`accept_content`): {then}")


def _accepted(jobs: Jobs, name: str) -> frozenset[object] | None:
    """What is let in, where all settings of the project agree."""
    setting = jobs.setting(name)
    if setting is None and name != "accept_content":
        return _accepted(jobs, "accept_content")
    return accepted(setting)
