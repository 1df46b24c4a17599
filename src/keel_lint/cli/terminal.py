"""What the terminal can show."""

from __future__ import annotations

import os
from typing import Literal, TextIO

Colour = Literal["auto", "always", "never"]


def colour(when: Colour, stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`; `NO_COLOR` and `FORCE_COLOR` count unless the command line says."""
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int | None:
    """The columns of the terminal behind `stream`; `None` where there is none."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
