"""The command line's arguments: spellings, defaults, the environment and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from keel_lint import __version__
from keel_lint.cli import main, parse
from keel_lint.report import FORMATS


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OUTPUT_FORMAT", "OUTPUT_FILE", "NO_CACHE", "CACHE_DIR"):
        monkeypatch.delenv(f"KEEL_LINT_{name}", raising=False)


def check(*words: str) -> dict[str, object]:
    return vars(parse(["check", *words]))


def mistake(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        parse(words)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_switches_have_a_twin_that_turns_them_off() -> None:
    for name in ("fix", "unsafe-fixes", "show-fixes", "fix-only", "respect-gitignore", "force-exclude", "tests"):
        key = name.replace("-", "_")
        assert (check()[key], check(f"--{name}")[key], check(f"--no-{name}")[key]) == (None, True, False)


def test_lists_are_split_at_commas_and_add_up() -> None:
    assert check("--select", "KEL1, KEL201", "--select", "KEL5")["select"] == ["KEL1", "KEL201", "KEL5"]
    assert check("--extend-exclude", "a,b", ".")["extend_exclude"] == ["a", "b"]


def test_the_reason_of_add_noqa_needs_its_equals_sign() -> None:
    assert check()["add_noqa"] is None
    bare = check("--add-noqa", "src")
    assert (bare["add_noqa"], bare["files"]) == ("", [Path("src")])
    given = check("--add-noqa=we know", "src")
    assert (given["add_noqa"], given["files"]) == ("we know", [Path("src")])


def test_a_file_may_be_called_like_an_option() -> None:
    assert check("--", "--add-noqa")["files"] == [Path("--add-noqa")]


def test_standard_input_is_a_dash() -> None:
    assert check("--stdin-filename", "a.py", "-")["files"] == [Path("-")]


def test_the_environment_stands_in_for_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEL_LINT_OUTPUT_FORMAT", "json")
    monkeypatch.setenv("KEEL_LINT_OUTPUT_FILE", "out.json")
    monkeypatch.setenv("KEEL_LINT_NO_CACHE", "true")
    monkeypatch.setenv("KEEL_LINT_CACHE_DIR", "elsewhere")
    got = check()
    assert (got["output_format"], got["output_file"]) == ("json", Path("out.json"))
    assert (got["no_cache"], got["cache_dir"]) == (True, Path("elsewhere"))
    assert check("--output-format", "sarif")["output_format"] == "sarif"


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_an_empty_or_false_variable_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("KEEL_LINT_NO_CACHE", value)
    monkeypatch.setenv("KEEL_LINT_OUTPUT_FORMAT", "")
    assert (check()["no_cache"], check()["output_format"]) == (False, None)


def test_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KEEL_LINT_OUTPUT_FORMAT", "xml")
    assert "xml" in mistake(capsys, "check")


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_an_option(format_: str) -> None:
    assert check("--output-format", format_)["output_format"] == format_


def test_mistakes_are_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    said = mistake(capsys, "check", "--output-format", "xml")
    assert said.startswith("error: argument --output-format: 'xml' is not one of ")
    assert "--nonsense" in mistake(capsys, "check", "--nonsense")
    assert "--sel" in mistake(capsys, "check", "--sel", "KEL1")
    assert "error: argument --select: no rule is named" in mistake(capsys, "check", "--select", "")
    assert "PATTERN:CODE" in mistake(capsys, "check", "--per-file-ignores", "tests")


def test_no_command_shows_the_help_and_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert "usage: keel-lint" in mistake(capsys)


def test_a_forgotten_command_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    assert "did you mean `keel-lint check app`?" in mistake(capsys, "app")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "--slect", "KEL101"), "no such option: --slect; did you mean `--select`?\n\nTry `keel-lint check --help`."),
        (("check", "--outputformat=json"), "no such option: --outputformat; did you mean `--output-format`?"),
        (("why", "a.py:1", "b.py"), "one argument too many: b.py\n\nTry `keel-lint why --help`."),
        (("--select", "KEL101"), "options stand behind a command: `keel-lint check --select`"),
        (("chek", "."), "no such command: chek; did you mean `check`?"),
        (("nonsense",), "no such command: nonsense\n"),
    ],
)
def test_a_misspelt_word_is_named_with_what_is_like_it(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert f"error: {said}" in mistake(capsys, *words)


@pytest.mark.parametrize("words", [("help",), ("help", "check"), ("help", "why"), ("help", "rule")])
def test_help_may_be_asked_for_like_a_command(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    for asked in (words, (*words[1:], "--help")):
        with pytest.raises(SystemExit) as stopped:
            main(asked)
        assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert shown[: len(shown) // 2] == shown[len(shown) // 2 :] != ""


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, shown in ((["-V"], f"keel-lint {__version__}"), (["check", "--help"], "--[no-]unsafe-fixes")):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
        assert shown in capsys.readouterr().out


def test_the_help_names_every_variable_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    shown = capsys.readouterr().out
    for name in ("KEEL_LINT_OUTPUT_FORMAT", "KEEL_LINT_CACHE_DIR", "NO_COLOR", "exit statuses", "--add-noqa[=REASON]"):
        assert name in shown
