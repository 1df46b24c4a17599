"""The few terminal colours that reports use."""

from __future__ import annotations


class Ink:
    """Paints text for a terminal, or leaves it alone."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def _paint(self, codes: str, text: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self._color and text else text

    def bold(self, text: str) -> str:
        """A message, a path."""
        return self._paint("1", text)

    def code(self, text: str) -> str:
        """The code of a rule, a caret."""
        return self._paint("1;91", text)

    def gutter(self, text: str) -> str:
        """Line numbers and what separates them from the code."""
        return self._paint("1;94", text)

    def help(self, text: str) -> str:
        """A heading, and the star that marks a fix."""
        return self._paint("1;96", text)

    def mark(self, text: str) -> str:
        """Punctuation in a line of few words."""
        return self._paint("36", text)

    def warning(self, text: str) -> str:
        """The heading of a warning."""
        return self._paint("1;93", text)

    def added(self, text: str) -> str:
        """A line that a fix adds."""
        return self._paint("32", text)

    def removed(self, text: str) -> str:
        """A line that a fix removes."""
        return self._paint("31", text)

    def underlined(self, text: str) -> str:
        """The heading of a group."""
        return self._paint("4", text)
