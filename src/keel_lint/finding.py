"""The data that a check produces: findings, the path of each, and the fix offered.

Everything here is a `msgspec.Struct`, so that a finding is cached, sent between processes and reported without conversion.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Applicability = Literal["safe", "unsafe", "displayonly"]
Group = Literal["correctness", "reliability", "performance", "practice", "internal"]


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of a file.

    `start` and `end` are byte offsets into the file's text as UTF-8 without its byte order mark (`Source.text`), end
    exclusive. Rows and columns are 1-based; columns count Unicode code points; the end position is exclusive.
    """

    start: int
    end: int
    row: int
    column: int
    end_row: int
    end_column: int


class Edit(msgspec.Struct, frozen=True, array_like=True):
    """Replace the text at `span` by `content`; `path` is absolute, empty for the finding's own file."""

    span: Span
    content: str
    path: str = ""


class Fix(msgspec.Struct, frozen=True, array_like=True):
    """Edits that belong together: all are applied or none."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


class Hop(msgspec.Struct, frozen=True, array_like=True):
    """One step of a path: where it stands and what happens there. `path` is absolute."""

    path: str
    span: Span
    what: str


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """One thing that goes wrong at run time, and where.

    `path` is absolute; `noqa_row` is the row on which a suppression comment belongs; `qualname` names the definition it stands
    in (empty at module level); `fingerprint` survives moved lines.
    """

    code: str
    slug: str
    group: Group
    message: str
    path: str
    span: Span
    noqa_row: int
    qualname: str = ""
    fix: Fix | None = None
    hops: tuple[Hop, ...] = ()
    fingerprint: str = ""

    @property
    def order(self) -> tuple[str, int, int, str]:
        """The key by which every report sorts: file, row, column, code."""
        return (self.path, self.span.row, self.span.column, self.code)
