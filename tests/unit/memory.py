"""Files that were never written, as a project's store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


class Memory:
    """Files by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def raw(self, path: str) -> bytes:
        """The content of a file."""
        return self.files[path].encode()

    def hash(self, path: str) -> bytes:
        """The content itself: no two differ in it by accident."""
        return self.raw(path)

    def naming(self, name: str, paths: Sequence[str]) -> tuple[str, ...]:
        """The files in which an identifier stands."""
        whole = re.compile(rf"\b{re.escape(name)}\b")
        return tuple(sorted(path for path in paths if whole.search(self.files[path])))
