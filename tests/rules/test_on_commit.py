"""KEL103 and KEL104: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

HEAD = """\
from celery import shared_task
from django.db import transaction
from django.db.transaction import on_commit


@shared_task
def send(*args, **kwargs):
    print(args, kwargs)


"""

LATE = {
    "while": "def f(rows):\n    while rows:\n        row = rows.pop()\n        on_commit(lambda: send.delay(row))\n",
    "comprehension": "def f(rows):\n    [on_commit(lambda: send.delay(row)) for row in rows]\n",
    "walrus": (
        "def f(rows):\n    for pk in rows:\n        if row := load(pk):\n            on_commit(lambda: send.delay(row))\n"
    ),
    "with item": (
        "def f(rows):\n    for one in rows:\n        with open(one) as row:\n            on_commit(lambda: send.delay(row))\n"
    ),
    "lambda in a name": "def f(rows):\n    for row in rows:\n        call = lambda: send.delay(row)\n        on_commit(call)\n",
    "other database": "def f(rows):\n    for row in rows:\n        on_commit(lambda: send.delay(row), using='x')\n",
    "no dispatch": "def f(rows):\n    for row in rows:\n        on_commit(lambda: row.announce())\n",
}


@pytest.mark.parametrize("code", LATE.values(), ids=LATE)
def test_late(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL103")
    assert "`row`" in finding.message


NOT_LATE = {
    "bound before the loop": "def f(rows, row):\n    for one in rows:\n        on_commit(lambda: send.delay(row))\n",
    "own comprehension": "def f(rows):\n    for one in rows:\n        on_commit(lambda: send.delay([row for row in rows]))\n",
    "keyword": "def f(rows, total):\n    for row in rows:\n        on_commit(lambda: send.delay(row=total))\n",
    "attribute": "def f(rows, one):\n    for row in rows:\n        on_commit(lambda: send.delay(one.row))\n",
    "leaves": "def f(rows):\n    for row in rows:\n        on_commit(lambda: send.delay(row))\n        break\n",
    "one of them": (
        "def f(rows):\n    for row in rows:\n        if row.name == 'x':\n            on_commit(lambda: send.delay(row))\n"
    ),
    "another on_commit": "def f(rows, bus):\n    for row in rows:\n        bus.on_commit(lambda: send.delay(row))\n",
    "what is gone over": "def f(rows):\n    for one in on_commit(lambda: send.delay(rows)):\n        print(one)\n",
}


@pytest.mark.parametrize("code", NOT_LATE.values(), ids=NOT_LATE)
def test_not_late(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL103") == []


FIXED = {
    "attribute": ("lambda: send.delay(row.pk)", "partial(send.delay, row.pk)"),
    "call": ("lambda: send.delay(str(row))", "lambda row=row: send.delay(str(row))"),
    "method": ("lambda: row.announce()", "row.announce"),
    "lines": (
        "lambda: send.delay(\n            row.pk,\n            a=1,\n        )",
        "partial(\n            send.delay,\n            row.pk,\n            a=1,\n        )",
    ),
    "comment": (
        "lambda: send.delay(  # now\n            row.pk,\n        )",
        "partial(send.delay,  # now\n            row.pk,\n        )",
    ),
    "no call": ("lambda: row", "lambda row=row: row"),
}


@pytest.mark.parametrize(("before", "after"), FIXED.values(), ids=FIXED)
def test_fixed(lint: Lint, before: str, after: str) -> None:
    text = f"from functools import partial\n{HEAD}def f(rows):\n    for row in rows:\n        on_commit({before})\n"
    (finding,) = lint({"a.py": text}, "KEL103")
    assert finding.fix is not None
    assert Source.from_bytes(Path("a.py"), text.encode()).apply(finding.fix.edits).decode() == text.replace(before, after)


def test_a_dispatch_that_waits_itself(lint: Lint) -> None:
    (finding,) = lint({"a.py": f"{HEAD}def f(row):\n    on_commit(send.delay_on_commit(row))\n"}, "KEL104")
    assert finding.fix is None
    assert "TypeError" in finding.message
