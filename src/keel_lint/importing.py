"""How a name is spelled in a file: through an import that is there, or through one that is added to the others."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import count
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE, Definition, Import, ModuleFacts
from keel_lint.layout import Change, appended, indentation, next_line
from keel_lint.record import Record

if TYPE_CHECKING:
    from tree_sitter import Node

    from keel_lint.source import Source

_FUTURE, _STANDARD, _ABSOLUTE, _RELATIVE = range(4)
_KINDS = ("import_statement", "import_from_statement", "future_import_statement")
_BODIES = ("function_definition", "class_definition", "decorated_definition")
_UNCONDITIONAL = ("module", "block", "with_statement", "try_statement")
_BLANK_LINE = re.compile(rb"(?:\n|\r(?!\n))[ \t\f]*[\r\n]")
_PROLOGUE = re.compile(rb"#!|[ \t\f]*#.*?coding[:=]")


class _Wanted(Record, frozen=True):
    """An import to add: `from module import attribute as alias`, or without an attribute `import module as alias`."""

    module: str
    attribute: str = ""
    alias: str = ""

    @property
    def bound(self) -> str:
        return self.alias or self.attribute or self.module

    @property
    def clause(self) -> str:
        name = self.attribute or self.module
        return f"{name} as {self.alias}" if self.alias else name


class _Place(Record, frozen=True):
    """Where new import lines go, and the blank lines they need around them. `inline` ones go before a statement on its line."""

    offset: int
    before: str = ""
    after: str = ""
    inline: bool = False


class Names:
    """The names of one file as code in `where`, a definition's stretch of it, can spell them."""

    def __init__(self, source: Source, facts: ModuleFacts, where: tuple[int, int]) -> None:
        self._source = source
        self._facts = facts
        self._where = where
        self._wanted: dict[str, tuple[_Wanted, str]] = {}

    def spelling(self, qualified: str, at: int | None = None) -> str:
        """How `qualified` is spelled at the offset `at`, or anywhere in the definition. An import is added where none will do.

        The last part of `qualified` is what is imported, the parts before it are its module.
        """
        known = self._existing(qualified, at)
        if known:
            return known
        if qualified not in self._wanted:
            self._wanted[qualified] = next(way for way in _ways(qualified) if self._is_free(way[0]))
        return self._wanted[qualified][1]

    def changes(self) -> list[Change]:
        """The changes that add the imports wanted so far."""
        changes: list[Change] = []
        joined: dict[Node, list[str]] = {}
        lines: dict[str, list[str]] = {}
        for wanted in dict.fromkeys(wanted for wanted, _ in self._wanted.values()):
            statement = self._statement_of(wanted.module) if wanted.attribute else None
            if statement is not None:
                joined.setdefault(statement, []).append(wanted.clause)
            elif wanted.attribute:
                lines.setdefault(f"from {wanted.module} import ", []).append(wanted.clause)
            else:
                lines[f"import {wanted.clause}"] = []
        for statement, clauses in joined.items():
            changes += self._joined(statement, clauses)
        return changes + self._added(head + ", ".join(sorted(clauses, key=_clause_order)) for head, clauses in lines.items())

    # -- names that are there ---------------------------------------------------------------------------------------------

    def _existing(self, qualified: str, at: int | None) -> str | None:
        found: list[str] = []
        for imported in self._facts.imports:
            spelled = self._spelled(imported, qualified)
            if spelled and self._reaches(imported, at) and not self._is_shadowed(imported, at):
                found.append(spelled)
        return min(found, key=lambda spelled: spelled.count("."), default=None)

    def _spelled(self, imported: Import, qualified: str) -> str | None:
        """How `qualified` is reached through one import."""
        if imported.attribute:
            target = f"{imported.module}.{imported.attribute}"
            return _below(target, imported.name, qualified)
        if imported.name != imported.module:
            return None if _perhaps_submodule(imported.module, qualified) else _below(imported.module, imported.name, qualified)
        for module in self._modules(imported):
            spelled = None if _perhaps_submodule(module, qualified) else _below(module, module, qualified)
            if spelled:
                return spelled
        return None

    def _modules(self, imported: Import) -> list[str]:
        """The modules whose import binds the name of `import a.b.c`."""
        statement = self._node(imported.start)
        names = [self._code(name) for name in statement.children_by_field_name("name")] if statement else []
        return [imported.module, *(name for name in names if name.startswith(f"{imported.name}."))]

    def _reaches(self, imported: Import, at: int | None) -> bool:
        """Whether the import has run when the code at `at` does, and binds its name there."""
        place = self._where[0] if at is None else at
        if imported.end > place or not self._runs_before(imported, place):
            return False
        if imported.scope == MODULE:
            return True
        return at is not None and _in_body(self._facts.definitions[imported.scope], at)

    def _runs_before(self, imported: Import, place: int) -> bool:
        """Whether the import is not skipped by a condition, such as `TYPE_CHECKING`, on the way to `place`."""
        node = self._node(imported.start)
        while node is not None and node.parent is not None and node.parent.type not in _BODIES:
            node = node.parent
            if node.type == "block" and node.start_byte <= place < node.end_byte:
                return True
            if node.type not in _UNCONDITIONAL:
                return False
        return node is not None

    def _is_shadowed(self, imported: Import, at: int | None) -> bool:
        """Whether the name may stand for something else than what is imported, in the module or on the way to `at`."""
        for scope in self._scopes(at):
            if scope < imported.scope:
                continue
            if imported.name in self._facts.bindings.get(scope, ()):
                return True
            rivals = (other for other in self._facts.imports if other.scope == scope and other.name == imported.name)
            if any(scope != imported.scope or self._replaces(other, imported) for other in rivals):
                return True
        return False

    def _replaces(self, other: Import, imported: Import) -> bool:
        same = (other.module, other.attribute) == (imported.module, imported.attribute)
        return not same and self._runs_before(other, self._where[0])

    def _scopes(self, at: int | None) -> Iterator[int]:
        """The module and the functions whose names count at `at`; without it, all that lie in or around the definition."""
        start, end = self._where
        yield MODULE
        for scope, definition in enumerate(self._facts.definitions):
            if definition.kind != "function":
                continue
            inside = start <= definition.start < end
            if _in_body(definition, start if at is None else at) or (at is None and inside):
                yield scope

    # -- names that are free ----------------------------------------------------------------------------------------------

    def _is_free(self, wanted: _Wanted) -> bool:
        """Whether the name that `wanted` binds stands for nothing else anywhere in the file."""
        taken = [other for other, _ in self._wanted.values() if other.bound == wanted.bound]
        if taken:
            return taken[0] == wanted
        alike = [imported for imported in self._facts.imports if self._is_alike(imported, wanted)]
        bound_otherwise = any(wanted.bound in names for names in self._facts.bindings.values())
        for offset, node in self._mentions(wanted.bound):
            if any(imported.start <= offset < imported.end for imported in alike):
                continue
            if not alike or bound_otherwise or _statement(node) is not None:
                return False
        return True

    def _is_alike(self, imported: Import, wanted: _Wanted) -> bool:
        """Whether an import already binds the same name to the same thing, be it too late or under a condition."""
        if (imported.name, imported.module, imported.attribute) != (wanted.bound, wanted.module, wanted.attribute):
            return False
        start, end = self._where
        if imported.scope == MODULE:
            return True
        function = self._facts.definitions[imported.scope]
        return function.end <= start or end <= function.start

    def _mentions(self, name: str) -> Iterator[tuple[int, Node]]:
        """Where `name` stands for a variable, or may."""
        for match in re.finditer(rb"(?<!\w)%s(?!\w)" % re.escape(name.encode()), self._source.text):
            node = self._root.descendant_for_byte_range(match.start(), match.end())
            if node is not None and node.type == "identifier" and not _is_label(node):
                yield match.start(), node

    # -- imports to add ---------------------------------------------------------------------------------------------------

    def _statement_of(self, module: str) -> Node | None:
        """The top-level `from module import ...` that takes another name."""
        for kind, node in self._head:
            joinable = node.type == "import_from_statement" and node.children_by_field_name("name")
            if kind != _FUTURE and joinable and _module(node) == module:
                return node
        return None

    def _joined(self, statement: Node, clauses: Sequence[str]) -> list[Change]:
        names = statement.children_by_field_name("name")
        orders = [_clause_order(self._code(name)) for name in names]
        followers: dict[int, list[str]] = {}
        for clause in sorted(clauses, key=_clause_order):
            later = (index for index, order in enumerate(orders) if order > _clause_order(clause))
            followers.setdefault(next(later, len(names)) if orders == sorted(orders) else len(names), []).append(clause)
        bracketed = statement.children[-1].type == ")"
        changes: list[Change] = []
        for index, group in followers.items():
            if index == len(names):
                close = statement.children[-1].start_byte if bracketed else statement.end_byte
                changes += appended(self._source, _stretch(names[-1]), close, group, lines=bracketed)
            else:
                changes.append(self._put_before(names[index], group, lines=bracketed))
        return changes

    def _put_before(self, name: Node, clauses: Sequence[str], *, lines: bool) -> Change:
        indent = indentation(self._source, name.start_byte) if lines else None
        separator = ", " if indent is None else f",{self._source.newline}{indent}"
        return (name.start_byte, name.start_byte, "".join(f"{clause}{separator}" for clause in clauses))

    def _added(self, statements: Iterable[str]) -> list[Change]:
        """New import statements, each at its place; those that share one are set together."""
        places: dict[_Place, dict[int, list[str]]] = {}
        for statement in sorted(statements, key=lambda statement: (_kind(statement.split()[1]), _order(statement))):
            kind = _kind(statement.split()[1])
            places.setdefault(self._place(kind, statement), {}).setdefault(kind, []).append(statement)
        return [(place.offset, place.offset, self._written(place, groups)) for place, groups in places.items()]

    def _written(self, place: _Place, groups: dict[int, list[str]]) -> str:
        if place.inline:
            return "".join(f"{statement}; " for group in groups.values() for statement in group)
        newline = self._source.newline
        text = newline.join("".join(f"{statement}{newline}" for statement in group) for group in groups.values())
        return f"{place.before}{text}{place.after}"

    def _place(self, kind: int, statement: str) -> _Place:
        newline = self._source.newline
        alike = [node for other, node in self._head if other == kind]
        if alike:
            run = self._run(alike, statement.split()[1])
            orders = [_order(self._code(node)) for node in run]
            earlier = [node for node, order in zip(run, orders, strict=True) if order <= _order(statement)]
            if orders != sorted(orders):
                earlier = run
            return self._behind(earlier[-1]) if earlier else self._before(run[0])
        above = [node for other, node in self._head if other < kind]
        below = [node for other, node in self._head if other > kind]
        if not above:
            return self._before(below[0], newline) if below else self._top()
        place = self._behind(above[-1])
        if place.inline or (below and not self._is_blank(place.offset)):
            return place
        return _Place(place.offset, before=newline)

    def _run(self, nodes: Sequence[Node], module: str) -> list[Node]:
        """The imports among which one of `module` belongs: the group with its own package, else the first."""
        groups: list[list[Node]] = []
        for node in nodes:
            if not groups or _BLANK_LINE.search(self._source.text, groups[-1][-1].end_byte, node.start_byte):
                groups.append([])
            groups[-1].append(node)
        package = module.partition(".")[0]
        own = (group for group in groups if any(_module(node).partition(".")[0] == package for node in group))
        return next(own, groups[0])

    def _behind(self, statement: Node) -> _Place:
        """The line after a statement and whatever else stands on its line."""
        end = statement.end_byte
        for other in self._root.children:
            if other.start_byte >= end and self._source.row(other.start_byte) == self._source.row(end):
                end = other.end_byte
        offset = next_line(self._source, end)
        return self._inline(statement) if offset > self._limit.start_byte else _Place(offset)

    def _before(self, statement: Node, after: str = "") -> _Place:
        start = self._source.line_starts[self._source.row(statement.start_byte) - 1]
        is_first = indentation(self._source, statement.start_byte) is not None
        return _Place(start, after=after) if is_first else self._inline(statement)

    def _inline(self, statement: Node) -> _Place:
        """Before the first statement that may follow an import on the line of `statement`."""
        row = self._source.row(statement.start_byte)
        line = (node for node in self._root.children if self._source.row(node.start_byte) == row)
        fixed = (self._docstring, *(node for kind, node in self._head if kind == _FUTURE))
        movable = (node for node in line if node.is_named and node not in fixed)
        return _Place(next(movable, self._limit).start_byte, inline=True)

    def _top(self) -> _Place:
        """Below the docstring, or the comments that open the file, of a file without imports."""
        if self._docstring is not None:
            place = self._behind(self._docstring)
            return place if place.inline else self._parted(place.offset)
        return self._parted(self._opening)

    def _parted(self, offset: int) -> _Place:
        newline = self._source.newline
        code = (node for node in self._root.children if node.type != "comment")
        following = next((node for node in code if node.start_byte >= offset), self._limit)
        blanks = 2 if following.type in _BODIES else 1
        return _Place(offset, before=newline if offset else "", after="" if self._is_blank(offset) else newline * blanks)

    @property
    def _opening(self) -> int:
        """Where the comments end that belong to the file: those with a blank line below; shebang and coding cookie always."""
        offset = 0
        for node in self._root.children:
            if node.type != "comment":
                break
            below = next_line(self._source, node.end_byte)
            row = self._source.row(node.start_byte)
            if self._is_blank(below) or (row <= 2 and _PROLOGUE.match(self._source.text, node.start_byte, node.end_byte)):
                offset = below
        return offset

    # -- the file ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _root(self) -> Node:
        return _tree(self._source.text)

    @cached_property
    def _limit(self) -> Node:
        """The top-level statement that the definition belongs to: an import must stand before it."""
        start = self._where[0]
        return next((node for node in self._root.children if start < node.end_byte and node.is_named), self._root)

    @cached_property
    def _docstring(self) -> Node | None:
        first = next((node for node in self._root.children if node.type != "comment"), None)
        is_string = first is not None and [child.type for child in first.children] in (["string"], ["concatenated_string"])
        return first if is_string else None

    @cached_property
    def _head(self) -> list[tuple[int, Node]]:
        """The imports at the top level before the first function or class, with their kind."""
        head: list[tuple[int, Node]] = []
        for node in self._root.children:
            if node.type in _BODIES or node.start_byte >= self._limit.start_byte:
                break
            if node.type in _KINDS:
                head.append((_FUTURE if node.type == "future_import_statement" else _kind(_module(node)), node))
        return head

    def _node(self, offset: int) -> Node | None:
        return _statement(self._root.descendant_for_byte_range(offset, offset + 1))

    def _code(self, node: Node) -> str:
        return self._source.slice(node.start_byte, node.end_byte)

    def _is_blank(self, offset: int) -> bool:
        """Whether the line at `offset` is blank, or past the end."""
        return not self._source.text[offset : next_line(self._source, offset)].strip()


