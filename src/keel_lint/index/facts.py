"""What the index keeps of a module. Offsets are bytes of `Source.text`; nothing here points into a syntax tree.

A scope is named by the position of its definition in `ModuleFacts.definitions`; -1 is the module itself.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["function", "class", "statement"]
MODULE = -1


class Import(msgspec.Struct, frozen=True, array_like=True):
    """One name bound by an import.

    `import a.b` binds `a`: module `a`, attribute empty. `import a.b as x` binds `x`: module `a.b`. `from .m import y as z`
    binds `z`: module `.m`, attribute `y`. `from m import *` binds `*`.
    """

    name: str
    module: str
    attribute: str
    scope: int
    start: int
    end: int


class Argument(msgspec.Struct, frozen=True, array_like=True):
    """One argument of a call as it is written. `keyword` is empty for a positional one, `*` or `**` for an unpacking one."""

    keyword: str
    text: str
    start: int
    end: int


class Decorator(msgspec.Struct, frozen=True, array_like=True):
    """A decorator: the dotted callee (`app.task`; empty for another expression) and its arguments, `None` when not called."""

    callee: str
    arguments: tuple[Argument, ...] | None
    start: int
    end: int


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """A parameter. `kind` is that of `inspect.Parameter`: positional-only, plain, `*args`, keyword-only, `**kwargs`."""

    name: str
    kind: Literal["posonly", "plain", "vararg", "kwonly", "kwarg"]
    annotation: str
    default: str


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """A function, a class, or a module-level statement that configures an engine.

    `start` includes the decorators. `name_start`..`name_end` is the name in `def` or `class`. `parent` is the enclosing
    definition's position, `outer` the position of the definition that is judged with it (itself, for one that is judged alone).
    `depth` counts the indented blocks round it, `nesting` how deep its own syntax nests. `roles` say why it can matter.
    """

    kind: Kind
    name: str
    qualname: str
    parent: int
    outer: int
    start: int
    end: int
    name_start: int
    name_end: int
    body_start: int
    is_async: bool
    depth: int
    nesting: int
    decorators: tuple[Decorator, ...]
    bases: tuple[Argument, ...]
    parameters: tuple[Parameter, ...]
    returns: str
    roles: tuple[str, ...]
    has_error: bool

    @property
    def name_span(self) -> tuple[int, int]:
        """The bytes of the name in `def` or `class`."""
        return self.name_start, self.name_end


class Block(msgspec.Struct, frozen=True, array_like=True):
    """A `with` statement: its items as (dotted callee, source text), and the position of the one round it or -1."""

    items: tuple[tuple[str, str], ...]
    is_async: bool
    scope: int
    parent: int
    start: int
    end: int


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A call. `callee` is dotted; a part that is itself a call ends in `()`, a subscript in `[]` (`add.s().delay`, `x[].run`);
    any other expression is `?`. `block` is the innermost `with` round it inside the same scope, or -1.
    """

    callee: str
    start: int
    end: int
    scope: int
    block: int
    awaited: bool
    arguments: tuple[Argument, ...] = ()


class Assignment(msgspec.Struct, frozen=True, array_like=True):
    """`target = value` with a dotted target, at module or class level, or an attribute target anywhere.

    `value` is its source text, cut at 4,000 bytes (then `cut`). `annotation` is empty where there is none.
    """

    target: str
    annotation: str
    value: str
    cut: bool
    scope: int
    start: int
    end: int


class ModuleFacts(msgspec.Struct, frozen=True, array_like=True):
    """All that keel-lint remembers of one file. `bindings` are the names a function binds itself, by scope (parameters too).

    `nesting` is how deep the syntax of the whole file nests, 0 where that is shallow. `locals` are the assignments to local
    names of functions whose value may be an object: a call, a name or what a `with` gives (then `value` is its item); a longer
    one is written as `Call.callee` is.
    """

    imports: tuple[Import, ...]
    definitions: tuple[Definition, ...]
    blocks: tuple[Block, ...]
    calls: tuple[Call, ...]
    assignments: tuple[Assignment, ...]
    bindings: dict[int, tuple[str, ...]]
    exported: tuple[str, ...] | None
    has_error: bool
    comments: tuple[tuple[int, int], ...] = ()
    nesting: int = 0
    locals: tuple[Assignment, ...] = ()


def assignments_of(facts: ModuleFacts, scope: int) -> tuple[Assignment, ...]:
    """The assignments that stand directly in a scope."""
    return tuple(assignment for assignment in facts.assignments if assignment.scope == scope)


def known_as(facts: ModuleFacts, names: frozenset[str]) -> frozenset[str]:
    """Names, and those that a module gives to what it imports under one of them."""
    return names | {record.name for record in facts.imports if record.attribute in names}
