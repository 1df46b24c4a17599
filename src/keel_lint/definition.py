"""A definition under judgement: its LibCST tree, and what a rule can ask about it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, TypeVar, cast

import libcst as cst

from keel_lint.finding import Finding
from keel_lint.glance import Glance
from keel_lint.index.tables import Names
from keel_lint.jobs.bindings import Bindings
from keel_lint.jobs.values import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.finding import Applicability, Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow import Flow
    from keel_lint.index.facts import Call
    from keel_lint.index.facts import Definition as DefinitionFacts
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.tasks import Task
    from keel_lint.rule import Rule
    from keel_lint.spans import Spans

N = TypeVar("N", bound=cst.CSTNode)
T = TypeVar("T")

_MAX_BINDINGS = 8
_KEPT = 16
"""How many definitions are kept into which rules have looked on the side: the next rule, or argument, often asks again."""
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_TRIVIA = (
    "whitespace", "leading_lines", "lines_after", "header", "footer", "lpar", "rpar", "trailing", "indent", "newline", "comma",
    "dot", "colon", "equal", "semicolon", "asynchronous", "operator", "bracket", "brace",
)  # fmt: skip
_ORDER = {
    "FunctionDef": ("decorators", "name", "type_parameters", "params", "returns", "body"),
    "ClassDef": ("decorators", "name", "type_parameters", "bases", "keywords", "body"),
    "ExceptHandler": ("type", "name", "body"),
    "ExceptStarHandler": ("type", "name", "body"),
    "IfExp": ("body", "test", "orelse"),
}
"""Nodes whose fields LibCST names in another order than they stand in the source."""


class UnparsableError(Exception):
    """LibCST refuses the definition. `offset` is the byte in the file at which it stops."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class Definition(Glance):
    """One definition with its tree. `path` is relative to the project; `fact` is what the index knows of it.

    `remarks` collects why rules decline to report something, as (code, bytes, reason), where someone asks for that.
    """

    def __init__(self, jobs: Jobs, flow: Flow, path: str, position: int) -> None:
        """Parse the definition; raises `UnparsableError`."""
        super().__init__(jobs, flow, path, position)
        self.source = self.project.source(path)
        self.findings: list[Finding] = []
        self.remarks: list[tuple[str, tuple[int, int], str]] | None = None
        self._module, self._shift, self._code = _parse(self.source.text, self.fact, self.source.newline)
        self.node = _judged(self._module, self.fact)
        self._parents: dict[int, cst.CSTNode] = {}
        self._made: dict[object, object] = {}
        self.order = list(self._flatten())

    # -- the tree ---------------------------------------------------------------------------------------------------------

    def _flatten(self) -> Iterator[tuple[bool, cst.CSTNode]]:
        """Every node twice, when it is entered (true) and when it is left, in source order; iterative: trees can be deep."""
        stack: list[tuple[bool, cst.CSTNode]] = [(True, self.node)]
        while stack:
            entering, node = stack.pop()
            yield entering, node
            if not entering:
                continue
            stack.append((False, node))
            inside = list(children(node))
            for child in inside:
                self._parents[id(child)] = node
            stack.extend((True, child) for child in reversed(inside))

    @cached_property
    def can_fix(self) -> bool:
        """Whether the tree gives back the very source, so that what is written from it can be trusted."""
        return self._written.code == self._code

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that holds `node`; `None` for the definition itself."""
        return self._parents.get(id(node))

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes round `node`, innermost first."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def nearest(self, node: cst.CSTNode, *kinds: type[N]) -> N | None:
        """The innermost node of one of these kinds round `node`."""
        return next((above for above in self.ancestors(node) if isinstance(above, kinds)), None)

    def find_all(self, kind: type[N], root: cst.CSTNode | None = None) -> Iterator[N]:
        """Every node of this very class in the definition, or below `root`, in source order."""
        if root is None:
            return iter(cast("list[N]", self._by_kind.get(kind, [])))
        return (node for node in descendants(root) if node.__class__ is kind)

    @cached_property
    def _by_kind(self) -> dict[type[cst.CSTNode], list[cst.CSTNode]]:
        found: dict[type[cst.CSTNode], list[cst.CSTNode]] = {}
        for entering, node in self.order:
            if entering:
                found.setdefault(node.__class__, []).append(node)
        return found

    # -- text and positions -----------------------------------------------------------------------------------------------

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        spans, shift = self._written.of, self._shift
        return {id(node): (span.start + shift, span.start + span.length + shift) for node, span in spans.items()}

    @cached_property
    def _written(self) -> Spans:
        from keel_lint.spans import Spans

        return Spans(self._module)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """The bytes of a node in `Source.text`, without the parentheses and blanks round it."""
        return self._spans[id(node)]

    def code(self, node: cst.CSTNode) -> str:
        """The source text of a node."""
        written = dotted(node)
        if written is not None:
            return written
        return self._module.code_for_node(node).strip()

    # -- names and values -------------------------------------------------------------------------------------------------

    def name(self, node: cst.CSTNode) -> str | None:
        """The canonical dotted name of a name or attribute, through imports, re-exports and aliases; `None` for a local one."""
        written = dotted(node)
        if written is None or self._is_bound_by_expression(node, written.partition(".")[0]):
            return None
        symbol = self.project.resolve(self.path, written, self.scope(node))
        return None if symbol.state == "local" else symbol.name

    def called(self, call: cst.Call) -> str | None:
        """The canonical dotted name of what a call calls."""
        return self.name(call.func)

    def value(self, node: cst.CSTNode) -> object:
        """The value of a constant expression or of a local name that is bound to one, `UNKNOWN` for any other."""
        for _ in range(_MAX_BINDINGS):
            bound = self._bound(node) if isinstance(node, cst.Name) else None
            if bound is None:
                break
            node = bound
        scope = self.scope(node)
        return fold(self.code(node), lambda name: self._constant(name, scope))

    def _constant(self, name: str, scope: int) -> object:
        if self.project.resolve(self.path, name, scope).name == "datetime.timedelta":
            return timedelta
        return self.jobs.tasks.constant(self.path, name, scope)

    def _bound(self, name: cst.Name) -> cst.CSTNode | None:
        """The one expression that a local name stands for."""
        found = self.once(Bindings).reaching(name)
        return found[0].source if len(found) == 1 and found[0].how == "value" else None

    def _is_bound_by_expression(self, node: cst.CSTNode, head: str) -> bool:
        """Whether a comprehension or lambda round the node binds its first part."""
        for above in self.ancestors(node):
            if isinstance(above, (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)):
                targets = (loop.target for loop in _loops(above.for_in))
                if any(name.value == head for target in targets for name in _names_in(target)):
                    return True
            elif isinstance(above, _SCOPES):
                return False
        return False

    def scope(self, node: cst.CSTNode) -> int:
        """The position, in the index, of the function or class in whose body a node stands; -1 at module level."""
        below: cst.CSTNode = node
        for above in self.ancestors(node):
            if isinstance(above, _SCOPES) and below is above.body:
                return self._scope_positions[id(above)]
            below = above
        return self.fact.parent if self.fact.kind != "statement" else -1

    @cached_property
    def _scope_positions(self) -> dict[int, int]:
        """Each function, class and lambda of the tree with its position in the index: the n-th of that name in its scope."""
        waiting = Names.of(self.facts).definitions
        positions: dict[int, int] = {id(self.node): self.position}
        seen: Counter[tuple[int, str]] = Counter()
        for entering, node in self.order:
            if not entering or not isinstance(node, _SCOPES) or node is self.node:
                continue
            name = "<lambda>" if isinstance(node, cst.Lambda) else node.name.value
            parent = self._parent_position(node, positions)
            candidates = sorted(filter(self._holds, waiting.get((parent, name), ())), key=self._start)
            index = min(seen[parent, name], len(candidates) - 1)
            seen[parent, name] += 1
            positions[id(node)] = candidates[index] if candidates else parent
        return positions

    def _holds(self, position: int) -> bool:
        return self.fact.start <= self.facts.definitions[position].start < self.fact.end

    def _start(self, position: int) -> int:
        return self.facts.definitions[position].start

    def _parent_position(self, node: cst.CSTNode, positions: dict[int, int]) -> int:
        below = node
        for above in self.ancestors(node):
            if isinstance(above, _SCOPES) and below is above.body:
                return positions[id(above)]
            below = above
        return self.fact.parent

    # -- jobs -------------------------------------------------------------------------------------------------------------

    @cached_property
    def task(self) -> Task | None:
        """The Celery task that this definition is."""
        return self.jobs.tasks.at(self.path, self.position)

    @cached_property
    def _calls(self) -> dict[int, Call]:
        """What the index knows of each call, by node. Both list them in source order, outer calls first."""
        facts = sorted(self.calls, key=lambda call: (call.start, -call.end))
        nodes = list(self.find_all(cst.Call))
        if len(nodes) == len(facts) and all(_is_same(node, fact) for node, fact in zip(nodes, facts, strict=True)):
            return {id(node): fact for node, fact in zip(nodes, facts, strict=True)}
        # Positions cost more than the parsing: they are asked for only where the two readings differ.
        by_span = {(fact.start, fact.end): fact for fact in facts}
        return {id(node): by_span[self.span(node)] for node in nodes if self.span(node) in by_span}

    def call_fact(self, call: cst.Call) -> Call | None:
        """What the index knows of a call."""
        return self._calls.get(id(call))

    def call_at(self, start: int, end: int) -> cst.Call | None:
        """The call at some bytes of the file, found without asking where nodes stand."""
        return self._calls_by_place.get((start, end))

    @cached_property
    def _calls_by_place(self) -> dict[tuple[int, int], cst.Call]:
        known = ((node, self._calls.get(id(node))) for node in self.find_all(cst.Call))
        return {(fact.start, fact.end): node for node, fact in known if fact is not None}

    def elsewhere(self, path: str, position: int) -> Definition:
        """Another definition of the project, for a look into it; raises `UnparsableError`."""
        self.project.note("file", path)
        kept = self.flow.looked_into
        if (path, position) not in kept:
            if len(kept) == _KEPT:
                del kept[next(iter(kept))]
            kept[path, position] = Definition(self.jobs, self.flow, path, position)
        return kept[path, position]

    def once(self, make: Callable[[Definition], T]) -> T:
        """`make(self)`, made once for all the rules that judge the definition."""
        known = self._made.get(make)
        if known is None:
            known = self._made[make] = make(self)
        return cast("T", known)

    # -- reporting --------------------------------------------------------------------------------------------------------

    def fix(self, title: str, applicability: Applicability) -> FixBuilder:
        """Begin a fix."""
        from keel_lint.fixing import FixBuilder

        return FixBuilder(self, title, applicability)

    def report(
        self, rule: Rule, where: cst.CSTNode | tuple[int, int], message: str, fix: FixBuilder | None, hops: tuple[Hop, ...]
    ) -> None:
        """Add a finding; see `Rule.report`."""
        start, end = where if isinstance(where, tuple) else self.span(where)
        span = self.source.span(start, end)
        built = fix.build() if fix is not None and self.can_fix else None
        self.findings.append(
            Finding(
                rule.code,
                rule.slug,
                rule.group,
                message,
                self.project.absolute(self.path),
                span,
                span.row,
                self._qualname(start),
                built,
                hops,
            )
        )

    def _qualname(self, offset: int) -> str:
        inside = [d for d in self.facts.definitions if d.start <= offset < d.end and d.name not in {"", "<lambda>"}]
        return inside[-1].qualname if inside else ""


def _is_same(node: cst.Call, fact: Call) -> bool:
    name = fact.callee.rpartition(".")[2]
    if isinstance(node.func, cst.Attribute):
        return node.func.attr.value == name
    return not isinstance(node.func, cst.Name) or node.func.value == name


def dotted(node: cst.CSTNode) -> str | None:
    """The dotted text of a name or attribute; `None` for any other expression."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    return ".".join([node.value, *reversed(parts)])


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly in a node in source order, without blanks, comments, punctuation and operators."""
    for name in _fields(node.__class__):
        value = getattr(node, name)
        if value.__class__ is tuple or value.__class__ is list:
            yield from value
        elif _is_node(value.__class__):
            yield value


def descendants(root: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Every node below `root` and itself, in source order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(list(children(node))))


@cache
def _is_node(kind: type) -> bool:
    # `isinstance` asks an abstract base class, at every call.
    return issubclass(kind, cst.CSTNode)


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of a node that can hold nodes, in source order."""
    names = [field.name for field in dataclasses.fields(kind) if not any(word in field.name for word in _TRIVIA)]
    first = _ORDER.get(kind.__name__, ())
    return (*first, *(name for name in names if name not in first))


