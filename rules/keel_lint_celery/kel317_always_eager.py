"""Tasks run inside the caller in production settings

## What it does
Reports `task_always_eager = True` in a settings module that may be in force in production and is not set otherwise elsewhere.
Modules and classes for tests and development, settings under `if`, and values from the environment are left out.

## Why is this bad?
Nothing is sent: each `delay` runs the task at once, in the web request, without time limits, and `countdown` and retry delays
are skipped. By default an error of the task does not reach the caller. The requests become slow, and no worker ever gets work.

## Example
```python title="shop/settings.py"
CELERY_TASK_ALWAYS_EAGER = True  # KEL317
```

## Use instead
### Settings for tests
```python title="shop/settings_test.py"
CELERY_TASK_ALWAYS_EAGER = True
```

### The environment decides
```python title="shop/settings.py"
import os

CELERY_TASK_ALWAYS_EAGER = os.environ.get("EAGER") == "1"
```

### Only under a condition
```python title="shop/settings.py"
import sys

TESTING = "test" in sys.argv
if TESTING:
    CELERY_TASK_ALWAYS_EAGER = True
```

### Another module says otherwise
```python title="shop/settings.py"
CELERY_TASK_ALWAYS_EAGER = True
```
```python title="shop/settings_production.py"
from shop.settings import *

CELERY_TASK_ALWAYS_EAGER = False
```

## Fix safety
There is none: without a broker the tasks cannot be sent.

## Known missed alarms
Values that the environment gives.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#task-always-eager
- https://docs.celeryq.dev/en/stable/userguide/testing.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.rule import Rule
from keel_lint_celery._settings_code import production_settings

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_NAME = "task_always_eager"


class AlwaysEager(Rule):
    """Finds production settings that run tasks in the caller."""

    code = "KEL317"
    slug = "always-eager"
    group = "reliability"
    engine = "celery"
    judges = ("settings",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition gives the setting a value, always."""
        return glance.fact.depth == 0 and glance.fact.kind != "function" and bool(production_settings(glance, _NAME))

    def finish(self) -> None:
        """Look at the value, and whether all places agree on it."""
        if self.definition.jobs.setting(_NAME) is not True:
            return
        for place, _ in production_settings(self.definition, _NAME):
            message = (
                "`task_always_eager` is on outside tests: every `delay` runs the task in the caller, without time limits, "
                "countdowns and retry delays; set it in the test settings only"
            )
            self.report(place, message)
