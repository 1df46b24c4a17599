"""What the rules about dispatches in open transactions share: the judging, the message and the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.committing import can_spell, wait_for_commit
from keel_lint.jobs.deferral import has_on_commit, is_deferred
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow import Flow
    from keel_lint.flow.atomic import OpenTransaction
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.dispatches import Dispatch


def transaction_round(jobs: Jobs, flow: Flow, path: str, call: Call, dispatch: Dispatch) -> OpenTransaction | None:
    """The open transaction for whose commit a dispatch does not wait.

    `delay_on_commit` waits for the default database: in a transaction of another one alone it publishes at once.
    """
    if not is_deferred(jobs, dispatch):
        return flow.transactions.round_call(path, call)
    if not dispatch.method.endswith("_on_commit"):
        return None
    opened = flow.transactions.round_call(path, call)
    if opened is None or not opened.alias or opened.alias[0] not in "\"'":
        return None
    return opened if flow.transactions.round_call(path, call, alias="") is None else None


class DispatchInTransaction(Rule):
    """Finds dispatches that run inside an open transaction; a rule says of which transactions it speaks."""

    judges = ("dispatch",)

    @classmethod
    def speaks_of(cls, opened: OpenTransaction) -> bool:
        """Whether the rule reports a dispatch in this transaction."""
        raise NotImplementedError

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a call of the definition dispatches in such a transaction."""
        return any(cls.opened(glance, call) is not None for call in glance.calls)

    @classmethod
    def opened(cls, glance: Glance, call: Call) -> OpenTransaction | None:
        """The transaction round a call, where the call dispatches in one of which the rule speaks."""
        dispatch = glance.jobs.dispatches.of(glance.path, call)
        if dispatch is None:
            return None
        opened = transaction_round(glance.jobs, glance.flow, glance.path, call, dispatch)
        # A replica is only read: no commit is waited for there.
        is_reported = opened is not None and "replica" not in opened.alias.lower() and cls.speaks_of(opened)
        return opened if is_reported else None

    def visit_Call(self, node: cst.Call) -> None:
        """Judge a call that may be a dispatch."""
        fact = self.definition.call_fact(node)
        opened = self.opened(self.definition, fact) if fact is not None else None
        dispatch = self.definition.jobs.dispatches.of(self.definition.path, fact) if fact is not None else None
        if fact is None or dispatch is None:
            return None
        if opened is None:
            return self.decline(node, lambda: _why_silent(self.definition, fact, dispatch))
        instead = _instead(node, dispatch, opened, self._is_short(dispatch, opened))
        message = self.message(dispatch, opened, instead)
        return self.report(node, message, fix=self.fix_for(node, dispatch, opened), hops=opened.hops)

    def _is_short(self, dispatch: Dispatch, opened: OpenTransaction) -> bool:
        """Whether Celery's own `delay_on_commit` does what is wanted."""
        return not opened.alias and has_on_commit(self.definition.jobs, dispatch)

    def message(self, dispatch: Dispatch, opened: OpenTransaction, instead: str) -> str:
        """What goes wrong, and what to write instead."""
        if dispatch.method.endswith("_on_commit"):
            return (
                f"`{dispatch.method}` waits for the default database, and only a transaction of {opened.alias} is open here: "
                f"`{dispatch.shown}` is published before it commits; write `{instead}`"
            )
        return (
            f"`{dispatch.shown}` is published before the transaction commits: a quick worker {opened.early}, "
            f"and after a rollback the task still runs; write `{instead}`"
        )

    def fix_for(self, node: cst.Call, dispatch: Dispatch, opened: OpenTransaction) -> FixBuilder | None:
        """The fix of a dispatch; `None` where its value is used."""
        if not isinstance(self.definition.parent(node), cst.Expr) or not can_spell(opened):
            return None
        if dispatch.method.endswith("_on_commit"):
            return None
        builder = self.definition.fix("Publish when the transaction has committed", "unsafe")
        if self._is_short(dispatch, opened) and isinstance(node.func, cst.Attribute):
            builder.replace(node.func.attr, f"{dispatch.method}_on_commit")
            return builder
        return wait_for_commit(builder, node, opened)


def _why_silent(where: Glance, call: Call, dispatch: Dispatch) -> str:
    """Why nothing is said of a dispatch; empty where another rule speaks of its transaction."""
    if is_deferred(where.jobs, dispatch):
        return "its method, or the base class of the task, waits for the commit by itself"
    opened = where.flow.transactions.round_call(where.path, call)
    if opened is None:
        return "no transaction is known to be open when this runs"
    is_replica = "replica" in opened.alias.lower()
    return "the transaction is one of a read replica, where no commit is waited for" if is_replica else ""


def _instead(node: cst.Call, dispatch: Dispatch, opened: OpenTransaction, short: bool) -> str:
    if short:
        return f"{dispatch.target}.{dispatch.method}_on_commit(...)"
    using = f", using={opened.alias}" if opened.alias else ""
    method = dispatch.method.removesuffix("_on_commit")
    called = f"{dispatch.target}.{method}".replace("()", "(...)")
    return f"transaction.on_commit(partial({called}, ...){using})" if node.args else f"transaction.on_commit({called}{using})"
