"""Plain data inside one process."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True):
    """What a module hands to another as named values, never encoded: its annotations may name what is imported for types only.

    A frozen `dataclass` takes some ten times as long to define, of which a run defines fifty kinds, and five times as long to
    make.
    """
