"""Fixes that are killed, find the disk full, or meet another writer: a file is the old one or the new one, never half."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keel_lint import fixes
from keel_lint.fixes import write_atomically
from keel_lint.reading import read_file
from keel_lint.rule import Registry
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder

STEP = 1 if os.environ.get("KEEL_LINT_BREAK") else 17
OLD, NEW = b"old = 1\n" * 1000, b"new = 22\n" * 1000
STEPS = ("os.open", "os.fdopen", "os.fsync", "os.stat", "os.chmod", "os.replace", "os.unlink", "os.access", "os.chown")
"""What `write_atomically` does with the disk, by the names under which the standard library does it, too."""

TASKS = """\
from celery import shared_task
from django.db import transaction


@shared_task
def send(pk):
    pass


@transaction.atomic
def view(pk):
    send.delay(pk)
"""

KILLED = """\
import os, signal, sys
from pathlib import Path
from keel_lint.fixes import write_atomically

left, path = int(sys.argv[1]), Path(sys.argv[2])

def hook(event, arguments):
    global left, started
    if not (event.startswith(("os.", "open", "tempfile.", "shutil.")) and started):
        return
    left -= 1
    if left < 0:
        started = False
        os.kill(os.getpid(), signal.SIGKILL)

started = False
sys.addaudithook(hook)
import errno, tempfile, pathlib
started = True
write_atomically(path, bytes.fromhex(sys.argv[3]), path.read_bytes())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "tasks.py"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


@pytest.mark.skipif(os.name != "posix", reason="nothing is killed like this elsewhere")
def test_a_write_that_is_killed_anywhere_leaves_the_old_file_or_the_new_one(file: Path) -> None:
    """At each of its system calls in turn, until it runs through."""
    new = b"new = 1\n"
    killed = 0
    while True:
        command = [sys.executable, "-c", KILLED, str(killed), str(file), new.hex()]
        status = subprocess.run(command, check=False).returncode
        left = [path.name for path in file.parent.iterdir() if path != file]
        assert [name for name in left if name.endswith((".py", ".pyi"))] == []
        if status == 0:
            break
        assert (status, file.read_bytes() in {OLD, new}) == (-signal.SIGKILL, True)
        assert len(left) <= 1
        for name in left:
            (file.parent / name).unlink()
        file.write_bytes(OLD)
        killed += 1
    assert (file.read_bytes(), left) == (new, [])
    assert killed >= 4  # making the temporary file, its mode, reading the old content, putting the new one in its place


class Failing:
    """Lets every function named in `STEPS` fail once, at the n-th call of any of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException) -> None:
        self.left, self.error = nth, error
        for step in STEPS:
            name = step.rpartition(".")[2]
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == -1:
                raise self.error
            return real(*arguments, **named)

        return call


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "broken"), KeyboardInterrupt()]
)
def test_a_write_that_fails_anywhere_leaves_the_old_file_or_the_new_one(file: Path, error: BaseException) -> None:
    failed = 0
    while True:
        with pytest.MonkeyPatch.context() as patches:
            failing = Failing(patches, failed, error)
            with suppress(OSError, KeyboardInterrupt):
                write_atomically(file, NEW, OLD)
        assert file.read_bytes() in {OLD, NEW}
        if failing.left >= 0:
            break
        for path in file.parent.iterdir():
            assert path == file or path.suffix == ".tmp"  # left where the deletion itself failed
            path.unlink()
        file.write_bytes(OLD)
        failed += 1
    assert file.read_bytes() == NEW
    assert failed >= 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    """A real one, as far as the kernel is concerned: the process may write no file of this size."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from keel_lint.fixes import write_atomically;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
        "path = Path(sys.argv[1]); write_atomically(path, b'x' * 100_000, path.read_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], check=False, capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert file.read_bytes() == OLD
    assert list(file.parent.iterdir()) == [file]


# -- Other writers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / ".git").mkdir()
    for name in ("a.py", "b.py"):
        (root / name).write_text(TASKS)
    return root


def linter_of(root: Path, *, cache: bool = False) -> Linter:
    registry = Registry.installed()
    finder = SettingsFinder(Overrides.from_arguments({"select": ["ALL"]}), isolated=True, registry=registry)
    return Linter([root], finder, registry, cache=cache)


