"""A crontab names an hour or a day and no minute, so it runs every minute of it

## What it does
Reports `crontab(...)` with `hour`, `day_of_week`, `day_of_month` or `month_of_year` and without `minute`.

## Why is this bad?
Every field that is not given is `*`. `crontab(hour=7)` runs 60 times between seven and eight, and `crontab(day_of_week=1)`
runs 1440 times each Monday. Beat does so without a word.

## Example
```python
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "report": {"task": "shop.tasks.report", "schedule": crontab(hour=7)},  # KEL318
    "digest": {"task": "shop.tasks.digest", "schedule": crontab(day_of_week="mon")},  # KEL318
    "tidy": {"task": "shop.tasks.tidy", "schedule": crontab(hour="*/6", day_of_week="sun")},  # KEL318
}
```

## Use instead
### A minute
```python
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "report": {"task": "shop.tasks.report", "schedule": crontab(minute=0, hour=7)},
    "digest": {"task": "shop.tasks.digest", "schedule": crontab(minute=0, hour=0, day_of_week="mon")},
    "tidy": {"task": "shop.tasks.tidy", "schedule": crontab(30, "*/6")},
}
```

### Every minute, and said so
```python
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "poll": {"task": "shop.tasks.poll", "schedule": crontab()},
    "poll at night": {"task": "shop.tasks.poll", "schedule": crontab(minute="*", hour="0-5")},
}
```

### Fields that come from elsewhere
```python
from celery.schedules import crontab


def schedule(fields):
    return {"task": "shop.tasks.report", "schedule": crontab(**fields)}
```

### Another crontab
```python
from celery import Celery

from shop.hosts import crontab

app = Celery("shop")


def install():
    return crontab(hour=7)
```

## Fix safety
Unsafe: the fix runs the task once an hour, or once a day where no hour is given. Tasks that were meant to run every minute
run less often.

## Known missed alarms
Schedules in the database (django-celery-beat).

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html#crontab-schedules
- https://docs.celeryq.dev/en/stable/reference/celery.schedules.html#celery.schedules.crontab
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_RUNS_IN = {"hour": "60 times in each of these hours", "": "1440 times on each of these days"}
_FIELDS = frozenset({"hour", "day_of_month", "day_of_week", "month_of_year"})


class CrontabEveryMinute(Rule):
    """Finds crontabs that leave the minute open."""

    code = "KEL318"
    slug = "crontab-every-minute"
    group = "correctness"
    engine = "celery"
    fix = "unsafe"
    judges = ("beat",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a crontab may leave the minute open."""
        return any("crontab" in call.callee or not call.callee for call in glance.calls) or b"crontab" in glance.text

    def visit_Call(self, node: cst.Call) -> None:
        """Look at the fields of a crontab."""
        given = {argument.keyword.value if argument.keyword is not None else "": argument.value for argument in node.args}
        if not given or "" in given or "minute" in given or self.definition.called(node) != "celery.schedules.crontab":
            return
        limited = {name for name, value in given.items() if name in _FIELDS and self.definition.value(value) != "*"}
        if not limited:
            return
        often = _RUNS_IN["hour" if "hour" in limited else ""]
        instead = "minute=0" if "hour" in given else "minute=0, hour=0"
        message = (
            f"`{self.definition.code(node)}` runs every minute, {often}: `minute` is `*` where it is not given; add `{instead}`"
        )
        self.report(node, message, fix=self._fix(node, instead))

    def _fix(self, node: cst.Call, instead: str) -> FixBuilder:
        fix = self.definition.fix(f"Add `{instead}`", "unsafe")
        start, _ = self.definition.span(node.args[0])
        fix.insert(start, f"{instead}, ")
        return fix
