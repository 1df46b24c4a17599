"""What the functions of a file do besides calling: guards, reads of a few variables, writes to what lives outside them, loops.

The index keeps none of this, because only code that a workflow reaches is ever asked for it. One walk of the file's syntax tree
answers for all functions in it; names are left as they are written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from keel_lint.index.facts import MODULE
from keel_lint.index.parser import parse
from keel_lint.record import Record

if TYPE_CHECKING:
    from tree_sitter import Node

    from keel_lint.index.facts import ModuleFacts

MUTATORS = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft", "remove",
    "setdefault", "update",
})  # fmt: skip
_LEAVES = ("return_statement", "raise_statement", "continue_statement", "break_statement")
_COMPREHENSIONS = ("list_comprehension", "generator_expression", "dictionary_comprehension", "set_comprehension")
_IMPORTS = ("import_statement", "import_from_statement", "future_import_statement")
_TARGETS = ("pattern_list", "tuple_pattern")
_INNER = ("function_definition", "class_definition", "lambda")
_COMMANDS = re.compile(
    rb"\bawait\b|\b(?:create_task|ensure_future|put_nowait)\s*\("
    rb"|\b(?:start|execute)_(?:local_)?(?:activity|child_workflow)(?:_class|_method)?\s*\("
)


class Region(Record, frozen=True):
    """Bytes that run only where a test came out as `truth`; with `raised` the names are calls, one of which raised."""

    start: int
    end: int
    names: tuple[str, ...]
    truth: bool
    raised: bool = False


class Read(Record, frozen=True):
    """A variable that is read: its dotted name, and where."""

    name: str
    start: int
    end: int


class Write(Record, frozen=True):
    """A change of something that a dotted name leads to. `guarded` says that a test of the name stands round it."""

    name: str
    start: int
    end: int
    rebinds: bool
    guarded: bool


class Loop(Record, frozen=True):
    """A loop or comprehension in whose body a command may be issued, and the bytes of what it goes through."""

    start: int
    end: int


class Value(Record, frozen=True):
    """What a local name is bound to, as source, and where."""

    annotation: str
    text: str
    start: int
    end: int


class Body(msgspec.Struct):
    """What one function does; `values` are what its local names are bound to, `shared` the names that it declares global."""

    regions: list[Region] = msgspec.field(default_factory=list)
    reads: list[Read] = msgspec.field(default_factory=list)
    writes: list[Write] = msgspec.field(default_factory=list)
    loops: list[Loop] = msgspec.field(default_factory=list)
    values: dict[str, list[Value]] = msgspec.field(default_factory=dict)
    shared: set[str] = msgspec.field(default_factory=set)


def bodies(text: bytes, facts: ModuleFacts, variables: frozenset[str]) -> dict[int, Body]:
    """The bodies of the functions of a file by position; `variables` are the dotted names whose reads count."""
    walker = _Walker(text, facts, variables)
    walker.walk(parse(text))
    return walker.bodies


class _Walker:
    def __init__(self, text: bytes, facts: ModuleFacts, variables: frozenset[str]) -> None:
        self.text = text
        self.positions = {d.name_start if d.name != "<lambda>" else d.start: i for i, d in enumerate(facts.definitions)}
        self.bodies: dict[int, Body] = {}
        last = {name.rpartition(".")[2] for name in variables}
        self.attributes = frozenset(last)
        self.names = frozenset(record.name for record in facts.imports if record.attribute in last)
        self.handlers = {
            "if_statement": self.if_statement,
            "elif_clause": self.elif_clause,
            "conditional_expression": self.conditional,
            "boolean_operator": self.boolean,
            "try_statement": self.try_statement,
            "global_statement": self.global_statement,
            "assignment": self.assignment,
            "augmented_assignment": self.assignment,
            "delete_statement": self.delete,
            "call": self.call,
            "attribute": self.attribute,
            "identifier": self.identifier,
            "for_statement": self.for_statement,
            **dict.fromkeys(_COMPREHENSIONS, self.comprehension),
        }

    def walk(self, root: Node) -> None:
        stack: list[tuple[Node, int]] = [(root, MODULE)]
        while stack:
            node, scope = stack.pop()
            inner = scope
            if node.type in _IMPORTS:
                continue
            if node.type in _INNER:
                inner = self.position(node, scope)
            elif scope != MODULE and (handler := self.handlers.get(node.type)) is not None:
                handler(node, self.bodies.setdefault(scope, Body()))
            stack.extend((child, inner) for child in reversed(node.named_children))

    def position(self, node: Node, scope: int) -> int:
        name = node.child_by_field_name("name") or node
        return self.positions.get(name.start_byte, scope)

    def slice(self, node: Node) -> str:
        return self.text[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def dotted(self, node: Node | None) -> str:
        """The dotted name of an expression, empty for any other."""
        parts: list[str] = []
        while node is not None and node.type == "attribute":
            name = node.child_by_field_name("attribute")
            parts.append(self.slice(name) if name is not None else "?")
            node = node.child_by_field_name("object")
        if node is None or node.type != "identifier":
            return ""
        return ".".join([self.slice(node), *reversed(parts)])

    # -- guards -----------------------------------------------------------------------------------------------------------

    def if_statement(self, node: Node, body: Body) -> None:
        condition, then = node.child_by_field_name("condition"), node.child_by_field_name("consequence")
        if condition is None or then is None:
            return
        whole = _enclosing_end(node) if _leaves(then) else node.end_byte
        self.add_regions(condition, (then.start_byte, then.end_byte), (then.end_byte, whole), body)

    def elif_clause(self, node: Node, body: Body) -> None:
        condition, then = node.child_by_field_name("condition"), node.child_by_field_name("consequence")
        if condition is not None and then is not None and node.parent is not None:
            self.add_regions(condition, (then.start_byte, then.end_byte), (then.end_byte, node.parent.end_byte), body)

    def conditional(self, node: Node, body: Body) -> None:
        if len(node.named_children) == 3:
            then, condition, other = node.named_children
            self.add_regions(condition, (then.start_byte, then.end_byte), (other.start_byte, other.end_byte), body)

    def boolean(self, node: Node, body: Body) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and right is not None:
            for test, truth in self.implied(left, truth=_is_and(node)):
                body.regions.append(Region(right.start_byte, right.end_byte, (test,), truth))

    def add_regions(self, condition: Node, then: tuple[int, int], other: tuple[int, int], body: Body) -> None:
        for test, truth in self.implied(condition, truth=True):
            body.regions.append(Region(*then, (test,), truth))
        for test, truth in self.implied(condition, truth=False):
            body.regions.append(Region(*other, (test,), truth))

    def implied(self, node: Node, *, truth: bool) -> list[tuple[str, bool]]:
        """The named tests whose outcome is known where `node` came out as `truth`."""
        while node.type == "parenthesized_expression" and node.named_children:
            node = node.named_children[0]
        if node.type == "not_operator":
            inner = node.child_by_field_name("argument")
            return self.implied(inner, truth=not truth) if inner is not None else []
        if node.type == "boolean_operator":
            parts = node.named_children if _is_and(node) == truth else []
            return [found for part in parts for found in self.implied(part, truth=truth)]
        if node.type == "comparison_operator":
            return self.compared(node, truth=truth)
        callee = node.child_by_field_name("function") if node.type == "call" else node
        name = self.dotted(callee)
        return [(name, truth)] if name else []

    def compared(self, node: Node, *, truth: bool) -> list[tuple[str, bool]]:
        """`x is None` says that `x` is false."""
        left, *_, right = node.children
        operators = [child.type for child in node.children[1:-1]]
        name = self.dotted(left)
        if right.type != "none" or not name or len(node.named_children) != 2:
            return []
        return [(name, not truth)] if operators in (["is"], ["=="]) else [(name, truth)]

    def try_statement(self, node: Node, body: Body) -> None:
        tried = node.child_by_field_name("body")
        if tried is None or _all(tried, "await"):
            return
        names = tuple({name for call in _all(tried, "call") if (name := self.dotted(call.child_by_field_name("function")))})
        for clause in node.named_children:
            if clause.type in {"except_clause", "except_group_clause"} and names:
                body.regions.append(Region(clause.start_byte, clause.end_byte, tuple(sorted(names)), truth=True, raised=True))

    # -- variables --------------------------------------------------------------------------------------------------------

    def attribute(self, node: Node, body: Body) -> None:
        name = node.child_by_field_name("attribute")
        if name is not None and self.slice(name) in self.attributes and (dotted := self.dotted(node)):
            body.reads.append(Read(dotted, node.start_byte, node.end_byte))

    def identifier(self, node: Node, body: Body) -> None:
        if self.names and (name := self.slice(node)) in self.names and not _is_label(node):
            body.reads.append(Read(name, node.start_byte, node.end_byte))

    def global_statement(self, node: Node, body: Body) -> None:
        body.shared.update(self.slice(name) for name in node.named_children if name.type == "identifier")

    def assignment(self, node: Node, body: Body) -> None:
        left = node.child_by_field_name("left")
        if left is not None and left.type == "identifier" and self.slice(left) not in body.shared:
            self.bind(left, node, body)
        for target in left.named_children if left is not None and left.type in _TARGETS else [left] if left is not None else []:
            self.written(target, node, body)

    def bind(self, name: Node, node: Node, body: Body) -> None:
        annotation, right = node.child_by_field_name("type"), node.child_by_field_name("right")
        value = self.slice(right) if right is not None else ""
        if node.type != "assignment":
            return  # `names |= more` is what it was before
        noted = self.slice(annotation) if annotation is not None else ""
        body.values.setdefault(self.slice(name), []).append(Value(noted, value, node.start_byte, node.end_byte))

    def delete(self, node: Node, body: Body) -> None:
        for target in node.named_children:
            self.written(target, node, body)

    def written(self, target: Node, statement: Node, body: Body) -> None:
        rebinds = target.type != "subscript"
        owner = target
        while owner.type == "subscript" and (value := owner.child_by_field_name("value")) is not None:
            owner = value
        name = self.dotted(owner)
        if target.type == "identifier" and name not in body.shared:
            return
        if name and name.partition(".")[0] != "self":
            body.writes.append(Write(name, statement.start_byte, statement.end_byte, rebinds, self.tests(statement, name)))

    def call(self, node: Node, body: Body) -> None:
        function = node.child_by_field_name("function")
        if function is None or function.type != "attribute":
            return
        owner, _, method = self.dotted(function).rpartition(".")
        if method in MUTATORS and owner and owner.partition(".")[0] != "self":
            body.writes.append(Write(owner, node.start_byte, node.end_byte, rebinds=False, guarded=self.tests(node, owner)))

    def tests(self, node: Node, name: str) -> bool:
        """Whether a node is reached only after a test of a name, inside its function: state that is made once, when it is
        missing. The `if` stands round the node, or before it and leaves.
        """
        asked = re.compile(rb"\b(?:" + b"|".join(map(re.escape, self.copies(node, name))) + rb")\b")
        below: Node | None = node
        while below is not None and below.type not in _INNER:
            if self.asks(below, asked) or self.asks_before(below, asked):
                return True
            below = below.parent
        return False

    def copies(self, node: Node, name: str) -> list[bytes]:
        """A name, and the local names that the function round a node gives to its value."""
        function: Node | None = node
        while function is not None and function.type not in _INNER:
            function = function.parent
        written = name.encode()
        copied = re.compile(rb"^[ \t]*(\w+)[ \t]*=[ \t]*" + re.escape(written) + rb"[ \t]*\r?$", re.MULTILINE)
        found = copied.finditer(self.text, function.start_byte, function.end_byte) if function is not None else ()
        return [written, *(match[1] for match in found)]

    def asks(self, node: Node, asked: re.Pattern[bytes]) -> bool:
        """Whether a node is an `if` whose condition speaks of a name."""
        condition = node.child_by_field_name("condition") if node.type in {"if_statement", "elif_clause"} else None
        return condition is not None and asked.search(self.text, condition.start_byte, condition.end_byte) is not None

    def asks_before(self, node: Node, asked: re.Pattern[bytes]) -> bool:
        """Whether an `if` that speaks of a name, and leaves the function, stands before a node in its block."""
        before = node.prev_named_sibling if node.parent is not None and node.parent.type == "block" else None
        while before is not None:
            if self.asks(before, asked) and self.leaves(before):
                return True
            before = before.prev_named_sibling
        return False

    def leaves(self, node: Node) -> bool:
        """Whether what an `if` runs ends with `return` or `raise`."""
        block = node.child_by_field_name("consequence")
        last = block.named_children[-1] if block is not None and block.named_children else None
        return last is not None and last.type in {"return_statement", "raise_statement"}

    # -- loops ------------------------------------------------------------------------------------------------------------

    def for_statement(self, node: Node, body: Body) -> None:
        source, inside = node.child_by_field_name("right"), node.child_by_field_name("body")
        if source is not None and inside is not None and _COMMANDS.search(self.text, inside.start_byte, inside.end_byte):
            body.loops.append(Loop(source.start_byte, source.end_byte))

    def comprehension(self, node: Node, body: Body) -> None:
        inside = node.child_by_field_name("body")
        if inside is None:
            return
        if not self.is_gathered(node) and not _COMMANDS.search(self.text, inside.start_byte, inside.end_byte):
            return
        for clause in node.named_children:
            source = clause.child_by_field_name("right") if clause.type == "for_in_clause" else None
            if source is not None:
                body.loops.append(Loop(source.start_byte, source.end_byte))

    def is_gathered(self, node: Node) -> bool:
        """Whether a comprehension gives the coroutines that `asyncio.gather` starts."""
        above = node.parent
        while above is not None and above.type in {"list_splat", "argument_list", "parenthesized_expression"}:
            above = above.parent
        function = above.child_by_field_name("function") if above is not None and above.type == "call" else None
        return function is not None and self.dotted(function).rpartition(".")[2] == "gather"


def _is_label(node: Node) -> bool:
    """Whether an identifier only names an attribute or a keyword argument."""
    above = node.parent
    if above is None or above.type not in {"attribute", "keyword_argument"}:
        return False
    label = above.child_by_field_name("attribute" if above.type == "attribute" else "name")
    return label is not None and label.start_byte == node.start_byte


def _is_and(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return operator is not None and operator.type == "and"


def _leaves(block: Node) -> bool:
    """Whether a block never goes on behind itself."""
    statements = [child for child in block.named_children if child.type != "comment"]
    return bool(statements) and statements[-1].type in _LEAVES


def _enclosing_end(node: Node) -> int:
    return node.parent.end_byte if node.parent is not None else node.end_byte


def _all(root: Node, kind: str) -> list[Node]:
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if node.type == kind:
            found.append(node)
        waiting.extend(node.named_children)
    return found
