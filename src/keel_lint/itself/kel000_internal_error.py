"""keel-lint failed on this definition.

## What it does
Says that keel-lint itself failed while it judged a function, a class or a file, and names the error. Everything else was
checked. The exit status is 2.

## Why is this bad?
What was not judged may hold any of the mistakes that keel-lint looks for. A run that passed over it in silence would be green
by accident.

## Example
No code brings this about on purpose. It reads:

```text
app/tasks.py:12:5: KEL000 keel-lint failed on `send`: KeyError: 'queue'
```

## Use instead
Please report it, with the definition and what `keel-lint check -v` shows. Until it is mended, `exclude` leaves the file out.
Nothing of the following should ever bring it about:

```python
def send(order): ...
```

```python
class Order: ...
```

```python
send = lambda order: order
```

## Fix safety
There is no fix.

## Known missed alarms
A crash that ends the whole process cannot be reported as a finding.

## Options
None. This rule cannot be selected away or suppressed.

## References
- [Report a failure](https://github.com/keel-lint/keel-lint/issues)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class InternalError(Rule):
    """Reported by the runner, where a rule or a parser fails."""

    code = "KEL000"
    slug = "internal-error"
    group = "internal"
    engine = "keel"
    proof = "none: it is about keel-lint, and no engine takes part"
