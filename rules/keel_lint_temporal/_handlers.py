"""The methods of a workflow class: what the engine takes each for, what they call, and what they do with the instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import libcst as cst

from keel_lint.definition import children, descendants, dotted
from keel_lint.jobs.temporal import ACTIVITY
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from keel_lint.definition import Definition
    from keel_lint.finding import Applicability, Hop
    from keel_lint.fixing import FixBuilder

N = TypeVar("N", bound=cst.CSTNode)

HANDLERS = ("signal", "query", "update")
KINDS = frozenset({"run", "init", "dynamic_config", "validator", *HANDLERS})
CHANGING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "put_nowait", "remove", "reverse", "setdefault", "sort", "update",
})  # fmt: skip
"""Methods with which the containers of the standard library are changed."""

_SCOPES = (cst.FunctionDef, cst.Lambda, cst.ClassDef)


class Method(Record, frozen=True):
    """A method of a workflow class. `kind` is what the engine takes it for, empty for one that it never calls."""

    node: cst.FunctionDef
    kind: str
    decorator: cst.Decorator | None

    @property
    def name(self) -> str:
        """The name in `def`."""
        return self.node.name.value

    @property
    def is_async(self) -> bool:
        """Whether it is an `async def`."""
        return self.node.asynchronous is not None


class Found(Record, Generic[N], frozen=True):
    """Something in a method: where to report it (the call that leads there, if it is in another), what it is, and the way."""

    where: cst.CSTNode
    what: str
    node: N
    hops: tuple[Hop, ...]


class Methods:
    """The methods of the workflow class that a definition is; none where it is something else."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        node = definition.node
        self.owner: cst.ClassDef | None = None
        self.all: list[Method] = []
        if isinstance(node, cst.ClassDef) and definition.jobs.temporal.is_workflow(definition.path, definition.fact):
            self.owner = node
            functions = (one for one in definition.find_all(cst.FunctionDef) if self._is_method(one))
            self.all = [self._method(function) for function in functions]
        self._by_node = {id(method.node): method for method in self.all}

    def _is_method(self, function: cst.FunctionDef) -> bool:
        return self.definition.nearest(function, cst.ClassDef, cst.FunctionDef) is self.definition.node

    def _method(self, function: cst.FunctionDef) -> Method:
        for decorator in function.decorators:
            kind = self.kind_of(decorator)
            if kind:
                return Method(function, kind, decorator)
        return Method(function, "", None)

    def kind_of(self, decorator: cst.Decorator) -> str:
        """What a decorator tells the engine: one of `KINDS`, `activity`, or nothing."""
        expression = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        written = dotted(expression) or ""
        if written.endswith(".validator"):
            return "validator"
        name = self.definition.name(expression) or ""
        if name == f"{ACTIVITY}.defn":
            return "activity"
        if not name:
            return ""
        kind = self.definition.jobs.temporal.applied(self.definition.path, written, self.definition.scope(expression))
        return kind if kind in KINDS else ""

    def of(self, *kinds: str) -> list[Method]:
        """The methods of these kinds."""
        return [method for method in self.all if method.kind in kinds]

    def named(self, name: str) -> Method | None:
        """The last method of this name."""
        return next((method for method in reversed(self.all) if method.name == name), None)

    def round(self, node: cst.CSTNode) -> Method | None:
        """The method in whose body, functions in it included, a node stands."""
        below = node
        for above in self.definition.ancestors(node):
            method = self._by_node.get(id(above))
            if method is not None:
                return method if below is above.body else None  # type: ignore[attr-defined]
            if isinstance(above, cst.ClassDef):
                return None
            below = above
        return None

    def reached(self, roots: Iterable[Method]) -> list[Method]:
        """The methods that these call or hand on through `self`, themselves first; activities are no part of the workflow."""
        waiting = [method for method in roots if method.kind != "activity"]
        seen: dict[int, Method] = {}
        while waiting:
            method = waiting.pop(0)
            if id(method.node) not in seen:
                seen[id(method.node)] = method
                names = {attribute.attr.value for attribute in self.attributes(method.node.body)}
                waiting += [other for other in self.all if other.name in names and other.kind != "activity"]
        return list(seen.values())

    def attributes(self, root: cst.CSTNode) -> Iterator[cst.Attribute]:
        """What is read from or written to the instance or the class below a node: `self.x`, `Order.x`."""
        owners = {"self", "cls", self.owner.name.value if self.owner is not None else "self"}
        for node in descendants(root):
            if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value in owners:
                yield node

    def called(self, root: cst.CSTNode) -> Iterator[tuple[cst.Call, Method]]:
        """The calls below a node of other methods of the class, each with the method."""
        for call in (node for node in descendants(root) if isinstance(node, cst.Call)):
            if (
                isinstance(call.func, cst.Attribute)
                and isinstance(call.func.value, cst.Name)
                and call.func.value.value == "self"
            ):
                method = self.named(call.func.attr.value)
                if method is not None:
                    yield call, method

    def found(self, root: Method, find: Callable[[Method], Iterator[tuple[N, str]]]) -> Iterator[Found[N]]:
        """What `find` finds in a method and, once for each call, in the methods that it calls."""
        yield from (Found(node, what, node, ()) for node, what in find(root))
        for call, first in self.called(root.node.body):
            inner = next((one for method in self.reached([first]) if method is not root for one in find(method)), None)
            if inner is not None:
                yield Found(call, inner[1], inner[0], (self.hop(inner[0]),))

    def hop(self, node: cst.CSTNode, what: str = "it happens here") -> Hop:
        """A step of a path, in this file."""
        return self.definition.project.hop(self.definition.path, *self.definition.span(node), what)

    def inherits(self) -> bool:
        """Whether the class has a base that may bring methods and attributes of its own."""
        if self.owner is None:
            return False
        names = (self.definition.name(_unsubscripted(base.value)) for base in self.owner.bases)
        return any(name not in {"builtins.object", "typing.Generic", "typing.Protocol", "abc.ABC"} for name in names)

    # -- what methods do to the instance ----------------------------------------------------------------------------------

    def changes(self, method: Method) -> Iterator[tuple[cst.CSTNode, str]]:
        """Where a method changes the instance, as (node, attribute); what it only remembers for the next call is none."""
        for node in walk(method.node.body):
            for changed in self._changed_by(node):
                name = self._attribute_of(changed)
                if name is not None and not self._is_remembered(changed, name):
                    yield node, name

    def _changed_by(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, cst.Assign):
            yield from (part for target in node.targets for part in _parts(target.target))
        elif isinstance(node, cst.AugAssign) or (isinstance(node, cst.AnnAssign) and node.value is not None):
            yield node.target
        elif isinstance(node, cst.Del):
            yield from _parts(node.target)
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in CHANGING_METHODS:
            yield node.func.value

    def _attribute_of(self, target: cst.CSTNode) -> str | None:
        """`items` of `self.items`, `self.items[0]` and `self.items[0].price`."""
        while isinstance(target, (cst.Attribute, cst.Subscript)):
            inner = target.value
            if isinstance(target, cst.Attribute) and isinstance(inner, cst.Name):
                return target.attr.value if inner.value == "self" else None
            target = inner
        return None

    def _is_remembered(self, node: cst.CSTNode, attribute: str) -> bool:
        """Whether a change is made only where a test of the same attribute says that it is not there yet: a cache."""
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.FunctionDef):
                return False
            if isinstance(above, cst.If) and _tests_absence(above.test, attribute):
                return True
        return False


