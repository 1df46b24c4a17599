"""Writing to stdout and stderr so that nothing breaks half-way."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from keel_lint.cli.terminal import Colour, colour, width
from keel_lint.report import PICTURES, WIDTH

PATIENCE = 0.5  # seconds before a run counts as long
PACE = 0.1  # seconds between two lines of progress
ERASE = "\r\x1b[K"


class CommandError(Exception):
    """What ends a command with exit status 2; `str()` says why, in one line."""


class Console:
    """Where a command writes: findings to stdout (or a file), everything else to stderr."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        quiet: bool = False,
        silent: bool = False,
        verbose: bool = False,
        color: Colour = "auto",
    ) -> None:
        self.file = file
        self.quiet = quiet or silent
        self.silent = silent
        self.verbose = verbose
        self.color = color

    def findings(self, text: str, *, aside: bool = False) -> None:
        """Write a report, to stderr where stdout is taken (`aside`). Raises `CommandError` where a file cannot be written."""
        if self.file is not None:
            self._write_file(self.file, text)
        elif aside:
            self._say(text.rstrip("\n"), self.silent or not text)
        elif not self.silent:
            write(text)

    def colour(self, *, aside: bool = False) -> bool:
        """Whether to colour a report."""
        if self.file is not None:
            return self.color == "always"
        return colour(self.color, sys.stderr if aside else sys.stdout)

    @property
    def width(self) -> int:
        """The columns that a report may use."""
        return width(sys.stdout) or WIDTH

    def _write_file(self, file: Path, text: str) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror or error}") from error

    def error(self, line: str) -> None:
        """Say why the exit status will be 2."""
        self._say(f"error: {line.translate(PICTURES)}", self.silent)

    def warn(self, line: str) -> None:
        """Say what the reader should know."""
        self._say(f"warning: {line.translate(PICTURES)}", self.quiet)

    def note(self, line: str) -> None:
        """Say how the run went."""
        self._say(line, self.quiet)

    def detail(self, line: str) -> None:
        """Say what only someone who asked for details wants to know."""
        self._say(line, not self.verbose)

    def progress(self) -> Progress | None:
        """A progress line, where stderr is a terminal and may be written to."""
        return None if self.quiet or not sys.stderr.isatty() else Progress(sys.stderr)

    def _say(self, line: str, hushed: bool) -> None:
        if not hushed:
            say(line)


class Progress:
    """One line on a terminal, rewritten in place while a run takes long. Call it with the files done and their number.

    A forked process may write to the same line; it is erased by the one that outlives it.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._first = self._due = clock() + PATIENCE

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if now < self._due:
            return
        self._due = now + PACE
        self._put(f"{ERASE}Checking: {done} of {total}")

    def erase(self) -> None:
        """Leave the terminal as it was."""
        if self._clock() >= self._first:
            self._put(ERASE)

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def write(content: str | bytes) -> None:
    """Write to stdout; a reader that has left (`| head`) is no error, the exit status still tells.

    Text that the terminal cannot show is escaped; to a pipe or a file it goes as UTF-8. Raises `CommandError` for a full disk.
    """
    try:
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
        elif sys.stdout.isatty():
            encoding = sys.stdout.encoding
            sys.stdout.write(content.encode(encoding, "backslashreplace").decode(encoding))
        else:
            sys.stdout.buffer.write(content.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)
    except OSError as error:
        drop(sys.stdout)
        raise CommandError(f"standard output cannot be written: {error.strerror or error}") from error


def say(line: str) -> None:
    """Write a line to stderr; where that takes nothing more, the exit status still tells."""
    try:
        print(line, file=sys.stderr)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Point a stream nowhere, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
