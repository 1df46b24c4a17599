"""An activity swallows its own cancellation.

## What it does

Reports loops in activities that send heartbeats, where an `except` in the loop catches the cancellation and goes on with the
next round: `except Exception` in a `def` activity, a bare `except`, `except BaseException` or `asyncio.CancelledError` in an
`async def` one.

## Why is this bad?

A `def` activity learns of its cancellation by `temporalio.exceptions.CancelledError`, which is raised in its thread, and which
*is* an `Exception`. A handler that is meant for one bad row takes it for that: the loop goes on to its end, minutes or hours
after the workflow was cancelled or the attempt timed out, while the next attempt already runs. In an `async def` activity it is
`asyncio.CancelledError`, a `BaseException`.

## Example

```python
import time

from temporalio import activity


@activity.defn
def export(rows: list[str]) -> None:
    for row in rows:
        try:
            activity.heartbeat(row)
            time.sleep(1)
        except Exception:  # KEL623
            activity.logger.exception("could not export %s", row)
```

```python
import asyncio

from temporalio import activity


@activity.defn
async def export(rows: list[str]) -> None:
    for row in rows:
        activity.heartbeat(row)
        try:
            await asyncio.sleep(1)
        except BaseException:  # KEL623
            activity.logger.exception("could not export %s", row)
```

## Use instead

### Let it through

```python
import time

from temporalio import activity
from temporalio.exceptions import CancelledError


@activity.defn
def export(rows: list[str]) -> None:
    for row in rows:
        try:
            activity.heartbeat(row)
            time.sleep(1)
        except CancelledError:
            raise
        except Exception:
            activity.logger.exception("could not export %s", row)
```

### Exception, in an async activity

```python
import asyncio

from temporalio import activity


@activity.defn
async def export(rows: list[str]) -> None:
    for row in rows:
        activity.heartbeat(row)
        try:
            await asyncio.sleep(1)
        except Exception:
            activity.logger.exception("could not export %s", row)
```

### Stop at the first error

```python
import time

from temporalio import activity


@activity.defn
def export(rows: list[str]) -> None:
    for row in rows:
        try:
            activity.heartbeat(row)
            time.sleep(1)
        except Exception:
            activity.logger.exception("could not export %s", row)
            break


@activity.defn(no_thread_cancel_exception=True)
def count(rows: list[str]) -> None:
    for row in rows:
        try:
            activity.heartbeat(row)
        except Exception:
            activity.logger.exception("could not count %s", row)
```

## Fix safety

Unsafe: `except CancelledError: raise` comes first, so a cancelled activity now ends, and the workflow sees that.

## Known missed alarms

Activities that send no heartbeats themselves, which no cancellation reaches, and handlers that leave the loop in some other
way.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/cancellation
- https://github.com/temporalio/sdk-python#heartbeating-and-cancellation
- https://python.temporal.io/temporalio.exceptions.CancelledError.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.rule import Rule
from keel_lint_temporal._errors import TEMPORAL_ERRORS, asks_for_cancellation, calls_in, caught
from keel_lint_temporal._handlers import indent_of, keyword, waits, walk
from keel_lint_temporal._workflow_code import is_activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

CANCELLED = f"{TEMPORAL_ERRORS}CancelledError"
_IN_THREADS = frozenset({
    "builtins.BaseException", "builtins.Exception", CANCELLED, f"{TEMPORAL_ERRORS}FailureError",
    f"{TEMPORAL_ERRORS}TemporalError",
})  # fmt: skip
_IN_LOOPS = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError", "builtins.BaseException"})
_LEAVING = (cst.Raise, cst.Return, cst.Break)


class SwallowedCancellationInActivity(Rule):
    code = "KEL623"
    slug = "swallowed-cancellation-in-activity"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("activity",)
    proof = "worker"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a cancellation can arrive, and be caught."""
        return b"heartbeat" in glance.text and b"except" in glance.text

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Judge an activity."""
        if not is_activity(self.definition, node) or self.is_spared(node):
            return
        if not any(self.definition.called(call) == f"{ACTIVITY}.heartbeat" for call in calls_in(node.body)):
            return
        for attempt in walk(node.body):
            if isinstance(attempt, cst.Try) and self.is_in_loop(attempt) and self.may_be_cancelled(attempt, node):
                for handler in self.swallowing(attempt, node):
                    self.say(handler, node)

    def is_spared(self, node: cst.FunctionDef) -> bool:
        """Whether an activity is told in another way that it is cancelled."""
        calls = (one.decorator for one in node.decorators if isinstance(one.decorator, cst.Call))
        return any(keyword(call, "no_thread_cancel_exception") is not None for call in calls)

    def is_in_loop(self, node: cst.CSTNode) -> bool:
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.For, cst.While)):
                return True
            if isinstance(above, (cst.FunctionDef, cst.Finally)):
                return False
        return False

    def may_be_cancelled(self, attempt: cst.Try, node: cst.FunctionDef) -> bool:
        """Whether there is time for a cancellation: any call in a thread, what waits in an event loop."""
        return waits(attempt.body) if node.asynchronous is not None else any(True for _ in calls_in(attempt.body))

    def swallowing(self, attempt: cst.Try, node: cst.FunctionDef) -> Iterator[cst.ExceptHandler]:
        """The handler that catches a cancellation and goes on."""
        catching = _IN_LOOPS if node.asynchronous is not None else _IN_THREADS
        for handler in attempt.handlers:
            names = {self.definition.name(one) for one in caught(handler)}
            if names and catching.isdisjoint(names):
                continue
            leaves = any(isinstance(one, _LEAVING) for one in walk(handler.body))
            if not leaves and not asks_for_cancellation(self.definition, handler):
                yield handler
            return

    def say(self, handler: cst.ExceptHandler, node: cst.FunctionDef) -> None:
        written = f"except {self.definition.code(handler.type)}" if handler.type is not None else "except"
        error = "asyncio.CancelledError" if node.asynchronous is not None else "temporalio.exceptions.CancelledError"
        start = self.definition.span(handler)[0]
        message = (
            f"`{written}` also catches `{error}`, so a cancelled `{node.name.value}` goes on with the next round of the loop; "
            "put `except CancelledError: raise` before it"
        )
        self.report((start, start + len("except")), message, fix=self.insertion(handler, node))

    def insertion(self, handler: cst.ExceptHandler, node: cst.FunctionDef) -> FixBuilder | None:
        if not isinstance(handler.body, cst.IndentedBlock):
            return None
        fix = self.definition.fix("Let the cancellation through", "unsafe")
        spelled = fix.name("asyncio.CancelledError" if node.asynchronous is not None else CANCELLED, handler)
        outer = indent_of(self.definition, handler)
        inner = indent_of(self.definition, handler.body.body[0])
        fix.insert(self.definition.span(handler)[0], f"except {spelled}:\n{inner}raise\n{outer}")
        return fix
