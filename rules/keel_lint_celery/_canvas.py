"""Signatures and what is made of them, and which of them are handed the result of another task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.dispatches import CANVAS
from keel_lint.jobs.messages import dispatch_of
from keel_lint_celery._code import keywords, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.jobs.dispatches import Dispatch

MAKING = frozenset({"s", "si", "signature", "subtask"})
_CHANGING = frozenset({"clone", "on_error", "set"})


def canvas_of(definition: Definition, node: cst.CSTNode) -> str:
    """Which of Celery's `chain`, `chord`, `chunks`, `group`, `signature` and `subtask` a call makes; empty for others."""
    name = definition.called(node) if isinstance(node, cst.Call) else None
    return name.rpartition(".")[2] if name in CANVAS else ""


def signature_of(definition: Definition, node: cst.CSTNode) -> Dispatch | None:
    """The signature of a task of the project that a call makes."""
    fact = definition.call_fact(node) if isinstance(node, cst.Call) else None
    dispatch = dispatch_of(definition, fact) if fact is not None else None
    return dispatch if dispatch is not None and dispatch.method in MAKING else None


def is_canvas(definition: Definition, node: cst.CSTNode) -> bool:
    """Whether an expression surely is a signature, or something made of signatures, that has not been applied."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        return is_canvas(definition, node.left) and is_canvas(definition, node.right)
    if not isinstance(node, cst.Call):
        return False
    if isinstance(node.func, cst.Attribute) and last_name(node.func) in _CHANGING:
        return is_canvas(definition, node.func.value)
    return bool(canvas_of(definition, node)) or signature_of(definition, node) is not None


def members(node: cst.Call) -> list[cst.BaseExpression]:
    """The signatures that a `chain` or `group` is made of: its arguments, or the elements of the one list that it is given."""
    given = [one.value for one in node.args if one.keyword is None]
    if len(given) == 1 and not node.args[0].star:
        return listed(given[0])
    return given


def listed(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The elements of a list, or what a comprehension makes; another expression is its own element."""
    if isinstance(node, (cst.List, cst.Tuple)):
        return [one.value for one in node.elements]
    return [node.elt] if isinstance(node, (cst.ListComp, cst.GeneratorExp)) else [node]


def fed(definition: Definition, node: cst.CSTNode) -> Iterator[cst.Call]:
    """The `.s(...)` calls that are handed a result where `node` stands: it is itself a call or `|` that hands one on."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        yield from _first_of(definition, node.right)
    if not isinstance(node, cst.Call):
        return
    kind = canvas_of(definition, node)
    if kind == "chain":
        for one in members(node)[1:]:
            yield from _first_of(definition, one)
    elif kind == "chord" and len(node.args) > 1:
        yield from _first_of(definition, node.args[1].value)
    elif isinstance(node.func, cst.Call) and canvas_of(definition, node.func) == "chord" and node.args:
        yield from _first_of(definition, node.args[0].value)
    elif not kind:
        link = keywords(node).get("link")
        for one in listed(link.value) if link is not None else []:
            yield from _first_of(definition, one)


def _first_of(definition: Definition, node: cst.CSTNode) -> Iterator[cst.Call]:
    """The signatures to which something hands what it is handed itself."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        yield from _first_of(definition, node.left)
    if not isinstance(node, cst.Call):
        return
    kind = canvas_of(definition, node)
    if kind == "group":
        for one in members(node):
            yield from _first_of(definition, one)
    elif kind in {"chain", "chord"} and node.args:
        first = members(node)[:1] if kind == "chain" else listed(node.args[0].value)
        for one in first:
            yield from _first_of(definition, one)
    elif signature_of(definition, node) is not None:
        yield node
