"""A comment suppresses a rule that finds nothing there.

## What it does
Looks for codes and slugs in suppression comments that suppressed nothing in this run, for codes that a comment gives twice, and
for a `keel: enable` that ends nothing. A blanket `noqa`, and codes of other tools, are never reported. A code is only called
unused where its rule ran with the whole project: a comment may be needed by a finding whose path passes through that line.

## Why is this bad?
The comment says that something is wrong here and accepted, and that is no longer true. When the mistake comes back, the
comment hides it.

## Example
```python flagged="2"
def send(order):
    deliver(order)  # noqa: KEL101 -- the row is read by nobody
```

## Use instead
```python
def send(order):
    deliver(order)
```

Codes of other tools are theirs to judge:

```python
from orders import *  # noqa: F403 -- the public names
```

And a blanket `noqa` may be meant for any of them:

```python
from orders import *  # noqa
```

## Fix safety
Safe: only the comment changes. The fix removes the code, or the comment where no other code is left, with its reason. Codes of
other tools stay. There is no fix for `# flake8: noqa: KEL101`: whatever codes it gives, flake8 skips the whole file for it.

## Known missed alarms
A prefix such as `KEL1` is reported only where every rule it stands for ran. Inside flake8 nothing is reported.

## Options
None.

## References
- [Suppressing findings](https://github.com/keel-lint/keel-lint/blob/main/docs/suppression.md)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class UnusedSuppression(Rule):
    """Reported by `keel_lint.suppressions`, when all else has been judged."""

    code = "KEL002"
    slug = "unused-suppression"
    group = "internal"
    engine = "keel"
    fix = "safe"
    proof = "none: it is about a comment, and no engine takes part"
