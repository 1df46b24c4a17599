"""Files as bytes: read in one go, and never waited for."""

from __future__ import annotations

import errno
import os
import stat

_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def read_file(path: str, size: int = 0) -> bytes:
    """The content of a file that should hold `size` bytes; raises `OSError`, also for what is no file, or has no end."""
    file = os.open(path, _READING)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        raw = os.read(file, size + 1)
        if len(raw) <= size:
            return raw
        pieces = [raw]
        while piece := os.read(file, 1 << 18):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(file)
