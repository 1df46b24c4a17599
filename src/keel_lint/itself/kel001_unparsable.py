"""A file or a definition could not be parsed.

## What it does
Says that a file, or one definition in it, is no Python that can be parsed, and where the parser stopped. Definitions outside
the error are still judged. A definition that nests more than 200 levels deep, and a file whose encoding cannot be read, are
reported too.

## Why is this bad?
What cannot be parsed is not checked. A syntax error also stops the worker that imports the file.

## Example
```python
def send(order:  # KEL001
    deliver(order)
```

## Use instead
```python
def send(order):
    deliver(order)
```

Syntax that is newer than the Python keel-lint runs on is no error:

```python
def send[T](order: T) -> T:
    return order
```

Nor is an empty body with nothing but a docstring or an ellipsis:

```python
def send(order): ...
```

## Fix safety
There is no fix.

## Known missed alarms
Only files that have to do with background jobs are parsed. Templates of Python files (`{{ cookiecutter.name }}`) are counted,
not reported.

## Options
None. This rule cannot be selected away or suppressed; `exclude` leaves a file out.

## References
- [The Python language: full grammar](https://docs.python.org/3/reference/grammar.html)
"""

from __future__ import annotations

from keel_lint.rule import Rule


class Unparsable(Rule):
    """Reported by the runner, where LibCST cannot read what the index found."""

    code = "KEL001"
    slug = "unparsable"
    group = "internal"
    engine = "keel"
    proof = "none: what cannot be parsed cannot be run"
