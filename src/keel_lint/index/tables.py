"""What is looked up in the facts of a module again and again, in tables that are made once for each `ModuleFacts`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar, cast

from keel_lint.index.facts import MODULE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keel_lint.index.facts import Assignment, Call, Import, ModuleFacts

T = TypeVar("T", bound="_Table")

_NAME = re.compile(r"\w+")
_start = attrgetter("start")
_made: dict[tuple[type[_Table], int], tuple[ModuleFacts, _Table]] = {}
"""The tables of all modules of the process, each beside its facts: another module may come to have the same `id`."""


class _Table:
    """A table of one module."""

    def __init__(self, facts: ModuleFacts) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls: type[T], facts: ModuleFacts) -> T:
        """The table of a module."""
        known = _made.get((cls, id(facts)))
        if known is None or known[0] is not facts:
            known = _made[cls, id(facts)] = (facts, cls(facts))
        return cast("T", known[1])


class Names(_Table):
    """The names of one module by scope; `imported` holds the imports of all scopes by the names that they bind."""

    def __init__(self, facts: ModuleFacts) -> None:
        self.imports: dict[tuple[int, str], list[Import]] = defaultdict(list)
        self.imported: dict[str, list[Import]] = defaultdict(list)
        self.definitions: dict[tuple[int, str], list[int]] = defaultdict(list)
        self.stars: list[Import] = []
        self.bindings = {scope: frozenset(names) for scope, names in facts.bindings.items()}
        self.assignments: dict[str, int] = {}
        for record in facts.imports:
            (self.stars if record.name == "*" else self.imports[record.scope, record.name]).append(record)
            self.imported[record.name].append(record)
        for position, definition in enumerate(facts.definitions):
            self.definitions[definition.parent, definition.name].append(position)
        for position, assignment in enumerate(facts.assignments):
            if assignment.scope == MODULE and "." not in assignment.target:
                self.assignments[assignment.target] = position

    def binds_other_than_module(self, name: str) -> bool:
        """Whether the module itself defines or assigns the name, or imports it as an attribute under another name."""
        if self.definitions.get((MODULE, name)) or name in self.assignments:
            return True
        return any(record.attribute and record.attribute != name for record in self.imports.get((MODULE, name), ()))


class Calls(_Table):
    """The calls of one module by scope, by place, by the last part of their names, and by the names in their arguments."""

    def __init__(self, facts: ModuleFacts) -> None:
        self._calls = facts.calls

    @cached_property
    def by_scope(self) -> Mapping[int, list[Call]]:
        """The calls by the scopes in which they stand."""
        found: dict[int, list[Call]] = defaultdict(list)
        for call in self._calls:
            found[call.scope].append(call)
        return found

    @cached_property
    def by_name(self) -> Mapping[str, list[Call]]:
        """The calls by the last parts of their names."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self._calls:
            found[call.callee.rpartition(".")[2]].append(call)
        return found

    @cached_property
    def by_argument(self) -> Mapping[str, list[Call]]:
        """The calls by the names in the arguments that the index keeps of them."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self._calls:
            for name in {name for argument in call.arguments for name in _NAME.findall(argument.text)}:
                found[name].append(call)
        return found

    @cached_property
    def _by_place(self) -> Sequence[Call]:
        return sorted(self._calls, key=_start)

    def within(self, start: int, end: int) -> Sequence[Call]:
        """The calls that begin in a range of the module, in the order of their places."""
        return self._by_place[bisect_left(self._by_place, start, key=_start) : bisect_left(self._by_place, end, key=_start)]


class Locals(_Table):
    """The assignments to local names of functions, by scope and name."""

    def __init__(self, facts: ModuleFacts) -> None:
        self.by_name: dict[tuple[int, str], list[Assignment]] = defaultdict(list)
        for assignment in facts.locals:
            self.by_name[assignment.scope, assignment.target].append(assignment)
