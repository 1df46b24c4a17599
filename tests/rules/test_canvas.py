"""KEL301, KEL302 and KEL303: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """\
from celery import Celery, chain, chord, group

app = Celery("shop", backend="db+sqlite:///results")

@app.task
def one(): ...
@app.task(ignore_result=True)
def two(a, b=0): ...
@app.task
def more(*args): ...

def f(x):
"""

INJECTED = {
    "third": ("chain(one.si(), two.s(), one.s()).delay()", 1),
    "group in a chain": ("chain(two.s(1), group(one.s(), more.s())).delay()", 1),
    "chain in a chain": ("chain(two.s(1), chain(one.s(), two.s())).delay()", 1),
    "body": ("chord([two.s(1)], one.s()).delay()", 1),
    "list of callbacks": ("two.apply_async((1,), link=[one.s(), more.s()])", 1),
    "pipes": ("(two.s(1) | one.s() | two.s()).delay()", 1),
    "keyword twice": ("chain(one.si(), two.s(a=1)).delay()", 1),
    "other keyword": ("chain(one.si(), two.s(b=1)).delay()", 0),
    "immutable": ("chain(two.s(1), one.signature(immutable=True)).delay()", 0),
    "signature": ("chain(two.s(1), one.signature()).delay()", 1),
    "arguments of another": ("chain(two.s(1), two.s(*x)).delay()", 0),
    "first": ("chain(one.s(), two.s()).delay()", 0),
    "group alone": ("group(one.s(), one.s()).delay()", 0),
    "errback": ("two.apply_async((1,), link_error=one.s())", 0),
}


@pytest.mark.parametrize(("line", "times"), INJECTED.values(), ids=INJECTED)
def test_injected(lint: Lint, line: str, times: int) -> None:
    assert len(lint({"a.py": f"{HEAD}    {line}\n"}, "KEL301")) == times


APPLIED = {
    "statement": ("one.s()", 1),
    "chunks": ("two.chunks(zip(x, x), 10)", 0),
    "name": ("work = group(one.s())", 1),
    "name that is read": ("work = group(one.s())\n    print(work)", 0),
    "name in a lambda": ("work = group(one.s())\n    return lambda: work.delay()", 0),
    "attribute": ("x.work = group(one.s())", 0),
    "called": ("group(one.s())()", 0),
    "chord with its body": ("chord([one.s()])(more.s())", 0),
    "in a list": ("[one.s(), two.s(1)]", 0),
    "options": ("one.s().set(queue='x')", 1),
    "of another": ("x.s()", 0),
}


@pytest.mark.parametrize(("line", "times"), APPLIED.values(), ids=APPLIED)
def test_applied(lint: Lint, line: str, times: int) -> None:
    assert len(lint({"a.py": f"{HEAD}    {line}\n"}, "KEL302")) == times


BACKENDS = {
    "database": ("db+postgresql://x", 1),
    "files": ("file:///x", 1),
    "django": ("django-db", 1),
    "redis": ("redis://x", 0),
    "rpc": ("rpc://", 0),
}


@pytest.mark.parametrize(("backend", "times"), BACKENDS.values(), ids=BACKENDS)
def test_only_backends_that_poll_wait_for_ever(lint: Lint, backend: str, times: int) -> None:
    code = HEAD.replace("db+sqlite:///results", backend)
    assert len(lint({"a.py": f"{code}    chord([two.s(1)])(more.s())\n"}, "KEL303")) == times
