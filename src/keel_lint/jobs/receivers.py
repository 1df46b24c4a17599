"""What a call calls when it calls a method of an object: the canonical name goes through what made the object.

`client = stripe.StripeClient(key)` makes `client.refunds.create` the call `stripe.StripeClient.refunds.create`, whether the
variable is local, at module level, in another module, a parameter with an annotation, or what a `with` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import dotted
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.instances import made_name

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.jobs.bindings import Binding

_DEPTH = 8


class Receivers:
    """The names of the calls of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self.bindings = definition.once(Bindings)

    def called(self, call: cst.Call) -> str | None:
        """The canonical name of what a call calls; `None` where it cannot be told."""
        return self.name(call.func)

    def name(self, node: cst.CSTNode, depth: int = 0) -> str | None:
        """The canonical name of an expression; that of an object is the name of what made it."""
        if depth > _DEPTH:
            return None
        if isinstance(node, (cst.Call, cst.Await)):
            return self.name(node.func if isinstance(node, cst.Call) else node.expression, depth + 1)
        head = _head(node)
        bound = [one for one in self.bindings.reaching(head) if not _imports(one)] if head is not None else []
        if head is not None and not bound:
            return self._at_module(node)
        if isinstance(node, cst.Attribute):
            owner = self.name(node.value, depth + 1)
            return f"{owner}.{node.attr.value}" if owner is not None else None
        return self._bound(bound, depth)

    def _at_module(self, node: cst.CSTNode) -> str | None:
        written = dotted(node)
        if written is None or self._definition.name(node) is None:
            return None
        symbol = self._definition.project.resolve(self._definition.path, written, self._definition.scope(node))
        return made_name(self._definition.project, symbol)

    def _bound(self, bound: list[Binding], depth: int) -> str | None:
        names = {self._made_by(binding, depth + 1) for binding in bound}
        return names.pop() if len(names) == 1 else None

    def _made_by(self, binding: Binding, depth: int) -> str | None:
        if binding.how in {"value", "enter"} and binding.source is not None:
            return self.name(binding.source, depth) if isinstance(binding.source, (cst.Call, cst.Await)) else None
        node = binding.node
        if isinstance(node, cst.Param) and node.annotation is not None:
            return self._definition.name(node.annotation.annotation)
        if isinstance(node, cst.AnnAssign) and isinstance(node.value, (cst.Call, cst.Await)):
            return self.name(node.value, depth)
        return None


def _imports(binding: Binding) -> bool:
    """Whether a name is bound by an import in the function."""
    return isinstance(binding.node, cst.ImportAlias)


def _head(node: cst.CSTNode) -> cst.Name | None:
    """The first part of a dotted name."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node if isinstance(node, cst.Name) else None