@lru_cache(maxsize=4)
def _tree(text: bytes) -> Node:
    from keel_lint.index.parser import parse

    return parse(text)


def _ways(qualified: str) -> Iterator[tuple[_Wanted, str]]:
    """The imports that make `qualified` known and the spelling under each, the nicest first; there is always another."""
    module, _, attribute = qualified.rpartition(".")
    if not module:
        yield _Wanted(attribute), attribute
    else:
        yield _Wanted(module, attribute), attribute
        if module in sys.stdlib_module_names:
            yield _Wanted(module), qualified
    alias = f"{module.rpartition('.')[2]}_{attribute}" if module else attribute
    for underscores in count(0 if module else 1):
        name = alias + "_" * underscores
        yield (_Wanted(module, attribute, name) if module else _Wanted(attribute, alias=name)), name


def _below(target: str, local: str, qualified: str) -> str | None:
    """`qualified` when `target` is known as `local`: itself, or one attribute of it."""
    if qualified == target:
        return local
    head, _, attribute = qualified.rpartition(".")
    return f"{local}.{attribute}" if head == target else None


def _perhaps_submodule(module: str, qualified: str) -> bool:
    """Whether `qualified` may be a submodule of the package `module`, which `import module` does not import."""
    head, _, attribute = qualified.rpartition(".")
    return head == module and "." not in module and attribute.islower() and module not in sys.stdlib_module_names


