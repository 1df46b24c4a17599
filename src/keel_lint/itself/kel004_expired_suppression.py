"""A suppression has expired, or its date cannot be read.

## What it does
Looks for `# keel:` comments whose `until` lies in the past or is no date of the form `2027-01-31`. Such a comment suppresses
nothing any more. On the day itself it still does.

## Why is this bad?
The date was the promise to come back to it. A date that is misspelt would otherwise never come.

## Example
```python flagged="2"
def send(order):
    deliver.delay(order)  # keel: ignore KEL106 -- waits for the new API, until 2020-01-31
```

## Use instead
Mend what was suppressed, or give a new date and the reason for it:

```python
def send(order):
    deliver.delay(order.pk)
```

```python
def send(order):
    deliver.delay(order)  # keel: ignore KEL106 -- waits for the new API, until 2999-01-31
```

A longer clause without a digit is prose:

```python
def send(order):
    deliver.delay(order)  # keel: ignore KEL106 -- nobody asks for it until the report is read
```

## Fix safety
There is no fix: only a person can decide.

## Known missed alarms
Only `# keel:` comments can expire. A date in a `noqa` comment is part of its reason, since flake8 would not heed it. A longer
clause without a digit, such as "until the report is read", is taken for prose.

## Options
None.

## References
- [Suppressing findings](https://github.com/keel-lint/keel-lint/blob/main/docs/suppression.md)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class ExpiredSuppression(Rule):
    """Reported by `keel_lint.suppressions`."""

    code = "KEL004"
    slug = "expired-suppression"
    group = "internal"
    engine = "keel"
    proof = "none: it is about a comment, and no engine takes part"