def _tests_absence(test: cst.BaseExpression, attribute: str) -> bool:
    says_absent = any(
        isinstance(node, (cst.Not, cst.NotIn)) or (isinstance(node, cst.Name) and node.value in {"None", "hasattr"})
        for node in (part for whole in descendants(test) for part in (whole, *_operators(whole)))
    )
    names = {node.attr.value for node in descendants(test) if isinstance(node, cst.Attribute)}
    texts = {node.raw_value for node in descendants(test) if isinstance(node, cst.SimpleString)}
    return says_absent and attribute in names | texts


def _operators(node: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
    """The operators of a node, which are no children of it here."""
    if isinstance(node, cst.UnaryOperation):
        return (node.operator,)
    return tuple(part.operator for part in node.comparisons) if isinstance(node, cst.Comparison) else ()


def _parts(target: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _parts(element.value)
    else:
        yield target


def _unsubscripted(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.value if isinstance(node, cst.Subscript) else node


def walk(root: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Every node below `root`, itself included, in source order; functions, lambdas and classes in it are not entered."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if node is root or not isinstance(node, _SCOPES):
            stack.extend(reversed(list(children(node))))


def waits(root: cst.CSTNode) -> bool:
    """Whether code below a node gives way to others: `await`, `async for`, `async with`."""
    return any(
        isinstance(node, cst.Await) or (isinstance(node, (cst.For, cst.With, cst.CompFor)) and node.asynchronous is not None)
        for node in walk(root)
    )


def keyword(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument of a call with this keyword."""
    return next((argument for argument in call.args if argument.keyword is not None and argument.keyword.value == name), None)


def positional(call: cst.Call) -> list[cst.Arg]:
    """The positional arguments of a call; `*rest` is one of them."""
    return [argument for argument in call.args if argument.keyword is None and argument.star != "**"]


def methods_of(definition: Definition) -> Methods:
    """The methods of a workflow class, made once for all rules."""
    return definition.once(Methods)


def name_span(definition: Definition, method: Method) -> tuple[int, int]:
    """The bytes of the name in `def`."""
    return definition.span(method.node.name)


def without_async(definition: Definition, method: Method, applicability: Applicability) -> FixBuilder:
    """The fix that makes an `async def` a `def`."""
    fix = definition.fix("Remove `async`", applicability)
    end = name_span(definition, method)[0]
    text = definition.source.text
    start = text.rindex(b"async", 0, end)
    fix.delete(start, text.index(b"def", start))
    return fix


def indent_of(definition: Definition, node: cst.CSTNode) -> str:
    """The blanks before the line on which a node begins."""
    line = definition.source.line(definition.source.row(definition.span(node)[0]))
    return line[: len(line) - len(line.lstrip())]
