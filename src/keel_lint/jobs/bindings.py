"""Which assignments of a local name can reach a use of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import libcst as cst

from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition

How = Literal["value", "first", "element", "enter", "annotated", "parameter", "opaque"]
Scope = cst.FunctionDef | cst.Lambda

_COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)
_LOOPS = (cst.For, cst.While)
_INNER = frozenset({cst.FunctionDef, cst.ClassDef, cst.Lambda})
_BINDING: frozenset[type[cst.CSTNode]] = frozenset({
    cst.AnnAssign, cst.Assign, cst.AugAssign, cst.ClassDef, cst.Del, cst.ExceptHandler, cst.ExceptStarHandler, cst.For,
    cst.FunctionDef, cst.Global, cst.ImportAlias, cst.MatchAs, cst.MatchMapping, cst.MatchStar, cst.NamedExpr, cst.Nonlocal,
    cst.WithItem,
})  # fmt: skip


class Binding(Record, frozen=True):
    """One binding of a name: `how` it gets its value from `source`, and the statement or clause `node` that binds it.

    `first` is the first element of `source`, `element` any element, `enter` what a `with` item gives. For a parameter `source`
    is the `cst.Param`; `opaque` has none.
    """

    how: How
    source: cst.CSTNode | None
    node: cst.CSTNode
    is_parameter: bool = False


class Bindings:
    """The local bindings of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._entered: dict[int, int] = {}
        self._left: dict[int, int] = {}
        for position, (entering, node) in enumerate(definition.order):
            (self._entered if entering else self._left)[id(node)] = position
        self._by_scope: dict[int, dict[str, list[Binding]]] = {}

    def reaching(self, use: cst.Name) -> list[Binding]:
        """The bindings that can be in force at a use of a name; empty where the definition does not bind it."""
        below: cst.CSTNode = use
        nested = False
        for above in self._definition.ancestors(use):
            if isinstance(above, _COMPREHENSIONS):
                bound = _bound_by_comprehension(above, use.value)
                if bound is not None:
                    return [bound]
            elif isinstance(above, (cst.FunctionDef, cst.Lambda)) and below is above.body:
                known = self._of(above).get(use.value)
                if known is not None:
                    return known if nested else self._at(known, use)
                nested = True
            below = above
        return []

    def parameter_scope(self, use: cst.Name) -> cst.FunctionDef | None:
        """The function one of whose parameters, never bound again, a name is."""
        found = self.reaching(use)
        if len(found) != 1 or not found[0].is_parameter:
            return None
        return self._definition.nearest(found[0].node, cst.FunctionDef)

    def _at(self, known: list[Binding], use: cst.Name) -> list[Binding]:
        """Those that reach a use in the same function: from the last one that must have run, and those that may have since."""
        here = self._entered[id(use)]
        before = [binding for binding in known if self._position(binding) < here]
        certain = [index for index, binding in enumerate(before) if self._dominates(binding, use)]
        start = certain[-1] if certain else 0
        last = before[start] if certain else None
        later = [b for b in known if self._position(b) >= here and self._comes_round(b, use, last)]
        return [*before[start:], *later]

    def _position(self, binding: Binding) -> int:
        if binding.is_parameter:
            return -1
        if isinstance(binding.node, (cst.ExceptHandler, cst.ExceptStarHandler)):
            return self._entered[id(binding.node)]
        if binding.how in {"element", "enter"} or isinstance(binding.node, (cst.For, cst.With)):
            return self._left[id(binding.source)] if binding.source is not None else self._entered[id(binding.node)]
        return self._left[id(binding.node)]

    def _dominates(self, binding: Binding, use: cst.Name) -> bool:
        if binding.is_parameter:
            return True
        if isinstance(binding.node, cst.For):
            return self.holds(binding.node.body, use)
        suite = self._definition.nearest(binding.node, cst.IndentedBlock, cst.SimpleStatementSuite)
        return suite is None or self.holds(suite, use)

    def _comes_round(self, binding: Binding, use: cst.Name, last: Binding | None) -> bool:
        """Whether a later binding reaches the use in the next round of a loop that holds both."""
        for loop in self._definition.ancestors(use):
            if isinstance(loop, _LOOPS) and self.holds(loop, binding.node):
                return last is None or last.is_parameter or not self.holds(loop, last.node)
        return False

    def holds(self, outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
        """Whether one node stands in another, or is it."""
        return self._entered[id(outer)] <= self._entered[id(inner)] <= self._left[id(outer)]

    def _of(self, scope: Scope) -> dict[str, list[Binding]]:
        known = self._by_scope.get(id(scope))
        if known is None:
            known = {}
            for name, binding in (*_parameters(scope), *_body(scope)):
                known.setdefault(name, []).append(binding)
            for bindings in known.values():
                bindings.sort(key=self._position)
            self._by_scope[id(scope)] = known
        return known


def _bound_by_comprehension(node: cst.CSTNode, name: str) -> Binding | None:
    loop: cst.CompFor | None = node.for_in  # type: ignore[attr-defined]
    while loop is not None:
        if isinstance(loop.target, cst.Name) and loop.target.value == name:
            return Binding("element", loop.iter, loop)
        if any(True for bound in _names(loop.target) if bound == name):
            return Binding("opaque", None, loop)
        loop = loop.inner_for_in
    return None


def _parameters(scope: Scope) -> Iterator[tuple[str, Binding]]:
    given = scope.params
    for parameter in (*given.posonly_params, *given.params, *given.kwonly_params):
        if isinstance(scope, cst.Lambda) and parameter.default is not None:
            yield parameter.name.value, Binding("value", parameter.default, parameter, is_parameter=True)
        else:
            yield parameter.name.value, Binding("parameter", parameter, parameter, is_parameter=True)
    for star in (given.star_arg, given.star_kwarg):
        if isinstance(star, cst.Param):
            yield star.name.value, Binding("opaque", None, star, is_parameter=True)


def _body(scope: Scope) -> Iterator[tuple[str, Binding]]:
    from keel_lint.definition import children

    stack: list[cst.CSTNode] = [scope.body]
    while stack:
        node = stack.pop()
        if node.__class__ in _BINDING:
            yield from _bound_by(node)
        if node.__class__ not in _INNER:
            stack.extend(children(node))


def _bound_by(node: cst.CSTNode) -> Iterator[tuple[str, Binding]]:  # noqa: C901, PLR0912 -- one branch for each kind of binding
    if isinstance(node, cst.Assign):
        for target in node.targets:
            yield from _targets(target.target, "value", node.value, node)
    elif isinstance(node, cst.AnnAssign) and isinstance(node.target, cst.Name):
        if node.value is not None:
            yield node.target.value, Binding("annotated", node, node)
    elif isinstance(node, cst.NamedExpr):
        yield from _targets(node.target, "value", node.value, node)
    elif isinstance(node, cst.For):
        yield from _targets(node.target, "element", node.iter, node)
    elif isinstance(node, cst.WithItem) and node.asname is not None:
        yield from _targets(node.asname.name, "enter", node.item, node)
    elif isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        yield node.name.value, Binding("opaque", None, node)
    elif isinstance(node, cst.AugAssign):
        yield from _targets(node.target, "opaque", None, node)
    elif isinstance(node, cst.ImportAlias):
        bound = node.asname.name if node.asname is not None else node.name
        yield from _targets(bound, "opaque", None, node)
    elif isinstance(node, (cst.ExceptHandler, cst.ExceptStarHandler)) and node.name is not None:
        yield from _targets(node.name.name, "opaque", None, node)
    elif isinstance(node, (cst.MatchAs, cst.MatchStar)) and node.name is not None:
        yield node.name.value, Binding("opaque", None, node)
    elif isinstance(node, cst.MatchMapping) and node.rest is not None:
        yield node.rest.value, Binding("opaque", None, node)
    elif isinstance(node, (cst.Global, cst.Nonlocal)):
        for item in node.names:
            yield item.name.value, Binding("opaque", None, node, is_parameter=True)
    elif isinstance(node, cst.Del):
        for name in _names(node.target):
            yield name, Binding("opaque", None, node)


def _targets(target: cst.CSTNode, how: How, source: cst.CSTNode | None, node: cst.CSTNode) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, cst.Name):
        yield target.value, Binding(how, source, node)
    elif isinstance(target, (cst.Tuple, cst.List)):
        for index, element in enumerate(target.elements):
            is_first = how == "value" and index == 0 and isinstance(element.value, cst.Name)
            for name in _names(element.value):
                yield name, Binding("first", source, node) if is_first else Binding("opaque", None, node)
    elif isinstance(target, cst.StarredElement):
        for name in _names(target.value):
            yield name, Binding("opaque", None, node)


def _names(target: cst.CSTNode) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names(element.value)
