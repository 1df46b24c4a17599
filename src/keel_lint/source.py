"""A file as bytes: its encoding, byte order mark, newlines and lines.

Above this module everything is UTF-8: `Source.text` holds the file's text as UTF-8 bytes without a byte order mark, and every
offset in keel-lint counts those bytes. `Source.apply` maps edits back through the file's own encoding.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from keel_lint.finding import Edit, Span

_LINE = re.compile(rb"\r\n|\n|\r")
_HEAD = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)?[^\r\n]*")
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(?:#|\Z)")
_UTF8 = re.compile(r"utf-8(?:-|\Z)")
_LATIN = re.compile(r"(?:latin-1|iso-8859-1|iso-latin-1)(?:-|\Z)")


class SourceError(Exception):
    """A file that cannot be read as Python source; `str()` says why, in one line, without the path."""


class Source:
    """One file's content. `text` is UTF-8 without byte order mark; `raw` is what stands on disk."""

    def __init__(self, path: Path, raw: bytes, encoding: str, bom: bytes, text: bytes) -> None:
        self.path = path
        self.raw = raw
        self.encoding = encoding
        self.bom = bom
        self.text = text

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read `path`; raises `SourceError` where it cannot be read or decoded."""
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise SourceError(error.strerror or str(error)) from error
        return cls.from_bytes(path, raw)

    @classmethod
    def from_bytes(cls, path: Path, raw: bytes) -> Source:
        """Take `raw` as the content of `path`; raises `SourceError` where Python itself could not decode it."""
        bom = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        body = raw[len(bom) :]
        if b"\0" in body:
            raise SourceError("contains null bytes")
        encoding = _declared_encoding(body)
        if encoding == "utf-8":
            return cls(path, raw, encoding, bom, _checked_utf8(body))
        if bom:
            raise SourceError(f"declares the encoding {encoding} but begins with the byte order mark of UTF-8")
        return cls(path, raw, encoding, bom, _decoded(body, encoding))

    @cached_property
    def newline(self) -> str:
        """The line ending of the file's first line; a newline where there is none."""
        found = _LINE.search(self.text)
        return found.group().decode() if found else "\n"

    @cached_property
    def line_starts(self) -> list[int]:
        """Byte offset of the first byte of each line."""
        starts = [0, *accumulate(map(len, self.text.splitlines(keepends=True)))]
        return starts if self.text.endswith((b"\n", b"\r")) or not self.text else starts[:-1]

    def row(self, offset: int) -> int:
        """The 1-based row in which byte `offset` lies."""
        return bisect_right(self.line_starts, offset)

    def line(self, row: int) -> str:
        """The text of a 1-based row without its line ending; empty beyond the end of the file."""
        starts = self.line_starts
        if not 1 <= row <= len(starts):
            return ""
        end = starts[row] if row < len(starts) else len(self.text)
        return self.text[starts[row - 1] : end].decode("utf-8", "replace").rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """The span between two byte offsets."""
        row, column = self._position(start)
        end_row, end_column = self._position(end)
        return Span(start, end, row, column, end_row, end_column)

    def slice(self, start: int, end: int) -> str:
        """The text between two byte offsets."""
        return self.text[start:end].decode("utf-8", "replace")

    def _position(self, offset: int) -> tuple[int, int]:
        row = self.row(offset)
        start = self.line_starts[row - 1]
        return row, len(self.text[start:offset].decode("utf-8", "replace")) + 1

    def apply(self, edits: Sequence[Edit]) -> bytes:
        """The file's new bytes after `edits`, which must be sorted and must not overlap.

        Every byte outside the edits is kept. Raises `SourceError` where the file's encoding cannot hold the result.
        """
        pieces: list[bytes] = []
        done = 0
        for edit in edits:
            pieces += [self.text[done : edit.span.start], _utf8(edit.content)]
            done = edit.span.end
        pieces.append(self.text[done:])
        return self.bom + self._encoded(b"".join(pieces))

    def _encoded(self, text: bytes) -> bytes:
        """`text` in the file's encoding: as a whole, because a codec may carry state from one character to the next."""
        if self.encoding == "utf-8":
            return _checked_utf8(text)
        if _encode(self.text, self.encoding) != self.raw:
            raise SourceError(f"its encoding {self.encoding} does not survive a round trip")
        raw = _encode(text, self.encoding)
        if _decoded(raw, self.encoding) != text:
            raise SourceError(f"its encoding {self.encoding} cannot hold the fix")
        return raw


def _encode(text: bytes, encoding: str) -> bytes:
    try:
        return text.decode("utf-8").encode(encoding)
    except UnicodeError as error:
        raise SourceError(f"its encoding {encoding} cannot hold the fix: {error}") from error


def _utf8(content: str) -> bytes:
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SourceError(f"the fix is not valid Unicode: {error.reason}") from error


def _declared_encoding(body: bytes) -> str:
    """The encoding that a coding cookie in the first two lines declares (PEP 263); UTF-8 where none does."""
    head = _HEAD.match(body)
    if head is None or b"coding" not in head.group():
        return "utf-8"
    for line in _LINE.split(head.group()):
        cookie = _COOKIE.match(line)
        if cookie is not None:
            return _codec(cookie[1].decode("ascii"))
        if not _BLANK.match(line):
            break
    return "utf-8"


def _codec(name: str) -> str:
    """The codec that Python takes for `name`; a suffix such as `-unix`, which Emacs adds, is ignored as Python ignores it."""
    normal = name[:12].lower().replace("_", "-")
    if _UTF8.match(normal):
        return "utf-8"
    if _LATIN.match(normal):
        return "iso8859-1"
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise SourceError(str(error)) from error
    return "utf-8" if found == "utf-8-sig" else found


def _decoded(body: bytes, encoding: str) -> bytes:
    """`body` as UTF-8. Raises `SourceError` where the encoding does not fit: also where the cookie is not one under it."""
    try:
        text = body.decode(encoding).encode("utf-8")
    except (UnicodeError, LookupError) as error:
        raise SourceError(str(error)) from error
    if _declared_encoding(text) != encoding:
        raise SourceError(f"is not written in {encoding}, the encoding it declares")
    return text


def _checked_utf8(body: bytes) -> bytes:
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SourceError(f"not valid UTF-8: {error.reason} at byte {error.start}") from error
    return body
