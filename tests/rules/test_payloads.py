"""KEL107 and KEL232: what their examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """\
import datetime, enum, itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NamedTuple, Optional
from celery import Celery, shared_task
from pydantic import BaseModel

app = Celery("shop", backend="redis://localhost")

class Color(enum.Enum):
    RED = 1
class Name(enum.StrEnum):
    ANNA = "anna"
class Pair(NamedTuple):
    a: int
class Special(dict):
    pass
class Money(BaseModel):
    cents: int
class Failed(ValueError):
    pass
def helper(): ...

@shared_task
def take(*args, **kwargs):
    print(args, kwargs)

"""

REFUSED = {
    "frozenset": "def f(x):\n    take.delay(frozenset(x))\n",
    "set of constants": "def f():\n    take.delay({1, 2})\n",
    "set of texts": "def f():\n    take.delay({'a', 'b'})\n",
    "set of a key": "def f(x):\n    take.delay(keys={x.pk})\n",
    "in a dict": "def f(x):\n    take.delay({'a': [set(x)]})\n",
    "map": "def f(x):\n    take.s(map(str, x))\n",
    "range": "def f():\n    take.delay(range(3))\n",
    "items": "def f():\n    counts = {}\n    counts['a'] = 1\n    take.delay(counts.items())\n",
    "optional": "def f(x: Optional[Path]):\n    take.delay(x)\n",
    "union": "def f(x: set[int] | None):\n    take.delay(x)\n",
    "annotated name": "def f(x):\n    keys: set[int] = x.keys\n    take.delay(keys)\n",
    "function": "def f():\n    take.delay(helper)\n",
    "lambda": "def f():\n    take.delay(key=lambda: 1)\n",
    "model": "def f():\n    take.delay(Money(cents=1))\n",
    "exception": "def f():\n    take.delay(Failed('x'))\n",
    "delta": "def f():\n    take.apply_async(args=[datetime.timedelta(1)])\n",
    "partial": "from functools import partial\ndef f(x):\n    return partial(take.delay, set(x))\n",
    "list of members": "def f(x):\n    take.delay([Color.RED for _ in x])\n",
}


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED)
def test_refused(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL107")
    assert "EncodeError" in finding.message


CARRIED = {
    "value": "def f():\n    take.delay(Color.RED.value, Color.RED.name)\n",
    "text member": "def f():\n    take.delay(Name.ANNA)\n",
    "named tuple": "def f():\n    take.delay(Pair(1))\n",
    "own dict": "def f():\n    take.delay(Special())\n",
    "dumped": "def f(x: Money):\n    take.delay(x.model_dump(), str(Path('x')), len({1}))\n",
    "either": "def f(x, flag):\n    keys = set(x)\n    if flag:\n        keys = list(keys)\n    take.delay(keys)\n",
    "other": "def f(x: set[int]):\n    x = sorted(x)\n    take.delay(x)\n",
    "items of another": "def f(redis):\n    take.delay(redis.keys(), redis.items())\n",
    "task": "def f():\n    take.delay(take.name)\n",
    "union of two": "def f(x: Path | str):\n    take.delay(x)\n",
    "yaml": "def f(x):\n    take.apply_async(args=[set(x)], serializer='yaml')\n",
}


@pytest.mark.parametrize("code", CARRIED.values(), ids=CARRIED)
def test_carried(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL107") == []


def test_pydantic_models_are_taken_by_tasks_that_say_so(lint: Lint) -> None:
    code = f"{HEAD}@shared_task(pydantic=True)\ndef charge(money: Money): ...\ndef f():\n    charge.delay(Money(cents=1))\n"
    assert lint({"a.py": code}, "KEL107") == []


def test_own_encoders_silence_both(lint: Lint) -> None:
    own = "from kombu.utils.json import register_type\nregister_type(set, 'set', list, set)\n"
    code = f"{HEAD}{own}@app.task\ndef g(x):\n    take.delay(set(x))\n    return set(x)\n"
    assert lint({"a.py": code}, "KEL107", "KEL232") == []


RETURNED = {
    "nested function": ("def g(x):\n    def inner():\n        return {1}\n    return inner()\n", 0),
    "generator inside": ("def g(x):\n    def inner():\n        yield 1\n    return list(inner())\n", 0),
    "list": ("def g(x):\n    return [str(one) for one in x]\n", 0),
    "result": ("def g(x):\n    return take.delay(x)\n", 0),
    "path": ("def g(x):\n    return {'path': Path(x)}\n", 1),
    "each": ("def g(x):\n    if x:\n        return {1}\n    return range(2)\n", 2),
}


@pytest.mark.parametrize(("code", "times"), RETURNED.values(), ids=RETURNED)
def test_returned(lint: Lint, code: str, times: int) -> None:
    assert len(lint({"a.py": f"{HEAD}@app.task\n{code}"}, "KEL232")) == times
