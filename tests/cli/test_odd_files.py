"""Files as nobody should write them: the run ends well, what is found in the others is there, and every format stays valid."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from keel_lint.report import FORMATS
from tests.cli.conftest import TASKS, Run

CALL = "danger()"


def deep(opening: str, closing: str = "", times: int = 5000) -> str:
    return TASKS.replace(CALL, f"danger({opening * times}1{closing * times})")


ODD: dict[str, bytes] = {
    "latin-1": b"# coding: latin-1\n" + TASKS.encode() + b"x = '\xe9'\n",
    "shift_jis": b"# coding: shift_jis\n" + TASKS.encode() + "x = '表'\n".encode("shift_jis"),
    "iso2022_jp": b"# coding: iso2022_jp\n" + TASKS.encode() + "x = '表'\n".encode("iso2022_jp"),
    "utf-7": b"# coding: utf-7\n" + TASKS.encode(),
    "mark": b"\xef\xbb\xbf" + TASKS.encode(),
    "crlf": TASKS.replace("\n", "\r\n").encode(),
    "cr": TASKS.replace("\n", "\r").encode(),
    "mixed": TASKS.replace("\n", "\r\n", 4).encode(),
    "form feed": TASKS.replace("\n\n", "\n\f\n").encode(),
    "tabs": TASKS.replace("    ", "\t").encode(),
    "no end": TASKS.rstrip().encode(),
    "long line": TASKS.encode() + b"x = '" + b"a" * 1_000_000 + b"'\n",
    "long name": TASKS.replace("one", "o" * 50_000).encode(),
    "big number": TASKS.encode() + b"CELERY_TASK_TIME_LIMIT = 10 ** 10 ** 10 + 'a' * 10 ** 12\n",
    "chain": TASKS.encode() + b"".join(b"class C%d(C%d): pass\n" % (n + 1, n) for n in range(500)),
    "circle": TASKS.encode() + b"class A(A, B): pass\nclass B(A): pass\na = b\nb = a\nfrom odd import *\na.delay()\n",
}
"""Files that can be checked: ABC101 is found in each."""

UNCHECKED: dict[str, bytes] = {
    "utf-16": b"# coding: utf-16-le\n" + TASKS.encode(),
    "a lying cookie": b"# coding: ascii\n" + TASKS.encode() + "x = 'é'\n".encode(),
    "not utf-8": TASKS.encode() + b"x = '\xff'\n",
    "surrogates": TASKS.encode() + b"x = '\xed\xa0\x80'\n",
    "null": TASKS.encode() + b"\0",
    "no text": b"# coding: base64\n" + TASKS.encode(),
    "undefined": b"# coding: undefined\n" + TASKS.encode(),
    "punycode": b"# coding: punycode\n" + TASKS.encode(),
    "path": b"# coding: ../../etc/passwd\n" + TASKS.encode(),
}
"""Files that Python cannot read either, which is said, with exit status 2."""

BROKEN: dict[str, bytes] = {
    "parentheses": deep("(", ")").encode(),
    "calls": deep("f(", ")").encode(),
    "attributes": TASKS.replace(CALL, f"danger(x{'.a' * 5000})").encode(),
    "operators": deep("1 + ").encode(),
    "conditions": deep("1 if 2 else ").encode(),
    "lambdas": deep("lambda: ").encode(),
    "f-strings": deep("f'{", "}'", 1000).encode(),
    "blocks": (TASKS + "".join(f"{' ' * level}if 1:\n" for level in range(1000)) + " " * 1000 + "pass\n").encode(),
    "open brackets": TASKS.encode() + b"(" * 100_000,
    "closed brackets": TASKS.encode() + b")" * 100_000,
    "unclosed string": TASKS.encode() + b"x = '''\n",
    "merge": TASKS.replace("    danger", "<<<<<<< HEAD\n    danger").encode(),
    "control": TASKS.encode() + b"\x1a",
}
"""Files of which a part cannot be checked, which is said."""

NAMES = (b"b\xff\xfe.py", "ünï.py".encode(), b"new\nline.py", b"cr\r.py", b"tab\t.py", b"quo\"te's.py", b"<a>&b.py",
         b"%2C::warning.py", b"esc\x1b[31m.py", b"sp ace.py", b"-r.py", b"back\\slash.py", b"]]>.py", b"{{x}}.py")  # fmt: skip


def check(keel: Run, *words: str, codes: str = "ABC101,KEL0") -> tuple[int, list[tuple[str, str]], str]:
    """The exit status, the findings as (file, code), and what was said."""
    done = keel("check", "--output-format=json", f"--select={codes}", *words)
    found = json.loads(done.stdout)
    assert "KEL000" not in {one["code"] for one in found}
    assert "This is a bug" not in done.stderr
    return done.returncode, [(Path(one["filename"]).name, one["code"]) for one in found], done.stderr


def write(project: Path, files: Mapping[str, bytes]) -> None:
    for name, raw in files.items():
        (project / f"{name}.py").write_bytes(raw)


def read(project: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: (project / f"{name}.py").read_bytes() for name in files}


def test_odd_files_are_checked_and_fixed(keel: Run, project: Path) -> None:
    write(project, ODD)
    status, found, _ = check(keel)
    assert (status, sorted(found)) == (1, sorted([(f"{name}.py", "ABC101") for name in ODD] + [("tasks.py", "ABC101")]))
    assert check(keel, "--fix")[:2] == (0, [])
    encodings = {name: name if name in {"latin-1", "shift_jis", "iso2022_jp", "utf-7"} else "utf-8" for name in ODD}
    expected = {name: ODD[name].decode(own).replace("danger", "harmless").encode(own) for name, own in encodings.items()}
    assert read(project, ODD) == expected


def test_what_python_cannot_read_is_said_and_the_rest_is_checked(keel: Run, project: Path) -> None:
    write(project, UNCHECKED)
    status, found, said = check(keel, "--fix")
    assert (status, sorted(found)) == (2, sorted((f"{name}.py", "KEL001") for name in UNCHECKED))
    assert [name for name in UNCHECKED if f"{name}.py: " not in said] == []
    assert read(project, UNCHECKED) == UNCHECKED
    assert CALL not in (project / "tasks.py").read_text()


def test_what_cannot_be_parsed_is_said_and_the_rest_is_checked(keel: Run, project: Path) -> None:
    write(project, BROKEN)
    status, found, _ = check(keel)
    assert status == 1
    assert {*((f"{name}.py", "KEL001") for name in BROKEN), ("tasks.py", "ABC101")} <= set(found)
    assert check(keel, "--fix")[0] == 1
    assert read(project, BROKEN) == BROKEN
    assert CALL not in (project / "tasks.py").read_text()


@pytest.mark.parametrize("name", ["manage.py", "settings.py", "celery.py", "conftest.py"])
@pytest.mark.parametrize("raw", [b"os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'  # celery \xff", b"(" * 3000])
def test_a_file_that_others_lean_on_may_be_unreadable(keel: Run, project: Path, name: str, raw: bytes) -> None:
    for other in ("manage.py", "settings.py", "celery.py"):
        (project / other).write_bytes(b"# DJANGO_SETTINGS_MODULE = 'settings'\nfrom celery import Celery\napp = Celery()\n")
    (project / name).write_bytes(raw)
    _, found, _ = check(keel, "--tests", codes="ALL")
    assert ("tasks.py", "ABC101") in found


@pytest.fixture
def named(project: Path) -> Path:
    """The project with the same code under many names."""
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(project) + b"/" + name)).write_text(TASKS)
    return project


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("named")
def test_any_file_name_leaves_every_format_valid(keel: Run, form: str) -> None:
    cold = keel("check", "--select=ABC101", "--exit-zero", f"--output-format={form}")
    assert (cold.returncode, cold.stderr) == (0, "")
    if form in READERS:
        READERS[form](cold.stdout)
    assert "\x1b" not in cold.stdout or form in {"azure", "github"}
    if form in {"concise", "pylint", "github", "azure", "json-lines"}:
        assert len([line for line in cold.stdout.splitlines() if "ABC101" in line]) == len(NAMES) + 1


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "json-lines": lambda text: list(map(json.loads, text.split("\n")[:-1])),
    "gitlab": json.loads,
    "sarif": json.loads,
    "rdjson": json.loads,
    "junit": ElementTree.fromstring,
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names")
def test_files_of_any_name_are_fixed(keel: Run, named: Path) -> None:
    cold = keel("check", "--select=ABC101")
    assert keel("check", "--select=ABC101").stdout == cold.stdout
    assert keel("check", "--select=ABC101", "--fix").returncode == 0
    assert [path for path in named.glob("*.py") if CALL in path.read_text()] == []


def test_what_is_no_regular_file_is_passed_by(keel: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "fifo.py")
    for name, target in {"zero.py": "/dev/zero", "loop.py": "loop.py", "self": ".", "nowhere.py": "missing"}.items():
        (project / name).symlink_to(target)
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        assert check(keel)[:2] == (1, [("tasks.py", "ABC101")])
        status, found, said = check(keel, "fifo.py", "zero.py", "loop.py", "nowhere.py", "socket.py")
    assert (status, found, said.count("error: ")) == (2, [], 5)


MAKERS: tuple[Callable[[Path], object], ...] = (
    os.mkfifo,
    Path.mkdir,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.write_bytes(b"\xff[\0"),
)


@pytest.mark.parametrize("names", [(".gitignore", ".ignore", "requirements.txt", "uv.lock", "setup.cfg"), ("pyproject.toml",)])
@pytest.mark.parametrize("make", MAKERS, ids=["pipe", "folder", "device", "bytes"])
def test_what_is_read_beside_the_code_may_be_anything(
    keel: Run, project: Path, names: tuple[str, ...], make: Callable[[Path], object]
) -> None:
    (project / "pyproject.toml").unlink()
    for name in names:
        make(project / name)
    done = keel("check", "--select=ABC101", "--output-format=concise")
    assert (done.returncode == 1 and "ABC101" in done.stdout) or (done.returncode == 2 and names[0] in done.stderr)
    assert "This is a bug" not in done.stderr
