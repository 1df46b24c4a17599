"""Which files name an identifier, so that the callers of a function are found without indexing the project.

Every file is taken apart once, when a name is first asked for; the answers are kept with the digests of the files, so that a
later run takes apart only the files that have changed, and those in which it finds a name that is new.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from keel_lint.cache import decode, encode
from keel_lint.discovery import identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_FEW = 6
"""Taking all files apart costs as much as looking through them for this many names."""


class _Known(msgspec.Struct, array_like=True):
    """The answers of an earlier run: for each name the positions of the files that held it, whose digests were these."""

    paths: list[str]
    digests: list[bytes]
    names: dict[str, list[int]]


class Naming:
    """Answers which of some files name an identifier."""

    def __init__(
        self, paths: Sequence[str], read: Callable[[str], bytes], digest: Callable[[str], bytes], blob: bytes | None = None
    ) -> None:
        """`read` and `digest` give a file's content and its digest, and may raise `OSError`; `blob` is of an earlier run."""
        self._paths = paths
        self._read = read
        self._digest = digest
        self._answers: dict[str, tuple[str, ...]] = {}
        self._scans = 0
        self._known = _decoded(blob)
        self._digests = {path: self._digest_of(path) for path in paths} if self._known.paths else {}
        known = dict(zip(self._known.paths, self._known.digests, strict=True))
        self._unchanged = frozenset(path for path, digest in self._digests.items() if known.get(path) == digest)

    def prepare(self) -> None:
        """Take the files apart now, where no earlier run has: most of a first run's questions are of names."""
        if not self._known.paths:
            _ = self._all

    def files(self, name: str) -> tuple[str, ...]:
        """The files in which the identifier stands, in code or not, sorted."""
        answer = self._answers.get(name)
        if answer is None:
            answer = self._answers[name] = tuple(sorted(self._search(name)))
        return answer

    def _search(self, name: str) -> Iterable[str]:
        wanted = name.encode()
        known = self._known.names.get(name)
        if known is None:
            return self._scan(wanted) if self._is_scan_worth_it() else self._all.get(wanted, ())
        held = (self._known.paths[position] for position in known)
        return {*self._changed.get(wanted, ()), *(path for path in held if path in self._unchanged)}

    def _is_scan_worth_it(self) -> bool:
        """Whether to look through the files for one name: an edit asks for a few new ones, a first run for hundreds."""
        self._scans += 1
        return bool(self._known.names) and self._scans <= _FEW

    def _scan(self, wanted: bytes) -> Iterator[str]:
        for path in self._paths:
            with suppress(OSError):
                raw = self._read(path)
                if wanted in raw and wanted in identifiers(raw):
                    yield path

    @cached_property
    def _all(self) -> dict[bytes, list[str]]:
        return self._by_name(self._paths)

    @cached_property
    def _changed(self) -> dict[bytes, list[str]]:
        return self._by_name([path for path in self._paths if path not in self._unchanged])

    def _by_name(self, paths: Sequence[str]) -> dict[bytes, list[str]]:
        """The files in which each identifier stands."""
        found: dict[bytes, list[str]] = defaultdict(list)
        for path in paths:
            with suppress(OSError):
                for name in identifiers(self._read(path)):
                    found[name].append(path)
        return found

    def _digest_of(self, path: str) -> bytes:
        try:
            return self._digest(path)
        except OSError:
            return b""

    def blob(self, names: Iterable[str]) -> bytes | None:
        """What to keep: the answers for these names all that this and earlier runs asked for; `None` for no news."""
        wanted = {*names, *self._answers, *self._known.names}
        if wanted == self._known.names.keys() and len(self._unchanged) == len(self._paths) == len(self._known.paths):
            return None
        positions = {path: position for position, path in enumerate(self._paths)}
        digests = [self._digest_of(path) for path in self._paths]
        answers = {name: [positions[path] for path in self.files(name)] for name in sorted(wanted)}
        return encode(_Known(list(self._paths), digests, answers)) or None


def _decoded(blob: bytes | None) -> _Known:
    known = decode(blob, _Known)
    if known is None or len(known.paths) != len(known.digests):
        return _Known([], [], {})
    return known