def _in_body(definition: Definition, offset: int) -> bool:
    return definition.kind == "function" and definition.body_start <= offset < definition.end


def _statement(node: Node | None) -> Node | None:
    """The import statement that `node` is a part of."""
    while node is not None and node.type not in _KINDS:
        node = node.parent
    return node


def _is_label(node: Node) -> bool:
    """Whether an identifier names no variable: an attribute, a keyword of a call, a part of a module's name."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "attribute":
        return node == parent.child_by_field_name("attribute")
    if parent.type == "keyword_argument":
        return node == parent.child_by_field_name("name")
    return parent.type == "dotted_name" and not _is_bound(node, parent)


def _is_bound(node: Node, dotted: Node) -> bool:
    """Whether a part of a dotted name is what its statement binds."""
    holder = dotted.parent
    if (
        holder is None
        or holder.type in ("aliased_import", "relative_import")
        or dotted == holder.child_by_field_name("module_name")
    ):
        return False
    return node == dotted.children[0]


def _stretch(node: Node) -> tuple[int, int]:
    return node.start_byte, node.end_byte


def _module(statement: Node) -> str:
    """The (first) module that an import statement names."""
    node = statement.child_by_field_name("module_name") or statement.child_by_field_name("name")
    if node is not None and node.type == "aliased_import":
        node = node.child_by_field_name("name")
    return "".join(node.text.decode().split()) if node is not None and node.text else ""


def _kind(module: str) -> int:
    if module.startswith("."):
        return _RELATIVE
    return _STANDARD if module.partition(".")[0] in sys.stdlib_module_names else _ABSOLUTE


def _order(statement: str) -> tuple[bool, str]:
    """How sorted files order import statements: plain ones first, then by module."""
    keyword, module, *_ = statement.split()
    return keyword == "from", module.rstrip(",").lower()


def _clause_order(clause: str) -> tuple[int, str]:
    """How sorted files order the names of a `from` import: constants, classes, the rest."""
    name = clause.split(maxsplit=1)[0]
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name
