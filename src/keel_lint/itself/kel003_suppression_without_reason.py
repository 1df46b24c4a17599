"""A suppression comment gives no reason.

## What it does
Looks for comments that suppress a rule by its code or slug and do not say why. A reason stands behind ` -- `, or behind the
brackets. This rule is off until it is selected.

## Why is this bad?
Whoever reads the comment later cannot tell an accepted risk from a finding that was in the way, so nobody dares to remove it.

## Example
```python flagged="2"
def send(order):
    deliver.delay(order)  # noqa: KEL106
```

## Use instead
```python
def send(order):
    deliver.delay(order)  # noqa: KEL106 -- this Order is a plain dict
```

```python
def send(order):
    deliver.delay(order)  # keel: ignore[model-instance-argument] this Order is a plain dict
```

```python
def send(order):
    # keel: ignore KEL106 -- this Order is a plain dict
    deliver.delay(order)
```

## Fix safety
There is no fix: only a person knows the reason.

## Known missed alarms
Any text counts as a reason. A blanket `noqa` is not reported.

## Options
None.

## References
- [Suppressing findings](https://github.com/keel-lint/keel-lint/blob/main/docs/suppression.md)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class SuppressionWithoutReason(Rule):
    """Reported by `keel_lint.suppressions`."""

    code = "KEL003"
    slug = "suppression-without-reason"
    group = "internal"
    engine = "keel"
    default = False
    proof = "none: it is about a comment, and no engine takes part"
