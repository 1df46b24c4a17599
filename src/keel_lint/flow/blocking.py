"""Which functions stop the thread they run in, themselves or in one that they reach, and so the event loop that lives there.

A call is followed where what it runs runs in the same thread: plain calls, awaited ones, functions handed to something that
calls them at once. What is handed to a thread (`asyncio.to_thread(f)`, `sync_to_async(f)`, `pool.submit(f)`) blocks nobody.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from keel_lint.flow.reaching import Reached, Reaching
from keel_lint.index.expressions import parsed
from keel_lint.jobs.blocking import Kind, kind_of
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Calls, Edge
    from keel_lint.flow.canonical import CanonicalNames
    from keel_lint.flow.classes import Place
    from keel_lint.flow.event_loop import EventLoop
    from keel_lint.index.facts import Call
    from keel_lint.project import Project

_DOES_NOT_WAIT = {"queue": ("block", 0), "threading": ("timeout", 0), "multiprocessing": ("block", 0)}


class Block(Record, frozen=True):
    """A call that blocks. `name` is the canonical name of what is called, `scope` the function it stands in."""

    kind: Kind
    name: str
    path: str
    scope: int
    start: int
    end: int


class Blocking(Reaching[Block]):
    """The blocking calls of the functions of a project."""

    label = "blocking"

    def __init__(self, project: Project, calls: Calls, names: CanonicalNames, loop: EventLoop) -> None:
        super().__init__(project)
        self._loop = loop
        self._calls = calls
        self._names = names

    # -- what is asked ----------------------------------------------------------------------------------------------------

    def activities(self, reached: Reached[Block]) -> tuple[Place, ...]:
        """The async activities that reach a blocking call, in the order of their places."""
        block = reached.effect
        waiting: list[tuple[Place, Place | None]] = [(edge.target, None) for edge in reached.edges[-1:]]
        seen = set(waiting)
        while waiting:
            place, owner = waiting.pop()
            for edge, its_owner in self._calls.ways_back(*place, owner):
                above = (edge.path, edge.scope), its_owner
                if edge.scope >= 0 and above not in seen and self._follows(edge):
                    seen.add(above)
                    if not self._loop.is_async_activity(*above[0]):
                        waiting.append(above)
        found = {place for place, _ in seen if self._loop.is_async_activity(*place)}
        return tuple(sorted(place for place in found if self.sort(block) in self.effects(*place)))

    def hops(self, reached: Reached[Block]) -> tuple[Hop, ...]:
        """The path of a finding, from the first call to the one that blocks."""
        block = reached.effect
        return (
            *self.way(reached),
            self._project.hop(block.path, block.start, block.end, f"`{self.spelling(block)}` {DOES[block.kind]}"),
        )

    # -- for the search ---------------------------------------------------------------------------------------------------

    def declared(self, path: str, position: int) -> Iterable[Block]:
        """The blocking calls of a function itself, in source order."""
        return self._project.memo(("blocking calls", path, position), lambda: tuple(self._own(path, position)), ())

    def sort(self, effect: Block) -> tuple[str, int, int]:
        """Every blocking call counts for itself."""
        return effect.path, effect.start, effect.end

    def edges(self, path: str, position: int) -> tuple[Edge, ...]:
        """The calls of a function that run in its thread."""
        return self._project.memo(("blocking edges", path, position), lambda: tuple(self._edges(path, position)), ())

    def _edges(self, path: str, position: int) -> Iterator[Edge]:
        if self._project.facts(path).definitions[position].kind == "function":
            yield from (edge for edge in self._calls.callees(path, position) if self._follows(edge))

    def _follows(self, edge: Edge) -> bool:
        """Whether a call runs its target in the same thread, and what that does is not said of the target itself."""
        return self._loop.stays_in_thread(edge) and not self._loop.is_async_activity(*edge.target)

    def _own(self, path: str, position: int) -> Iterator[Block]:
        for call in self._project.facts(path).calls:
            # What is awaited gives something to wait for, so it does not wait itself.
            if call.scope != position or call.awaited:
                continue
            name = self._names.of(path, call.callee, call.scope)
            kind = kind_of(name) if name else None
            if kind is not None and not self._returns_at_once(path, call, name):
                yield Block(kind, name, path, position, call.start, call.end)

    def _returns_at_once(self, path: str, call: Call, name: str) -> bool:
        """Whether the arguments of a call say that it takes no time: `time.sleep(0)`, `queue.get(block=False)`.

        `rmtree(folder, ignore_errors=True)` clears away what the function itself has left: scratch files, mostly few.
        """
        node = parsed(self._project.source(path).text[call.start : call.end].decode("utf-8", "replace"))
        if not isinstance(node, ast.Call):
            return False
        if name == "shutil.rmtree":
            return any(k.arg == "ignore_errors" and not _is_nothing(k.value) for k in node.keywords)
        if name == "time.sleep":
            return _is_nothing(node.args[0]) if node.args else False
        keyword, position = _DOES_NOT_WAIT.get(name.partition(".")[0], ("", -1))
        given = [*node.args[position : position + 1], *(k.value for k in node.keywords if k.arg == keyword)] if keyword else []
        return any(_is_nothing(value) for value in given)


DOES: dict[Kind, str] = {
    "sleep": "sleeps",
    "network": "waits for the network",
    "database": "waits for a database",
    "program": "waits for a program or a person",
    "files": "goes through a whole tree of files",
    "waiting": "waits for another thread",
}
"""What a blocking call does, for a message."""


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is not None and not node.value
