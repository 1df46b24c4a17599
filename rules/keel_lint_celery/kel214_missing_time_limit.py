"""A task has no time limit, so one that hangs keeps its worker process for ever

## What it does
Looks for the time limit that a task really has: `time_limit` or `soft_time_limit` in its decorator, its base class or
`task_annotations`, `task_time_limit` or `task_soft_time_limit` in the settings. Where a project makes an application and
limits no task at all, there is one finding, at the application, with the number of tasks. Where there are limits for some
tasks, or no application, there is a finding for each task without one that waits for the outside without a timeout of its own;
calls behind functions of the project are followed, and the path says how the task gets there.

## Why is this bad?
Celery sets no limit by itself, and neither do `requests`, `urllib`, `smtplib` and sockets. When a server takes the connection
and does not answer, the task waits until somebody kills the worker. Nothing is logged. Each such task takes one process out of
the pool; when the last one is gone the worker still answers pings and runs nothing.

## Example
### No limit anywhere
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")  # KEL214


@app.task
def resize(image_id):
    print(image_id)


@app.task
def count(shop_id):
    print(shop_id)
```

### One task without
```python
import requests
from celery import shared_task


@shared_task(soft_time_limit=50, time_limit=60)
def count(shop_id):
    print(shop_id)


@shared_task
def fetch_rates(currency):  # KEL214
    return requests.get(f"https://rates.example/{currency}").json()
```

### Behind a function of the project
```python title="shop/mail.py"
import smtplib


def send(recipient, text):
    with smtplib.SMTP("mail.example") as server:
        server.sendmail("shop@example.com", recipient, text)
```
```python title="shop/tasks.py"
from celery import shared_task

from shop.mail import send


@shared_task
def welcome(recipient):  # KEL214
    send(recipient, "Welcome")
```

## Use instead
### For all tasks
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.update(task_soft_time_limit=290, task_time_limit=300)


@app.task
def resize(image_id):
    print(image_id)
```

### In Django's settings
```python title="shop/settings.py"
import os

CELERY_TASK_TIME_LIMIT = int(os.environ.get("TASK_TIME_LIMIT", 300))
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def resize(image_id):
    print(image_id)
```

### A pool that knows no limits
Celery ends tasks at a limit in the pools of processes and of gevent only; with others, timeouts are all that there is.
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.worker_pool = "solo"


@app.task
def resize(image_id):
    print(image_id)
```

### For one task
```python
import requests
from celery import shared_task


@shared_task(soft_time_limit=50, time_limit=60)
def fetch_rates(currency):
    return requests.get(f"https://rates.example/{currency}").json()
```

### A timeout where the task waits
```python
import requests
from celery import shared_task


@shared_task
def fetch_rates(currency):
    return requests.get(f"https://rates.example/{currency}", timeout=10).json()
```

## Fix safety
Unsafe: a task that takes longer than the new limit is stopped. At an application the fix sets a soft limit of 29 minutes and a
hard one of 30 for all tasks; at a task a soft one of five minutes and a hard one of six. A soft limit raises
`SoftTimeLimitExceeded` in the task, a hard one kills the process. Choose numbers above what your tasks take.

## Known missed alarms
Tasks that hang without talking to the outside, in a project that limits others. Applications whose settings cannot be read
(`config_from_envvar`, an application class of another package), limits given on the command line of the worker
(`--time-limit`: then suppress the finding and say so), and pools that ignore limits (threads and solo; gevent knows no soft
ones).

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/workers.html#time-limits
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#task-time-limit
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#tips-and-best-practices
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.outside import WAITING, WAITING_NAMES, outgoing, way
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.finding import Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Definition
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.celery_settings import App
    from keel_lint.jobs.tasks import Task

_LIMITS = ("time_limit", "soft_time_limit")


class MissingTimeLimit(Rule):
    """Finds applications and tasks that nothing limits in time."""

    code = "KEL214"
    slug = "missing-time-limit"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("settings", "task", "task-class")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the settings limit no task, and the definition makes an application or calls something."""
        settings = glance.jobs.settings
        if settings.opaque or settings.get("task_time_limit") or settings.get("task_soft_time_limit") or not settings.can_limit:
            return False
        if any(_makes(app, glance.path, glance.fact) for app in settings.apps):
            return True
        if settings.apps and not _any_is_limited(glance.jobs):
            return False
        if any(call.callee.rpartition(".")[2] in WAITING_NAMES for call in glance.calls):
            return True
        return any(one.waits for one in outgoing(glance.project, glance.path, glance.position))

    def finish(self) -> None:
        """Judge the definition as the place of an application, or as a task."""
        jobs = self.definition.jobs
        if jobs.settings.opaque or jobs.settings.get("task_time_limit") or jobs.settings.get("task_soft_time_limit"):
            return
        app = jobs.settings.apps[0] if jobs.settings.apps else None
        task = self.definition.task
        if app is None and task is not None and not self._may_be_limited(task):
            self._judge_task(task)
        elif app is not None and (task is not None or self._is_here(app)):
            self._judge_in_project(app, task)

    def _judge_in_project(self, app: App, task: Task | None) -> None:
        tasks = self.definition.jobs.all_tasks
        if _any_is_limited(self.definition.jobs):
            if task is not None and not self._may_be_limited(task):
                self._judge_task(task)
        elif self._is_here(app):
            self._judge_app(app, [one for one in tasks if not self._may_be_limited(one)])

    def _may_be_limited(self, task: Task) -> bool:
        return _is_limited(self.definition.jobs, task) or self.definition.jobs.tasks.is_opaque(task)

    # -- the application --------------------------------------------------------------------------------------------------

    def _is_here(self, app: App) -> bool:
        return _makes(app, self.definition.path, self.definition.fact)

    def _judge_app(self, app: App, tasks: list[Task]) -> None:
        if not tasks:
            return
        number = "the one task" if len(tasks) == 1 else f"none of the {len(tasks)} tasks"
        has = "has no" if len(tasks) == 1 else "has a"
        message = (
            f"{number} of `{app.name}` {has} time limit: one that hangs keeps its worker process until somebody kills it; "
            f"set `{app.name}.conf.task_time_limit`"
        )
        self.report((app.start, app.end), message, fix=self._fix_app())

    def _fix_app(self) -> FixBuilder | None:
        """Two assignments below `app = Celery(...)`, where that is a statement of its own."""
        node = self.definition.node
        if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1 or not isinstance(node.body[0], cst.Assign):
            return None
        target = node.body[0].targets[0].target
        if len(node.body[0].targets) != 1 or not isinstance(target, cst.Name) or not isinstance(node.body[0].value, cst.Call):
            return None
        source = self.definition.source
        end = self.definition.span(node.body[0])[1]
        row = source.row(end)
        if row == len(source.line_starts) or self.definition.fact.depth:
            return None
        if source.text[end : source.line_starts[row]].partition(b"#")[0].strip():  # the line goes on
            return None
        builder = self.definition.fix("Limit all tasks to half an hour", "unsafe")
        conf = f"{target.value}.conf"
        builder.insert(source.line_starts[row], f"{conf}.task_soft_time_limit = 29 * 60\n{conf}.task_time_limit = 30 * 60\n")
        return builder

    # -- one task ---------------------------------------------------------------------------------------------------------

    def _judge_task(self, task: Task) -> None:
        waits = self._waits()
        if waits is None:
            return
        call, hops = waits
        name = task.definition.name
        message = (
            f"`{name}` has no time limit and `{call}` no timeout: when the other side does not answer, the worker process "
            "waits until somebody kills it; add `soft_time_limit=` and `time_limit=`"
        )
        self.report(self.definition.fact.name_span, message, fix=self._fix_task(task), hops=hops)

    def _waits(self) -> tuple[str, tuple[Hop, ...]] | None:
        """What the task waits for without a timeout, and the way to it."""
        receivers = self.definition.once(Receivers)
        for call in self.definition.find_all(cst.Call):
            name = receivers.called(call)
            if name in WAITING and not self._gives_up(call):
                hop = self.definition.project.hop(self.definition.path, *self.definition.span(call), f"`{name}` waits here")
                return name or "", (hop,)
        sent = outgoing(self.definition.project, self.definition.path, self.definition.position)
        found = next((one for one in sent if one.waits and one.through), None)
        return (found.name, way(self.definition.project, found, "waits here")) if found is not None else None

    def _gives_up(self, call: cst.Call) -> bool:
        """Whether a call has a timeout, or may have one."""
        spread = any(argument.star for argument in call.args)
        return spread or "timeout" in self.definition.code(call)

    def _fix_task(self, task: Task) -> FixBuilder | None:
        node = self.definition.node
        if not isinstance(node, cst.FunctionDef) or task.decorator is None:
            return None
        made = task.decorator
        starts = ((one, self.definition.span(one.decorator)[0]) for one in node.decorators)
        decorator = next((one for one, start in starts if made.start <= start < made.end), None)
        if decorator is None:
            return None
        builder = self.definition.fix("Limit the task to five minutes", "unsafe")
        builder.insert_decorator_arguments(decorator, "soft_time_limit=300, time_limit=360")
        return builder


def _makes(app: App, path: str, fact: Definition) -> bool:
    """Whether an application is made in a definition."""
    return app.path == path and fact.start <= app.start < fact.end


def _is_limited(jobs: Jobs, task: Task) -> bool:
    options = (jobs.tasks.option(task, name) for name in _LIMITS)
    return any(option is not None and option.value is not None for option in options)


def _any_is_limited(jobs: Jobs) -> bool:
    """Whether the project limits at least one of its tasks."""
    if not any(jobs.project.naming(name) for name in _LIMITS):
        return False
    tasks = jobs.all_tasks
    return jobs.project.memo(("a task is limited",), lambda: any(_is_limited(jobs, task) for task in tasks), recursive=False)
