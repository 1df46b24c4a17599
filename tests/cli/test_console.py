"""What is written to the terminal, and what happens when nobody reads it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from keel_lint.cli import terminal
from keel_lint.cli.console import ERASE, Console, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("when", "environment", "is_terminal", "coloured"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(
    monkeypatch: pytest.MonkeyPatch, when: terminal.Colour, environment: dict[str, str], is_terminal: bool, coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.colour(when, Terminal() if is_terminal else io.StringIO()) is coloured


def test_width_is_that_of_the_terminal_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.width(io.StringIO()) is None
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal.width(io.StringIO()) == 72


def test_progress_waits_then_rewrites_one_line_and_erases_it() -> None:
    now = [0.0]
    stream = Terminal()
    progress = Progress(stream, lambda: now[0])
    progress(1, 100)
    progress.erase()
    assert stream.getvalue() == ""
    now[0] = 0.6
    progress(50, 100)
    now[0] = 0.65
    progress(51, 100)
    progress.erase()
    assert stream.getvalue() == f"{ERASE}Checking: 50 of 100{ERASE}"


def test_quiet_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    for shown, out, err in (
        (Console(), "found\n", "error: no\nwarning: odd\ndone\n"),
        (Console(quiet=True), "found\n", "error: no\n"),
        (Console(silent=True), "", ""),
    ):
        shown.findings("found\n")
        shown.error("no")
        shown.warn("odd")
        shown.note("done")
        shown.detail("more")
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == (out, err)


def test_an_output_file_gets_the_findings_even_when_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "out.txt"
    Console(silent=True, file=file).findings("found 🙂 \udcff\n")
    assert file.read_bytes() == "found 🙂 \\udcff\n".encode()
    assert capsys.readouterr().out == ""


def test_a_terminal_that_cannot_show_a_character_gets_an_escape() -> None:
    script = "from keel_lint.cli.console import write; write('\\u2192 \\udcff\\n')"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, env={"PYTHONIOENCODING": "ascii"}, check=True)
    assert shown.stdout == "→ \\udcff\n".encode()


def test_a_reader_that_left_is_no_error() -> None:
    script = "from keel_lint.cli.console import write\nfor _ in range(9): write('x' * 100_000)\nraise SystemExit(1)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1
