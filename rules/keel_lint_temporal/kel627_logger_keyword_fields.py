"""A Temporal logger is given fields as keyword arguments.

## What it does

Reports calls of `workflow.logger` and `activity.logger` with keyword arguments other than `exc_info`, `extra`, `stack_info` and
`stacklevel`.

## Why is this bad?

Both are loggers of the standard library, and not of structlog or loguru: `TypeError: Logger._log() got an unexpected keyword
argument 'order_id'`. In a workflow that fails the workflow *task*, which is tried again for ever while the run goes on looking
Running; in an activity it fails the attempt. It happens only where the level is switched on, so tests and a quiet production
pass, and it breaks on the day when somebody turns on debug logging to find out why something else is wrong.

## Example

```python
from temporalio import activity, workflow


@activity.defn
async def charge(order_id: str) -> None:
    activity.logger.info("charging", order_id=order_id)  # KEL627


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        workflow.logger.info("started", order_id=order_id, attempt=1)  # KEL627
        workflow.logger.warning("odd", extra={"step": 1}, order_id=order_id)  # KEL627
```

## Use instead

### extra

```python
from temporalio import activity, workflow


@activity.defn
async def charge(order_id: str) -> None:
    activity.logger.info("charging", extra={"order_id": order_id})


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        workflow.logger.info("started with %s", order_id, exc_info=True, stack_info=False, stacklevel=2)
```

### A logger that takes them

```python
import structlog
from temporalio import activity

logger = structlog.get_logger()


@activity.defn
async def charge(order_id: str) -> None:
    logger.info("charging", order_id=order_id)
    activity.logger.info("charging %s", order_id)
```

### Arguments that are not known here

```python
from typing import Any

from temporalio import activity


@activity.defn
async def charge(order_id: str, **options: Any) -> None:
    activity.logger.info("charging", **options)
```

## Fix safety

Safe: the arguments become `extra={...}`. Where the level is on, the call raises as it stands.

## Known missed alarms

Loggers that are handed on under another name in a function, and `**fields`.

## Options

None.

## References

- https://docs.python.org/3/library/logging.html#logging.Logger.debug
- https://python.temporal.io/temporalio.workflow.html#logger
- https://docs.temporal.io/develop/python/platform/observability#logging
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._commands import RETRIED_FOR_EVER
from keel_lint_temporal._handlers import keyword

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

_LOGS = re.compile(
    r"temporalio\.(?P<where>workflow|activity)\.logger\.(?:critical|debug|error|exception|fatal|info|log|warn|warning)\Z"
)
_TAKEN = frozenset({"exc_info", "extra", "level", "msg", "stack_info", "stacklevel"})


class LoggerKeywordFields(Rule):
    code = "KEL627"
    slug = "logger-keyword-fields"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow", "activity", "activity-call")
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether anything is logged."""
        return b"logger" in glance.text

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call of a logger."""
        fields = [one for one in node.args if one.keyword is not None and one.keyword.value not in _TAKEN]
        found = _LOGS.match(self.definition.called(node) or "") if fields else None
        if found is None:
            return
        written = self.definition.code(node.func)
        first = fields[0].keyword.value if fields[0].keyword is not None else ""
        then = RETRIED_FOR_EVER if found["where"] == "workflow" else "the attempt fails"
        message = (
            f"`{written}` takes no `{first}=`: where the level is on, TypeError is raised and {then}; write `extra={{...}}`"
        )
        self.report(node, message, fix=self.gathered(node, fields))

    def gathered(self, node: cst.Call, fields: list[cst.Arg]) -> FixBuilder | None:
        """Put the fields into `extra`, one that is there included."""
        texts = [f'"{one.keyword.value}": {self.definition.code(one.value)}' for one in fields if one.keyword is not None]
        if any("\n" in text for text in texts) or keyword(node, "msg") is not None:
            return None
        fix = self.definition.fix("Put the fields into `extra`", "safe")
        extra = keyword(node, "extra")
        if extra is None:
            for one in fields:
                fix.remove_argument(node, one)
            fix.insert_argument(node, f"extra={{{', '.join(texts)}}}")
            return fix
        if not isinstance(extra.value, cst.Dict) or not extra.value.elements or any(one is node.args[-1] for one in [extra]):
            return None
        for one in fields:
            fix.remove_argument(node, one)
        fix.insert(self.definition.span(extra.value.elements[-1])[1], f", {', '.join(texts)}")
        return fix
