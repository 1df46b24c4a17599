"""A run ends while its signal or update handlers may still be at work.

## What it does

Reports workflows that have `async def` signal or update handlers which run an activity or a child workflow, sleep or send
something, and whose `run` comes to an end without `workflow.all_handlers_finished` anywhere in the class.

## Why is this bad?

A handler that awaits an activity is cut off when `run` returns, fails or continues as new. What it was about to do is not done:
the activity's result is never recorded, the state it would have changed is gone, and whoever sent the update gets an error. The
worker only logs a warning, `[TMPRL1102] Workflow finished while signal handlers are still running`.

## Example

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.run
    async def run(self, order_id: str) -> None:  # KEL714
        await workflow.wait_condition(lambda: self.is_paid)

    @workflow.signal
    async def pay(self, amount: int) -> None:
        self.is_paid = True
        await workflow.execute_activity("charge", amount, start_to_close_timeout=timedelta(minutes=1))
```

## Use instead

### Wait for them before the end

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.wait_condition(lambda: self.is_paid)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal
    async def pay(self, amount: int) -> None:
        self.is_paid = True
        await workflow.execute_activity("charge", amount, start_to_close_timeout=timedelta(minutes=1))
```

### What the run waits for comes last

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.wait_condition(lambda: self.is_paid)

    @workflow.signal
    async def pay(self, amount: int) -> None:
        await workflow.execute_activity("charge", amount, start_to_close_timeout=timedelta(minutes=1))
        self.is_paid = True
```

### Leave the work to the run

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.amount = 0

    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.wait_condition(lambda: self.amount > 0)
        await workflow.execute_activity("charge", self.amount, start_to_close_timeout=timedelta(minutes=1))

    @workflow.signal
    async def pay(self, amount: int) -> None:
        self.amount = amount
```

### Say that it may be cut off

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.sleep(60)

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def remind(self) -> None:
        await workflow.execute_activity("mail", start_to_close_timeout=timedelta(minutes=1))
```

### A run that never ends

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.orders: list[str] = []

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self.orders))
            self.orders.pop()

    @workflow.update
    async def add(self, order: str) -> str:
        self.orders.append(order)
        return await workflow.execute_activity("store", order, start_to_close_timeout=timedelta(minutes=1))
```

### A run that waits for ever

```python
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Desk:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def add(self, order: str) -> str:
        return await workflow.execute_activity("store", order, start_to_close_timeout=timedelta(minutes=1))
```

## Fix safety

Unsafe: `await workflow.wait_condition(workflow.all_handlers_finished)` is added at the end of a run that has one end only. A
handler that never finishes would then keep the run open.

## Known missed alarms

Runs that wait for all handlers on one way out and not on another, handlers that are set with `workflow.set_signal_handler`,
workflows with a base class, and a second message while the run waits for the end of the first.

## Options

None.

## References

- https://docs.temporal.io/develop/python/workflows/message-passing#wait-for-message-handlers
- https://github.com/temporalio/rules/blob/main/rules/TMPRL1102.md
- https://python.temporal.io/temporalio.workflow.html#all_handlers_finished
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.jobs.receivers import Receivers
from keel_lint.rule import Rule
from keel_lint_temporal._commands import ACTIVITIES, CHILDREN, CONTINUE_AS_NEW, COROUTINES, HANDLE_COROUTINES
from keel_lint_temporal._handlers import indent_of, keyword, methods_of, name_span, walk

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method

FINISHED = "temporalio.workflow.all_handlers_finished"
COMMANDS = ACTIVITIES | CHILDREN | COROUTINES
_CONDITIONS = frozenset({"temporalio.workflow.wait_condition", "temporalio.workflow.wait"})
_ENDLESS = frozenset({"asyncio.Future", "asyncio.Event"})


class UnfinishedHandlers(Rule):
    code = "KEL714"
    slug = "unfinished-handlers"
    group = "reliability"
    engine = "temporal"
    versions = "temporalio>=1.7"
    fix = "unsafe"
    judges = ("workflow",)
    proof = "replay"

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there may be such a handler, and nothing that waits for it."""
        return b"all_handlers_finished" not in glance.text and any(word in glance.text for word in (b"signal", b"update"))

    def finish(self) -> None:
        """Judge the class as a whole."""
        handlers = [method for method in self.methods.of("signal", "update") if self.may_be_cut_off(method)]
        if not handlers or self.methods.inherits():
            return
        for run in self.methods.of("run"):
            if self.ends(run):
                names = ", ".join(f"`{method.name}`" for method in handlers)
                cut = f"`{run.name}` can end while {names} {'are' if len(handlers) > 1 else 'is'} still running"
                then = "what they await is dropped" if len(handlers) > 1 else "what it awaits is dropped"
                message = f"{cut}: {then}, with no more than warning TMPRL1102; end with `{_WAIT}`"
                self.report(name_span(self.definition, run), message, fix=self.insertion(run))

    def may_be_cut_off(self, method: Method) -> bool:
        """Whether a handler can still be at work when the run ends, and nobody has said that this is fine."""
        if not method.is_async or method.decorator is None:
            return False
        call = method.decorator.decorator
        if isinstance(call, cst.Call) and keyword(call, "unfinished_policy") is not None:
            return False
        if self.is_awaited_by_run(method):
            self.decline(method.node.name, "the run waits for what the handler does last")
            return False
        return any(self.takes_time(one) for each in self.methods.reached([method]) for one in walk(each.node.body))

    def is_awaited_by_run(self, method: Method) -> bool:
        """Whether the run waits for a condition on what a handler changes when it has nothing more to wait for."""
        last = max((self.definition.span(one)[0] for one in self.definition.find_all(cst.Await, method.node.body)), default=-1)
        changed = {name for node, name in self.methods.changes(method) if self.definition.span(node)[0] > last}
        return not changed.isdisjoint(self.waited_for)

    @cached_property
    def waited_for(self) -> set[str]:
        """The attributes in the conditions that the run waits for."""
        methods = self.methods.reached(self.methods.of("run"))
        calls = (call for method in methods for call in self.definition.find_all(cst.Call, method.node.body))
        conditions = (call for call in calls if self.definition.called(call) == "temporalio.workflow.wait_condition")
        return {attribute.attr.value for call in conditions for attribute in self.methods.attributes(call)}

    def takes_time(self, node: cst.CSTNode) -> bool:
        """Whether a node gives a command that takes its time; a condition is waited for until the run has seen to it."""
        if not isinstance(node, cst.Call):
            return False
        name = self.definition.called(node) or self.definition.once(Receivers).called(node) or ""
        return (name in COMMANDS and name not in _CONDITIONS) or HANDLE_COROUTINES.match(name) is not None

    def ends(self, run: Method) -> bool:
        """Whether a run has an end: not where all it does last is an endless loop, or a wait for what never comes."""
        body = run.node.body.body
        last = body[-1] if body else None
        calls = (node for node in descendants(last or run.node) if isinstance(node, cst.Call))
        if any(self.definition.called(call) in _ENDLESS or self.waits_for_ever(call) for call in calls):
            return False
        if not isinstance(last, cst.While) or not self.definition.value(last.test):
            return True
        leaving = (cst.Return, cst.Break, cst.Raise)
        inside = any(isinstance(node, leaving) for node in walk(last.body))
        anew = (node for node in self.definition.find_all(cst.Call) if self.definition.called(node) == CONTINUE_AS_NEW)
        return inside or any(True for _ in anew)

    def waits_for_ever(self, call: cst.Call) -> bool:
        """Whether a call is `workflow.wait_condition(lambda: False)`, without a timeout."""
        if self.definition.called(call) != "temporalio.workflow.wait_condition" or len(call.args) != 1:
            return False
        condition = call.args[0].value
        return isinstance(condition, cst.Lambda) and self.definition.value(condition.body) is False

    def insertion(self, run: Method) -> FixBuilder | None:
        """The wait before the end of a run; not where it has several ends, or still waits in its last statement."""
        body = run.node.body
        if not isinstance(body, cst.IndentedBlock) or not body.body:
            return None
        last = body.body[-1]
        returns = [node for node in walk(body) if isinstance(node, cst.Return)]
        is_return = isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return)
        if len(returns) > int(is_return) or (is_return and any(isinstance(n, cst.Await) for n in descendants(last))):
            return None
        if not isinstance(last, cst.SimpleStatementLine) or isinstance(last.body[-1], cst.Raise) or len(last.body) > 1:
            return None
        return self.written(last, before=is_return)

    def written(self, last: cst.SimpleStatementLine, *, before: bool) -> FixBuilder:
        fix = self.definition.fix("Wait for the handlers before the run ends", "unsafe")
        condition, finished = fix.name("temporalio.workflow.wait_condition", last), fix.name(FINISHED, last)
        start, end = self.definition.span(last)
        indent = indent_of(self.definition, last)
        wait = f"await {condition}({finished})"
        if before:
            fix.insert(start, f"{wait}\n{indent}")
        else:
            fix.insert(end, f"\n{indent}{wait}")
        return fix


_WAIT = "await workflow.wait_condition(workflow.all_handlers_finished)"
