"""GitHub's `primaryLocationLineHash`, by which code scanning knows a finding again when lines have moved.

The hash of a line covers the hundred UTF-16 code units that begin with it, blanks left out and line endings made one. It is a
polynomial in 37 modulo 2**64, the first unit in the highest power; an end mark and zeros follow the text. Lines of one hash are
counted.
"""

from __future__ import annotations

import sys
from array import array

_UNITS = 100
_BASE = 37
_MASK = (1 << 64) - 1
_LEAVING = pow(_BASE, _UNITS, 1 << 64)
_NEWLINE = 0x0A
_END_OF_TEXT = 0xFFFF
_UTF16 = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"


def line_hashes(text: str) -> list[str]:
    """The hash of each line of `text`: hexadecimal, a colon, and how many lines had that hash so far."""
    units, starts = _units(text)
    wanted = set(starts)
    hashes: dict[int, int] = {}
    window = 0
    # From the end: the window at `index` is the one at `index + 1` divided by the base, which is a product with its inverse.
    inverse = pow(_BASE, -1, 1 << 64)
    padded = units + array("H", bytes(2 * _UNITS))
    for index in range(len(units) - 1, -1, -1):
        leaving = padded[index + _UNITS]
        window = ((window - leaving) * inverse + padded[index] * _LEAVING * inverse) & _MASK
        if index in wanted:
            hashes[index] = window
    return _counted([hashes[start] for start in starts])


def _counted(hashes: list[int]) -> list[str]:
    seen: dict[int, int] = {}
    lines: list[str] = []
    for value in hashes:
        seen[value] = seen.get(value, 0) + 1
        lines.append(f"{value:x}:{seen[value]}")
    return lines


def _units(text: str) -> tuple[array[int], list[int]]:
    """The code units that are hashed, and the position at which each line begins among them."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    units = array("H", text.encode(_UTF16, "surrogatepass"))
    units.append(_END_OF_TEXT)
    starts = [0, *(index + 1 for index, unit in enumerate(units) if unit == _NEWLINE)]
    return units, starts
