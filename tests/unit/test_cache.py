"""The cache: what it keeps, and that nothing done to its file is ever more than a miss."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keel_lint import cache as cache_module
from keel_lint import discovery
from keel_lint.cache import Cache, ChangedError, Files, decode, encode, is_settled, tree_digest
from keel_lint.discovery import BITS, FileEntry, content_digest, discover

OLD = 1_600_000_000_000_000_000
ROWS = {"a.py": (3, OLD, b"h" * 16, 1), os.fsdecode(b"caf\xe9.py"): (4, OLD, b"i" * 16, 0)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".keel_lint_cache"


def fill(folder: Path) -> Path:
    """Make a cache with one of everything; returns its file."""
    cache = Cache.open(folder)
    cache.put("rules", b"all rules")
    cache.put_files(ROWS)
    cache.put_facts("a.py", b"h" * 16, b"facts" * 3000)
    cache.put_verdict(b"key", b"no alarm")
    cache.close()
    assert cache.note == ""
    return next(folder.glob("*/*.db"))


def answers(folder: Path) -> tuple[object, ...]:
    cache = Cache.open(folder)
    known = (cache.get("rules"), cache.files(), cache.facts("a.py", b"h" * 16), cache.verdict(b"key"))
    cache.close()
    return known


FULL = (b"all rules", ROWS, b"facts" * 3000, b"no alarm")
EMPTY: tuple[object, ...] = (None, {}, None, None)


# -- What is kept --


def test_what_was_put_is_there_in_the_next_run(folder: Path) -> None:
    fill(folder)
    assert answers(folder) == FULL
    assert answers(folder) == FULL


def test_what_was_put_is_there_at_once(folder: Path) -> None:
    cache = Cache.open(folder)
    cache.put("rules", b"")
    cache.put_facts("a.py", b"1", b"facts")
    cache.put_verdict(b"key", b"verdict")
    assert (cache.get("rules"), cache.facts("a.py", b"1"), cache.verdict(b"key")) == (b"", b"facts", b"verdict")
    assert cache.facts("a.py", b"2") is None


def test_facts_are_those_of_one_content(folder: Path) -> None:
    fill(folder)
    cache = Cache.open(folder)
    assert cache.facts("a.py", b"other") is None
    cache.put_facts("a.py", b"other", b"new")
    cache.close()
    cache = Cache.open(folder)
    assert cache.facts("a.py", b"other") == b"new"
    assert cache.facts("a.py", b"h" * 16) is None


def test_no_folder_is_a_cache_that_keeps_nothing() -> None:
    cache = Cache.open(None)
    cache.put("rules", b"table")
    cache.put_facts("a.py", b"1", b"facts")
    cache.put_verdict(b"key", b"verdict")
    cache.put_files(ROWS)
    assert (cache.get("rules"), cache.files(), cache.facts("a.py", b"1"), cache.verdict(b"key")) == EMPTY
    cache.close()
    assert (cache.is_open, cache.note) == (False, "")


def test_a_new_folder_keeps_itself_out_of_git_and_backups(folder: Path) -> None:
    fill(folder)
    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_folder_with_something_in_it_is_not_hidden_from_git(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    fill(tmp_path)
    assert not (tmp_path / ".gitignore").exists()


def test_facts_of_files_that_are_gone_are_dropped(folder: Path) -> None:
    file = fill(folder)
    cache = Cache.open(folder)
    cache.put_files({"b.py": ROWS["a.py"]})
    cache.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (0,)
    connection.close()


def test_verdicts_not_asked_for_longest_are_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MOST_VERDICTS", 3)
    day = time.time()
    for number in range(6):
        monkeypatch.setattr(time, "time", lambda now=day + number * 86_400: now)
        cache = Cache.open(folder)
        cache.verdict(b"0")
        cache.put_verdict(b"%d" % number, b"verdict")
        cache.close()
    cache = Cache.open(folder)
    assert [number for number in range(6) if cache.verdict(b"%d" % number)] == [0, 4, 5]


def test_values_of_another_type_are_not_decoded() -> None:
    assert decode(encode([1, 2]), list[int]) == [1, 2]
    assert decode(encode(["a"]), list[int]) is None
    assert decode(b"\xc1garbage", list[int]) is None
    assert decode(None, list[int]) is None


# -- What can go wrong --


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def garble(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def garble_behind_the_head(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096] + os.urandom(file.stat().st_size - 4096))


def make_a_folder(file: Path) -> None:
    file.unlink()
    (file / "deep").mkdir(parents=True)


def make_foreign(file: Path) -> None:
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE blobs(other TEXT)")
    connection.close()


def swap_values(file: Path) -> None:
    connection = sqlite3.connect(file)
    for table in ("blobs", "facts", "verdicts"):
        connection.execute(f"UPDATE {table} SET value = 'text'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "damage", [truncate, empty, garble, garble_behind_the_head, make_a_folder, make_foreign, swap_values, Path.unlink]
)
def test_a_damaged_file_is_a_miss_and_is_made_anew(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(fill(folder))
    assert answers(folder) == EMPTY
    fill(folder)
    assert answers(folder) == FULL


def test_a_value_that_changed_by_itself_is_not_believed(folder: Path) -> None:
    file = fill(folder)
    raw = file.read_bytes()
    file.write_bytes(raw.replace(b"no alarm", b"an alarm").replace(b"all rules", b"few rules"))
    cache = Cache.open(folder)
    assert cache.facts("a.py", b"h" * 16) == FULL[2]
    assert (cache.verdict(b"key"), cache.get("rules")) == (None, None)


def test_a_journal_left_behind_is_not_played_into_a_new_file(folder: Path) -> None:
    file = fill(folder)
    garble(file)
    file.with_name(f"{file.name}-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 600)
    assert answers(folder) == EMPTY
    fill(folder)
    assert answers(folder) == FULL


def test_another_version_and_other_words_use_another_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "__version__", "9.9.9")
        assert answers(folder) == EMPTY
    with monkeypatch.context() as patch:
        patch.setitem(discovery.WORDS, "more", b"more")
        assert answers(folder) == EMPTY
    assert answers(folder) == FULL


@pytest.mark.parametrize("place", ["file/below", "file"])
def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    cache = Cache.open(tmp_path / place)
    cache.put("rules", b"table")
    assert cache.get("rules") is None
    cache.close()
    assert cache.note.startswith("no cache in ")


def test_a_file_that_cannot_be_written_can_be_read(folder: Path) -> None:
    file = fill(folder)
    cache = Cache.open(folder)
    connection = cache._connection
    assert connection is not None
    connection.execute("PRAGMA query_only = ON")
    cache.put("rules", b"new")
    cache.close()
    assert "readonly" in cache.note
    assert file.exists()
    assert answers(folder) == FULL


def test_a_full_disk_is_no_error(folder: Path) -> None:
    fill(folder)
    cache = Cache.open(folder)
    connection = cache._connection
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 1")
    cache.put("large", os.urandom(1_000_000))
    cache.close()
    assert "full" in cache.note
    assert answers(folder) == FULL


def test_a_file_that_another_run_holds_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fill(folder)
    monkeypatch.setattr(cache_module, "_PATIENCE", 0.01)
    reader = Cache.open(folder)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert reader.get("rules") is None
    assert "locked" in reader.note
    assert "locked" in Cache.open(folder).note
    holder.execute("COMMIT")
    holder.close()
    assert answers(folder) == FULL


def test_a_file_damaged_while_it_is_open_is_a_miss(folder: Path) -> None:
    file = fill(folder)
    cache = Cache.open(folder)
    garble_behind_the_head(file)
    assert cache.facts("a.py", b"h" * 16) is None
    cache.put("rules", b"table")
    cache.close()
    assert answers(folder) == EMPTY


WRITER = """
import sys
from pathlib import Path
from keel_lint.cache import Cache
for turn in range(15):
    cache = Cache.open(Path(sys.argv[1]))
    for number in range(20):
        cache.put_facts(f"{sys.argv[2]}{number}.py", b"hash", b"facts" * 500)
        cache.verdict(b"%d" % number)
        cache.put_verdict(b"%d" % number, b"verdict")
    cache.close()
    assert cache.note == "", cache.note
