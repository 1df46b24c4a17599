"""The arguments of a beat entry are no tuple

## What it does
Reports `args` of an entry of beat's schedule, and of `add_periodic_task`, that is one value instead of a tuple or list: most
often `(16)`, which is the number and not a tuple.

## Why is this bad?
Beat goes through the value to make the list of arguments. With a number it ends as soon as it starts, `beat raised exception
<class 'TypeError'>: 'int' object is not iterable`, and sends nothing of the whole schedule; a scheduler that keeps no file
(`celery.beat:Scheduler`) logs `SchedulingError` at each turn instead. With a string each letter is an argument: beat logs
`SchedulingError: Couldn't apply scheduled task ...` where they are too many for the task, else it sends them. `(0)` and `("")`
are left out without a word.

## Example
```python
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "add": {
        "task": "shop.tasks.add",
        "schedule": crontab(minute=0, hour=7),
        "args": (16),  # KEL321
    },
    "mail": {
        "task": "shop.tasks.mail",
        "schedule": 60.0,
        "args": "anna@example.com",  # KEL321
    },
    "first": {
        "task": "shop.tasks.first",
        "schedule": 60.0,
        "args": (0),  # KEL321
    },
}
```

## Use instead
### A tuple or a list
```python
from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "add": {"task": "shop.tasks.add", "schedule": crontab(minute=0, hour=7), "args": (16,)},
    "mail": {"task": "shop.tasks.mail", "schedule": 60.0, "args": ["anna@example.com"]},
    "none": {"task": "shop.tasks.none", "schedule": 60.0, "args": ()},
}
```

### A value from elsewhere
```python
from shop.constants import ARGUMENTS

CELERY_BEAT_SCHEDULE = {
    "add": {"task": "shop.tasks.add", "schedule": 60.0, "args": (ARGUMENTS)},
    "nothing": {"task": "shop.tasks.nothing", "schedule": 60.0, "args": None},
}
```

### No beat entry
```python
from celery import Celery

app = Celery("shop")
app.conf.update(task_annotations={"shop.tasks.add": {"args": (16)}})
```

## Fix safety
Safe: an entry of which Celery can make no message, or one of letters, begins to work. `(0)` and `("")` have no fix, as the
task gets an argument then that it did not get before.

## Known missed alarms
Values that are no constants.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html#available-fields
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.values import UNKNOWN
from keel_lint.rule import Rule
from keel_lint_celery._settings_code import beat_entries

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance


class BeatArgsNotTuple(Rule):
    """Finds beat entries whose arguments are one value."""

    code = "KEL321"
    slug = "beat-args-not-tuple"
    group = "correctness"
    engine = "celery"
    fix = "safe"
    judges = ("beat", "settings")
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether arguments are given."""
        return b"args" in glance.text

    def finish(self) -> None:
        """Look at the arguments of each entry."""
        for entry in beat_entries(self.definition):
            if "args" in entry.parts:
                self._judge(entry.parts["args"])

    def visit_Call(self, node: cst.Call) -> None:
        """Look at the arguments of `add_periodic_task`."""
        fact = self.definition.call_fact(node)
        if fact is None or fact.callee.rpartition(".")[2] != "add_periodic_task":
            return
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value == "args":
                self._judge(argument.value)

    def _judge(self, node: cst.BaseExpression) -> None:
        value = self.definition.value(node)
        if value is UNKNOWN or value is None or isinstance(value, (tuple, list, dict, set)):
            return
        if isinstance(value, (str, bytes)) and len(value) == 1:
            return  # One letter is one argument.
        inside = self.definition.code(node).strip("()")
        message = f"`args` is no tuple but `{inside}`, so {_harm(value)}; write `({inside},)`"
        is_constant = isinstance(node, (cst.BaseNumber, cst.BaseString))
        self.report(node, message, fix=self._fix(node) if is_constant and value else None)

    def _fix(self, node: cst.BaseExpression) -> FixBuilder:
        fix = self.definition.fix("Make it a tuple", "safe")
        text = self.definition.source.slice(*self.definition.span(node))
        fix.replace(node, f"{text}," if getattr(node, "lpar", ()) else f"({text},)")
        return fix


def _harm(value: object) -> str:
    if not value:
        return "beat leaves it out"
    if isinstance(value, (str, bytes)):
        return "each letter is an argument of its own"
    return f"beat ends at its start (TypeError: '{type(value).__name__}' object is not iterable) and sends no task at all"
