"""Open database transactions: which calls can run inside one, and the way from the transaction to the call.

A call runs in a transaction where a block or decorator round it opens one, or where the function it stands in is called in one,
at any depth. Code in a nested function or lambda runs when that function is called. A transaction ends at the thread: another
one has its own connection. What `on_commit` is given runs after the transaction of its alias.
Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/
"""

from __future__ import annotations

import ast
import re
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from keel_lint.flow.atomic import Atomic, OpenTransaction
from keel_lint.flow.branches import Branches, Known
from keel_lint.flow.frameworks import Frameworks
from keel_lint.index import tables
from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Calls, Edge
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Call, Definition
    from keel_lint.project import Project

_WRITE = re.compile(
    r"a?(?:bulk_(?:create|update)|(?:get|update)_or_create)|perform_(?:create|destroy|update)|\w*_save|save_\w+"
)
_WRITE_OF_ROWS = re.compile(r"a?(?:create|delete|save|update)")
"""Methods of rows and managers, whose values are given by name; those of storages, caches and dictionaries take positions."""
_CHANGE_OF_RELATIONS = re.compile(r"a?(?:add|clear|remove|set)")
_DEFERRING = ("on_commit", "after_commit")


class _Step(Record, frozen=True):
    """A function on the way back, and the way from it to the call: the edges, and where the call stands.

    `owner` is the class of the object on which it runs, as far as that is known.
    """

    path: str
    position: int
    owner: Place | None
    way: tuple[Edge, ...]
    end: int


