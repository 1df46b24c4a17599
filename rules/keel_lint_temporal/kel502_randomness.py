"""Workflow code draws a random value.

## What it does

Reports calls in workflow code that give another value each time: the functions of `random` and `secrets`, `uuid.uuid1()`
and `uuid.uuid4()`, `os.urandom()`, `random.Random()` without a seed, `random.SystemRandom()`, `uuid.getnode()`,
`ssl.RAND_bytes()`, `email.utils.make_msgid()` and numpy's global generator; also functions that are configured as
`non-deterministic`. What workflow code is, and how calls into other modules are followed: see KEL501.

## Why is this bad?

Temporal rebuilds a workflow by running its code again over the recorded history, so an identifier or a choice that differs
from one run to the next sends it down another path. The Python sandbox refuses `random`, `secrets`, `os.urandom()` and the
usual functions of `uuid`: the workflow *task* fails and is tried again for ever, while the run goes on looking Running. It
lets `random.Random()`, `random.SystemRandom()`, `uuid.getnode()`, `ssl.RAND_bytes()` and `email.utils.make_msgid()`
through, and everything where it is switched off: there the value quietly changes on replay. The server compares kinds and
names of commands, not arguments, so a payment reference that changed goes unnoticed.

`workflow.random()` and `workflow.uuid4()` are seeded by the server and give the same values on every replay.

## Example

```python
import random
import uuid

from temporalio import workflow


@workflow.defn
class Raffle:
    def __init__(self) -> None:
        self.id = str(uuid.uuid4())  # KEL502

    @workflow.run
    async def run(self, names: list[str]) -> str:
        random.shuffle(names)  # KEL502
        return max(names, key=lambda name: random.random())  # KEL502
```

The sandbox does not see these:

```python
from random import Random, SystemRandom
from uuid import getnode

from temporalio import workflow


@workflow.defn
class Lottery:
    @workflow.run
    async def run(self) -> list[int]:
        generator = Random()  # KEL502
        strong = SystemRandom()  # KEL502
        return [generator.randint(1, 49), strong.randint(1, 49), getnode()]  # KEL502
```

Nor what stands in a module that is passed through it:

```python title="shop/ids.py"
import uuid
from typing import Self


class Id(uuid.UUID):
    @classmethod
    def new(cls) -> Self:
        return cls(int=uuid.uuid4().int)


class OrderId(Id):
    pass
```

```python title="shop/events.py"
from dataclasses import dataclass, field
from uuid import UUID, uuid4


@dataclass
class Event:
    name: str
    id: UUID = field(default_factory=uuid4)
```

```python title="shop/workflows.py"
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from shop.events import Event
    from shop.ids import OrderId


@workflow.defn
class Order:
    @workflow.run
    async def run(self) -> str:
        event = Event(name="created")  # KEL502
        return f"{event} {OrderId.new()}"  # KEL502
```

## Use instead

### The generator of the workflow

```python
from temporalio import workflow


@workflow.defn
class Raffle:
    def __init__(self) -> None:
        self.id = str(workflow.uuid4())

    @workflow.run
    async def run(self, names: list[str]) -> str:
        generator = workflow.random()
        generator.shuffle(names)
        return max(names, key=lambda name: workflow.random().random())
```

### A seed, or a name

```python
import random
import uuid

from temporalio import workflow


@workflow.defn
class Shuffle:
    @workflow.run
    async def run(self, names: list[str], seed: int) -> str:
        generator = random.Random(seed)
        generator.shuffle(names)
        again = random.Random()
        again.seed(seed)
        return str(uuid.uuid5(uuid.NAMESPACE_URL, names[0])) + again.choice(names)
```

### A secret, made in an activity

```python
import secrets
import uuid
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def new_token() -> str:
    return secrets.token_urlsafe()


@workflow.defn
class Invite:
    @workflow.run
    async def run(self, given: str) -> bool:
        token = await workflow.execute_activity(new_token, start_to_close_timeout=timedelta(seconds=5))
        return secrets.compare_digest(token, given) and isinstance(workflow.uuid4(), uuid.UUID)


def workflow_id() -> str:
    return f"invite-{uuid.uuid4()}"
```

## Fix safety

Safe for the functions of `random` (`workflow.random()` has them all), for `random.Random()` and for `uuid.uuid4()`: the new
value is as random, no command is added, removed or moved, and a replay now draws what the first run drew. `uuid.uuid1()`
becomes `workflow.uuid4()`, which holds neither host nor time: unsafe.

No fix is offered for `secrets`, `os.urandom()` and `SystemRandom`: the workflow's generator can be predicted by whoever
knows the seed, so a secret must come from an activity. Nor in queries and validators, where `workflow.random()` itself
raises.

## Known missed alarms

Default values and class attributes (KEL509), generators made at module level, methods of objects whose class is not known,
methods of classes nested in the workflow class, `hash()` and `id()` (KEL511), and random functions of a database
are not seen. Queries and validators are silent where the sandbox would not refuse the call.

## Options

`[tool.keel-lint.functions]`: see KEL501.

## References

- https://docs.temporal.io/develop/python/workflows/basics#workflow-logic-requirements
- https://docs.temporal.io/develop/python/python-sdk-sandbox
- https://python.temporal.io/temporalio.workflow.html#random
- https://github.com/temporalio/sdk-python#workflow-sandbox
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.nondeterminism import GENERATOR_METHODS, Reading
from keel_lint_temporal._workflow_code import Place, ReadingRule

if TYPE_CHECKING:
    from keel_lint.finding import Applicability
    from keel_lint.fixing import FixBuilder

WORKFLOW = "temporalio.workflow"
UUID7_SINCE = (1, 35)

_SEEDS = frozenset({"seed", "setstate"})
_SECRET = "an activity for a secret, else `workflow.random()`"
_ADVICE = {
    **dict.fromkeys(("random.seed", "random.getstate", "random.setstate"), "a generator of your own, `random.Random(seed)`"),
    **dict.fromkeys(("random.SystemRandom", "os.urandom", "os.getrandom", "ssl.RAND_bytes", "ssl.RAND_pseudo_bytes"), _SECRET),
    "uuid.getnode": "an activity",
    "email.utils.make_msgid": "`workflow.uuid4()`",
}


class Randomness(ReadingRule):
    code = "KEL502"
    slug = "randomness"
    group = "correctness"
    engine = "temporal"
    versions = "temporalio>=1.0"
    fix = "safe"
    judges = ("workflow",)
    proof = "replay"

    kinds = ("randomness", "declared")
    reads = "gives a random value"
    elsewhere = "`workflow.uuid4()` or `workflow.random()`, or give the helper the value as an argument"

    def does(self, node: cst.Call, name: str, place: Place, reading: Reading) -> str | None:  # noqa: ARG002
        """A generator that gets a seed is none of ours."""
        return None if self.workflow.is_fixed(node, reading) or self.is_seeded(node, name) else self.reads

    def instead(self, node: cst.BaseExpression, name: str, place: Place) -> tuple[str, FixBuilder | None]:
        """The workflow's own generator, which raises outside the run."""
        return self.fixed(node, name) if place.handler == "run" else ("a value that the run has drawn", None)

    def is_seeded(self, node: cst.Call, name: str) -> bool:
        """Whether a generator gets its seed later: `generator = random.Random(); generator.seed(7)`."""
        holder = self.definition.parent(node)
        function = self.definition.nearest(node, cst.FunctionDef)
        if name != "random.Random" or function is None or not isinstance(holder, (cst.Assign, cst.AnnAssign)):
            return False
        targets = [target.target for target in holder.targets] if isinstance(holder, cst.Assign) else [holder.target]
        names = {self.definition.code(target) for target in targets}
        called = (call.func for call in self.definition.find_all(cst.Call, function) if isinstance(call.func, cst.Attribute))
        return any(method.attr.value in _SEEDS and self.definition.code(method.value) in names for method in called)

    def fixed(self, node: cst.BaseExpression, name: str) -> tuple[str, FixBuilder | None]:
        """What to write instead, and the fix that does."""
        module, _, function = name.rpartition(".")
        if module == "random" and function in GENERATOR_METHODS:
            return self.replaced(node, "random", f"().{function}", "safe")
        if name == "random.Random":
            return self.replaced(node, "random", "", "safe")
        if name == "uuid.uuid4":
            return self.replaced(node, "uuid4", "", "safe")
        if name == "uuid.uuid7" and self.definition.jobs.version("temporalio").release >= UUID7_SINCE:
            return self.replaced(node, "uuid7", "", "safe")
        if name == "uuid.uuid1" and not (isinstance(node, cst.Call) and node.args):
            return self.replaced(node, "uuid4", "", "unsafe")
        return self.advice(name), None

    def replaced(
        self, node: cst.BaseExpression, counterpart: str, behind: str, applicability: Applicability
    ) -> tuple[str, FixBuilder | None]:
        """Put the workflow's counterpart in the place of a function, whether it is called or handed over."""
        instead = f"`workflow.{counterpart}{behind or '()'}`"
        fix = self.definition.fix(f"Use {instead}", applicability)
        spelling = fix.name(f"{WORKFLOW}.{counterpart}", node)
        if isinstance(node, cst.Call) and not behind:
            fix.replace(node, f"{spelling}()")
        else:
            fix.replace(node.func if isinstance(node, cst.Call) else node, f"{spelling}{behind}")
        return instead, fix

    def advice(self, name: str) -> str:
        if name.startswith("secrets."):
            return _SECRET
        if name.startswith(("uuid.", "uuid6.", "uuid_utils.", "shortuuid.")):
            return _ADVICE.get(name, "`workflow.uuid4()`")
        if name.startswith("numpy."):
            return "`numpy.random.default_rng(workflow.random().getrandbits(64))`"
        return _ADVICE.get(name, "`workflow.random()`")
