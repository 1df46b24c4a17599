"""The worker accepts pickled messages

## What it does
Reports `accept_content` and `result_accept_content` that hold `pickle` (or `application/x-python-serialize`), in a settings
module that may be in force in production. Modules and classes for tests and development are left out, and so are settings
that accept signed messages (`auth`).

## Why is this bad?
Unpickling runs code of the message. Who can publish to the broker, or write to the result backend, can run anything on every
worker: an open Redis port is enough.

## Example
```python title="shop/settings.py"
CELERY_ACCEPT_CONTENT = ["json", "pickle"]  # KEL316
```

## Use instead
### JSON only
```python title="shop/settings.py"
CELERY_ACCEPT_CONTENT = ["json"]
```

### Signed messages
```python title="shop/celery.py"
from celery import Celery

app = Celery("shop")
app.conf.update(
    accept_content=["auth", "pickle"],
    task_serializer="auth",
    security_key="/etc/shop/key.pem",
    security_certificate="/etc/shop/certificate.pem",
    security_cert_store="/etc/shop/*.pem",
)
app.setup_security()
```

### Settings for tests
```python title="shop/settings_test.py"
CELERY_ACCEPT_CONTENT = ["json", "pickle"]
```

### What cannot be read
```python title="shop/settings.py"
import os

CELERY_ACCEPT_CONTENT = os.environ["ACCEPT"].split(",")
```

## Fix safety
There is none: tasks that send objects must be changed first, and messages that are queued must be worked off.

## Known missed alarms
Serializers of one's own that unpickle.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/security.html#serializers
- https://docs.celeryq.dev/en/stable/userguide/configuration.html#accept-content
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.serializers import content_type
from keel_lint.rule import Rule
from keel_lint_celery._settings_code import production_settings

if TYPE_CHECKING:
    from keel_lint.glance import Glance

_NAMES = ("accept_content", "result_accept_content")


class PickleAccepted(Rule):
    """Finds settings that let pickled messages in."""

    code = "KEL316"
    slug = "pickle-accepted"
    group = "reliability"
    engine = "celery"
    judges = ("settings",)
    proof = "celery"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether the definition says what is accepted."""
        return any(production_settings(glance, name) for name in _NAMES)

    def finish(self) -> None:
        """Look at what is accepted."""
        for name in _NAMES:
            for place, value in production_settings(self.definition, name):
                accepted = {content_type(one) for one in value} if isinstance(value, (list, tuple, set)) else set()
                if "pickle" in accepted and "auth" not in accepted:
                    message = (
                        f"`{name}` lets pickle in: who can publish to the broker can run any code in the worker; accept `json` "
                        "only, and send ids instead of objects"
                    )
                    self.report(place, message)