class Transactions:
    """Answers whether a call can run inside an open transaction."""

    def __init__(self, project: Project, calls: Calls, counts: Callable[[str], bool]) -> None:
        """`counts` says whether what a module of Django's settings holds is in force in production."""
        self._project = project
        self._calls = calls
        self._atomic = Atomic(project)
        self._frameworks = Frameworks(project, calls, self._atomic, counts)
        self._branches = Branches(project)

    def round_call(self, path: str, call: Call, alias: str | None = None) -> OpenTransaction | None:
        """The nearest transaction that can be open when `call` runs, or `None` where none is known to be.

        With `alias` (as source; empty for the default database) only those of that database count.
        """
        for opened in self._atomic.round_block(path, call.block):
            if alias is None or opened.alias == alias:
                return opened
            if opened.durable:
                return None
        if call.scope == MODULE:
            return None
        key = ("transaction round", path, call.scope, call.start, alias)
        return self._project.memo(key, lambda: self._round_function(path, call, alias), None)

    def _round_function(self, path: str, call: Call, alias: str | None) -> OpenTransaction | None:
        """The transaction with the shortest way to a call: breadth first, so that cycles and orders do not matter."""
        waiting: deque[tuple[_Step, OpenTransaction | None]] = deque([(_Step(path, call.scope, None, (), call.start), None)])
        seen: set[tuple[str, int, Place | None]] = set()
        while waiting:
            step, found = waiting.popleft()
            if found is not None:
                return self._seen_from(found, step)
            key = (step.path, step.position, step.owner)
            if key in seen:
                continue
            seen.add(key)
            opened = self._opened_at(step)
            if opened is not None and (alias is None or opened.alias == alias) and not self._is_idle(opened, step):
                return self._seen_from(opened, step)
            if (opened is not None and opened.durable) or self._waits_for_commit(step.path, step.position):
                continue
            waiting.extend(self._above(step, alias))
        return None

    def _seen_from(self, opened: OpenTransaction, step: _Step) -> OpenTransaction:
        """A transaction that is open round a function, seen from the call at the end of the way."""
        by_signal = opened.by_signal or any(self._is_signal(edge) for edge in step.way)
        return msgspec.structs.replace(opened.then(*self._hops(step.way)), by_signal=by_signal)

    def _is_idle(self, opened: OpenTransaction, step: _Step) -> bool:
        """Whether a request's transaction holds nothing that a task could miss: no function on the way writes."""
        if not opened.by_request:
            return False
        places = [(step.path, step.position), *(edge.target for edge in step.way)]
        followed = {(edge.path, edge.start) for edge in step.way}
        return not any(self._writes(path, position, followed) for path, position in places)

    def _writes(self, path: str, position: int, followed: set[tuple[str, int]]) -> bool:
        """Whether a function writes rows by itself; what the calls that are `followed` do is told by what they run."""
        definition = self._project.facts(path).definitions[position]
        calls = tables.Calls.of(self._project.facts(path)).within(definition.start, definition.end)
        return any(self._is_write(path, call) for call in calls if (path, call.start) not in followed)

    def _is_write(self, path: str, call: Call) -> bool:
        """Whether a call writes rows, by its name and how it is given its arguments."""
        owner, _, last = call.callee.rpartition(".")
        if _WRITE_OF_ROWS.fullmatch(last):
            return owner in {"self", "super()"} or (bool(owner) and self._is_given_by_name(path, call))
        if _CHANGE_OF_RELATIONS.fullmatch(last):
            return "." in owner and self._project.resolve(path, owner, call.scope).state != "external"
        return _WRITE.fullmatch(last) is not None

    def _is_given_by_name(self, path: str, call: Call) -> bool:
        """Whether a call has no positional arguments, unpacked ones aside."""
        tree = parsed(self._project.source(path).text[call.start : call.end].decode("utf-8", "replace"))
        return isinstance(tree, ast.Call) and all(isinstance(argument, ast.Starred) for argument in tree.args)

    def _is_signal(self, edge: Edge) -> bool:
        """Whether Django runs a function because of a signal, and not as the `save` of the model."""
        return bool(edge.fires) and self._project.facts(edge.target[0]).definitions[edge.target[1]].name != "save"

    def _opened_at(self, step: _Step) -> OpenTransaction | None:
        definition = self._project.facts(step.path).definitions[step.position]
        if definition.kind != "function":
            return None
        opened = self._atomic.by_decorator(step.path, definition)
        return opened or self._frameworks.round_function(step.path, step.position)

    def _above(self, step: _Step, alias: str | None) -> Iterator[tuple[_Step, OpenTransaction | None]]:
        """The places that run a function, each with the transaction that is open there, if one is."""
        for edge, owner, own in self._edges(step):
            if edge.how == "thread" or (edge.how == "committed" and not self._runs_at_once(edge)):
                continue
            above = _Step(edge.path, edge.scope, owner, (edge, *step.way), step.end)
            if not self._is_passable(above):
                continue
            # A row that the saving of another one may make: whether it is made at all depends on what is not known here.
            is_sure = own is not None and not any(one.fires for one in step.way)
            opened = [*([own] if own is not None and is_sure else []), *self._atomic.round_block(edge.path, edge.block)]
            fits = next((one for one in opened if alias is None or one.alias == alias), None)
            if fits is not None or (edge.scope != MODULE and not any(one.durable for one in opened)):
                yield above, fits

    def _edges(self, step: _Step) -> Iterator[tuple[Edge, Place | None, OpenTransaction | None]]:
        for edge, owner in self._calls.ways_back(step.path, step.position, step.owner):
            yield edge, owner, None
        for edge, opened in self._frameworks.saves(step.path, step.position):
            yield edge, None, opened

    def _is_passable(self, step: _Step) -> bool:
        """Whether the constants that are passed on the way leave it open, from its beginning to the call."""
        known: Known = {}
        places = [*(edge.start for edge in step.way[1:]), step.end]
        for edge, place in zip(step.way, places, strict=True):
            known = self._branches.passed(edge, known)
            if not known:
                return True  # nothing is known from here on, as when the way began below, and was found open
            if self._branches.cannot_reach(*edge.target, place, known):
                return False
        return True

    def _runs_at_once(self, edge: Edge) -> bool:
        """Whether `on_commit` finds no transaction of its alias, only another one, and so calls the function at once."""
        aliases = [opened.alias for opened in self._atomic.round_block(edge.path, edge.block)]
        return bool(aliases) and edge.alias not in aliases and all(map(_is_known, (*aliases, edge.alias)))

    def _hops(self, way: tuple[Edge, ...]) -> Iterator[Hop]:
        for edge in way:
            name = edge.written.rpartition(".")[2]
            if edge.fires:
                target = self._project.facts(edge.target[0]).definitions[edge.target[1]]
                yield self._project.hop(edge.path, edge.start, edge.end, f"`{name}` saves a row")
                yield self._project.hop(edge.target[0], *target.name_span, f"which runs `{target.name}`")
            else:
                verb = "calls" if edge.how == "call" else "hands on"
                yield self._project.hop(edge.path, edge.start, edge.end, f"{verb} `{name}`")

    # -- what waits -------------------------------------------------------------------------------------------------------

    def _waits_for_commit(self, path: str, position: int) -> bool:
        """Whether a decorator has the function run after the commit: `on_commit` itself, or the project's own."""
        definition = self._project.facts(path).definitions[position]
        return any(self._defers(path, decorator.callee, definition) for decorator in definition.decorators if decorator.callee)

    def _defers(self, path: str, callee: str, definition: Definition) -> bool:
        symbol = self._project.resolve(path, callee, definition.parent)
        if any(word in symbol.name.rpartition(".")[2] for word in _DEFERRING):
            return True
        if symbol.state != "internal" or symbol.definition < 0:
            return False
        facts = self._project.facts(symbol.path)
        maker = facts.definitions[symbol.definition]
        inside = tables.Calls.of(facts).within(maker.start, maker.end)
        return any(word in call.callee.rpartition(".")[2] for call in inside for word in _DEFERRING)


def _is_known(alias: str) -> bool:
    """Whether it is known which database an alias means: it is written as a string, or left out."""
    return not alias or alias[0] in "\"'"