"""


def test_two_runs_may_write_at_once(folder: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(folder)]
    runs = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in ("left", "right")]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [(b"", 0), (b"", 0)]
    cache = Cache.open(folder)
    assert cache.facts("left19.py", b"hash") == cache.facts("right19.py", b"hash") == b"facts" * 500


# -- Digests of a tree --


def test_a_tree_digest_changes_with_each_path_size_and_time() -> None:
    entries = [FileEntry("a.py", 1, 2), FileEntry(os.fsdecode(b"\xe9.py"), 3, 4)]
    assert tree_digest(entries) == tree_digest(entries[::-1])
    others = [
        [],
        entries[:1],
        [FileEntry("b.py", 1, 2), entries[1]],
        [FileEntry("a.py", 2, 2), entries[1]],
        [FileEntry("a.py", 1, 3), entries[1]],
    ]
    assert len({tree_digest(entries), *map(tree_digest, others)}) == 6


def test_a_tree_is_settled_when_no_file_has_just_changed() -> None:
    now = OLD + 10_000_000_000
    assert is_settled([FileEntry("a.py", 1, OLD)], now)
    assert not is_settled([FileEntry("a.py", 1, OLD), FileEntry("b.py", 1, now - 1_000_000_000)], now)
    assert not is_settled([FileEntry("a.py", 1, now + 1)], now)


# -- Files --


def write(root: Path, path: str, content: bytes, mtime_ns: int = OLD) -> None:
    (root / path).write_bytes(content)
    os.utime(root / path, ns=(mtime_ns, mtime_ns))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    write(root, "a.py", b"import celery\n")
    write(root, "b.py", b"import os\n")
    return root


def run(project: Path, folder: Path, overlay: dict[str, bytes] | None = None) -> dict[str, tuple[bytes, int]]:
    """One run over all files: what it takes their digests and words to be."""
    cache = Cache.open(folder)
    files = Files(project, discover(project).entries, cache, overlay)
    files.load_words()
    known = {path: (files.hash(path), files.words(path)) for path in files.entries}
    files.save()
    cache.close()
    return known


TRUE = {"a.py": (content_digest(b"import celery\n"), BITS["celery"]), "b.py": (content_digest(b"import os\n"), 0)}


def test_files_are_read_when_nothing_is_known_of_them(project: Path, folder: Path) -> None:
    assert run(project, folder) == TRUE


def test_unchanged_files_are_not_read_again(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project, folder)

    def refuse(*_: object) -> bytes:
        raise AssertionError("read again")

    monkeypatch.setattr(discovery, "read_file", refuse)
    monkeypatch.setattr(cache_module, "read_file", refuse)
    assert run(project, folder) == TRUE


@pytest.mark.parametrize(("content", "mtime_ns"), [(b"import sys\n", OLD), (b"import re\n", OLD + 1)])
def test_a_file_of_another_size_or_time_is_read_again(project: Path, folder: Path, content: bytes, mtime_ns: int) -> None:
    run(project, folder)
    write(project, "b.py", content, mtime_ns)
    assert run(project, folder)["b.py"] == (content_digest(content), 0)


@pytest.mark.parametrize("ahead", [0, 3_600_000_000_000])
def test_a_file_that_changed_just_now_is_read_again(project: Path, folder: Path, ahead: int) -> None:
    now = time.time_ns() + ahead
    write(project, "b.py", b"import os\n", now)
    run(project, folder)
    write(project, "b.py", b"import re\n", now)
    assert run(project, folder)["b.py"] == (content_digest(b"import re\n"), 0)


def test_a_file_is_trusted_once_it_has_been_seen_to_rest(project: Path, folder: Path) -> None:
    recently = time.time_ns()
    write(project, "b.py", b"import os\n", recently)
    run(project, folder)
    assert Cache.open(folder).files()["b.py"][1] == -1
    os.utime(project / "b.py", ns=(OLD, OLD))
    run(project, folder)
    assert Cache.open(folder).files()["b.py"][1] == OLD


def test_an_overlay_wins_and_is_not_kept(project: Path, folder: Path) -> None:
    overlay = {"b.py": b"import temporalio\n", "new.py": b"x = 1\n"}
    expected = (content_digest(overlay["b.py"]), BITS["temporalio"])
    assert run(project, folder, overlay)["b.py"] == expected
    assert set(Cache.open(folder).files()) == {"a.py"}
    run(project, folder)
    assert run(project, folder, overlay)["b.py"] == expected
    assert run(project, folder) == TRUE
    files = Files(project, discover(project).entries, Cache.open(folder), overlay)
    assert files.raw("new.py") == b"x = 1\n"
    files.load_words(["new.py", "b.py"])
    names = {name: files.naming(name, ("a.py", "b.py", "new.py")) for name in ("import", "celery", "x", "cel")}
    assert names == {"import": ("a.py", "b.py"), "celery": ("a.py",), "x": ("new.py",), "cel": ()}


def test_content_and_digest_belong_together(project: Path, folder: Path) -> None:
    run(project, folder)
    files = Files(project, discover(project).entries, Cache.open(None))
    write(project, "b.py", b"import re, sys\n")
    assert files.raw("b.py") == b"import re, sys\n"
    write(project, "b.py", b"changed again\n")
    assert files.raw("b.py") == b"import re, sys\n"
    assert files.hash("b.py") == content_digest(b"import re, sys\n")


def test_a_file_is_not_read_once_it_is_another_than_its_digest_says(project: Path, folder: Path) -> None:
    """Facts may have been made from the old one."""
    run(project, folder)
    files = Files(project, discover(project).entries, Cache.open(folder))
    write(project, "b.py", b"import re, sys\n")
    with pytest.raises(ChangedError):
        files.raw("b.py")
    (project / "a.py").unlink()
    with pytest.raises(ChangedError):
        files.raw("a.py")


def test_without_a_cache_files_are_known_all_the_same(project: Path) -> None:
    files = Files(project, discover(project).entries, Cache.open(None))
    files.load_words(["a.py"])
    assert (files.words("a.py"), files.words("b.py")) == (BITS["celery"], 0)
    assert files.hash("a.py") == TRUE["a.py"][0]
    files.save()


def test_a_file_that_cannot_be_read_is_a_problem_and_not_remembered(project: Path, folder: Path) -> None:
    cache = Cache.open(folder)
    files = Files(project, [*discover(project).entries, FileEntry("gone.py", 1, OLD)], cache)
    files.load_words()
    assert files.problems == [("gone.py", "No such file or directory")]
    assert files.words("gone.py") == 0
    with pytest.raises(FileNotFoundError):
        files.raw("gone.py")
    files.save()
    assert set(cache.files()) == {"a.py", "b.py"}


def test_nothing_is_written_when_nothing_is_new(project: Path, folder: Path) -> None:
    run(project, folder)
    file = next(folder.glob("*/*.db"))
    before = file.read_bytes(), file.stat().st_mtime_ns
    run(project, folder)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
