"""Plain data inside one process."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True):
    """What a module hands to another as named values, never encoded: its annotations may name what is imported for types only.

    A `dataclass` would take ten times as long to define and, frozen, to make; a run defines some fifty kinds.
    """
