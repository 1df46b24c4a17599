"""Django's settings are written for `namespace="CELERY"`, and the application does not give it

## What it does
Reports `config_from_object("django.conf:settings")` without `namespace=` where the settings modules of the project define
names that mean something only with it: the new names of settings with `CELERY_` in front, such as `CELERY_BROKER_URL`,
`CELERY_BEAT_SCHEDULE` and `CELERY_TASK_TIME_LIMIT`.

## Why is this bad?
Celery looks for `BROKER_URL` and `beat_schedule`, finds neither, and says nothing: it connects to `amqp://guest@localhost`,
beat starts with an empty schedule, limits and routes are not there.

## Example
```python title="manage.py"
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
```
```python title="shop/__init__.py"
```
```python title="shop/settings.py"
CELERY_BROKER_URL = "redis://localhost"
CELERY_TASK_TIME_LIMIT = 300
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings")  # KEL314
```

## Use instead
### The namespace
```python title="manage.py"
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
```
```python title="shop/__init__.py"
```
```python title="shop/settings.py"
CELERY_BROKER_URL = "redis://localhost"
CELERY_TASK_TIME_LIMIT = 300
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
```

### The old names
```python title="manage.py"
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
```
```python title="shop/__init__.py"
```
```python title="shop/settings.py"
BROKER_URL = "redis://localhost"
CELERY_RESULT_BACKEND = "redis://localhost"
CELERY_TASK_SERIALIZER = "json"
CELERYD_TASK_TIME_LIMIT = 300
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings")
```

### A module of its own
```python title="shop/__init__.py"
```
```python title="shop/celeryconfig.py"
broker_url = "redis://localhost"
```
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.config_from_object("shop.celeryconfig")
```

## Fix safety
Unsafe: with the namespace all settings count at once. Names without `CELERY_` in front, such as `BROKER_URL`, no longer do:
where the settings have some, there is no fix.

## Known missed alarms
Settings modules that nothing in the project names.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#new-lowercase-settings
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.facts import MODULE, Assignment, assignments_of
from keel_lint.jobs.constants import DJANGO_SETTINGS
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_NEW = re.compile(
    r"CELERY_(?:BEAT_(?:SCHEDULE|SCHEDULER|SCHEDULE_FILENAME|MAX_LOOP_INTERVAL|SYNC_EVERY)"
    r"|BROKER_(?:URL|READ_URL|WRITE_URL|TRANSPORT|TRANSPORT_OPTIONS|USE_SSL|POOL_LIMIT|HEARTBEAT|CONNECTION_\w+)"
    r"|RESULT_(?:EXPIRES|ACCEPT_CONTENT)"
    r"|TASK_(?:ACKS_\w+|ALWAYS_EAGER|ANNOTATIONS|DEFAULT_\w+|EAGER_PROPAGATES|IGNORE_RESULT|QUEUES|REJECT_ON_WORKER_LOST|ROUTES"
    r"|SOFT_TIME_LIMIT|TIME_LIMIT|TRACK_STARTED)"
    r"|WORKER_(?:CONCURRENCY|HIJACK_ROOT_LOGGER|MAX_\w+|POOL|PREFETCH_MULTIPLIER|SEND_TASK_EVENTS|DISABLE_RATE_LIMITS))\Z"
)
"""The settings of Celery 4 and later with `CELERY_` in front, without those that were called so before."""
_WITHOUT_PREFIX = re.compile(r"BROKER_\w+\Z|CELERYD_\w+\Z|CELERYBEAT_\w+\Z")
_NAMES_DJANGO = frozenset({"django.conf:settings", "django.conf.settings"})


class SettingsNamespaceMissing(Rule):
    """Finds applications that do not see the settings that are meant for them."""

    code = "KEL314"
    slug = "settings-namespace-missing"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = "unsafe"
    judges = ("settings",)
    proof = "publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether an application is configured from an object without a namespace."""
        calls = (call for call in glance.calls if call.callee.rpartition(".")[2] == "config_from_object")
        return any(not any(argument.keyword in {"namespace", "**"} for argument in call.arguments) for call in calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Look at the settings that a call reads."""
        named = {argument.keyword.value for argument in node.args if argument.keyword is not None}
        is_it = isinstance(node.func, cst.Attribute) and node.func.attr.value == "config_from_object"
        if not is_it or not node.args or "namespace" in named or any(a.star for a in node.args) or len(node.args) > 2:
            return
        if not self._is_django(node.args[0].value) or self._is_given_elsewhere():
            return
        found = [one for one in self._assignments() if _NEW.match(one[1].target)]
        if found:
            self._say(node, found)

    def _is_django(self, node: cst.BaseExpression) -> bool:
        value = self.definition.value(node)
        if isinstance(value, str):
            return value in _NAMES_DJANGO
        return self.definition.name(node) in {DJANGO_SETTINGS.rstrip("."), "django.conf.settings"}

    def _is_given_elsewhere(self) -> bool:
        """Whether the project gives the namespace at another place, so that the settings are seen."""
        return any("namespace" in app for app in self._other_calls())

    def _other_calls(self) -> Iterator[str]:
        jobs = self.definition.jobs
        for path in {app.path for app in jobs.settings.apps} | {self.definition.path}:
            facts = self.definition.project.try_facts(path)
            for call in facts.calls if facts is not None else ():
                if call.callee.rpartition(".")[2] in {"config_from_object", "Celery"}:
                    yield " ".join(argument.keyword for argument in call.arguments)

    def _assignments(self) -> Iterator[tuple[str, Assignment]]:
        project = self.definition.project
        for path in self.definition.jobs.django_settings.paths():
            facts = project.try_facts(path) if project.mentions(path, frozenset({b"CELERY", b"BROKER"})) else None
            yield from ((path, one) for one in (assignments_of(facts, MODULE) if facts is not None else ()))

    def _say(self, node: cst.Call, found: list[tuple[str, Assignment]]) -> None:
        path, first = found[0]
        names = sorted({one.target for _, one in found})
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        project = self.definition.project
        hop = project.hop(path, first.start, first.end, "a setting that is not seen")
        unseen = f'without `namespace="CELERY"` Celery does not see `{first.target}`{more}'
        message = f"{unseen}: it goes on with its defaults and says nothing"
        self.report(node, message, fix=self._fix(node), hops=(hop,))

    def _fix(self, node: cst.Call) -> FixBuilder | None:
        if any(_WITHOUT_PREFIX.match(one.target) for _, one in self._assignments()):
            return None
        fix = self.definition.fix('Add `namespace="CELERY"`', "unsafe")
        fix.insert_argument(node, 'namespace="CELERY"')
        return fix
