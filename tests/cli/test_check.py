"""`keel-lint check` from outside: what it prints where, what it changes, and with which status it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import TASKS, Run, install_pack

FIXED = TASKS.replace("danger()", "harmless()")
FIXED_UNSAFELY = FIXED.replace("worry()", "relax()")
CLEAN = "from celery import shared_task\n\n\n@shared_task\ndef one():\n    pass\n"
SELECT = ("--select", "ABC")


# -- never green by accident ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("-e",), ("--select", "ABC101"), ("--fix",), ("--diff",), ("--output-format", "json")])
def test_a_path_that_does_not_exist_is_status_2(keel: Run, more: tuple[str, ...]) -> None:
    done = keel("check", "nosuch.py", *more)
    assert done.returncode == 2
    assert "nosuch.py" in done.stderr
    assert "All checks passed" not in done.stdout


def test_a_path_that_does_not_exist_beside_one_that_does_is_status_2(keel: Run) -> None:
    done = keel("check", "tasks.py", "nosuch.py", *SELECT, "--output-format", "concise")
    assert done.returncode == 2
    assert "ABC101" in done.stdout


def test_a_folder_without_python_is_status_2(keel: Run, project: Path) -> None:
    (project / "empty").mkdir()
    for words in (("check", "empty"), ("check", "empty", "--show-files"), ("check", "empty", "--exit-zero")):
        done = keel(*words)
        assert done.returncode == 2
        assert "error:" in done.stderr
        assert "no Python file" in done.stderr or "error: empty: No Python file found there" in done.stderr
        assert done.stdout == ""


def test_a_file_that_cannot_be_decoded_is_status_2(keel: Run, project: Path) -> None:
    (project / "bad.py").write_bytes(b"import celery\n@celery.shared_task\ndef f(): '\xff'\n")
    done = keel("check", "--output-format", "concise")
    assert done.returncode == 2
    assert "bad.py" in done.stderr


def test_selecting_what_is_ignored_again_says_nothing_but_is_no_accident(keel: Run) -> None:
    done = keel("check", "--select", "ABC101", "--ignore", "ABC101")
    assert (done.returncode, done.stdout) == (0, "All checks passed!\n")


def test_an_unknown_selector_is_status_2(keel: Run) -> None:
    done = keel("check", "--select", "ABC999,ABC101", "--ignore", "nonsense")
    assert done.returncode == 2
    assert "ABC999" in done.stderr
    assert "nonsense" in done.stderr
    assert done.stdout == ""


def test_every_error_in_the_configuration_is_said_at_once(keel: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.keel-lint]\nselct = ["ABC"]\nignore = ["ABC999"]\ntests = "yes"\n')
    done = keel("check")
    assert done.returncode == 2
    for line, word in ((2, "selct"), (3, "ABC999"), (4, "tests")):
        assert f"pyproject.toml:{line}:" in done.stderr
        assert word in done.stderr


def test_a_pack_that_is_not_there_is_status_2_and_the_others_go_on(keel: Run, tmp_path: Path) -> None:
    install_pack(tmp_path / "more", "missing", "missing_pack")
    (tmp_path / "more" / "missing_pack" / "__init__.py").unlink()
    (tmp_path / "more" / "missing_pack").rmdir()
    done = keel("check", *SELECT, "--output-format", "concise", path=tmp_path / "more")
    assert done.returncode == 2
    assert "rule pack missing could not be read" in done.stderr
    assert "ABC101" in done.stdout


def test_a_pack_with_a_rule_that_makes_no_sense_is_status_2_even_where_nothing_is_found(
    keel: Run, project: Path, tmp_path: Path
) -> None:
    package = install_pack(tmp_path / "more", "odd", "odd_pack")
    (package / "odd.py").write_text('"""Odd."""\n\n\nclass Odd(Rule):\n    code = "TOOLONG1"\n')
    (project / "tasks.py").write_text(CLEAN)
    done = keel("check", "--exit-zero", path=tmp_path / "more")
    assert done.returncode == 2
    assert "odd" in done.stderr
    assert "All checks passed" not in done.stdout


def test_a_rule_that_fails_is_kel000_and_status_2(keel: Run, project: Path) -> None:
    (project / "tasks.py").write_text(TASKS.replace("worry()", "crash()"))
    done = keel("check", *SELECT, "--exit-zero", "--output-format", "concise")
    assert done.returncode == 2
    assert "KEL000" in done.stdout
    assert "ABC101" in done.stdout


def test_nothing_but_test_code_is_status_2(keel: Run, project: Path) -> None:
    (project / "tasks.py").rename(project / "test_tasks.py")
    done = keel("check", "test_tasks.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was checked: what is there is test code" in done.stderr


def test_nothing_but_excluded_files_is_status_2(keel: Run) -> None:
    done = keel("check", "--exclude", "tasks.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was checked: every file there is excluded" in done.stderr


def test_what_a_hook_passes_may_all_be_left_out(keel: Run, project: Path) -> None:
    (project / "test_tasks.py").write_text(TASKS)
    done = keel("check", "--force-exclude", "--exclude", "tasks.py", "tasks.py", "test_tasks.py")
    assert done.returncode == 0, done.stderr


def test_an_editor_may_show_test_code(keel: Run) -> None:
    done = keel("check", "--output-format", "json", "--stdin-filename", "test_tasks.py", "-", stdin=TASKS)
    assert (done.returncode, done.stdout) == (0, "[]")


# -- statuses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 1),
        (("--exit-zero",), 0),
        (("-e",), 0),
        (("--fix",), 1),
        (("--fix", "--unsafe-fixes"), 0),
        (("--fix", "--unsafe-fixes", "--exit-non-zero-on-fix"), 1),
        (("--fix", "--unsafe-fixes", "--exit-non-zero-on-fix", "--exit-zero"), 0),
        (("--fix-only",), 0),
        (("--fix-only", "--exit-non-zero-on-fix"), 1),
        (("--diff",), 1),
        (("--diff", "--unfixable", "ABC"), 0),
        (("--diff", "--exit-zero"), 0),
        (("--add-noqa",), 0),
        (("--statistics",), 1),
        (("--silent",), 1),
        (("--show-files",), 0),
        (("--show-settings",), 0),
    ],
)
def test_status(keel: Run, words: tuple[str, ...], status: int) -> None:
    done = keel("check", *SELECT, *words)
    assert done.returncode == status, done.stdout + done.stderr


def test_nothing_found(keel: Run, project: Path) -> None:
    (project / "tasks.py").write_text(CLEAN)
    done = keel("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "All checks passed!\n", "")


# -- what is printed where ------------------------------------------------------------------------------------------------


def test_findings_go_to_stdout(keel: Run) -> None:
    done = keel("check", *SELECT, "--output-format", "concise")
    assert done.stdout.splitlines() == [
        "tasks.py:6:5: ABC101 [*] `danger` is called",
        "tasks.py:11:5: ABC102 `worry` is called",
        "Found 2 errors.",
        "[*] 1 fixable with `--fix` (1 unsafe fix available with `--fix --unsafe-fixes`).",
    ]
    assert done.stderr == ""


def test_quiet_leaves_the_findings_and_silent_nothing(keel: Run) -> None:
    done = keel("check", *SELECT, "--output-format", "concise", "-q")
    assert done.stdout == "tasks.py:6:5: ABC101 [*] `danger` is called\ntasks.py:11:5: ABC102 `worry` is called\n"
    done = keel("check", *SELECT, "-s")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 1)


def test_what_was_left_out_is_said_on_stderr(keel: Run, project: Path) -> None:
    (project / "test_tasks.py").write_text(TASKS)
    done = keel("check", *SELECT)
    assert "1 test file left out" in done.stderr
    assert "test_tasks.py" not in done.stdout
    assert "test_tasks.py" in keel("check", *SELECT, "--tests").stdout
    assert keel("check", *SELECT, "-q").stderr == ""


def test_an_output_file(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--output-format", "json", "--output-file", "out/report.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert [item["code"] for item in json.loads((project / "out" / "report.json").read_text())] == ["ABC101", "ABC102"]


def test_an_output_file_that_cannot_be_written_is_status_2(keel: Run) -> None:
    done = keel("check", *SELECT, "--output-file", "tasks.py/report")
    assert done.returncode == 2
    assert "tasks.py" in done.stderr


def test_the_environment_chooses_the_format(keel: Run) -> None:
    done = keel("check", *SELECT, KEEL_LINT_OUTPUT_FORMAT="json")
    assert len(json.loads(done.stdout)) == 2
    assert "ABC101" in keel("check", *SELECT, "--output-format", "concise", KEEL_LINT_OUTPUT_FORMAT="json").stdout


def test_colour_is_for_terminals_unless_asked_for(keel: Run) -> None:
    assert "\x1b[" not in keel("check", *SELECT).stdout
    assert "\x1b[" in keel("check", *SELECT, "--color", "always").stdout
    assert "\x1b[" in keel("check", *SELECT, FORCE_COLOR="1").stdout
    assert "\x1b[" not in keel("check", *SELECT, "--color", "never", FORCE_COLOR="1").stdout


def test_statistics(keel: Run) -> None:
    done = keel("check", *SELECT, "--statistics", "-q")
    assert done.stdout.splitlines() == ["1\tABC101\t[*] danger-called", "1\tABC102\t[ ] worry-called"]
    counts = json.loads(keel("check", *SELECT, "--statistics", "--output-format", "json").stdout)
    assert [(item["code"], item["count"]) for item in counts] == [("ABC101", 1), ("ABC102", 1)]


def test_statistics_in_a_format_that_has_none_are_an_error(keel: Run) -> None:
    done = keel("check", *SELECT, "--statistics", "--output-format", "sarif")
    assert done.returncode == 2
    assert "sarif" in done.stderr


def test_show_files_and_settings(keel: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.keel-lint]\nselect = ["ABC101"]\n')
    (project / "requirements.txt").write_text("celery==5.4.0\n")
    assert keel("check", "--show-files").stdout == f"{project / 'tasks.py'}\n"
    shown = keel("check", "--show-settings").stdout
    assert 'select = ["ABC101", "KEL000", "KEL001"]' in shown
    assert f"settings from {project / 'pyproject.toml'}" in shown
    assert 'celery = "5.4"  # requirements.txt' in shown
    assert "default settings" in keel("check", "--show-settings", "--isolated").stdout


# -- selection ------------------------------------------------------------------------------------------------------------


def codes(done: object) -> list[str]:
    return [item["code"] for item in json.loads(done.stdout)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--select", "ABC101"), ["ABC101"]),
        (("--select", "worry-called"), ["ABC102"]),
        (("--select", "ABC1", "--ignore", "ABC102"), ["ABC101"]),
        (("--select", "ABC1", "--per-file-ignores", "tasks.py:ABC101"), ["ABC102"]),
        (("--select", "ABC1", "--exclude", "tasks.py", "tasks.py"), ["ABC101", "ABC102"]),
        (("--config", 'select = ["ABC102"]'), ["ABC102"]),
        (("--config", "select = ['ABC1']", "--select", "ABC101"), ["ABC101"]),
    ],
)
def test_selection(keel: Run, words: tuple[str, ...], found: list[str]) -> None:
    assert codes(keel("check", "--output-format", "json", *words)) == found


def test_configuration_files(keel: Run, project: Path) -> None:
    (project / "keel-lint.toml").write_text('select = ["ABC101"]\n')
    (project / "other.toml").write_text('select = ["ABC102"]\n')
    json_ = ("check", "--output-format", "json")
    assert codes(keel(*json_)) == ["ABC101"]
    assert codes(keel(*json_, "--config", "other.toml")) == ["ABC102"]
    assert codes(keel(*json_, "--isolated")) == ["ABC101", "ABC102"]


def test_what_is_not_fixable_has_no_fix(keel: Run) -> None:
    found = json.loads(keel("check", *SELECT, "--unfixable", "ABC101", "--output-format", "json").stdout)
    assert [item["fix"] is None for item in found] == [True, False]


# -- standard input -------------------------------------------------------------------------------------------------------


def test_standard_input_has_the_name_given(keel: Run) -> None:
    done = keel("check", *SELECT, "--output-format", "concise", "--stdin-filename", "new/a.py", "-", stdin=TASKS)
    assert done.stdout.startswith("new/a.py:6:5: ABC101")
    assert done.returncode == 1


def test_standard_input_stands_in_for_the_file_of_that_name(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--stdin-filename", "tasks.py", "-", stdin=CLEAN)
    assert (done.returncode, done.stdout) == (0, "All checks passed!\n")
    assert (project / "tasks.py").read_text() == TASKS


def test_standard_input_without_a_name(keel: Run) -> None:
    done = keel("check", *SELECT, "--output-format", "concise", "-", stdin=TASKS)
    assert done.stdout.startswith("-:6:5: ABC101")
    assert done.returncode == 1


def test_a_name_for_standard_input_is_enough(keel: Run) -> None:
    assert "ABC101" in keel("check", *SELECT, "--stdin-filename", "a.py", stdin=TASKS).stdout


def test_standard_input_stands_alone(keel: Run) -> None:
    done = keel("check", "-", "tasks.py", stdin=TASKS)
    assert done.returncode == 2
    assert "standard input" in done.stderr


def test_fixing_standard_input_prints_the_text_and_reports_on_stderr(keel: Run) -> None:
    done = keel("check", *SELECT, "--fix", "--output-format", "concise", "-", stdin=TASKS)
    assert (done.returncode, done.stdout) == (1, FIXED)
    assert "ABC102" in done.stderr
    assert "(1 fixed, 1 remaining)" in done.stderr


def test_fixing_standard_input_that_needs_none_prints_it_unchanged(keel: Run) -> None:
    done = keel("check", *SELECT, "--fix", "-", stdin=CLEAN)
    assert (done.returncode, done.stdout) == (0, CLEAN)


def test_the_difference_of_standard_input(keel: Run) -> None:
    done = keel("check", *SELECT, "--diff", "-", stdin=TASKS)
    assert done.returncode == 1
    assert "-    danger()\n+    harmless()\n" in done.stdout


# -- fixing ---------------------------------------------------------------------------------------------------------------


def test_safe_fixes_are_applied_and_unsafe_ones_only_on_demand(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--fix", "--output-format", "concise")
    assert (project / "tasks.py").read_text() == FIXED
    assert "Found 2 errors (1 fixed, 1 remaining)." in done.stdout
    done = keel("check", *SELECT, "--fix", "--unsafe-fixes", "--show-fixes")
    assert (project / "tasks.py").read_text() == FIXED_UNSAFELY
    assert "ABC102 (worry-called)" in done.stdout
    done = keel("check", *SELECT, "--fix", "--unsafe-fixes", "--exit-non-zero-on-fix")
    assert (done.returncode, done.stdout) == (0, "All checks passed!\n")


def test_no_fix_and_no_unsafe_fixes_take_back(keel: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.keel-lint]\nunsafe-fixes = true\n")
    keel("check", *SELECT, "--fix", "--no-fix")
    assert (project / "tasks.py").read_text() == TASKS
    keel("check", *SELECT, "--fix", "--no-unsafe-fixes")
    assert (project / "tasks.py").read_text() == FIXED
    keel("check", *SELECT, "--fix")
    assert (project / "tasks.py").read_text() == FIXED_UNSAFELY


def test_fix_only_is_silent_about_the_rest(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--fix-only")
    assert (done.stdout, done.stderr) == ("", "Fixed 1 error (1 more with `--unsafe-fixes`).\n")
    assert (project / "tasks.py").read_text() == FIXED


def test_diff_shows_and_changes_nothing(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--diff")
    assert done.stdout.splitlines()[:3] == ["--- tasks.py", "+++ tasks.py", "@@ -3,7 +3,7 @@"]
    assert done.stderr == "Would fix 1 error (1 more with `--unsafe-fixes`).\n"
    assert keel("check", *SELECT, "--diff", "--unsafe-fixes").stderr == "Would fix 2 errors.\n"
    assert (project / "tasks.py").read_text() == TASKS


def test_a_difference_that_is_empty_says_what_more_there_is(keel: Run) -> None:
    done = keel("check", "--select", "ABC102", "--diff")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Would fix 0 errors (1 more with `--unsafe-fixes`).\n")


def test_unfixable_rules_are_not_fixed(keel: Run, project: Path) -> None:
    keel("check", *SELECT, "--fix", "--unfixable", "ABC101")
    assert (project / "tasks.py").read_text() == TASKS


def test_a_file_that_cannot_be_written_is_status_2_and_not_counted(keel: Run, project: Path) -> None:
    (project / "more.py").write_text(TASKS)
    held = "import os; os.access = lambda path, mode: not str(path).endswith('tasks.py')"
    (project / "sitecustomize.py").write_text(held)
    done = keel("check", *SELECT, "--fix", "--exclude", "sitecustomize.py", path=project)
    assert done.returncode == 2
    assert "tasks.py: cannot be written" in done.stderr
    assert "(1 fixed," in done.stdout
    assert (project / "tasks.py").read_text() == TASKS
    assert (project / "more.py").read_text() == FIXED


# -- suppression ----------------------------------------------------------------------------------------------------------


def test_add_noqa_writes_comments_that_work(keel: Run, project: Path) -> None:
    done = keel("check", *SELECT, "--add-noqa=known", "tasks.py")
    assert (done.stdout, done.stderr) == ("", "Added 2 noqa comments.\n")
    assert "    danger()  # noqa: ABC101 -- known\n" in (project / "tasks.py").read_text()
    assert keel("check", *SELECT).returncode == 0
    assert codes(keel("check", *SELECT, "--ignore-noqa", "--output-format", "json")) == ["ABC101", "ABC102"]


def test_add_noqa_without_a_reason(keel: Run, project: Path) -> None:
    keel("check", *SELECT, "--add-noqa")
    assert "    danger()  # noqa: ABC101\n" in (project / "tasks.py").read_text()


def test_add_noqa_changes_files_only(keel: Run) -> None:
    done = keel("check", "--add-noqa", "-", stdin=TASKS)
    assert done.returncode == 2
    assert "standard input" in done.stderr


# -- cache ----------------------------------------------------------------------------------------------------------------


def test_the_cache_is_where_it_is_told_to_be(keel: Run, project: Path, tmp_path: Path) -> None:
    keel("check", *SELECT, "--no-cache")
    keel("check", *SELECT, KEEL_LINT_NO_CACHE="1")
    keel("check", *SELECT, "--cache-dir", str(tmp_path / "elsewhere"))
    assert not (project / ".keel_lint_cache").exists()
    assert (tmp_path / "elsewhere").exists()
    keel("check", *SELECT)
    assert (project / ".keel_lint_cache" / ".gitignore").exists()


def test_a_cached_run_says_the_same(keel: Run) -> None:
    first, second = (keel("check", *SELECT) for _ in range(2))
    assert (first.stdout, first.stderr, first.returncode) == (second.stdout, second.stderr, second.returncode)


# -- mishaps --------------------------------------------------------------------------------------------------------------


def test_a_crash_is_one_line_and_status_2(keel: Run, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import keel_lint.rule as rule\nrule.Registry.installed = lambda: 1 / 0\n")
    done = keel("check", path=tmp_path)
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "issues" in done.stderr
    assert "Traceback" in keel("check", "-v", path=tmp_path).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [("check", *SELECT), ("rule",)])
def test_a_full_disk_is_no_crash(keel: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    full = "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
    (tmp_path / "sitecustomize.py").write_text(full)
    done = keel(*words, path=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


def test_ctrl_c_is_quiet(keel: Run, tmp_path: Path) -> None:
    stop = "import keel_lint.rule as rule\ndef stop(): raise KeyboardInterrupt\nrule.Registry.installed = stop\n"
    (tmp_path / "sitecustomize.py").write_text(stop)
    done = keel("check", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
