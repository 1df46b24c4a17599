"""What earlier runs found out: one SQLite file that may be deleted, damaged, locked or out of date without harm.

A cache that cannot be used answers every question with "not known" and says why in `note`; nothing here raises because of it.
Every value is stored under a checksum, so that SQLite need not wait for the disk: what a power cut spoils is not believed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from keel_lint import __version__
from keel_lint.discovery import (
    WORDS,
    FileEntry,
    Problem,
    content_digest,
    read_and_search,
    search,
)
from keel_lint.reading import read_file

if TYPE_CHECKING:
    import sqlite3

    from keel_lint.naming import Naming

FOLDER = ".keel_lint_cache"

FileRow = tuple[int, int, bytes, int]
"""A file as it was last read: size, time of the last change, digest of the content, words in it."""

_T = TypeVar("_T")

_FORMAT = 3
_TABLES = (
    "CREATE TABLE blobs(name BLOB PRIMARY KEY, value BLOB)",
    "CREATE TABLE facts(path BLOB PRIMARY KEY, hash BLOB, value BLOB)",
    "CREATE TABLE verdicts(key BLOB PRIMARY KEY, value BLOB, used INTEGER)",
)
_MOST_VERDICTS = 50_000
_PATIENCE = 0.5  # seconds for which another run may hold the file
_RACY_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT)
_UNTRUSTED = -1
_CHECKSUM = 8
_NAMING = "naming"
_DAY = 86_400
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of keel-lint and may be deleted. See https://bford.info/cachedir/\n"
)


# -- Values --


def encode(value: object) -> bytes:
    """A value as MessagePack; empty, which `decode` takes for nothing, where it holds a file name that is not UTF-8."""
    import msgspec

    try:
        return msgspec.msgpack.encode(value)
    except UnicodeEncodeError:
        return b""


def decode(blob: bytes | None, kind: type[_T]) -> _T | None:
    """The value of type `kind` that `encode` made `blob` from; `None` for no blob and for one that does not fit the type."""
    import msgspec

    if blob is None:
        return None
    try:
        return msgspec.msgpack.decode(blob, type=kind)
    except msgspec.DecodeError:
        return None


def tree_digest(entries: Iterable[FileEntry]) -> bytes:
    """What stands for all the files of a project as long as none changes its size or time, comes or goes."""
    from array import array
    from hashlib import blake2b

    ordered = sorted(entries)
    names = os.fsencode("\0".join([entry.path for entry in ordered]))
    numbers = array("q", [number for entry in ordered for number in entry[1:]])
    return blake2b(names + b"\0\0" + numbers.tobytes(), digest_size=16).digest()


def is_settled(entries: Iterable[FileEntry], at_ns: int) -> bool:
    """Whether size and time say enough at `at_ns`, when the entries were listed: one may still change within its clock's tick.

    What was found out about a tree that was not settled must not be stored under its `tree_digest`.
    """
    return all(entry.mtime_ns < at_ns - _RACY_NS for entry in entries)


def _sealed(blob: bytes) -> bytes:
    from hashlib import blake2b

    return blake2b(blob, digest_size=_CHECKSUM).digest() + blob


def _unsealed(value: object) -> bytes | None:
    """What was sealed; `None` for anything else."""
    if not isinstance(value, bytes):
        return None
    blob = value[_CHECKSUM:]
    return blob if _sealed(blob) == value else None


# -- The store --


class Cache:
    """One run's view of the store. Reads ask the file; writes wait for `close`, which makes them in one transaction."""

    def __init__(self, file: Path | None = None, connection: sqlite3.Connection | None = None, note: str = "") -> None:
        self.note = note
        self._file = file
        self._connection = connection
        self._today = int(time.time()) // _DAY
        self._blobs: dict[str, bytes] = {}
        self._facts: dict[str, tuple[bytes, bytes]] = {}
        self._gone: set[str] = set()
        self._verdicts: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()

    @classmethod
    def open(cls, folder: Path | None) -> Cache:
        """Open the cache in `folder`, which is made where it is missing; `None` is a cache that knows and keeps nothing."""
        if folder is None:
            return cls()
        try:
            import sqlite3
        except ImportError as error:
            return cls(note=f"no cache: {error}")
        file = folder / __version__ / f"cache-{_format()}.db"
        try:
            _prepare(folder, file.parent)
            return cls(file, _connect_or_rebuild(file))
        except (OSError, sqlite3.Error) as error:
            return cls(note=f"no cache in {folder}: {error}")

    @property
    def is_open(self) -> bool:
        """Whether anything can be found or kept here."""
        return self._connection is not None

    def get(self, name: str) -> bytes | None:
        """The blob stored under `name`."""
        if name in self._blobs:
            return self._blobs[name]
        return _unsealed(self._ask("SELECT value FROM blobs WHERE name = ?", name.encode())[0])

    def put(self, name: str, blob: bytes) -> None:
        """Store a blob under `name`."""
        if self.is_open:
            self._blobs[name] = blob

    def files(self) -> dict[str, FileRow]:
        """The files as they were last read, by path."""
        known = decode(self.get("files"), tuple[bytes, list[FileRow]])  # one blob: a third of the time that rows take
        if known is None:
            return {}
        names, rows = known
        return dict(zip(os.fsdecode(names).split("\0"), rows, strict=False))

    def put_files(self, rows: Mapping[str, FileRow]) -> None:
        """Store all the files there are; the facts of others are dropped."""
        self._gone = self.files().keys() - rows.keys()
        self.put("files", encode((os.fsencode("\0".join(rows)), list(rows.values()))))

    def facts(self, path: str, content: bytes) -> bytes | None:
        """The facts of a file whose content has this digest."""
        if path in self._facts:
            known, blob = self._facts[path]
            return blob if known == content else None
        return _unsealed(self._ask("SELECT value FROM facts WHERE path = ? AND hash = ?", os.fsencode(path), content)[0])

    def put_facts(self, path: str, content: bytes, blob: bytes) -> None:
        """Store the facts of a file; those of its earlier content are dropped."""
        if self.is_open:
            self._facts[path] = (content, blob)

    def verdict(self, key: bytes) -> bytes | None:
        """The verdict stored under `key`."""
        if key in self._verdicts:
            return self._verdicts[key]
        value, used = self._ask("SELECT value, used FROM verdicts WHERE key = ?", key)
        if used != self._today and value is not None:
            self._used.add(key)
        return _unsealed(value)

    def put_verdict(self, key: bytes, blob: bytes) -> None:
        """Store a verdict; those not asked for longest are dropped when there are too many."""
        if self.is_open:
            self._verdicts[key] = blob

    def close(self) -> None:
        """Write what was put and close the file. A cache that is not closed keeps nothing."""
        if self._connection is not None and (self._blobs or self._facts or self._verdicts or self._used):
            self._attempt(self._flush)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _flush(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM facts WHERE path = ?", [(os.fsencode(path),) for path in self._gone])
        connection.executemany(
            "REPLACE INTO facts VALUES(?, ?, ?)",
            [(os.fsencode(path), content, _sealed(blob)) for path, (content, blob) in self._facts.items()],
        )
        connection.executemany("REPLACE INTO blobs VALUES(?, ?)", [(n.encode(), _sealed(b)) for n, b in self._blobs.items()])
        connection.executemany("UPDATE verdicts SET used = ? WHERE key = ?", [(self._today, key) for key in self._used])
        connection.executemany(
            "REPLACE INTO verdicts VALUES(?, ?, ?)", [(key, _sealed(blob), self._today) for key, blob in self._verdicts.items()]
        )
        if self._verdicts:
            connection.execute(
                "DELETE FROM verdicts WHERE key IN (SELECT key FROM verdicts ORDER BY used"
                " LIMIT max(0, (SELECT count(*) FROM verdicts) - ?))",
                (_MOST_VERDICTS,),
            )
        connection.execute("COMMIT")

    def _ask(self, question: str, *values: bytes) -> tuple[object, object]:
        """The one row that answers, filled up to two columns; of nothing where there is none."""

        def ask(connection: sqlite3.Connection) -> tuple[object, ...]:
            return connection.execute(question, values).fetchone() or ()

        row = (*(self._attempt(ask) or ()), None, None)
        return row[0], row[1]

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Do something with the file; where it fails, carry on without a cache, and without the file if that is damaged."""
        if self._connection is None or self._file is None:
            return None
        import sqlite3

        try:
            return work(self._connection)
        except sqlite3.Error as error:
            self.note = f"the cache {self._file} is not used: {error}"
            self._connection.close()
            self._connection = None
            if type(error) is sqlite3.DatabaseError:  # its subclasses (a lock, a full disk) say nothing against what is there
                with suppress(OSError):
                    _remove(self._file)
            return None


def _format() -> str:
    """What makes a file of another format another file: the tables, and the words whose bits the rows hold."""
    return content_digest(repr((_FORMAT, _TABLES, WORDS)).encode()).hex()[:8]


def _prepare(folder: Path, inner: Path) -> None:
    """Make the folders. One that is ours from the start keeps itself out of git and of backups."""
    if inner.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if next(folder.iterdir(), None) is None:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        (folder / "CACHEDIR.TAG").write_text(_TAG, encoding="utf-8")
    inner.mkdir(exist_ok=True)


def _connect_or_rebuild(file: Path) -> sqlite3.Connection:
    import sqlite3

    try:
        return _connect(file)
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise
    _remove(file)
    return _connect(file)


def _connect(file: Path) -> sqlite3.Connection:
    """Open the file and see that its tables are ours; raises `sqlite3.Error` where they are not."""
    import sqlite3

    connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        if not _tables(connection):
            connection.execute("BEGIN IMMEDIATE")
            for table in () if _tables(connection) else _TABLES:  # another run may have been first
                connection.execute(table)
            connection.execute("COMMIT")
        if _tables(connection) != set(_TABLES):
            raise sqlite3.DatabaseError("not a cache of this version")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _tables(connection: sqlite3.Connection) -> set[object]:
    return {row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table'")}


def _remove(file: Path) -> None:
    """Delete the file and its journal, first the journal: SQLite would play it back into a new file."""
    for path in (file.with_name(f"{file.name}-journal"), file):
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


# -- Files --


_MOST_AHEAD = 64 << 20  # bytes of files that are kept in memory because all of them are searched for names


class ChangedError(BaseException):
    """A file is no longer what this run takes it for. No handler on the way may take that for an error of its own."""


class Files:
    """The content of a project's files, read as seldom as can be.

    `overlay` holds content that wins over the disk's (standard input, fixes) and never reaches the cache. `problems` lists the
    files that `load_words` could not read.
    """

    def __init__(
        self, root: Path, entries: Iterable[FileEntry], cache: Cache, overlay: Mapping[str, bytes] | None = None
    ) -> None:
        self.root = root
        self.entries = {entry.path: entry for entry in entries}
        self.problems: list[Problem] = []
        self._cache = cache
        self._overlay = dict(overlay or {})
        self._began = time.time_ns()
        self._known = cache.files()
        self._raw: dict[str, bytes] = {}
        self._ahead: dict[str, bytes] = {}
        self._room = _MOST_AHEAD
        self._hashes: dict[str, bytes] = {}
        self._words: dict[str, int] = {}
        self._naming: Naming | None = None
        self._trust_what_is_unchanged()

    def _trust_what_is_unchanged(self) -> None:
        for path, (size, mtime_ns, content, words) in self._known.items():
            entry = self.entries.get(path)
            if entry is not None and entry.mtime_ns == mtime_ns and entry.size == size and path not in self._overlay:
                self._hashes[path] = content
                self._words[path] = words

    def raw(self, path: str) -> bytes:
        """The content of a file, the same at every call; raises `OSError` and `ChangedError`."""
        if path not in self._raw:
            raw = self._overlay.get(path)
            raw = self._read_known(path) if raw is None else raw
            digest = content_digest(raw)
            if self._hashes.setdefault(path, digest) != digest:
                raise ChangedError(path)
            self._raw[path] = raw
            if path not in self._words:
                self._words[path] = search(raw)
        return self._raw[path]

    def _read_known(self, path: str) -> bytes:
        """Read a file; raises `ChangedError` where one whose digest, and maybe facts, are known cannot be read any more."""
        if path in self._ahead:
            return self._ahead[path]
        try:
            return self._from_disk(path)
        except OSError as error:
            if path in self._hashes:
                raise ChangedError(path) from error
            raise

    def _from_disk(self, path: str) -> bytes:
        entry = self.entries.get(path)
        return read_file(f"{self.root}/{path}", entry.size if entry else 0)

    def hash(self, path: str) -> bytes:
        """The digest of a file's content; raises `OSError`.

        Ask `raw` first where something made from the content is stored under it: the file may have changed since it was listed.
        """
        if path not in self._hashes:
            self.raw(path)
        return self._hashes[path]

    def words(self, path: str) -> int:
        """The words that stand in a file, as `discovery.BITS`; raises `OSError`."""
        if path not in self._words:
            self.raw(path)
        return self._words[path]

    def knows(self, path: str) -> bool:
        """Whether the words of a file are known without looking into it."""
        return path in self._words

    def learn(self, path: str, words: int, digest: bytes) -> None:
        """Take what another process found in a file."""
        self._words[path] = words
        self._hashes[path] = digest

    def load_words(self, paths: Iterable[str] | None = None) -> None:
        """Search all files, or those given, whose words are not known, at once; one that cannot be read has none."""
        wanted = self.entries if paths is None else paths
        unknown = [path for path in wanted if path not in self._words]
        for path in self._overlay.keys() & unknown:
            self.raw(path)
        on_disk = [self.entries[path] for path in unknown if path in self.entries and path not in self._overlay]
        found = read_and_search(self.root, on_disk, digests=self._cache.is_open)
        for path, (words, content) in found.items():
            self._words[path] = words
            if content:
                self._hashes[path] = content
        for entry in on_disk:
            if entry.path not in found:
                self._words[entry.path] = 0
                self.problems.append(self._why_unreadable(entry.path))

    def _why_unreadable(self, path: str) -> Problem:
        try:
            read_file(f"{self.root}/{path}")
        except OSError as error:
            return Problem(path, error.strerror or str(error))
        return Problem(path, "could not be read")

    def naming(self, name: str, paths: Sequence[str]) -> tuple[str, ...]:
        """Those of the files in which an identifier stands, sorted; `paths` are the same at every call."""
        return self._search(paths).files(name)

    def prepare_naming(self, paths: Sequence[str]) -> None:
        """Do the work of `naming` ahead."""
        self._search(paths).prepare()

    def _search(self, paths: Sequence[str]) -> Naming:
        if self._naming is None:
            from keel_lint.naming import Naming

            self._naming = Naming(paths, self._read, self.hash, self._cache.get(_NAMING))
        return self._naming

    def keep_names(self, names: Iterable[str], paths: Sequence[str]) -> None:
        """Keep the answers for these names for the next run; they need not have been asked for in this process."""
        if not self._cache.is_open or self._overlay:
            return
        blob = self._search(paths).blob(names)
        if blob is not None:
            self._cache.put(_NAMING, blob)

    def _read(self, path: str) -> bytes:
        held = self._raw.get(path, self._overlay.get(path))
        if held is None:
            held = self._from_disk(path)
            self._room -= len(held)
            if self._room >= 0:
                self._ahead[path] = held
        return held

    def save(self) -> None:
        """Put what is known of the files into the cache, if it is news."""
        rows = {path: row for path in self.entries if (row := self._row(path)) is not None}
        if self._cache.is_open and rows != self._known:
            self._cache.put_files(rows)

    def _row(self, path: str) -> FileRow | None:
        """What to remember of a file; not the time of one that may change again within its clock's tick."""
        if path in self._overlay:
            return self._known.get(path)
        if path not in self._hashes:
            return None
        entry = self.entries[path]
        is_racy = entry.mtime_ns >= self._began - _RACY_NS
        return (entry.size, _UNTRUSTED if is_racy else entry.mtime_ns, self._hashes[path], self._words[path])
