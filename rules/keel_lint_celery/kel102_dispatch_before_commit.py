"""A task is published before the session of SQLAlchemy has committed

## What it does
Finds `.delay()`, `.apply_async()` and `send_task()` between a write to a session of SQLAlchemy and the `commit()` of that
session in the same function, and inside `with session.begin():` or whatever is called from there.

## Why is this bad?
`add()` and `flush()` leave the row in the transaction: other connections see it when `commit()` has returned. A worker that
is quicker finds no row: `NoResultFound`, or `None` and an `AttributeError`. If the commit fails, the task runs for a row that
never was.

## Example
### Before the commit
```python
from celery import shared_task
from flask_sqlalchemy import SQLAlchemy

from shop.models import Order

db = SQLAlchemy()


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(total):
    order = Order(total=total)
    db.session.add(order)
    db.session.flush()
    send_receipt.delay(order.id)  # KEL102
    db.session.commit()
```

### In a block
```python
from celery import shared_task
from sqlalchemy.orm import Session

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(session: Session, total):
    with session.begin():
        order = Order(total=total)
        session.add(order)
        announce(order)


def announce(order):
    send_receipt.apply_async(args=[order.id], countdown=2)  # KEL102
```

## Use instead
### After the commit
```python
from celery import shared_task
from flask_sqlalchemy import SQLAlchemy

from shop.models import Order

db = SQLAlchemy()


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(total):
    order = Order(total=total)
    db.session.add(order)
    db.session.commit()
    send_receipt.delay(order.id)
```

### After the block
```python
from celery import shared_task
from sqlalchemy.orm import Session

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(order_id)


def place_order(session: Session, total):
    with session.begin():
        order = Order(total=total)
        session.add(order)
    send_receipt.delay(order.id)
```

### Nothing is written before
```python
from celery import shared_task
from flask_sqlalchemy import SQLAlchemy

from shop.models import Order, Visit

db = SQLAlchemy()


@shared_task
def refresh(order_id):
    print(order_id)


def show_order(order_id):
    order = db.session.get(Order, order_id)
    refresh.delay(order_id)
    db.session.add(Visit(order=order))
    db.session.commit()
    return order
```

## Fix safety
Unsafe. Where the dispatch stands right before the commit, the two change places; anywhere else there is no fix. If the commit
raises, the task is not published any more.

## Known missed alarms
A commit in another function or in a decorator, in the end of a request (`SQLALCHEMY_COMMIT_ON_TEARDOWN`, `pyramid_tm`),
sessions whose name does not say so.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
- https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.flow.atomic import OpenTransaction, is_session
from keel_lint_celery._in_transaction import DispatchInTransaction

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call
    from keel_lint.jobs.dispatches import Dispatch

_WRITES = frozenset({"add", "add_all", "bulk_insert_mappings", "bulk_save_objects", "delete", "flush", "merge"})


class DispatchBeforeCommit(DispatchInTransaction):
    """Finds dispatches that a session of SQLAlchemy has yet to commit for."""

    code = "KEL102"
    slug = "dispatch-before-commit"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def speaks_of(cls, opened: OpenTransaction) -> bool:
        """Whether it is a transaction of SQLAlchemy."""
        return opened.library == "sqlalchemy"

    @classmethod
    def opened(cls, glance: Glance, call: Call) -> OpenTransaction | None:
        """The transaction round a dispatch: of a block, else one that the same function commits later."""
        found = super().opened(glance, call)
        if found is not None or glance.jobs.dispatches.of(glance.path, call) is None:
            return found
        commit = _commit_after(glance, call)
        if commit is None:
            return None
        return OpenTransaction(
            "",
            (glance.project.hop(glance.path, commit.start, commit.end, f"`{commit.callee}` commits only here"),),
            "sqlalchemy",
        )

    def message(self, dispatch: Dispatch, opened: OpenTransaction, instead: str) -> str:  # noqa: ARG002
        """What goes wrong, and what to write instead."""
        return (
            f"`{dispatch.shown}` is published before the session commits: a quick worker finds no row, "
            "and when the commit fails the task still runs; publish it after the commit"
        )

    def fix_for(self, node: cst.Call, dispatch: Dispatch, opened: OpenTransaction) -> FixBuilder | None:  # noqa: ARG002
        """The dispatch and the commit that follows it at once, in the other order."""
        line = self.definition.nearest(node, cst.SimpleStatementLine)
        suite = self.definition.parent(line) if line is not None else None
        if line is None or not isinstance(suite, cst.IndentedBlock) or len(line.body) != 1:
            return None
        position = next(index for index, statement in enumerate(suite.body) if statement is line)
        after = suite.body[position + 1] if position + 1 < len(suite.body) else None
        if not isinstance(self.definition.parent(node), cst.Expr) or not isinstance(after, cst.SimpleStatementLine):
            return None
        commit = after.body[0] if len(after.body) == 1 else None
        if not isinstance(commit, cst.Expr) or not self.definition.code(commit).endswith(".commit()"):
            return None
        builder = self.definition.fix("Publish after the commit", "unsafe")
        published = self.definition.code(line.body[0])
        builder.replace(line.body[0], self.definition.code(commit))
        builder.replace(commit, published)
        return builder


def _commit_after(glance: Glance, dispatch: Call) -> Call | None:
    """The commit that follows a dispatch in the same function, of a session to which that function wrote before."""
    beside = [call for call in glance.calls if call.scope == dispatch.scope and "." in call.callee]
    before = [call for call in beside if call.start < dispatch.start]
    for call in beside:
        session, _, name = call.callee.rpartition(".")
        if name != "commit" or call.start < dispatch.end or not is_session(glance.project, glance.path, session):
            continue
        names = [one.callee.rpartition(".")[2] for one in before if one.callee.rpartition(".")[0] == session]
        since = names[len(names) - names[::-1].index("commit") :] if "commit" in names else names
        return call if not _WRITES.isdisjoint(since) else None
    return None
