"""Settings: where they are found, what is wrong with them, and which rules they select."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from keel_lint.report import FORMATS
from keel_lint.rule import Registry, RuleInfo
from keel_lint.settings import (
    ConfigurationError,
    Glob,
    Overrides,
    Settings,
    SettingsFinder,
    fixable,
    matching,
    nearest,
    select,
    split_config,
)

if TYPE_CHECKING:
    from keel_lint.finding import Group


ITSELF = Registry.of_packages({"itself": "keel_lint.itself"}).rules


def rule(code: str, slug: str, group: Group = "reliability") -> RuleInfo:
    return replace(ITSELF["KEL001"], code=code, slug=slug, group=group)


REGISTRY = Registry(
    {
        one.code: one
        for one in (
            *(ITSELF[code] for code in ("KEL000", "KEL001", "KEL003")),
            rule("KEL101", "delay-in-atomic"),
            rule("KEL106", "model-instance-argument"),
            rule("KEL118", "dispatch-in-loop", "practice"),
            rule("KEL201", "acks-late-without-idempotency"),
        )
    }
)
ALWAYS = {"KEL000", "KEL001"}
DEFAULT = ALWAYS | {"KEL101", "KEL106", "KEL201"}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def selected(toml: str, folder: Path, flags: dict[str, object]) -> set[str]:
    write(folder / "keel-lint.toml", toml)
    finder = SettingsFinder(Overrides.from_arguments(flags), registry=REGISTRY)
    file = folder / "a.py"
    return set(select(REGISTRY, finder.for_file(file), file)) - ALWAYS


def problems(toml: str, folder: Path, name: str = "keel-lint.toml") -> list[tuple[int, int, str]]:
    write(folder / name, toml)
    with pytest.raises(ConfigurationError) as raised:
        SettingsFinder(registry=REGISTRY).for_file(folder / "a.py")
    assert {problem.file for problem in raised.value.problems} == {str(folder / name)}
    return [(problem.line, problem.column, problem.message) for problem in raised.value.problems]


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = SettingsFinder(isolated=True).for_file(tmp_path / "a.py")
    assert settings.file is None
    assert settings.respect_gitignore
    assert not settings.tests
    assert select(REGISTRY, settings, tmp_path / "a.py") == DEFAULT


def test_the_nearest_file_wins_and_nothing_is_merged(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.keel-lint]\ntests = true\nignore = ['KEL1']\n")
    write(tmp_path / "inner" / "keel-lint.toml", "settings = 'shop.settings'\n")
    write(tmp_path / "inner" / "pyproject.toml", "[tool.keel-lint]\nsettings = 'loses'\n")
    write(tmp_path / "other" / "pyproject.toml", "[project]\nname = 'other'\n")
    finder = SettingsFinder()
    outer, inner = finder.for_project(tmp_path), finder.for_file(tmp_path / "inner" / "deep" / "a.py")
    assert (outer.file, outer.tests) == (tmp_path / "pyproject.toml", True)
    assert (inner.file, inner.tests, inner.settings) == (tmp_path / "inner" / "keel-lint.toml", False, "shop.settings")
    assert finder.for_file(tmp_path / "other" / "a.py") is outer


def test_a_shared_file_without_our_table_is_not_parsed(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "this is = no toml [")
    assert SettingsFinder().for_file(tmp_path / "a.py").file != tmp_path / "pyproject.toml"


def test_the_command_line_lies_over_the_file(tmp_path: Path) -> None:
    write(tmp_path / "keel-lint.toml", "exclude = ['a']\nextend-exclude = ['b']\ntests = true\noutput-format = 'json'\n")
    flags = {"tests": False, "extend_exclude": ["c"], "files": ["."], "output_format": None, "cache_dir": Path("/c")}
    settings = SettingsFinder(Overrides.from_arguments(flags, ["show-fixes = true"])).for_file(tmp_path / "a.py")
    assert [glob.pattern for glob in settings.exclude] == ["a", "b", "c"]
    assert (settings.tests, settings.show_fixes, settings.output_format) == (False, True, "json")
    assert settings.cache_dir == Path("/c")


def test_every_option_is_read(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    text = """
        roots = ["src"]
        cache-dir = "cache"
        charge-calls = ["shop.pay.charge"]
        unsafe-fixes = true
        force-exclude = true
        respect-gitignore = false
        [functions]
        "app.util.now" = "deterministic"
        app.util.roll = "non-deterministic"
    """
    write(tmp_path / "keel-lint.toml", text)
    settings = SettingsFinder().for_file(tmp_path / "a.py")
    assert settings.roots == (tmp_path / "src",)
    assert settings.cache_dir == tmp_path / "cache"
    assert settings.charge_calls == ("shop.pay.charge",)
    assert (settings.unsafe_fixes, settings.force_exclude, settings.respect_gitignore) == (True, True, False)
    assert settings.functions == {"app.util.now": "deterministic", "app.util.roll": "non-deterministic"}


@pytest.mark.parametrize(
    ("toml", "flags", "expected"),
    [
        ("select = ['KEL1']", {}, {"KEL101", "KEL106", "KEL118"}),
        ("select = ['ALL']", {}, {"KEL003", "KEL101", "KEL106", "KEL118", "KEL201"}),
        ("select = ['dispatch-in-loop']", {}, {"KEL118"}),
        ("ignore = ['KEL']", {}, set()),
        ("ignore = ['KEL1']", {}, {"KEL201"}),
        ("extend-select = ['KEL118']", {}, {"KEL101", "KEL106", "KEL118", "KEL201"}),
        ("select = ['KEL10']\nignore = ['KEL1']", {}, {"KEL101", "KEL106"}),
        ("select = ['KEL1']\nignore = ['KEL10']", {}, {"KEL118"}),
        ("select = ['KEL101']\nignore = ['KEL101']", {}, set()),
        ("select = ['KEL1']\nignore = ['KEL1']\nextend-select = ['delay-in-atomic']", {}, {"KEL101"}),
        ("select = ['KEL1']\nignore = ['KEL106']", {"select": ["KEL106"]}, {"KEL106"}),
        ("ignore = ['KEL106']", {"extend_select": ["KEL106"]}, {"KEL101", "KEL106", "KEL201"}),
        ("select = ['KEL1']", {"ignore": ["KEL101"]}, {"KEL106", "KEL118"}),
        ("per-file-ignores = {'a.py' = ['KEL1']}", {}, {"KEL201"}),
        ("per-file-ignores = {'a.py' = ['KEL1']}", {"per_file_ignores": [("*.py", "KEL2")]}, {"KEL101", "KEL106"}),
        ("per-file-ignores = {'a.py' = ['KEL1']}", {"extend_per_file_ignores": [("*.py", "KEL2")]}, set()),
        ("per-file-ignores = {'b.py' = ['ALL'], '!a.py' = ['ALL']}", {}, {"KEL101", "KEL106", "KEL201"}),
    ],
)
def test_selection(toml: str, flags: dict[str, object], expected: set[str], tmp_path: Path) -> None:
    assert selected(toml, tmp_path, flags) == expected


def test_what_is_always_on_stays_on(tmp_path: Path) -> None:
    write(tmp_path / "keel-lint.toml", "select = ['KEL101']\nignore = ['KEL0']\nper-file-ignores = {'*' = ['ALL']}")
    settings = SettingsFinder(registry=REGISTRY).for_file(tmp_path / "a.py")
    assert select(REGISTRY, settings, tmp_path / "a.py") == ALWAYS


@pytest.mark.parametrize(
    ("pattern", "path", "hit"),
    [
        ("a.py", "deep/a.py", True),
        ("a.py", "ba.py", False),
        ("test_*", "deep/test_a.py", True),
        ("tests/*", "tests/deep/a.py", True),
        ("tests/*", "app/tests/a.py", False),
        ("**/tests/*", "tests/a.py", True),
        ("**/tests/*", "app/tests/a.py", True),
        ("src/**/a.py", "src/a.py", True),
        ("{app,lib}/*.py", "lib/a.py", True),
        ("{app,lib}/*.py", "bin/a.py", False),
        ("[!a]?.py", "b1.py", True),
        ("[!a]?.py", "a1.py", False),
        ("a,b.py", "a,b.py", True),
        ("!src/**.py", "src/a.py", False),
        ("!src/**.py", "bin/a.py", True),
    ],
)
def test_file_patterns(pattern: str, path: str, hit: bool, tmp_path: Path) -> None:
    settings = Settings(per_file_ignores=((Glob(pattern, tmp_path.as_posix()), ("KEL1",)),))
    assert settings.ignored(tmp_path / path) == (("KEL1",) if hit else ())


def test_exclusion(tmp_path: Path) -> None:
    write(tmp_path / "keel-lint.toml", "extend-exclude = ['generated_*', 'app/migrations/', '/elsewhere/x']\n")
    settings = SettingsFinder().for_file(tmp_path / "a.py")
    for path in (".venv", "deep/node_modules", "generated_a.py", "deep/generated_b", "app/migrations"):
        assert settings.excludes(tmp_path / path), path
    for path in ("venvs", "migrations", "app/migrations.py", "other/app/migrations", "app/a.py"):
        assert not settings.excludes(tmp_path / path), path
    assert settings.excludes("/elsewhere/x")


def test_all_problems_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = """[project]
name = "shop"
dependencies = ["select"]

