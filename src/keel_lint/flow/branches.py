"""Which code of a function runs when some of its parameters are known: `if not skip: task.delay()` for a call with `skip=True`.

Only constants are followed: those that a call passes, and the defaults of what it leaves out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from keel_lint.index.expressions import parsed, parsed_definition
from keel_lint.index.facts import MODULE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from keel_lint.flow.calls import Edge
    from keel_lint.index.facts import Parameter
    from keel_lint.project import Project

Known = dict[str, object]
"""The parameters of a function whose value is known."""

_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_UNKNOWN = object()
_GIVEN_BY_DJANGO = frozenset({"force_insert", "force_update", "update_fields", "using"})
"""What Django itself passes to the `save` of a model (`django/db/models/query.py`, `create`)."""
_GIVEN_TO_RECEIVERS: Known = {"created": True, "update_fields": None}
"""What a receiver is given where a row is created: there are no `update_fields` then."""


class Branches:
    """Answers what cannot run."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def passed(self, edge: Edge, known: Mapping[str, object]) -> Known:
        """What a call says of the parameters of the function that it runs; `known` is what is known where it stands."""
        facts = self._project.facts(edge.target[0])
        target = facts.definitions[edge.target[1]]
        if edge.fires and target.name == "save":
            return _defaults(target.parameters, given=_GIVEN_BY_DJANGO)
        if edge.how != "call" or edge.fires:
            return dict(_GIVEN_TO_RECEIVERS) if edge.fires == "created" else {}
        call = parsed(self._project.source(edge.path).text[edge.start : edge.end].decode("utf-8", "replace"))
        if not isinstance(call, ast.Call):
            return {}
        is_method = target.parent != MODULE and facts.definitions[target.parent].kind == "class"
        is_bound = is_method and not any(d.callee == "staticmethod" for d in target.decorators)
        return _bound(call, target.parameters[1:] if is_bound else target.parameters, known)

    def cannot_reach(self, path: str, position: int, offset: int, known: Mapping[str, object]) -> bool:
        """Whether the place at `offset` in the body of a function never runs with these parameters."""
        if not known:
            return False
        definition = self._project.facts(path).definitions[position]
        text = self._project.source(path).text
        tree, row_of_start = parsed_definition(text, definition.start, definition.end)
        function = _function(tree)
        row = text.count(b"\n", definition.start, offset) + row_of_start
        # What is cut off by less is cut off by more: the names that the body binds are looked for where it matters.
        if function is None or not _is_cut_off(function.body, row, known):
            return False
        assigned = _assigned(function)
        return _is_cut_off(function.body, row, {name: value for name, value in known.items() if name not in assigned})


def _bound(call: ast.Call, parameters: Sequence[Parameter], known: Mapping[str, object]) -> Known:
    """The constants that a call passes, by parameter, and the constant defaults of what it leaves out."""
    positional = [p for p in parameters if p.kind in {"posonly", "plain"}]
    is_starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    given = {} if is_starred else dict(zip((p.name for p in positional), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    found = {name: _value(node, known) for name, node in given.items()}
    if not is_starred and all(keyword.arg is not None for keyword in call.keywords):
        found |= _defaults(parameters, given)
    return {name: value for name, value in found.items() if value is not _UNKNOWN}


def _defaults(parameters: Iterable[Parameter], given: Container[str]) -> Known:
    """The constant defaults of the parameters that are not given."""
    left_out = ((p.name, parsed(p.default)) for p in parameters if p.name not in given and p.default)
    found = {name: _value(tree, {}) for name, tree in left_out if tree is not None}
    return {name: value for name, value in found.items() if value is not _UNKNOWN}


def _value(node: ast.expr, known: Mapping[str, object]) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    return known.get(node.id, _UNKNOWN) if isinstance(node, ast.Name) else _UNKNOWN


def _is_cut_off(body: Sequence[ast.stmt], row: int, known: Mapping[str, object]) -> bool:
    """Whether the statement at a row of some statements never runs: it stands in the other branch, or behind the end of all."""
    for statement in body:
        inside = statement.lineno <= row <= (statement.end_lineno or statement.lineno)
        if not inside and statement.lineno > row:
            return False
        if isinstance(statement, ast.If):
            truth = _truth(statement.test, known)
            if inside and row > (statement.test.end_lineno or statement.lineno):
                branch, other = (statement.body, statement.orelse) if truth else (statement.orelse, statement.body)
                if truth is not None and _holds(other, row):
                    return True
                return _is_cut_off(branch if _holds(branch, row) else other, row, known)
            if truth is not None and _ends(statement.body if truth else statement.orelse):
                return True
        elif inside:
            return any(_is_cut_off(inner, row, known) for inner in _suites(statement) if _holds(inner, row))
    return False


def _ends(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], _ENDS)


def _holds(body: Sequence[ast.stmt], row: int) -> bool:
    return bool(body) and body[0].lineno <= row <= (body[-1].end_lineno or body[-1].lineno)


def _suites(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for handler in getattr(statement, "handlers", []):
        yield handler.body
    for case in getattr(statement, "cases", []):
        yield case.body


def _truth(test: ast.expr, known: Mapping[str, object]) -> bool | None:
    """Whether a test holds, `None` where that is not known."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand, known)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        parts = [_truth(part, known) for part in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, known)
    value = _value(test, known)
    return None if value is _UNKNOWN else bool(value)


def _compared(test: ast.Compare, known: Mapping[str, object]) -> bool | None:
    left, right = _value(test.left, known), _value(test.comparators[0], known)
    if left is _UNKNOWN or right is _UNKNOWN:
        return None
    if isinstance(test.ops[0], (ast.Is, ast.Eq)):
        return left == right
    return left != right if isinstance(test.ops[0], (ast.IsNot, ast.NotEq)) else None


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names that the body of a function binds."""
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}


def _function(tree: ast.Module | None) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function that the lines of a definition hold."""
    body = tree.body if tree is not None else []
    if body and isinstance(body[0], ast.If):
        body = body[0].body
    found = body[0] if body else None
    return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
