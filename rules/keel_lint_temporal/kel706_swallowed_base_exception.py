"""Workflow code catches everything, cancellation included.

## What it does

Reports `except:` and `except BaseException:` in workflow code, round something that is awaited or round `continue_as_new`,
whose handler never raises again.

## Why is this bad?

A workflow is cancelled by `asyncio.CancelledError`, and `workflow.continue_as_new` leaves a run by `ContinueAsNewError`. Both
are `BaseException`, so that `except Exception` lets them through. Where they are caught, the cancellation is lost: the run goes
on, charges the card, and completes as if nobody had asked it to stop. And a run that wanted to begin anew goes on with a
history that grows.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.sleep(3600)
        except:  # KEL706
            workflow.logger.warning("woken up")
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
            workflow.continue_as_new(order_id)
        except BaseException as error:  # KEL706
            workflow.logger.warning("failed: %s", error)
```

## Use instead

### Exception

```python
from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.sleep(3600)
        except Exception:
            workflow.logger.warning("woken up")
```

### Clean up and raise again

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        try:
            await workflow.execute_activity("charge", order_id, start_to_close_timeout=timedelta(minutes=1))
        except BaseException:
            workflow.logger.warning("stopped")
            raise
```

### Cancellation that is meant

```python
import asyncio

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> str:
        try:
            await workflow.sleep(3600)
        except asyncio.CancelledError:
            return "cancelled"
        try:
            total = int(order_id)
        except:
            total = 0
        storing = asyncio.create_task(workflow.sleep(total))
        try:
            await asyncio.shield(storing)
        except BaseException:
            await storing
        return str(total)
```

## Fix safety

Unsafe: `except Exception` no longer handles the cancellation, which then ends the run, as was asked for.

## Known missed alarms

Handlers that catch `asyncio.CancelledError` by name, which is taken to be meant, and functions outside the workflow class that
give no activity.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/cancellation
- https://github.com/temporalio/sdk-python#workflow-cancellation
- https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.CancelledError
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._commands import CONTINUE_AS_NEW
from keel_lint_temporal._errors import asks_for_cancellation, calls_in, caught, in_workflow, raises
from keel_lint_temporal._handlers import waits

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance


class SwallowedBaseException(Rule):
    code = "KEL706"
    slug = "swallowed-base-exception"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "unsafe"
    judges = ("workflow", "activity-call")
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether anything is caught."""
        return b"except" in glance.text

    def visit_Try(self, node: cst.Try) -> None:
        """Judge the handlers of a `try`."""
        if not in_workflow(self.definition, node) or not (waits(node.body) or self.begins_anew(node)):
            return
        for handler in node.handlers:
            names = [self.definition.name(one) for one in caught(handler)]
            if "asyncio.CancelledError" in names:
                return  # What comes later never sees a cancellation.
            if (
                (not names or "builtins.BaseException" in names)
                and not raises(handler.body)
                and not self.is_meant(handler, node)
            ):
                self.say(handler, node)

    def is_meant(self, handler: cst.ExceptHandler, node: cst.Try) -> bool:
        """Whether a handler looks for cancellation, or shields what it waits for."""
        return asks_for_cancellation(self.definition, handler) or any(
            self.definition.called(call) == "asyncio.shield" for call in calls_in(node.body)
        )

    def begins_anew(self, node: cst.Try) -> bool:
        return any(self.definition.called(call) == CONTINUE_AS_NEW for call in calls_in(node.body))

    def say(self, handler: cst.ExceptHandler, node: cst.Try) -> None:
        written = f"except {self.definition.code(handler.type)}" if handler.type is not None else "except"
        lost = (
            "`continue_as_new`, which never happens"
            if self.begins_anew(node)
            else "cancellation: the run goes on and completes"
        )
        message = f"`{written}:` swallows {lost}; write `except Exception:`, or `raise` in the end"
        start = self.definition.span(handler)[0]
        self.report((start, start + len("except")), message, fix=self.narrowed(handler))

    def narrowed(self, handler: cst.ExceptHandler) -> FixBuilder | None:
        fix = self.definition.fix("Catch `Exception`", "unsafe")
        if isinstance(handler.type, cst.Tuple):
            return None
        if handler.type is not None:
            fix.replace(handler.type, "Exception")
        else:
            fix.insert(self.definition.span(handler)[0] + len("except"), " Exception")
        return fix
