"""A task is called by a name that no task of the project has

## What it does
Compares every task name that is written as a string with the names under which tasks are registered: in beat's schedule,
in `send_task` and `signature`, and as keys of `task_routes` and `task_annotations`. Constants are followed through modules,
classes and enums. A task's registered name is its `name=`, else the module it is defined in and the name of its function.
The names that may be meant are offered, the nearest first.

## Why is this bad?
Nothing checks a name when it is sent. The worker logs `Received unregistered task of type '...'`, throws the message away
and goes on; the caller waits for a result that never comes, and a beat entry does nothing for ever. A route or an annotation
for a name that no task has is never used, so the task runs on the default queue.

## Example
### Beat
```python title="shop/__init__.py"
```
```python title="shop/orders/__init__.py"
```
```python title="shop/orders/tasks.py"
from celery import shared_task


@shared_task
def expire_carts():
    print("expired")
```
```python title="shop/settings.py"
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "expire carts": {
        "task": "shop.tasks.expire_carts",  # KEL312
        "schedule": crontab(minute="*/5"),
    },
    "expire carts at night": {
        "task": "shop.orders.tasks.expire_all_carts",  # KEL312
        "schedule": crontab(minute=0, hour=3),
    },
}
CELERY_TASK_ROUTES = {
    "shop.orders.tasks.expire_cart": {"queue": "slow"},  # KEL312
}
```

### A name of its own
```python
from celery import Celery, signature

app = Celery("shop")


@app.task(name="send-invoice")
def send_invoice(order_id):
    print(order_id)


def bill(order_id):
    app.send_task("send-invoices", args=[order_id])  # KEL312
    signature("send-invoicee", args=[order_id]).delay()  # KEL312
```

## Use instead
### The name that the task has
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def expire_carts():
    print("expired")
```
```python title="shop/settings.py"
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "expire carts": {"task": "shop.tasks.expire_carts", "schedule": crontab(minute="*/5")},
    "clean results": {"task": "celery.backend_cleanup", "schedule": crontab(minute=0, hour=4)},
}
CELERY_TASK_ROUTES = {"shop.tasks.*": {"queue": "slow"}}
```

### Tasks of another service
```python
from celery import Celery

app = Celery("shop")


@app.task(name="send-invoice")
def send_invoice(order_id):
    print(order_id)


def bill(order_id):
    app.send_task("send-invoice", args=[order_id])
    app.send_task("warehouse.tasks.pick", args=[order_id])
    app.send_task("archive-order", args=[order_id])
```

### Names that are made when the program runs
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import Celery

app = Celery("shop")


def register(kind):
    @app.task(name=f"shop.tasks.sync_{kind}")
    def sync(key):
        print(kind, key)

    return sync


for kind in ("orders", "stock"):
    register(kind)


def sync_all():
    app.send_task("shop.tasks.sync", args=[1])
    app.send_task(f"shop.tasks.sync_{kind}", args=[1])
```

### A module that a task is put into by hand
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import Celery

app = Celery("shop")


def count():
    print("counted")


TASKS = {"count": app.task(count), "sum": app.task(lambda: 1, name="shop.tasks.sum")}


def run():
    app.send_task("shop.tasks.count")
    app.send_task("shop.tasks.sum")
```

## Fix safety
There is none: which task is meant is yours to say.

## Known missed alarms
Names that do not begin with a package of the project and are not very like one of its tasks' (another service may have
them), names in the database (django-celery-beat), and tasks that exist in modules which no worker imports.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#names
- https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html#available-fields
- https://docs.celeryq.dev/en/stable/userguide/routing.html#automatic-routing
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_celery._settings_code import beat_entries, items, may_have_entries, settings_in, text_of

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.finding import Hop
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call
    from keel_lint.jobs.names import Missing

_BY_PATTERN = frozenset({"task_annotations", "task_routes"})
_SIGNATURES = frozenset({"celery.canvas.signature", "celery.canvas.subtask", "celery.signature", "celery.subtask"})
_ARE_METHODS = frozenset({"send_task", "signature", "subtask"})
_IGNORED = "the worker logs `Received unregistered task of type` and throws the message away"
_KEYED = re.compile(rb"routes|annotations", re.IGNORECASE)


class UnknownTaskName(Rule):
    """Finds names of tasks that are not there."""

    code = "KEL312"
    slug = "unknown-task-name"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    judges = ("beat", "dispatch", "settings", "signature")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition may write the name of a task, and there are tasks whose names are known."""
        is_keyed = "settings" in glance.fact.roles and _KEYED.search(glance.text) is not None
        may_name = is_keyed or may_have_entries(glance) or any(_may_take_a_name(glance, call) for call in glance.calls)
        return may_name and bool(glance.jobs.names.given.named)

    def finish(self) -> None:
        """Judge beat's entries, and the keys of routes and annotations."""
        for entry in beat_entries(self.definition):
            self._judge(entry.task, _IGNORED)
        for setting in settings_in(self.definition):
            if setting.name in _BY_PATTERN:
                for name, _, key in items(setting.value):
                    if "*" not in name:
                        used = "route" if setting.name == "task_routes" else "annotation"
                        self._judge(key, f"this {used} is never used")

    def visit_Call(self, node: cst.Call) -> None:
        """Judge `send_task("name")` and `signature("name")`."""
        named = next((a.value for a in node.args if a.keyword is not None and a.keyword.value in {"name", "varies"}), None)
        first = node.args[0].value if node.args and node.args[0].keyword is None and not node.args[0].star else named
        if first is not None and self._takes_a_name(node):
            self._judge(first, _IGNORED)

    def _takes_a_name(self, node: cst.Call) -> bool:
        definition = self.definition
        fact = definition.call_fact(node)
        owner, _, last = fact.callee.rpartition(".") if fact is not None else ("", "", "")
        if (
            last in _ARE_METHODS
            and owner
            and definition.jobs.tasks.is_application(definition.path, owner, definition.scope(node))
        ):
            return True
        return definition.called(node) in _SIGNATURES

    def _judge(self, node: cst.CSTNode, then: str) -> None:
        name = text_of(self.definition, node)
        missing = self.definition.jobs.names.missing(name, self.definition.path) if name else None
        if missing is not None:
            self.report(node, f"{_said(missing)}: {then}{_offer(missing)}", hops=self._hops(missing))

    def _hops(self, missing: Missing) -> tuple[Hop, ...]:
        """Where the nearest task is defined."""
        definition, project = self.definition, self.definition.project
        task = definition.jobs.names.find(missing.nearest[0]) if missing.nearest else None
        if task is None:
            return ()
        return (project.hop(task.path, *task.definition.name_span, f"`{missing.nearest[0]}` is defined here"),)


def _may_take_a_name(glance: Glance, call: Call) -> bool:
    """Whether a call may be `send_task` or `signature`; one by another name stands where that is imported."""
    if call.callee.rpartition(".")[2] in _ARE_METHODS:
        return True
    names = (record for record in glance.facts.imports if record.name == call.callee)
    return any(record.attribute in _ARE_METHODS for record in names)


def _said(missing: Missing) -> str:
    if missing.reason == "no module":
        return f"there is no task `{missing.name}`, and no module `{missing.module}`"
    if missing.reason == "not there":
        return f"there is no task `{missing.name}`: `{missing.module}` has nothing of that name"
    if missing.reason == "no task":
        return f"`{missing.name}` is a function without a task decorator"
    if missing.reason == "other name":
        return f"no task is registered as `{missing.name}`"
    return f"no task of the project is called `{missing.name}`"


def _offer(missing: Missing) -> str:
    if missing.reason == "other name":
        return f"; its name is `{missing.nearest[0]}`"
    return f"; did you mean {' or '.join(f'`{name}`' for name in missing.nearest)}?" if missing.nearest else ""
