"""Where a result comes from: the dispatch whose `AsyncResult` an expression is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index import expressions
from keel_lint.index.facts import known_as
from keel_lint.index.roles import DISPATCHES
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.dispatches import CANVAS
from keel_lint_celery._code import dispatch_at, last_name

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance

RESULTS = frozenset({"celery.result.AsyncResult", "celery.result.GroupResult", "celery.result.ResultSet"})
WAITING = frozenset({"get", "join", "join_native", "wait", "wait_for_pending", "collect", "iterate"})
_MAKERS = DISPATCHES | {name.rpartition(".")[2] for name in RESULTS}
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


def may_wait(glance: Glance) -> bool:
    """Whether the definition may wait for a result that `made_by` finds: `get` alone is every dict's."""
    makers = known_as(glance.facts, _MAKERS)
    bound = (node for node in glance.nodes or () if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)))
    made = [node for node in bound if isinstance(node.value, ast.Name) or _may_make(node.value, makers)]
    targets = (one for node in made for one in (node.targets if isinstance(node, ast.Assign) else [node.target]))
    names = {target.id for target in targets if isinstance(target, ast.Name)}

    def waits(node: ast.Call) -> bool:
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in WAITING:
            return False
        owner = node.func.value
        return owner.id in names if isinstance(owner, ast.Name) else _may_make(owner, makers)

    return glance.may_hold(ast.Call, waits)


def _may_make(node: ast.expr | None, makers: frozenset[str]) -> bool:
    """Whether an expression is a call of one of these names, or applies what another call made."""
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Call) or expressions.last_name(func) in makers


def _is_result(definition: Definition, node: cst.Call) -> bool:
    dispatch = dispatch_at(definition, node)
    if dispatch is not None:
        return not dispatch.method.endswith("_on_commit")
    if isinstance(node.func, cst.Call):
        return definition.called(node.func) in CANVAS
    return definition.called(node) in RESULTS or (
        isinstance(node.func, cst.Attribute) and last_name(node.func) == "AsyncResult"
    )
