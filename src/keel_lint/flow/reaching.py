"""The nearest effects over the call graph: what a function does itself, and what the functions that it calls do.

What an effect is, and which calls lead to one, those say who use it. For every sort of effects the nearest is kept, with the
calls that lead to it. Functions that call each other are solved together, so that the answer does not depend on who is asked
about first, and every answer is remembered with all that it was read from.
"""

from __future__ import annotations

import heapq
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Edge
    from keel_lint.flow.classes import Place
    from keel_lint.project import Project

_BREAK_IN_BRACKETS = re.compile(r"(?<=[(\[{])\s*\n\s*|,?\s*\n\s*(?=[)\]}])")


class AnyEffect(Protocol):
    """Something that a function does at a place of its file; `name` is the canonical name of what is called or read."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


E = TypeVar("E", bound=AnyEffect)


class Reached(Record, Generic[E], frozen=True):
    """An effect, and the calls that lead to it, outermost first."""

    edges: tuple[Edge, ...]
    effect: E

    @property
    def order(self) -> tuple[int, tuple[object, ...]]:
        """What to sort by: nearest first; of two that are as near, the one whose first call stands first."""
        calls = ((edge.path, edge.start, edge.end, edge.target) for edge in self.edges)
        return len(self.edges), (*calls, (self.effect.path, self.effect.start, self.effect.end, self.effect.name))


class Reaching(ABC, Generic[E]):
    """The effects of the functions of a project. `label` tells the answers of one kind of effects from those of others."""

    label: ClassVar[str]

    def __init__(self, project: Project) -> None:
        self._project = project
        self._groups: dict[Place, tuple[Place, ...]] = {}

    # -- what those who use it say ----------------------------------------------------------------------------------------

    @abstractmethod
    def edges(self, path: str, position: int) -> tuple[Edge, ...]:
        """The calls of a function that lead to the effects of what they run."""

    @abstractmethod
    def declared(self, path: str, position: int) -> Iterable[E]:
        """The effects of a function itself, whoever calls it."""

    @abstractmethod
    def sort(self, effect: E) -> Hashable:
        """What effects are told apart by: of one sort only the nearest is kept."""

    def besides(self, edge: Edge) -> Iterable[E]:  # noqa: ARG002
        """The effects that a function has because of how this call calls it."""
        return ()

    # -- what is asked ----------------------------------------------------------------------------------------------------

    def effects(self, path: str, position: int) -> Mapping[Hashable, Reached[E]]:
        """For each sort of effects of a function of the project the nearest one."""
        if (path, position) not in self._groups:
            self._solve((path, position))
        return self._answer((path, position))

    def through(self, edge: Edge) -> list[Reached[E]]:
        """The nearest effects of what a call runs, each with that call as its first."""
        return self._through(edge, self.effects(*edge.target))

    def way(self, reached: Reached[E]) -> tuple[Hop, ...]:
        """The calls that lead to an effect, for the path of a finding."""
        return tuple(self._project.hop(edge.path, edge.start, edge.end, f"calls `{edge.written}`") for edge in reached.edges)

    def spelling(self, effect: E) -> str:
        """How an effect is written in its file, in one short line."""
        text = self._project.source(effect.path).text[effect.start : effect.end].decode("utf-8", "replace")
        line = " ".join(_BREAK_IN_BRACKETS.sub("", text).split())
        return line if len(line) <= 60 else f"{line[:57]}..."

    # -- all together -----------------------------------------------------------------------------------------------------

    def _answer(self, place: Place) -> Mapping[Hashable, Reached[E]]:
        group = self._groups[place]
        nothing: dict[Place, dict[Hashable, Reached[E]]] = {}
        return self._project.memo((self.label, group[0]), lambda: self._settle(group), nothing)[place]

    def _solve(self, start: Place) -> None:
        """Find the groups of functions that reach each other, and settle them, those that are called first."""
        for group in _components(start, self._targets, self._groups):
            for place in group:
                self._groups[place] = group
            self._answer(group[0])

    def _targets(self, place: Place) -> list[Place]:
        return [edge.target for edge in self.edges(*place)]

    def _settle(self, group: tuple[Place, ...]) -> dict[Place, dict[Hashable, Reached[E]]]:
        """The nearest effects of functions that reach each other, by length of path (Dijkstra, one queue for all sorts)."""
        inside = set(group)
        callers: dict[Place, list[tuple[Place, Edge]]] = defaultdict(list)
        waiting: list[tuple[tuple[int, tuple[object, ...]], Place, int, Reached[E]]] = []
        for place in group:
            for reached in self._outward(place, inside):
                heapq.heappush(waiting, (reached.order, place, len(waiting), reached))
            for edge in self.edges(*place):
                if edge.target in inside:
                    callers[edge.target].append((place, edge))
        nearest: dict[Place, dict[Hashable, Reached[E]]] = {place: {} for place in group}
        number = len(waiting)
        while waiting:
            _, place, _, reached = heapq.heappop(waiting)
            sort = self.sort(reached.effect)
            if sort in nearest[place]:
                continue
            nearest[place][sort] = reached
            for caller, edge in callers[place]:
                number += 1
                longer = Reached((edge, *reached.edges), reached.effect)
                heapq.heappush(waiting, (longer.order, caller, number, longer))
        return nearest

    def _outward(self, place: Place, inside: set[Place]) -> Iterator[Reached[E]]:
        """The effects of a function, and those of the functions it calls that are settled already."""
        yield from (Reached((), effect) for effect in self.declared(*place))
        for edge in self.edges(*place):
            yield from self._through(edge, self._answer(edge.target) if edge.target not in inside else {})

    def _through(self, edge: Edge, known: Mapping[Hashable, Reached[E]]) -> list[Reached[E]]:
        """What comes of a call: the effects of the function, and those that it has because of the call."""
        found = [Reached((edge, *reached.edges), reached.effect) for reached in known.values()]
        return [*found, *(Reached((edge,), effect) for effect in self.besides(edge))]


def _components(
    start: Place, targets: Callable[[Place], list[Place]], done: Mapping[Place, object]
) -> Iterator[tuple[Place, ...]]:
    """The strongly connected components that can be reached from `start` and are not done, those that are called first.

    Tarjan's algorithm without recursion: call chains can be longer than Python's stack.
    """
    order: dict[Place, int] = {}
    low: dict[Place, int] = {}
    open_: list[Place] = []
    is_open: set[Place] = set()
    stack: list[tuple[Place, Iterator[Place]]] = []

    def enter(place: Place) -> None:
        order[place] = low[place] = len(order)
        open_.append(place)
        is_open.add(place)
        stack.append((place, iter(targets(place))))

    enter(start)
    while stack:
        place, waiting = stack[-1]
        for target in waiting:
            if target in done:
                continue
            if target not in order:
                enter(target)
                break
            if target in is_open:
                low[place] = min(low[place], order[target])
        else:
            stack.pop()
            if stack:
                low[stack[-1][0]] = min(low[stack[-1][0]], low[place])
            if low[place] == order[place]:
                first = open_.index(place)
                group = tuple(sorted(open_[first:]))
                del open_[first:]
                is_open.difference_update(group)
                yield group
