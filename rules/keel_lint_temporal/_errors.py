"""Exceptions in workflow code: what kind an error is, and what a `try` does with it."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Literal

import libcst as cst

from keel_lint_temporal._commands import ACTIVITIES, CHILDREN, COROUTINES
from keel_lint_temporal._handlers import methods_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition

COMMANDS = ACTIVITIES | CHILDREN | COROUTINES
TEMPORAL_ERRORS = "temporalio.exceptions."
APPLICATION_ERROR = f"{TEMPORAL_ERRORS}ApplicationError"
EVERYTHING = frozenset({"builtins.Exception", "builtins.BaseException"})

Kind = Literal["plain", "failure"]

_NO_FAULT = frozenset({
    "asyncio.TimeoutError", "builtins.AssertionError", "builtins.NotImplementedError", "builtins.TimeoutError",
})  # fmt: skip
"""Timeouts end the run; the others say that the code is not meant to get there."""


class Errors:
    """Answers what the exceptions of one definition are."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition

    def names(self, node: cst.BaseExpression) -> list[str]:
        """The canonical names of an exception class, itself first, and of its bases; empty where it cannot be told."""
        name = self.definition.name(node)
        if name is None:
            return []
        project = self.definition.project
        symbol = project.resolve(self.definition.path, self.definition.code(node), self.definition.scope(node))
        if symbol.state == "internal" and symbol.definition >= 0:
            if project.facts(symbol.path).definitions[symbol.definition].kind != "class":
                return []
            return [name, *project.base_names(symbol.path, symbol.definition)]
        return [name] if symbol.state == "external" else []

    def kind(self, node: cst.BaseExpression) -> Kind | None:
        """Whether an exception class is one of Temporal's failures, or a plain one that ends no run; `None` if not sure."""
        return self.kind_of(self.names(node))

    def kind_of(self, names: list[str]) -> Kind | None:
        """The same by the names of a class and its bases."""
        if not names or not _NO_FAULT.isdisjoint(names):
            return None
        if any(name.startswith("temporalio.") for name in names):
            return "failure"
        known = [getattr(builtins, name.removeprefix("builtins."), None) for name in names if name.startswith("builtins.")]
        is_error = any(isinstance(one, type) and issubclass(one, Exception) for one in known)
        return "plain" if is_error and self._are_known(names) else None

    def _are_known(self, names: list[str]) -> bool:
        """Whether nothing among the bases comes from outside the project, where it could be anything."""
        roots = {name.partition(".")[0] for name in names}
        return "builtins" in roots and all(self._is_ours_or_builtin(name) for name in names)

    def _is_ours_or_builtin(self, name: str) -> bool:
        if name.startswith(("builtins.", "typing.", "abc.", "enum.")):
            return True
        return self.definition.project.module(name.rpartition(".")[0], self.definition.path) is not None

    def is_caught(self, node: cst.CSTNode, names: list[str]) -> bool:
        """Whether a `try` round a node, in the same function, catches an exception of these names, or may."""
        below = node
        for above in self.definition.ancestors(node):
            if isinstance(above, (cst.FunctionDef, cst.Lambda)):
                return False
            if isinstance(above, cst.Try) and below is above.body and any(self.catches(one, names) for one in above.handlers):
                return True
            below = above
        return False

    def catches(self, handler: cst.ExceptHandler, names: list[str]) -> bool:
        """Whether a handler catches an exception of these names, or one that is not known."""
        types = [self.definition.name(one) for one in caught(handler)]
        return not types or any(one is None or one in names or one in EVERYTHING for one in types)


def caught(handler: cst.ExceptHandler) -> list[cst.BaseExpression]:
    """The types that a handler names; none for a bare `except`."""
    if handler.type is None:
        return []
    return [element.value for element in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]


def raises(node: cst.CSTNode) -> bool:
    """Whether something is raised below a node."""
    return any(isinstance(one, cst.Raise) for one in walk(node))


def calls_in(node: cst.CSTNode) -> Iterator[cst.Call]:
    """The calls below a node, functions in it aside."""
    return (one for one in walk(node) if isinstance(one, cst.Call))


def in_workflow(definition: Definition, node: cst.CSTNode) -> bool:
    """Whether a node is sure to be workflow code: a method of a workflow, or a function that runs activities itself."""
    function = definition.nearest(node, cst.FunctionDef)
    if function is None:
        return False
    method = methods_of(definition).round(node)
    if method is not None:
        return method.kind not in {"activity", "query", "validator"}
    return any(definition.called(call) in COMMANDS for call in calls_in(function.body))


def asks_for_cancellation(definition: Definition, handler: cst.ExceptHandler) -> bool:
    """Whether a handler looks whether what it has caught is a cancellation, or at the cause of it."""
    for node in walk(handler.body):
        if isinstance(node, cst.Call) and definition.called(node) == f"{TEMPORAL_ERRORS}is_cancelled_exception":
            return True
        if isinstance(node, cst.Attribute) and node.attr.value in {"cause", "__cause__"}:
            return True
        if isinstance(node, (cst.Name, cst.Attribute)) and (definition.name(node) or "").endswith(".CancelledError"):
            return True
    return False