[tool.keel-lint]
# selct = 1
selct = ["KEL101"]
tests = "yes"
select = [
    "KEL101",
    "KEL199",
]
ignore = ["delay-in-atomc"]
exclude = ["a", 3]
output-format = "jsn"
roots = ["no-such-folder"]

[tool.keel-lint.per-file-ignores]
"tests/*" = ["KEL9"]
"lib/*" = "KEL101"

[tool.keel-lint.functions]
"app.now" = "sometimes"
"""
    assert sorted(problems(text, tmp_path, "pyproject.toml")) == [
        (7, 1, "unknown key `selct`; did you mean `select`?"),
        (8, 9, "`tests` must be a boolean, not `yes`"),
        (11, 5, "`KEL199` in `select` matches no rule; `keel-lint rule` lists them"),
        (13, 11, "`delay-in-atomc` in `ignore` matches no rule; did you mean `delay-in-atomic`?"),
        (14, 1, "`exclude` must be an array of strings, not an integer"),
        (15, 17, f"`output-format` must be one of {', '.join(FORMATS)}, not `jsn`"),
        (16, 10, "`roots` must be an array of folders that exist, not `no-such-folder`"),
        (19, 14, "`KEL9` in `per-file-ignores.tests/*` matches no rule; `keel-lint rule` lists them"),
        (20, 11, "`per-file-ignores.lib/*` must be an array of strings, not `KEL101`"),
        (23, 13, '`functions.app.now` must be "deterministic" or "non-deterministic", not `sometimes`'),
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("KEL110", "KEL101"), ("KEL1001", "KEL101"), ("KE101", "KEL101"), ("kel101", "KEL101"), ("KEL20", "KEL201"),
        ("KEL9999", ""), ("KEL199", ""), ("E501", ""), ("delay-in-atomc", "delay-in-atomic"), ("Wall_Clock", "wall-clock"),
    ],
)  # fmt: skip
def test_a_code_is_offered_for_a_slip_of_the_hand_only(word: str, meant: str) -> None:
    known = ["KEL001", "KEL101", "KEL201", "KEL501", "KEL709", "delay-in-atomic", "wall-clock"]
    assert nearest(word, known) == (f"; did you mean `{meant}`?" if meant else "")


@pytest.mark.parametrize("name", ["keel_lint", "keellint", "keel-Lint"])
def test_a_misspelt_table_is_an_error_not_silence(name: str, tmp_path: Path) -> None:
    assert problems(f"[project]\n[tool.{name}]\ntests = true\n", tmp_path, "pyproject.toml") == [
        (2, 7, f"unknown table [tool.{name}]; did you mean [tool.keel-lint]?")
    ]
    write(tmp_path / "pyproject.toml", "[tool.keel]\ntests = 1\n")
    assert SettingsFinder().for_file(tmp_path / "a.py").file is None


def test_a_prefix_that_matches_no_rule_is_an_error(tmp_path: Path) -> None:
    found = problems("per-file-ignores = {'a/*' = ['KEL9']}\nfixable = ['KE']\n", tmp_path)
    assert found[0] == (1, 30, "`KEL9` in `per-file-ignores.a/*` matches no rule; `keel-lint rule` lists them")
    assert found[1][:2] == (2, 12)


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = [\n", 2), ("a = = 1\n", 1), ("a = 1\na = 2\n", 2)])
def test_invalid_toml_has_its_line(text: str, line: int, tmp_path: Path) -> None:
    [(where, _, message)] = problems(text, tmp_path)
    assert where == line
    assert message.startswith("not valid TOML: ")
    assert "(at" not in message


def test_a_file_that_is_no_utf8_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "keel-lint.toml").write_bytes(b"settings = '\xff'")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        SettingsFinder().for_file(tmp_path / "a.py")


def test_mistakes_on_the_command_line_are_told_at_once(tmp_path: Path) -> None:
    flags = Overrides.from_arguments({"select": ["KEL9"], "ignore": ["KEL101"]}, ["tests = 1", "x ="])
    with pytest.raises(ConfigurationError) as raised:
        SettingsFinder(flags, registry=REGISTRY, explicit=tmp_path / "none.toml")
    assert [problem.message.partition(";")[0] for problem in raised.value.problems] == [
        "`tests` must be a boolean, not an integer",
        "not valid TOML: Invalid value",
        "`KEL9` in `--select` matches no rule",
        "cannot be read: No such file or directory",
    ]
    assert str(raised.value).count("\n") == 3


def test_a_named_file_counts_for_all_with_patterns_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "keel-lint.toml", "tests = true\n")
    named = write(tmp_path / "conf" / "other.toml", "exclude = ['a/b']\n")
    settings = SettingsFinder(explicit=named).for_file(tmp_path / "a.py")
    assert (settings.file, settings.tests) == (named, False)
    assert settings.excludes(tmp_path / "a" / "b")


def test_a_named_file_must_hold_something(tmp_path: Path) -> None:
    named = write(tmp_path / "pyproject.toml", "[project]\n")
    with pytest.raises(ConfigurationError, match="no table"):
        SettingsFinder(explicit=named)


def test_isolated_reads_no_file(tmp_path: Path) -> None:
    write(tmp_path / "keel-lint.toml", "tests = true\n")
    assert not SettingsFinder(isolated=True).for_file(tmp_path / "a.py").tests
    with pytest.raises(ConfigurationError, match="--isolated"):
        SettingsFinder(isolated=True, explicit=tmp_path / "keel-lint.toml")


def test_config_is_a_file_or_toml() -> None:
    assert split_config(["a.toml", "tests = true", "ignore=['KEL1']"]) == (Path("a.toml"), ("tests = true", "ignore=['KEL1']"))
    assert split_config([]) == (None, ())
    with pytest.raises(ConfigurationError, match="names 2 files"):
        split_config(["a.toml", "b.toml"])


def test_fixable(tmp_path: Path) -> None:
    write(tmp_path / "keel-lint.toml", "fixable = ['KEL1']\nunfixable = ['KEL118']\nextend-fixable = ['KEL201']\n")
    settings = SettingsFinder(registry=REGISTRY).for_file(tmp_path / "a.py")
    assert fixable(REGISTRY, settings) == {"KEL101", "KEL106", "KEL201"}
    assert fixable(REGISTRY, Settings()) == set(REGISTRY.rules)


def test_matching_is_total() -> None:
    for word in ("", "K", "KE", "kel1", "KEL1000", "KEL9", "\u00c4", "KEL1\n"):
        assert matching(REGISTRY, word) == frozenset()


def test_the_digest_tells_settings_apart(tmp_path: Path) -> None:
    def digest(toml: str) -> bytes:
        write(tmp_path / "keel-lint.toml", toml)
        return SettingsFinder().for_file(tmp_path / "a.py").digest

    assert digest("") == digest("output-format = 'json'") == digest("")
    different = ["", "tests = true", "ignore = ['KEL1']", "extend-select = ['KEL1']", "functions = {'a.b' = 'deterministic'}"]
    assert len({digest(toml) for toml in different}) == len(different)


def test_no_parser_is_imported_without_a_file(tmp_path: Path) -> None:
    program = (
        "import sys; from keel_lint.settings import SettingsFinder;"
        f"SettingsFinder(isolated=False).for_file({str(tmp_path / 'a.py')!r});"
        "print(sorted({'tomllib', 'tomli', 'difflib', 'libcst', 'importlib.metadata'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
