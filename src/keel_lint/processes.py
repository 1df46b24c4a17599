"""A second processor: work that another process does, or shares."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

_DONE = b"!"
_TURN = 4  # bytes of a number
_MOST_TURNS = 1000
_MOST_PROCESSES = 4
_children: set[int] = set()

T = TypeVar("T")


def forked(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Start `work` in a process of its own; the function returned waits for what it returns.

    Where that cannot be done, or the process ends without an answer, the function returned does the work itself.
    """
    if not can_fork():
        return work
    _bury()
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return work
    if child == 0:
        _answer(work, writer)
    os.close(writer)
    _children.add(child)

    def wait() -> bytes:
        with os.fdopen(reader, "rb") as pipe:
            answer = pipe.read()
        _bury()
        return answer[:-1] if answer.endswith(_DONE) else work()

    return wait


def _bury() -> None:
    """Take leave of the processes that have ended. Waiting for one that ends takes as long as giving back its memory."""
    for child in tuple(_children):
        try:
            has_ended = os.waitpid(child, os.WNOHANG)[0] != 0
        except ChildProcessError:
            has_ended = True
        if has_ended:
            _children.discard(child)


class Turns:
    """Work that several processes share: whoever is free takes the next turn, in whichever order it has the work.

    The turns lie in a pipe, numbered, where each can be taken once; all of them fit into the smallest pipe there is.
    """

    def __init__(self, count: int) -> None:
        self._step = 1 + count // _MOST_TURNS
        self._reader, writer = os.pipe()
        for turn in range(0, count, self._step):
            os.write(writer, turn.to_bytes(_TURN, "little"))
        os.close(writer)

    def of(self, work: Sequence[T]) -> Iterator[tuple[int, T]]:
        """Pieces of `work` from its first on, as long as there are turns, each with the number of those begun before it."""
        for start in range(0, len(work), self._step):
            turn = os.read(self._reader, _TURN)
            if not turn:
                break
            yield from enumerate(work[start : start + self._step], int.from_bytes(turn, "little"))

    def __del__(self) -> None:
        os.close(self._reader)


def _answer(work: Callable[[], bytes], writer: int) -> NoReturn:
    """The life of the child: nothing of the parent's may be flushed, closed or reported a second time."""
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(work() + _DONE)
    finally:
        os._exit(0)


def can_fork() -> bool:
    """Whether a bare fork is sound: on Linux, with one thread, and where a second processor is there to use."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    threading = sys.modules.get("threading")
    return threading is None or threading.active_count() == 1


def spread(work: Sequence[T], share: int) -> list[Sequence[T]]:
    """The work in parts of at least `share` pieces, one for each process that pays; neighbours cost alike."""
    processors = len(os.sched_getaffinity(0)) if can_fork() else 1
    count = max(1, min(processors, _MOST_PROCESSES, len(work) // share))
    return [work[part::count] for part in range(count)]
