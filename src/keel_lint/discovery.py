"""Which files a project has, which of them were asked for, and which of them can matter.

A path inside a project is a string: relative to the project's root, with `/` between its parts, in the file system's own bytes
(undecodable ones as surrogates). Nothing here reads a file twice or starts a library: a run begins with this module.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from keel_lint.ignoring import Patterns, Rules
from keel_lint.processes import forked, spread
from keel_lint.reading import read_file

SUFFIXES = (".py", ".pyi")
DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".keel_lint_cache",
    ".mypy_cache",
    ".nox",
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
"""Files and folders that are left out unless a configuration says otherwise, and never looked into for the sake of others."""

WORDS = {
    "celery": b"celery",
    "shared_task": b"shared_task",
    # A module of tasks may name no engine: `from shop.worker import app`, `@app.task`.
    "task": b".task\n",
    "task_called": b".task(",
    "task_windows": b".task\r",
    "temporalio": b"temporalio",
    "delay": b".delay",
    "on_commit": b"on_commit",
    "apply_async": b"apply_async",
    "send_task": b"send_task",
    "start_workflow": b"start_workflow",
    "execute_workflow": b"execute_workflow",
    "settings": b"CELERY",
    "code": b"KEL",
    "keel": b"keel:",
}
BITS = {name: 1 << position for position, name in enumerate(WORDS)}
COMMENT_BITS = BITS["code"] | BITS["keel"]
"""The words that count in comments; the others do in code only."""

_IN_SEVERAL = (b"task", b"_workflow")
_SEARCHED = tuple(
    (common, tuple((word, BITS[name]) for name, word in WORDS.items() if common in word))
    for common in (*_IN_SEVERAL, *(word for word in WORDS.values() if not any(common in word for common in _IN_SEVERAL)))
)
"""The words by what they have in common: what stands in no file is looked for once."""
_IMPORTING = b"import"
_MASK = 4
_SHARE = 400  # files for which another process pays: starting one costs about as much as reading and searching 200
_ONLY_IDENTIFIERS = bytes(code if code > 127 or code == 95 or chr(code).isalnum() else 32 for code in range(256))

_TEMPLATE = rb"(?m)^[ \t]*\{[%#]|\{\{-?[ \t]*(?:cookiecutter|copier|_copier\w*)\b"
# A pipe that nobody writes to is not waited for.


class FileEntry(NamedTuple):
    """A Python file of a project: its path, its size and when it was last changed."""

    path: str
    size: int
    mtime_ns: int


class Problem(NamedTuple):
    """What could not be looked at, and why. `path` is as it was given, or relative to the project's root."""

    path: str
    message: str


class Selection(NamedTuple):
    """What was asked for: the files to report on, and what was asked for in vain.

    `excluded` counts the paths that `force_exclude` took out; with it, no file left is no problem.
    """

    entries: list[FileEntry]
    problems: list[Problem]
    excluded: int


class Scanned(NamedTuple):
    """What one look at a file's content says: the words in it (`BITS`), and its digest where one was asked for."""

    words: int
    digest: bytes


# -- Projects --