def _loops(loop: cst.CompFor) -> Iterator[cst.CompFor]:
    current: cst.CompFor | None = loop
    while current is not None:
        yield current
        current = current.inner_for_in


def _names_in(target: cst.CSTNode) -> Iterator[cst.Name]:
    return (node for node in descendants(target) if isinstance(node, cst.Name))


def _parse(text: bytes, fact: DefinitionFacts, newline: str) -> tuple[cst.Module, int, str]:
    """The module that holds one definition, how far its offsets are from the file's, and its source.

    An indented definition stands under one `if 1:` line per level, in the file's own indentation, so that new code fits in.
    """
    line_start = max(text.rfind(b"\n", 0, fact.start), text.rfind(b"\r", 0, fact.start)) + 1
    indentation = text[line_start : fact.start].decode("utf-8", "replace")
    if indentation.strip(" \t\f"):
        line_start, indentation = fact.start, ""
    header = _header(indentation, max(fact.depth, 1), newline) if indentation else ""
    code = header + text[line_start : fact.end].decode("utf-8", "replace")
    shift = line_start - len(header.encode())
    try:
        module = cst.parse_module(code)
    except cst.ParserSyntaxError as error:
        rows = code.splitlines(keepends=True)
        above, row = rows[: error.raw_line - 1], "".join(rows[error.raw_line - 1 : error.raw_line])
        before = "".join(above) + row[: error.raw_column]
        raise UnparsableError(error.message, min(len(before.encode()) + shift, fact.end)) from error
    except Exception as error:  # it is read, and refused as a tree
        raise UnparsableError(str(error) or type(error).__name__, fact.start) from error
    return module, shift, code


def _header(indentation: str, levels: int, newline: str) -> str:
    width, uneven = divmod(len(indentation), levels)
    if uneven or not width:
        return f"if 1:{newline}"
    return "".join(f"{indentation[: width * level]}if 1:{newline}" for level in range(levels))


def _judged(module: cst.Module, fact: DefinitionFacts) -> cst.CSTNode:
    """The judged statement: below the `if 1:` lines."""
    node: cst.CSTNode = module.body[0]
    while isinstance(node, cst.If) and isinstance(node.test, cst.Integer) and isinstance(node.body, cst.IndentedBlock):
        if fact.kind != "statement" and not node.body.body:
            break
        node = node.body.body[0]
    return node