EDITS: dict[str, Callable[[str], str]] = {
    "longer": lambda text: "import os\n" + text,
    "as long": lambda text: text.replace("view", "wiev"),
    "shorter": lambda text: text.replace("\n\n\n", "\n"),
    "empty": lambda _: "",
    "broken": lambda text: text + "(",
}


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_what_another_saves_between_judging_and_fixing_is_not_touched(project: Path, edit: str, cache: bool) -> None:
    old = 1_500_000_000
    for path in project.glob("*.py"):
        os.utime(path, (old, old))
    if cache:
        linter_of(project, cache=True).check()
    linter = linter_of(project, cache=cache)
    saved = EDITS[edit](TASKS)

    def check(overlay: Mapping[Path, bytes]) -> Any:
        found = linter.check(overlay).findings
        if not overlay:
            (project / "a.py").write_text(saved)
        return found

    done = fixes.fix(check, unsafe=True, may_touch=lambda _: True, read=lambda path: linter.source(str(path)))
    assert [path.name for path in done.after] == ["b.py"]
    assert {skipped.reason for skipped in done.skipped} <= {"changed on disk while it was being checked"}
    assert (project / "a.py").read_text() == saved


def each_read(patches: pytest.MonkeyPatch, nth: int, act: Callable[[], object]) -> Iterator[int]:
    """Lets something happen before the n-th reading of a file; yields how many there were."""
    count = 0

    def read(path: str, size: int = 0) -> bytes:
        nonlocal count
        if count == nth:
            act()
        count += 1
        return read_file(path, size)

    patches.setattr("keel_lint.cache.read_file", read)
    patches.setattr("keel_lint.project.read_file", read)
    yield 0
    yield count


def replaced(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


HAPPENINGS: dict[str, Callable[[Path], object]] = {
    "vanishes": Path.unlink,
    "is cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "grows": lambda path: path.write_text("import os\n" * 5 + path.read_text()),
    "is emptied": lambda path: path.write_bytes(b""),
    "is no text": lambda path: path.write_bytes(b"celery \xff\0"),
    "becomes a folder": lambda path: replaced(path, Path.mkdir),
    "becomes a pipe": lambda path: replaced(path, os.mkfifo),
}

SHOP = {
    "shop/__init__.py": "",
    "shop/tasks.py": "import time\nfrom shop.celery import app\nfrom shop.base import Base\n\n\n@app.task(base=Base)\n"
    "def send(pk):\n    time.sleep(1)\n",
    "shop/base.py": "from celery import Task\n\n\nclass Base(Task):\n    time_limit = 9\n",
    "shop/celery.py": "import os\nfrom celery import Celery\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    "app = Celery('shop')\napp.config_from_object('django.conf:settings', namespace='CELERY')\n",
    "shop/settings.py": "CELERY_TASK_TIME_LIMIT = 60\nDATABASES = {'default': {'ATOMIC_REQUESTS': True}}\n",
    "shop/service.py": "from shop.tasks import send\n\n\ndef pay(order):\n    send.delay(order)\n",
    "shop/views.py": "from django.db import transaction\nfrom shop.service import pay\n\n\n@transaction.atomic\n"
    "def view(request, order):\n    pay(order)\n",
    "other.py": TASKS,
}


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_a_file_that_changes_during_a_check_spoils_nothing_else(tmp_path: Path, happening: str, warm: bool) -> None:
    """Each file, before each reading of any file; before every few only, unless all are asked for."""
    for number, name in enumerate(SHOP):
        nth, count = number % STEP, STEP
        while nth < count:
            root = tmp_path / f"{name.replace('/', '-')}-{nth}"
            for other, text in SHOP.items():
                (root / other).parent.mkdir(parents=True, exist_ok=True)
                (root / other).write_text(text)
                os.utime(root / other, (1_500_000_000, 1_500_000_000))
            if warm:
                linter_of(root, cache=True).check()
                (root / "other.py").write_text(TASKS + "\n")
            with pytest.MonkeyPatch.context() as patches:
                reads = each_read(patches, nth, partial(HAPPENINGS[happening], root / name))
                next(reads)
                outcome = linter_of(root, cache=warm).check()
                count = next(reads)
            failures = [one.message for one in outcome.findings if one.code == "KEL000"]
            assert failures == []
            if name != "other.py":
                assert "KEL101" in {one.code for one in outcome.findings if one.path == str(root / "other.py")}
            nth += STEP
