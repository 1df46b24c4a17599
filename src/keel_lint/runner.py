"""From paths to findings: which files are meant, what an earlier run knows of them, and the judging of the rest.

Nothing is imported here that a run in which nothing has changed does not need.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from keel_lint import __version__
from keel_lint.cache import FOLDER, Cache, ChangedError, decode, encode, is_settled, tree_digest
from keel_lint.discovery import FileEntry, Selection, Tree, discover, group_by_project, is_test_code, search
from keel_lint.engine_files import FILES
from keel_lint.outcome import CheckOptions, Outcome, Progress
from keel_lint.settings import DEFAULT_GLOBS
from keel_lint.source import Source, SourceError

if TYPE_CHECKING:
    from keel_lint.explaining import Explanation
    from keel_lint.finding import Finding
    from keel_lint.rule import Registry
    from keel_lint.settings import Settings, SettingsFinder
    from keel_lint.verdicts import Judging

T = TypeVar("T")

Overlay = Mapping[Path, bytes]


class Linter:
    """Checks paths. One instance serves any number of checks of the same paths with different overlays."""

    def __init__(
        self,
        paths: Sequence[Path],
        finder: SettingsFinder,
        registry: Registry,
        *,
        cache: bool = True,
        cache_dir: Path | None = None,
        tests: bool | None = None,
        force_exclude: bool = False,
        ignore_noqa: bool = False,
        flake8: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """With `flake8`, `noqa` on a finding's own row is left to flake8, and KEL002 is not reported."""
        self.registry = registry
        self.options = CheckOptions(tests, force_exclude, ignore_noqa, flake8)
        self._runs = [
            _ProjectRun(root, group, finder, registry, self.options, cache, cache_dir, progress)
            for root, group in group_by_project(paths).items()
        ]

    @property
    def root(self) -> Path:
        """The folder of the (first) project."""
        return self._runs[0].root

    def check(self, overlay: Overlay | None = None, *, only_here: bool = False) -> Outcome:
        """Check all paths; `overlay` gives files another content than they have on disk, such as standard input.

        A finding in another file whose path goes through one of these is found too, but with `only_here`.
        """
        outcome = Outcome()
        for run in self._runs:
            outcome.add(run.check(dict(overlay or {}), only_here=only_here))
        outcome.sort()
        return outcome

    def prepare(self) -> None:
        """Read what all files share, so that processes forked from this one find it there."""
        for run in self._runs:
            run.prepare()

    def check_file(self, path: Path, text: str) -> list[Finding]:
        """The findings of one file whose text (newlines and encoding aside) may differ from what stands on disk."""
        run = next((run for run in self._runs if run.has(path)), self._runs[0])
        return run.check_file(path, text)

    def explain(self, path: Path, row: int, column: int | None = None) -> Explanation:
        """Why a line is flagged or is not; raises `SourceError`, `OSError`, and `ValueError` for a line that is not there."""
        run = next((run for run in self._runs if run.has(path)), self._runs[0])
        return run.explain(path, row, column)

    def files(self) -> list[Path]:
        """The files that a check judges."""
        return sorted(run.root / path for run in self._runs for path in run.judged_paths({}))

    def source(self, path: str) -> Source:
        """A file as it was checked; raises `SourceError`, also where it has changed since then."""
        source = Source.read(Path(path))
        if any(run.has_changed(source.path) for run in self._runs):
            raise SourceError("changed on disk while it was being checked")
        return source


