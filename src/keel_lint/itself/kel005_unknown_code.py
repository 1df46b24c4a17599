"""A suppression names a rule that does not exist.

## What it does
Looks for suppression comments that cannot do what they say: a code with the letters of an installed rule pack that no rule has,
a slug in a `# keel:` comment that no rule has, a `# keel:` comment whose verb is misspelt or that names no rule, a comment that
begins with `# keel-lint:`, a slug in a `noqa` comment (which makes it a blanket), and a code in lower case in a `noqa` comment
(which flake8 does not heed). The nearest rule is offered where the code looks like a slip of the hand.

## Why is this bad?
The comment looks as if it suppressed something, and does not, or suppresses far more than it says.

## Example
```python flagged="2"
def send(order):
    deliver.delay(order)  # noqa: KEL160 -- this Order is a plain dict
```

## Use instead
```python
def send(order):
    deliver.delay(order)  # noqa: KEL106 -- this Order is a plain dict
```

A prefix that stands for some rule is fine, and so are codes of other tools and prose that only begins like a comment of ours:

```python
def send(order):
    deliver.delay(order)  # noqa: KEL1 -- this Order is a plain dict
```

```python
from orders import *  # noqa: F403

# keel: the part of a ship that keeps it upright
```

## Fix safety
There is no fix: the nearest rule is a guess.

## Known missed alarms
Codes whose letters belong to no installed pack are left to the tool whose codes they are.

## Options
None.

## References
- [Suppressing findings](https://github.com/keel-lint/keel-lint/blob/main/docs/suppression.md)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class UnknownCode(Rule):
    """Reported by `keel_lint.suppressions`."""

    code = "KEL005"
    slug = "unknown-code"
    group = "internal"
    engine = "keel"
    proof = "none: it is about a comment, and no engine takes part"
