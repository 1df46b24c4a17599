"""Beat starts a task again before the limit that the task sets itself is over

## What it does
Compares the period of each beat entry (seconds, `timedelta`, `schedule(...)`, `crontab(minute="*/5")`) with the time limit
that the task has in its decorator, its base class or `task_annotations`. An entry is reported where the task may run for
longer than its period, and neither its code nor its base class nor a decorator takes a lock. A limit for all tasks, in the
settings, says nothing of one task and does not count.

## Why is this bad?
Beat does not look whether the last run is over. When a run takes longer than the period, the next starts beside it: both work
on the same rows, and when all of them are slow they fill the worker.

## Example
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task(time_limit=900)
def import_stock():
    print("imported")
```
```python title="shop/settings.py"
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "import stock": {
        "task": "shop.tasks.import_stock",
        "schedule": crontab(minute="*/5"),  # KEL320
    },
}
```

## Use instead
### A limit below the period
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task(soft_time_limit=240, time_limit=280)
def import_stock():
    print("imported")
```
```python title="shop/settings.py"
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "import stock": {"task": "shop.tasks.import_stock", "schedule": crontab(minute="*/5")},
}
```

### A lock
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import shared_task
from django.core.cache import cache


@shared_task(time_limit=900)
def import_stock():
    if not cache.add("import-stock", "locked", timeout=900):
        return
    print("imported")
```
```python title="shop/settings.py"
CELERY_BEAT_SCHEDULE = {
    "import stock": {"task": "shop.tasks.import_stock", "schedule": 300.0},
}
```

### A limit for all tasks
```python title="shop/__init__.py"
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def import_stock():
    print("imported")
```
```python title="shop/settings.py"
from datetime import timedelta

CELERY_TASK_TIME_LIMIT = 30 * 60
CELERY_BEAT_SCHEDULE = {
    "import stock": {"task": "shop.tasks.import_stock", "schedule": timedelta(minutes=5)},
}
```

## Fix safety
There is none: whether to lock, to limit or to run less often is yours to say.

## Known missed alarms
Tasks without a limit of their own, and schedules in the database (django-celery-beat).

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html
- https://docs.celeryq.dev/en/stable/tutorials/task-cookbook.html#ensuring-a-task-is-only-executed-one-at-a-time
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.brokers import spelled
from keel_lint.rule import Rule
from keel_lint_celery._settings_code import beat_entries, may_have_entries, text_of

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.tasks import Option, Task

_LOCKS = re.compile(
    rb"(?i)(?<![bc])lock|mutex|semaphore|singleton|once|select_for_update|cache\.add|setnx|nx\s*=\s*True|(?<!re)lease"
)
_EVERY = re.compile(r"\*/(\d+)\Z")
_MINUTES_IN_AN_HOUR = 60


class BeatOverlap(Rule):
    """Finds beat entries that are due again while the task may run."""

    code = "KEL320"
    slug = "beat-overlap"
    group = "reliability"
    engine = "celery"
    judges = ("beat", "settings")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there are beat entries."""
        return may_have_entries(glance)

    def finish(self) -> None:
        """Compare the period of each entry with the limit of its task."""
        names = self.definition.jobs.names
        for entry in beat_entries(self.definition):
            name = text_of(self.definition, entry.task)
            task = names.find(name) if name else None
            period = self._period(entry.parts["schedule"]) if task is not None else None
            if task is not None and period is not None:
                self._judge(entry.parts["schedule"], task, period)

    def _judge(self, node: cst.BaseExpression, task: Task, period: float) -> None:
        limit = self._limit(task)
        if limit is None or limit[0] <= period or self._locks(task):
            return
        seconds, option = limit
        project = self.definition.project
        hop = project.hop(option.path, option.start, option.end, f"`{task.definition.name}` may run for {spelled(seconds)}")
        message = (
            f"beat starts `{task.definition.name}` every {spelled(period)} and it may take {spelled(seconds)} without a lock: "
            "slow runs overlap and may do the same work twice; lock it, or set a limit below the period"
        )
        self.report(node, message, hops=(hop,))

    def _limit(self, task: Task) -> tuple[float, Option] | None:
        """The time after which a run is over, where the task itself sets it: the hard limit, else the soft one."""
        tasks = self.definition.jobs.tasks
        for name in ("time_limit", "soft_time_limit"):
            option = tasks.option(task, name)
            if option is not None and option.origin != "settings" and isinstance(option.value, (int, float)):
                return float(option.value), option
        return None

    def _locks(self, task: Task) -> bool:
        """Whether the task, or a class it inherits from, may let only one run through."""
        project, tasks = self.definition.project, self.definition.jobs.tasks
        text = project.source(task.path).text[task.definition.start : task.definition.end]
        if _LOCKS.search(text) is not None or tasks.is_opaque(task):
            return True
        bases = project.mro(*task.base) if task.base is not None else tasks.application_bases()
        facts = ((path, project.facts(path).definitions[position]) for path, position in bases)
        return any(_LOCKS.search(project.source(path).text[one.start : one.end]) is not None for path, one in facts)

    # -- how often --------------------------------------------------------------------------------------------------------

    def _period(self, node: cst.BaseExpression) -> float | None:
        """The seconds between two runs, where that is sure."""
        value = self.definition.value(node)
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, (int, float)):
            return float(value)
        called = self.definition.called(node) if isinstance(node, cst.Call) else None
        if called == "celery.schedules.crontab":
            return self._of_crontab(node)
        if called == "celery.schedules.schedule" and isinstance(node, cst.Call) and node.args:
            return self._period(node.args[0].value)
        return None

    def _of_crontab(self, node: cst.BaseExpression) -> float | None:
        """The seconds that `minute="*"` and `minute="*/5"` mean; in other schedules runs stand at times of their own."""
        assert isinstance(node, cst.Call)
        fields = [(a.keyword.value if a.keyword is not None else "minute", self.definition.value(a.value)) for a in node.args]
        minute = dict(reversed(fields)).get("minute", "*")
        if minute == "*":
            return 60.0
        every = _EVERY.match(minute) if isinstance(minute, str) else None
        number = int(every[1]) if every is not None else 0
        return number * 60.0 if 0 < number < _MINUTES_IN_AN_HOUR else None
