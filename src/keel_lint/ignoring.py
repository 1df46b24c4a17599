"""What ignore files and `exclude` leave out, by git's rules."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from keel_lint.reading import read_file

_CHARACTER_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_NEVER = r"(?!)"


class Patterns:
    """The patterns of one ignore file, or of `exclude`, which is written the same way.

    git's rules: the last pattern that fits decides; one without a slash (but at its end) is for names at any depth; `!` takes
    back what an earlier one left out.
    `base` is the folder it stands in: empty, or a path with a slash at its end.
    """

    def __init__(self, lines: Iterable[str], base: str = "") -> None:
        self.base = base
        self._patterns = [pattern for line in lines if (pattern := _Pattern.of(line))]
        self._patterns.reverse()
        self._name = _any_of(pattern.regex for pattern in self._patterns if pattern.by_name)
        self._path = _any_of(pattern.regex for pattern in self._patterns if not pattern.by_name)

    @classmethod
    def read(cls, file: str, base: str) -> Patterns:
        """Read an ignore file; one that cannot be read has no patterns."""
        try:
            text = read_file(file).removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
            return cls(text.split("\n"), base)
        except OSError:
            return cls(())

    def says(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Whether the file or folder is left out; `None` where no pattern is about it (itself, not a folder round it)."""
        below = path[len(self.base) :]
        if not (self._name and self._name(name)) and not (self._path and self._path(below)):
            return None
        for pattern in self._patterns:
            if (is_folder or not pattern.folders_only) and re.fullmatch(pattern.regex, name if pattern.by_name else below):
                return pattern.leaves_out
        return None


class _Pattern(NamedTuple):
    regex: str
    by_name: bool
    folders_only: bool
    leaves_out: bool

    @classmethod
    def of(cls, line: str) -> _Pattern | None:
        """Read a line of an ignore file; `None` for one that holds no pattern."""
        text = _without_trailing_spaces(line.removesuffix("\n").removesuffix("\r"))
        if text.startswith("#"):
            return None
        leaves_out = not text.startswith("!")
        glob = text if leaves_out else text[1:]
        folders_only = glob.endswith("/")
        glob = glob.removesuffix("/")
        if not glob:
            return None
        by_name = "/" not in glob
        regex = _regex(glob if by_name else glob.removeprefix("/"), paths=not by_name)
        return cls(f"(?s:{regex})", by_name, folders_only, leaves_out)


def _without_trailing_spaces(text: str) -> str:
    bare = text.rstrip(" ")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 and len(bare) < len(text)
    return bare + " " if escaped else bare


def _any_of(regexes: Iterable[str]) -> Callable[[str], re.Match[str] | None] | None:
    joined = "|".join(regexes)
    return re.compile(joined).fullmatch if joined else None


def _regex(glob: str, *, paths: bool) -> str:
    """Translate git's wildcards to a regular expression; `**` crosses folders where `paths` is set."""
    parts: list[str] = []
    at = 0
    while at < len(glob):
        part, at = _stars(glob, at, paths) if glob[at] == "*" else _character(glob, at)
        parts.append(part)
    return "".join(parts)


def _stars(glob: str, at: int, paths: bool) -> tuple[str, int]:
    end = at
    while glob[end : end + 1] == "*":
        end += 1
    alone = (at == 0 or glob[at - 1] == "/") and glob[end : end + 1] in ("", "/")
    if not (paths and alone and end - at == 2):
        return "[^/]*", end
    return (".*", end) if end == len(glob) else ("(?:.*/)?", end + 1)


def _character(glob: str, at: int) -> tuple[str, int]:
    character = glob[at]
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _bracket(glob, at + 1)
    if character == "\\":
        return (re.escape(glob[at + 1]), at + 2) if at + 1 < len(glob) else (_NEVER, at + 1)
    return re.escape(character), at + 1


def _bracket(glob: str, at: int) -> tuple[str, int]:
    """Translate what follows `[`; without its `]` the pattern fits nothing."""
    negated = glob[at : at + 1] in ("!", "^") and at < len(glob)
    at += negated
    items: list[str] = []
    first = at
    while at < len(glob) and (glob[at] != "]" or at == first):
        item, at = _bracket_item(glob, at)
        items.append(item)
    if at >= len(glob) or _NEVER in items:
        return _NEVER, len(glob)
    inside = "".join(items)
    if negated:
        return f"[^/{inside}]", at + 1
    return (f"(?!/)[{inside}]" if inside else _NEVER), at + 1


def _bracket_item(glob: str, at: int) -> tuple[str, int]:
    if glob.startswith("[:", at) and (end := glob.find("]", at + 2)) > 0 and glob[end - 1] == ":":
        return _CHARACTER_CLASSES.get(glob[at + 2 : end - 1], _NEVER), end + 1
    low, at = _bracket_character(glob, at)
    if glob[at : at + 1] != "-" or glob[at + 1 : at + 2] in ("", "]"):
        return re.escape(low), at
    high, at = _bracket_character(glob, at + 1)
    return (f"{re.escape(low)}-{re.escape(high)}" if low <= high else re.escape(low)), at


def _bracket_character(glob: str, at: int) -> tuple[str, int]:
    at += glob[at] == "\\" and at + 1 < len(glob)
    return glob[at], at + 1


class Rules(NamedTuple):
    """The patterns that count in a folder: `exclude`, then each `.ignore`, then each `.gitignore`, the nearest first."""

    exclude: Patterns
    plain: tuple[Patterns, ...] = ()
    git: tuple[Patterns, ...] = ()

    def within(self, folder: str, base: str, names: Collection[str]) -> Rules:
        """What counts in `folder`, which holds `names`. A repository of its own starts afresh."""
        git, plain = self.git, self.plain
        if ".git" in names:
            git = (Patterns.read(f"{folder}/.git/info/exclude", base),)
        if ".gitignore" in names:
            git = (Patterns.read(f"{folder}/.gitignore", base), *git)
        if ".ignore" in names:
            plain = (Patterns.read(f"{folder}/.ignore", base), *plain)
        return self._replace(plain=plain, git=git)

    def leave_out(self, path: str, name: str, is_folder: bool) -> bool:
        """Whether the file or folder is left out."""
        for patterns in (self.exclude, *self.plain, *self.git):
            verdict = patterns.says(path, name, is_folder)
            if verdict is not None:
                return verdict
        return False
