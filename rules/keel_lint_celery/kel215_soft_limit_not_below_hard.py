"""The soft time limit is not below the hard one

## What it does
Finds a task whose effective `soft_time_limit` is as long as its `time_limit`, or longer. Either may come from the decorator,
the base class or the settings.

## Why is this bad?
A longer one is refused: every `apply_async` raises `ValueError: soft_time_limit must be less than or equal to time_limit`.
With equal limits the process is killed in the same moment in which `SoftTimeLimitExceeded` is raised: nothing is cleaned up.

## Example
### Mixed up
```python
from celery import shared_task


@shared_task(soft_time_limit=600, time_limit=300)  # KEL215
def export(order_ids):
    print(order_ids)
```

### Equal
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
MINUTE = 60


@app.task(time_limit=10 * MINUTE, soft_time_limit=10 * MINUTE)  # KEL215
def export(order_ids):
    print(order_ids)
```

### Against the settings
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.task_time_limit = 300


@app.task(soft_time_limit=3600)  # KEL215
def export(order_ids):
    print(order_ids)
```

### In the settings
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.update(
    task_time_limit=300,
    task_soft_time_limit=300,  # KEL215
)
```

## Use instead
### Room to clean up
```python
from celery import shared_task


@shared_task(soft_time_limit=300, time_limit=330)
def export(order_ids):
    print(order_ids)
```

### One of the two
```python
from celery import shared_task


@shared_task(soft_time_limit=600)
def export(order_ids):
    print(order_ids)


@shared_task(time_limit=300)
def export_small(order_ids):
    print(order_ids)
```

### The task lifts both
```python
from celery import Celery

app = Celery("shop", broker="redis://localhost")
app.conf.task_time_limit = 300


@app.task(soft_time_limit=3600, time_limit=3700)
def export(order_ids):
    print(order_ids)
```

### Not known
```python
from celery import shared_task
from django.conf import settings


@shared_task(soft_time_limit=settings.EXPORT_LIMIT, time_limit=300)
def export(order_ids):
    print(order_ids)
```

## Fix safety
There is no fix: which of the two is wrong cannot be told.

## Known missed alarms
Limits that are given to `apply_async`, and values that are not constants.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/workers.html#time-limits
- https://docs.celeryq.dev/en/stable/reference/celery.app.task.html#celery.app.task.Task.soft_time_limit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.values import fold
from keel_lint.rule import Rule
from keel_lint_celery._code import seconds

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.celery_settings import Setting

_SOFT, _HARD = "soft_time_limit", "time_limit"


class SoftLimitNotBelowHard(Rule):
    """Finds soft time limits that come too late."""

    code = "KEL215"
    slug = "soft-limit-not-below-hard"
    group = "correctness"
    engine = "celery"
    versions = ">=3"
    fix = None
    judges = ("task", "task-class", "settings")
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition sets a limit, and both are set."""
        if b"time_limit" not in glance.text.lower():
            return False
        tasks, settings = glance.jobs.tasks, glance.jobs.settings
        task = tasks.at(glance.path, glance.position) or tasks.as_base(glance.path, glance.position)
        if task is None:
            return bool(settings.get(f"task_{_SOFT}") and settings.get(f"task_{_HARD}"))
        return tasks.option(task, _SOFT) is not None and tasks.option(task, _HARD) is not None

    def finish(self) -> None:
        """Judge the limits that are set in the definition."""
        jobs = self.definition.jobs
        task = self.definition.task or jobs.tasks.as_base(self.definition.path, self.definition.position)
        if task is None:
            self._judge_settings()
            return
        soft, hard = jobs.tasks.option(task, _SOFT), jobs.tasks.option(task, _HARD)
        if soft is None or hard is None:
            return
        here = next((one for one in (soft, hard) if self._is_here(one.path, one.start)), None)
        if here is not None:
            self._judge(seconds(soft.value), seconds(hard.value), (here.start, here.end))

    def _judge_settings(self) -> None:
        settings = self.definition.jobs.settings
        soft, hard = settings.get(f"task_{_SOFT}"), settings.get(f"task_{_HARD}")
        if len(soft) == len(hard) == 1 and self._is_here(soft[0].path, soft[0].start):
            self._judge(self._value(soft[0]), self._value(hard[0]), (soft[0].start, soft[0].end))

    def _value(self, setting: Setting) -> float | None:
        return seconds(fold(setting.value, lambda name: self.definition.jobs.tasks.constant(setting.path, name)))

    def _is_here(self, path: str, start: int) -> bool:
        return path == self.definition.path and self.definition.fact.start <= start < self.definition.fact.end

    def _judge(self, soft: float | None, hard: float | None, place: tuple[int, int]) -> None:
        if not soft or not hard or soft < hard:
            return
        message = (
            f"the soft time limit of {soft:g} s is above the hard one of {hard:g} s: every `apply_async` raises ValueError; "
            "set it some seconds below"
            if soft > hard
            else f"the soft and the hard time limit are both {hard:g} s: the process is killed as SoftTimeLimitExceeded is "
            "raised, and nothing is cleaned up; set the soft one some seconds below"
        )
        self.report(place, message)