class _ProjectRun:
    """The checks of one project."""

    def __init__(
        self,
        root: Path,
        paths: Sequence[Path],
        finder: SettingsFinder,
        registry: Registry,
        options: CheckOptions,
        cache: bool,
        cache_dir: Path | None,
        progress: Progress | None,
    ) -> None:
        self.root = root
        self.paths = paths
        self.finder = finder
        self.registry = registry
        self.options = options
        self.progress = progress
        self.settings = finder.for_project(root)
        folder = cache_dir or self.settings.cache_dir or root / FOLDER
        self.cache_folder = folder if cache else None
        self._shared: Judging | None = None
        self._settings: dict[str, Settings] = {}
        self._excluded: dict[str, bool] = {}
        self.began = 0

    @cached_property
    def tree(self) -> Tree:
        self.began = time.time_ns()
        return discover(self.root, respect_gitignore=self.settings.respect_gitignore)

    # -- which files ------------------------------------------------------------------------------------------------------

    def check(self, overlay: dict[Path, bytes], *, only_here: bool) -> Outcome:
        return self._undisturbed(lambda cache: self._check(overlay, cache, only_here))

    def _undisturbed(self, work: Callable[[Cache], T]) -> T:
        """What `work` makes of the files: once more, and of nothing known from before, where one changes meanwhile."""
        try:
            with closing(Cache.open(self.cache_folder if self._shared is None else None)) as cache:
                return work(cache)
        except ChangedError:
            self.__dict__.pop("tree", None)
            self._shared = None
        try:
            with closing(Cache.open(None)) as cache:
                return work(cache)
        except ChangedError as error:
            raise OSError(errno.EBUSY, "changes again and again while it is being checked", f"{self.root}/{error}") from error

    def _check(self, overlay: dict[Path, bytes], cache: Cache, only_here: bool) -> Outcome:
        outcome = Outcome()
        contents = self._by_place(overlay)
        selected = self._selected(contents, outcome)
        judged = [path for path in selected if not self._is_left_out(path)]
        outcome.left_out = len(selected) - len(judged)
        outcome.checked = len(judged)
        outcome.add(self._check_files(judged, contents, cache, only_here))
        return outcome

    def judged_paths(self, contents: dict[str, bytes]) -> list[str]:
        return [path for path in self._selected(contents, Outcome()) if not self._is_left_out(path)]

    def _by_place(self, overlay: dict[Path, bytes]) -> dict[str, bytes]:
        """The overlay by the place in the project; files of other projects are not looked at."""
        places: dict[str, bytes] = {}
        for path, raw in overlay.items():
            absolute = Path(os.path.abspath(path))  # noqa: PTH100 -- symlinks are kept as they are
            if absolute.is_relative_to(self.root):
                places[absolute.relative_to(self.root).as_posix()] = raw
        return places

    def _selected(self, contents: dict[str, bytes], outcome: Outcome) -> list[str]:
        """The files to report on; an overlay's files need not exist."""
        asked = [path for path in self.paths if self._place(path) not in contents]
        selection = self.tree.select(asked) if asked else Selection([], [], 0)
        outcome.problems += [f"{problem.path}: {problem.message}" for problem in (*self.tree.problems, *selection.problems)]
        named = {self._place(path) for path in self.paths}
        wanted = {entry.path for entry in selection.entries} | (named & contents.keys())
        return sorted(path for path in wanted if not self._is_excluded(path, path in named))

    def _place(self, path: Path) -> str:
        return os.path.relpath(os.path.abspath(path), self.root).replace(os.sep, "/")  # noqa: PTH100

    def settings_of(self, path: str) -> Settings:
        """The settings of a file of the project."""
        folder = path.rpartition("/")[0]
        known = self._settings.get(folder)
        if known is None:
            known = self._settings[folder] = self.finder.for_file(f"{self.root}/{path}")
        return known

    def _is_excluded(self, path: str, named: bool) -> bool:
        settings = self.settings_of(path)
        if named and not (self.options.force_exclude or settings.force_exclude):
            return False
        if not named and settings.exclude is DEFAULT_GLOBS:
            return False  # the tree was walked without these
        folder = path.rpartition("/")[0]
        return settings.excludes(f"{self.root}/{path}") or bool(folder and self._is_folder_excluded(folder))

    def _is_folder_excluded(self, folder: str) -> bool:
        known = self._excluded.get(folder)
        if known is None:
            above = folder.rpartition("/")[0]
            here = self.settings_of(f"{folder}/").excludes(f"{self.root}/{folder}")
            known = self._excluded[folder] = here or bool(above and self._is_folder_excluded(above))
        return known

    def _is_left_out(self, path: str) -> bool:
        if not is_test_code(path):
            return False
        return not (self.settings_of(path).tests if self.options.tests is None else self.options.tests)

    # -- one file at a time -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Judge nothing, but read the project and its settings."""
        self._shared = self._undisturbed(self._prepared)

    def _prepared(self, cache: Cache) -> Judging:
        judging = self._judging({}, cache)
        judging.prepare()
        return judging

    def has(self, path: Path) -> bool:
        """Whether a file lies in this project."""
        return Path(os.path.abspath(path)).is_relative_to(self.root)  # noqa: PTH100

    def has_changed(self, path: Path) -> bool:
        """Whether a file is not what it was when the project's files were listed; no other than those has."""
        entry = self.tree.files.get(self._place(path))
        return entry is not None and _stamp(path) != (entry.size, entry.mtime_ns)

    def check_file(self, path: Path, text: str) -> list[Finding]:
        """The findings of a file that has this text. What `prepare` has read serves any number of files."""
        place = self._place(path)
        if self._is_left_out(place) or self._is_excluded(place, named=False):
            return []
        if not search(text.encode("utf-8", "surrogatepass")):
            return []
        return self._undisturbed(lambda cache: self._findings(path, place, text, cache))

    def _findings(self, path: Path, place: str, text: str, cache: Cache) -> list[Finding]:
        if self._shared is not None and self._shared.holds(place, text):
            return self._shared.judge([place]).findings
        judging = self._judging({}, cache)
        if not judging.holds(place, text):
            judging = self._judging(self._by_place({path: _encoded(text)}), cache)
        findings = judging.judge([place]).findings
        judging.files.save()
        return findings

    def explain(self, path: Path, row: int, column: int | None) -> Explanation:
        return self._undisturbed(lambda cache: self._explain(path, row, column, cache))

    def _explain(self, path: Path, row: int, column: int | None, cache: Cache) -> Explanation:
        from keel_lint.explaining import explain

        place = self._place(path)
        files = [one for one in sorted(self.tree.files) if not (self._is_left_out(one) or self._is_excluded(one, named=False))]
        contents = {} if place in self.tree.files else {place: path.read_bytes()}
        judging = self._judging(contents, cache)
        outcome = judging.judge(sorted({*files, place}), whole=True)
        outcome.sort()
        made = explain(judging, place, row, column, outcome)
        judging.files.save()
        if place not in self.tree.files:
            made.notes.insert(0, "the file is not part of the project: git ignores it, or a folder round it is always left out")
        elif self._is_excluded(place, named=False):
            made.notes.insert(0, "`exclude` leaves the file out of a check that does not name it")
        return made

    # -- the whole run ----------------------------------------------------------------------------------------------------

    def _check_files(self, judged: list[str], contents: dict[str, bytes], cache: Cache, only_here: bool) -> Outcome:
        others = self._others(judged)
        settled = cache.is_open and not (contents or only_here) and is_settled(self.tree.entries, self.began)
        name = self._run_name(judged, others) if settled else ""
        known = decode(cache.get(name), Outcome) if name else None
        if known is not None:
            return known
        judging = self._judging(contents, cache)
        found = judging.judge(judged, [] if only_here else others, whole=all(map(is_test_code, others)))
        judging.files.save()
        if name:
            cache.put(name, encode(found))
        return found

    def _others(self, judged: list[str]) -> list[str]:
        """The files of the project that are not judged, but for those that are left out of every run."""
        left = self.tree.files.keys() - set(judged)
        return sorted(path for path in left if not (self._is_left_out(path) or self._is_excluded(path, named=False)))

    def _run_name(self, judged: list[str], others: list[str]) -> str:
        """A name for all that this run depends on: the same name, the same outcome."""
        digest = blake2b(tree_digest(self.tree.entries), digest_size=16)
        digest.update(repr((__version__, str(self.root), judged, self.options, self.registry.digest)).encode())
        digest.update(repr(time.localtime()[:3]).encode())  # a suppression may end with the day
        digest.update(repr([_stamp(self.root / name) for name in FILES]).encode())
        for settings in (self.settings.digest, *sorted({self.settings_of(path).digest for path in (*judged, *others)})):
            digest.update(settings)
        return f"run-{digest.hexdigest()}"

    def _judging(self, contents: dict[str, bytes], cache: Cache) -> Judging:
        from keel_lint.verdicts import Judging

        added = (FileEntry(place, len(raw), 0) for place, raw in contents.items() if place not in self.tree.files)
        return Judging(
            self.root,
            sorted([*self.tree.entries, *added]),
            self.registry,
            self.options,
            self.settings,
            self.settings_of,
            cache,
            contents,
            self.progress,
        )


def _encoded(text: str) -> bytes:
    """Text as bytes in the encoding that it declares, UTF-8 where that does not hold it."""
    import io
    import tokenize

    raw = text.encode("utf-8", "surrogatepass")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0])
    except (SyntaxError, UnicodeError):
        return raw


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
