"""An activity is called with a number of arguments that its function does not take

## What it does
Binds what `workflow.execute_activity`, `start_activity`, their `_method` and `local_activity` forms send (one argument, or
those in `args=[...]`) to the parameters of the activity. An activity that is called by its name is looked up in the lists of
the workers.

## Why is this bad?
Nothing checks the number of arguments before the activity runs. The worker then raises `TypeError` on each attempt, and
Temporal tries it again until a timeout that may be days away: the workflow looks as if it were waiting.

## Example
### By reference
```python
from datetime import timedelta

from temporalio import activity, workflow

MINUTE = timedelta(minutes=1)


@activity.defn
async def ship(order_id: str, to: str) -> None:
    print(order_id, to)


class Stock:
    @activity.defn
    async def reserve(self, order_id: str) -> None:
        print(order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(ship, order_id, start_to_close_timeout=MINUTE)  # KEL614
        await workflow.execute_activity(ship, [order_id, "Leipzig"], start_to_close_timeout=MINUTE)  # KEL614
        await workflow.execute_activity_method(Stock.reserve, args=[order_id, 2], start_to_close_timeout=MINUTE)  # KEL614
```

### By name
```python
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.worker import Worker


@activity.defn(name="ship-order")
async def ship(order_id: str, to: str) -> None:
    print(order_id, to)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity("ship-order", order_id, start_to_close_timeout=timedelta(minutes=1))  # KEL614


def worker(client):
    return Worker(client, task_queue="orders", workflows=[Order], activities=[ship])
```

## Use instead
### As many as it takes
```python
from datetime import timedelta

from temporalio import activity, workflow

MINUTE = timedelta(minutes=1)


@activity.defn
async def ship(order_id: str, to: str = "") -> None:
    print(order_id, to)


class Stock:
    @activity.defn
    async def reserve(self, order_id: str, number: int) -> None:
        print(order_id, number)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(ship, order_id, start_to_close_timeout=MINUTE)
        await workflow.execute_activity(ship, args=[order_id, "Leipzig"], start_to_close_timeout=MINUTE)
        await workflow.execute_activity_method(Stock.reserve, args=[order_id, 2], start_to_close_timeout=MINUTE)
```

### Arguments that come from elsewhere
```python
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow


@activity.defn
async def ship(order_id: str, to: str) -> None:
    print(order_id, to)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, arguments: Sequence[Any], options: dict[str, Any]) -> None:
        await workflow.execute_activity(ship, args=arguments, start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity(ship, args=[1, *arguments], start_to_close_timeout=timedelta(minutes=1))
        await workflow.execute_activity(ship, **options)
```

### A decorator that fills one in
```python
import functools
from datetime import timedelta

from temporalio import activity, workflow


def with_shop(function):
    @functools.wraps(function)
    async def inner(order_id: str) -> None:
        await function("shop", order_id)

    return inner


@activity.defn
@with_shop
async def ship(shop: str, order_id: str) -> None:
    print(shop, order_id)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order_id: str) -> None:
        await workflow.execute_activity(ship, order_id, start_to_close_timeout=timedelta(minutes=1))
```

## Fix safety
There is none: what the activity should get is yours to say.

## Known missed alarms
Activities under other decorators, objects with `__call__`, argument lists in variables, and arguments of the wrong type.

## Options
None.

## References
- https://docs.temporal.io/develop/python/activities/execution
- https://python.temporal.io/temporalio.workflow.html#execute_activity
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.facts import MODULE
from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.jobs.signatures import misfit, shown
from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.rule import Rule
from keel_lint_temporal._starts import Start, fact_of, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keel_lint.glance import Glance
    from keel_lint.index.facts import Parameter

_CALLS = frozenset(name for name in ACTIVITY_CALLS if not name.endswith("_class"))
_PLAIN = frozenset({f"{ACTIVITY}.defn", "builtins.staticmethod"})


class ActivitySignatureMismatch(Rule):
    """Finds activity calls that send more or fewer arguments than the activity takes."""

    code = "KEL614"
    slug = "activity-signature-mismatch"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    judges = ("activity-call",)
    proof = "replay"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether an activity is called."""
        return any(call.callee.rpartition(".")[2] in _CALLS for call in glance.calls)

    def visit_Call(self, node: cst.Call) -> None:
        """Count what a call sends."""
        start = start_of(self.definition, node)
        if start is None or start.kind != "activity" or start.function not in _CALLS:
            return
        sent = self._sent(node)
        target = start.target or self._by_name(start)
        parameters = self._parameters(target) if sent is not None and target is not None else None
        if sent is None or target is None or parameters is None:
            return
        reason = misfit(parameters, sent, ())
        if reason is not None:
            self._say(node, target, parameters, reason)

    def _sent(self, node: cst.Call) -> int | None:
        """How many arguments the activity gets; `None` where that cannot be told."""
        if any(argument.star for argument in node.args):
            return None
        given = {argument.keyword.value: argument.value for argument in node.args if argument.keyword is not None}
        positional = sum(argument.keyword is None for argument in node.args) - ("activity" not in given)
        if positional > 1:
            return None
        if "args" not in given:
            return positional + ("arg" in given)
        several = given["args"]
        if not isinstance(several, (cst.List, cst.Tuple)) or positional or "arg" in given:
            return None
        elements = several.elements
        return None if any(isinstance(element, cst.StarredElement) for element in elements) else len(elements)

    def _by_name(self, start: Start) -> tuple[str, int] | None:
        """The one activity that workers of the project list under a name."""
        if start.name is None or not (start.queue is None or isinstance(start.queue, str)):
            return None
        workers = self.definition.jobs.workers.listing("activity", start.name)
        here = [worker for worker in workers if start.queue in {None, worker.queue}]
        items = (item for worker in here for item in worker.activities.items if item.name == start.name)
        found = {(item.path, item.position) for item in items}
        return found.pop() if len(found) == 1 else None

    def _parameters(self, target: tuple[str, int]) -> Sequence[Parameter] | None:
        """The parameters that a call fills; `None` for what is no plain activity function."""
        fact = fact_of(self.definition, target)
        project = self.definition.project
        names = {project.resolve(target[0], one.callee, fact.parent).name if one.callee else "" for one in fact.decorators}
        if fact.kind != "function" or not names <= _PLAIN or f"{ACTIVITY}.defn" not in names:
            return None
        if self.definition.jobs.workers.name_of(target[0], fact)[1]:
            return None
        facts = project.facts(target[0])
        in_class = fact.parent != MODULE and facts.definitions[fact.parent].kind == "class"
        return fact.parameters[1:] if in_class and "builtins.staticmethod" not in names else fact.parameters

    def _say(self, node: cst.Call, target: tuple[str, int], parameters: Sequence[Parameter], reason: str) -> None:
        fact, project = fact_of(self.definition, target), self.definition.project
        hop = project.hop(target[0], *fact.name_span, f"`{fact.name}` is defined here")
        hint = self._hint(node)
        message = (
            f"the activity gets what it does not take: `{shown(fact.name, parameters)}` {reason}, so each attempt fails with "
            f"TypeError and is tried again until it times out{hint}"
        )
        self.report(node, message, hops=(hop,))

    def _hint(self, node: cst.Call) -> str:
        """A list as the one argument is most often meant as `args=`."""
        second = next((argument.value for argument in node.args[1:2] if argument.keyword is None), None)
        return "; more than one go into `args=[...]`" if isinstance(second, (cst.List, cst.Tuple)) else ""