def group_by_project(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """The paths by the project they lie in; those outside git form one project together."""
    groups: dict[str | None, list[Path]] = {}
    tops: dict[str, str | None] = {}
    for path in paths:
        groups.setdefault(_git_top(_absolute(path), tops), []).append(path)
    return {_common_parent(group) if top is None else Path(top): group for top, group in groups.items()}


def _git_top(place: str, known: dict[str, str | None]) -> str | None:
    """The folder with a `.git` (a file, in a worktree) at or above `place`; `known` keeps the answers."""
    if place not in known:
        above, name = os.path.split(place)
        known[place] = place if os.path.lexists(f"{place}/.git") else (_git_top(above, known) if name else None)
    return known[place]


def _common_parent(paths: Sequence[Path]) -> Path:
    folders = [_absolute(path) if path.is_dir() else _absolute(path.parent) for path in paths]
    return Path(os.path.commonpath(folders)) if folders else Path.cwd()


def _absolute(path: Path) -> str:
    """The path from the file system's root, without `..`, its symbolic links as they are written."""
    return os.path.abspath(path)  # noqa: PTH100 -- resolve() follows links, and this is asked of thousands of paths


# -- The files of a project --


class Tree:
    """The Python files of a project. `files` holds them by path, `problems` the folders that could not be read."""

    def __init__(self, root: Path, *, respect_gitignore: bool = True, exclude: Sequence[str] = DEFAULT_EXCLUDE) -> None:
        self.root = root
        self.files: dict[str, FileEntry] = {}
        self.problems: list[Problem] = []
        self._respect_gitignore = respect_gitignore
        self._exclude = Patterns(_below(str(root), pattern) for pattern in exclude)
        self._links: list[FileEntry] = []

    @property
    def entries(self) -> list[FileEntry]:
        """The files in the order of their paths."""
        return sorted(self.files.values())

    def walk(self, start: str = "") -> None:
        """Add the files below the folder `start` (its path with a slash at its end), which itself is never left out.

        Folders behind symbolic links are not entered. A file that is also reached through a link is listed under its own name.
        """
        pending = [(start, self._rules_above(start))]
        while pending:
            pending += self._walk_folder(*pending.pop())
        self._add_links()

    def _rules_above(self, start: str) -> Rules:
        rules = Rules(self._exclude)
        parts = start.split("/")[:-1] if self._respect_gitignore else []
        for depth in range(len(parts)):
            base = "".join(f"{part}/" for part in parts[:depth])
            with suppress(OSError):
                rules = rules.within(f"{self.root}/{base}", base, {entry.name for entry in (self.root / base).iterdir()})
        return rules

    def _walk_folder(self, base: str, rules: Rules) -> list[tuple[str, Rules]]:
        """Add the files of one folder; returns the folders in it that are to be walked."""
        folder = f"{self.root}/{base}"
        found = self._listed(folder, base)
        names = {entry.name for entry in found if entry.name[0] == "."} if self._respect_gitignore else ()
        if names:
            rules = rules.within(folder, base, names)
        below: list[tuple[str, Rules]] = []
        for entry in found:
            name = entry.name
            path = base + name
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (is_folder or name.endswith(SUFFIXES)) or rules.leave_out(path, name, is_folder):
                continue
            if is_folder:
                below.append((f"{path}/", rules))
            else:
                self._add(path, entry)
        return below

    def _listed(self, folder: str, base: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                return list(found)
        except FileNotFoundError:  # it was there when its parent was listed
            return []
        except OSError as error:
            self.problems.append(Problem(base.rstrip("/") or ".", error.strerror or str(error)))
            return []

    def _add(self, path: str, found: os.DirEntry[str]) -> None:
        try:
            status = found.stat()
        except OSError:  # a link that leads nowhere, or gone since its folder was listed
            return
        if not stat.S_ISREG(status.st_mode):
            return
        entry = FileEntry(path, status.st_size, status.st_mtime_ns)
        if found.is_symlink():
            self._links.append(entry)
        else:
            self.files[path] = entry

    def _add_links(self) -> None:
        seen: set[str] = set()
        for entry in sorted(self._links):
            target = os.path.realpath(f"{self.root}/{entry.path}")
            if target not in seen and self._inside(target) not in self.files:
                seen.add(target)
                self.files[entry.path] = entry
        self._links.clear()

    def select(self, paths: Iterable[Path], *, force_exclude: bool = False) -> Selection:
        """The files to report on when `paths` were asked for; those that the tree did not hold are added to it.

        A file is taken whatever its name, a folder is looked into, even when they are excluded or ignored; with `force_exclude`
        not when they are excluded.
        """
        taken: dict[str, FileEntry] = {}
        problems: list[Problem] = []
        excluded = 0
        for path in paths:
            place = self._inside(_absolute(path))
            if place in self.files:
                taken[place] = self.files[place]
                continue
            try:
                place, status = self._place(path, place)
            except OSError as error:
                problems.append(Problem(str(path), error.strerror or str(error)))
                continue
            if force_exclude and self._is_excluded(place, stat.S_ISDIR(status.st_mode)):
                excluded += 1
            elif stat.S_ISDIR(status.st_mode):
                taken.update(self._under(place))
            elif stat.S_ISREG(status.st_mode):
                taken[place] = self.files.setdefault(place, FileEntry(place, status.st_size, status.st_mtime_ns))
            else:
                problems.append(Problem(str(path), "Not a regular file"))
        if not taken and not problems and not excluded:
            problems.append(Problem(", ".join(map(str, paths)), "No Python file found there"))
        return Selection(sorted(taken.values()), problems, excluded)

    def _place(self, path: Path, place: str | None) -> tuple[str, os.stat_result]:
        """Where `path` stands in the project: at `place`, or where a link leads if that is what the tree holds.

        Raises `OSError` where there is nothing, or nothing of this project.
        """
        status = path.stat()
        real = self._inside(os.path.realpath(path))
        if real is not None and (place is None or real in self.files or stat.S_ISDIR(status.st_mode)):
            return real, status
        if place is None:
            raise OSError(0, f"Not inside {self.root}")
        return place, status

    def _inside(self, absolute: str) -> str | None:
        root = str(self.root)
        if absolute == root:
            return ""
        prefix = root if root.endswith(os.sep) else root + os.sep
        return absolute[len(prefix) :].replace(os.sep, "/") if absolute.startswith(prefix) else None

    def _is_excluded(self, place: str, is_folder: bool) -> bool:
        parts = place.split("/") if place else []
        return any(
            self._exclude.says("/".join(parts[: depth + 1]), name, is_folder or depth + 1 < len(parts))
            for depth, name in enumerate(parts)
        )

    def _under(self, place: str) -> dict[str, FileEntry]:
        start = f"{place}/" if place else ""
        found = {path: entry for path, entry in self.files.items() if path.startswith(start)}
        if found:
            return found
        self.walk(start)
        return {path: entry for path, entry in self.files.items() if path.startswith(start)}


def discover(root: Path, *, respect_gitignore: bool = True, exclude: Sequence[str] = DEFAULT_EXCLUDE) -> Tree:
    """List the Python files of the project at `root`, which must be absolute.

    Left out: what `exclude` names (patterns as in `.gitignore`, seen from the root), and with `respect_gitignore` what the
    project's `.gitignore`, `.git/info/exclude` and `.ignore` files name. They count outside a git repository too, so that a
    copy of the project is checked as the project is; a user's own global ignore file does not.
    """
    tree = Tree(root, respect_gitignore=respect_gitignore, exclude=exclude)
    tree.walk()
    return tree


def _below(root: str, pattern: str) -> str:
    """An `exclude` pattern seen from the root: `./docs` and the absolute path of a folder in it are anchored there."""
    if pattern.startswith(f"{root}/"):
        return pattern[len(root) :]
    return pattern[1:] if pattern.startswith("./") else pattern


# -- What a file is --


def is_test_code(path: str) -> bool:
    """Whether a path names test code: what stands below a folder `tests`, and the file names that pytest and Django look for.

    What stands in a hidden folder counts too: no process imports it; it serves tools, and holds their examples.
    """
    if "/tests/" in path or "/." in path or path.startswith(("tests/", ".")):
        return True
    name = path[path.rfind("/") + 1 :]
    return name.startswith(("test_", "conftest.py", "tests.py")) or name.endswith(("_test.py", "_test.pyi"))


def is_template(path: str, raw: bytes) -> bool:
    """Whether a file that is no valid Python is a template of Python: cookiecutter, copier, plain Jinja."""
    return "{{" in path or "{%" in path or re.search(_TEMPLATE, raw) is not None


# -- Searching bytes --


def search(raw: bytes) -> int:
    """The words that stand in a file's content, as a sum of `BITS`."""
    return sum(
        [
            bit
            for common, words in _SEARCHED
            if common in raw
            for word, bit in words
            if word in raw and (bit & COMMENT_BITS or _is_in_code(word, raw))
        ]
    )


def _is_in_code(word: bytes, raw: bytes) -> bool:
    """Whether a word stands anywhere but in comments; a `#` behind a quote may be part of a string."""
    start = raw.find(word)
    while start >= 0:
        line_start = max(raw.rfind(b"\n", 0, start), raw.rfind(b"\r", 0, start)) + 1
        before, commented, _ = raw[line_start:start].partition(b"#")
        if not commented or b'"' in before or b"'" in before:
            return True
        start = raw.find(word, start + len(word))
    return False


def content_digest(raw: bytes) -> bytes:
    """The 16 bytes that stand for a file's content."""
    from hashlib import blake2b

    return blake2b(raw, digest_size=16).digest()


def read_and_search(root: Path, entries: Sequence[FileEntry], *, digests: bool = False) -> dict[str, Scanned]:
    """Search the content of the files for `WORDS`; a file that cannot be read is left out."""

    def look(raw: bytes) -> bytes:
        return search(raw).to_bytes(_MASK, "little") + (content_digest(raw) if digests else b"")

    answers = _look_into(root, entries, look, _MASK + 16 * digests)
    return {path: Scanned(int.from_bytes(answer[:_MASK], "little"), answer[_MASK:]) for path, answer in answers.items()}


def identifiers(raw: bytes) -> frozenset[bytes]:
    """The identifiers and keywords that stand in a file, in code or not."""
    return frozenset(raw.removeprefix(codecs.BOM_UTF8).translate(_ONLY_IDENTIFIERS).split())


def import_lines(raw: bytes) -> Iterator[bytes]:
    """The lines of a source in which something is imported, or may be: a parenthesis goes on to its end."""
    at = raw.find(_IMPORTING)
    while at >= 0:
        start = max(raw.rfind(b"\n", 0, at), raw.rfind(b"\r", 0, at)) + 1
        behind = at + len(_IMPORTING)
        end = _end_of_line(raw, behind)
        if raw[behind:end].lstrip().startswith(b"("):
            end = max(end, raw.find(b")", behind))
        yield raw[start:end]
        at = raw.find(_IMPORTING, end)


def _end_of_line(raw: bytes, start: int) -> int:
    """Where a line ends that goes on behind a backslash."""
    end = raw.find(b"\n", start)
    while end >= 0 and raw[start:end].rstrip(b"\r").endswith(b"\\"):
        end = raw.find(b"\n", end + 1)
    return end if end >= 0 else len(raw)


def _look_into(root: Path, entries: Sequence[FileEntry], look: Callable[[bytes], bytes], width: int) -> dict[str, bytes]:
    """What `look` says of each file's content, always `width` bytes; in several processes where that pays."""
    unreadable, readable = b"\0", b"\1"

    def records(part: Sequence[FileEntry]) -> bytes:
        found: list[bytes] = []
        for path, size, _ in part:
            try:
                found.append(readable + look(read_file(f"{root}/{path}", size)))
            except OSError:
                found.append(unreadable + bytes(width))
        return b"".join(found)

    parts = spread(entries, _SHARE)
    answers = [forked(partial(records, part)) for part in parts[1:]]
    joined = b"".join([records(parts[0]), *(answer() for answer in answers)])
    step = width + 1
    paths = (entry.path for part in parts for entry in part)
    return {
        path: joined[start + 1 : start + step]
        for path, start in zip(paths, range(0, len(joined), step), strict=True)
        if joined[start : start + 1] == readable
    }
