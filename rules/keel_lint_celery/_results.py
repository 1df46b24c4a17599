"""Where a result comes from: the dispatch whose `AsyncResult` an expression is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.roles import DISPATCHES
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.dispatches import CANVAS
from keel_lint_celery._code import dispatch_at, last_name

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance

RESULTS = frozenset({"celery.result.AsyncResult", "celery.result.GroupResult", "celery.result.ResultSet"})
WAITING = frozenset({"get", "join", "join_native", "wait", "wait_for_pending", "collect", "iterate"})
_WORDS = frozenset(name.rpartition(".")[2].encode() for name in RESULTS)
_DEPTH = 4


def made_by(definition: Definition, node: cst.BaseExpression, depth: int = 0) -> cst.Call | None:
    """The call that made the result that an expression is, through local names; `None` where it is no result, or unknown."""
    if depth > _DEPTH:
        return None
    if isinstance(node, cst.Name):
        bound = definition.once(Bindings).reaching(node)
        source = bound[0].source if len(bound) == 1 and bound[0].how == "value" else None
        return made_by(definition, source, depth + 1) if isinstance(source, cst.BaseExpression) else None
    if not isinstance(node, cst.Call):
        return None
    return node if _is_result(definition, node) else None


def may_make_result(glance: Glance) -> bool:
    """Whether a call of a definition may be one that `made_by` finds, as far as the index tells."""
    if glance.project.mentions(glance.path, _WORDS):
        return True
    return any(call.callee.rpartition(".")[2] in DISPATCHES or call.callee.endswith("()") for call in glance.calls)


def _is_result(definition: Definition, node: cst.Call) -> bool:
    dispatch = dispatch_at(definition, node)
    if dispatch is not None:
        return not dispatch.method.endswith("_on_commit")
    if isinstance(node.func, cst.Call):
        return definition.called(node.func) in CANVAS
    return definition.called(node) in RESULTS or (
        isinstance(node.func, cst.Attribute) and last_name(node.func) == "AsyncResult"
    )
