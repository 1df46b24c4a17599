"""A whole check: what cannot be parsed or read, which files count, rules that fail, overlays, projects, fingerprints, paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keel_lint import definition, verdicts
from keel_lint.rule import Registry
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder

if TYPE_CHECKING:
    from keel_lint.index.facts import Definition as DefinitionFacts
    from keel_lint.outcome import Outcome

MakePack = Callable[[str, Mapping[str, str]], str]

DISPATCH = '''\
"""A dispatch, wherever it stands."""

from __future__ import annotations

import libcst as cst

from keel_lint.finding import Hop
from keel_lint.rule import Rule


class Probe(Rule):
    code = "PRB001"
    slug = "probe-dispatch"
    group = "correctness"
    engine = "celery"
    judges = ("dispatch",)

    def visit_Call(self, node: cst.Call) -> None:
        fact = self.definition.call_fact(node)
        if fact is not None and self.definition.jobs.dispatches.of(self.definition.path, fact):
            self.report(node, "a dispatch", hops=tuple(self.hops()))

    def hops(self):
        project = self.definition.project
        helper = project.resolve(self.definition.path, "helper")
        if helper.definition >= 0:
            start, end = project.facts(helper.path).definitions[helper.definition].name_span
            yield Hop(project.absolute(helper.path), project.source(helper.path).span(start, end), "through the helper")
'''
FAILS_WHILE_VISITING = '''\
"""A rule that fails on names that say so."""

from __future__ import annotations

from keel_lint.rule import Rule


class Cursed(Rule):
    code = "PRB002"
    slug = "probe-cursed"
    group = "correctness"
    engine = "celery"
    judges = ("dispatch",)

    def visit_FunctionDef(self, node) -> None:
        if node.name.value == "cursed":
            raise KeyError("queue")

    def finish(self) -> None:
        if self.definition.fact.name == "cursed_at_the_end":
            raise ZeroDivisionError("no workers")
'''
HEAD = "from celery import shared_task\n"
TASK = f"{HEAD}@shared_task\ndef send():\n    pass\n"
SEND = "from tasks import send\n"
DEEP = "(" * 1500 + ")" * 1500


@pytest.fixture(scope="module")
def registry(make_pack: MakePack) -> Registry:
    pack = make_pack("keel_lint_probes", {"prb001_dispatch.py": DISPATCH, "prb002_cursed.py": FAILS_WHILE_VISITING})
    made = Registry.of_packages({"itself": "keel_lint.itself", "probes": pack})
    assert not made.broken
    return made


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def linter(
    registry: Registry, *paths: Path, cache: bool = False, tests: bool | None = None, select: str | None = None
) -> Linter:
    over = Overrides.from_arguments({"select": [select]}) if select else None
    finder = SettingsFinder(over, isolated=True, registry=registry)
    return Linter(paths, finder, registry, cache=cache, tests=tests)


def places(outcome: Outcome) -> list[tuple[str, int, str]]:
    return [(Path(finding.path).name, finding.span.row, finding.code) for finding in outcome.findings]


# -- What cannot be parsed ------------------------------------------------------------------------------------------------


def test_a_broken_definition_stands_beside_good_ones_that_are_judged(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}def before():\n    x.delay()\n\ndef broken(:\n    x.delay()\n\ndef after():\n    x.delay()\n"
    outcome = linter(registry, write(tmp_path, {"a.py": code})).check()
    assert places(outcome) == [("a.py", 3, "PRB001"), ("a.py", 5, "KEL001"), ("a.py", 9, "PRB001")]
    assert outcome.problems == []


def test_an_unclosed_parenthesis_that_swallows_the_next_function_is_one_finding(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}def before():\n    x.delay()\n\ndef open():\n    x.delay(foo(1\n\ndef swallowed():\n    x.delay()\n"
    outcome = linter(registry, write(tmp_path, {"a.py": code})).check()
    assert ("a.py", 3, "PRB001") in places(outcome)
    assert [place for place in places(outcome) if place[2] == "KEL001"] == [("a.py", 6, "KEL001")]


def test_code_that_only_the_index_cannot_parse_is_judged(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}class Box[T = int]:\n    pass\n\ndef send():\n    x.delay()\n"
    assert places(linter(registry, write(tmp_path, {"a.py": code})).check()) == [("a.py", 6, "PRB001")]


@pytest.mark.parametrize(
    ("code", "row", "says"),
    [
        (f"{HEAD}def deep():\n    x.delay({DEEP})\n\ndef f():\n    x.delay()\n", 2, "nests 15"),
        (f"{HEAD}x.delay({DEEP})\n\n\ndef f():\n    x.delay()\n", 2, "nests 15"),
        (f"{HEAD}def deep():\n    x.delay(a{'.b()' * 3000})\n\ndef f():\n    x.delay()\n", 2, "nests 60"),
        (f"{HEAD}def f():\n    x.delay()\n\n\ndef deep():\n    x.delay({'(' * 1500}\n", 1, "nests too deep"),
        (f"{HEAD}({DEEP} = 1\n\ndef f():\n    x.delay()\n", 1, "nests too deep"),
    ],
    ids=["function", "statement", "chain of calls", "unclosed", "pattern"],
)
def test_what_nests_too_deep_is_said_and_ends_nothing(
    tmp_path: Path, registry: Registry, code: str, row: int, says: str
) -> None:
    outcome = linter(registry, write(tmp_path, {"a.py": code, "b.py": f"{HEAD}def f():\n    x.delay()\n"})).check()
    said = [finding for finding in outcome.findings if finding.code == "KEL001"]
    assert [(finding.span.row, says in finding.message) for finding in said] == [(row, True)]
    assert ("b.py", 3, "PRB001") in places(outcome)


def test_a_deep_file_that_no_rule_judges_is_no_finding(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}y = {DEEP}\n\ndef f():\n    x.delay()\n"
    assert places(linter(registry, write(tmp_path, {"a.py": code})).check()) == [("a.py", 5, "PRB001")]


@pytest.mark.parametrize(
    ("code", "row", "column"),
    [
        ("x = = 1\n", 2, 5),
        ("x = 'abc\n", 2, 5),
        ("def f(order:  # open\n    pass\n", 2, 6),
        ("é = 'ü'; x = = 1\n", 2, 14),
    ],
)
def test_an_error_is_reported_where_it_stands(tmp_path: Path, registry: Registry, code: str, row: int, column: int) -> None:
    (finding,) = linter(registry, write(tmp_path, {"a.py": HEAD + code})).check().findings
    assert (finding.code, finding.span.row, finding.span.column) == ("KEL001", row, column)


def test_a_definition_that_only_libcst_refuses_is_one_finding(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}def f():\n    if x.delay():\n        pass\n      pass\n\ndef after():\n    x.delay()\n"
    outcome = linter(registry, write(tmp_path, {"a.py": code})).check()
    assert [code for _, _, code in places(outcome)] == ["KEL001", "PRB001"]
    assert 2 <= outcome.findings[0].span.row <= 5


def test_an_error_is_found_in_the_files_own_encoding(tmp_path: Path, registry: Registry) -> None:
    code = "# coding: latin-1\nfrom celery import shared_task\né = = 1\n".encode("latin-1")
    (finding,) = linter(registry, write(tmp_path, {"a.py": code})).check().findings
    assert (finding.code, finding.span.row, finding.span.column) == ("KEL001", 3, 5)


def test_kel001_cannot_be_selected_away_or_suppressed(tmp_path: Path, registry: Registry) -> None:
    code = f"# keel: file-ignore KEL001 -- no\n{HEAD}x = = 1  # noqa\n"
    assert places(linter(registry, write(tmp_path, {"a.py": code}), select="PRB001").check()) == [("a.py", 3, "KEL001")]


# -- What cannot be read --------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_decoded_is_a_finding_and_a_problem(tmp_path: Path, registry: Registry) -> None:
    files: dict[str, str | bytes] = {"a.py": HEAD.encode() + b"x = '\xff'\n", "b.py": f"{HEAD}x.delay()\n"}
    outcome = linter(registry, write(tmp_path, files)).check()
    assert places(outcome) == [("a.py", 1, "KEL001"), ("b.py", 2, "PRB001")]
    assert [problem.partition(": ")[0] for problem in outcome.problems] == [str(tmp_path / "a.py")]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, registry: Registry) -> None:
    one = linter(registry, write(tmp_path, {"a.py": f"{HEAD}x.delay()\n", "b.py": f"{HEAD}x.delay()\n"}))
    assert len(one.files()) == 2
    (tmp_path / "a.py").unlink()  # after it was listed
    outcome = one.check()
    assert outcome.problems == [f"{tmp_path / 'a.py'}: No such file or directory"]
    assert places(outcome) == [("b.py", 2, "PRB001")]


def test_no_file_is_a_problem(tmp_path: Path, registry: Registry) -> None:
    assert linter(registry, tmp_path).check().problems
    missing = tmp_path / "missing.py"
    assert linter(registry, missing).check().problems == [f"{missing}: No such file or directory"]


# -- Which files count ----------------------------------------------------------------------------------------------------


def test_templates_are_counted_and_not_reported(tmp_path: Path, registry: Registry) -> None:
    template = f"{HEAD}{{% if cookiecutter.celery %}}\nx.delay()\n{{% endif %}}\n"
    files = {"{{cookiecutter.name}}/a.py": template, "templates/b.py": template, "c.py": f"{HEAD}x.delay()\n"}
    outcome = linter(registry, write(tmp_path, files)).check()
    assert (outcome.templates, outcome.checked, outcome.problems) == (2, 3, [])
    assert places(outcome) == [("c.py", 2, "PRB001")]


@pytest.mark.parametrize(("tests", "left_out"), [(None, 3), (False, 3), (True, 0)])
def test_test_code_is_left_out_and_counted(tmp_path: Path, registry: Registry, tests: bool | None, left_out: int) -> None:
    names = ("app.py", "test_app.py", "tests/app.py", "conftest.py")
    outcome = linter(registry, write(tmp_path, dict.fromkeys(names, f"{HEAD}x.delay()\n")), tests=tests).check()
    assert (outcome.left_out, outcome.checked, len(outcome.findings)) == (left_out, 4 - left_out, 4 - left_out)


def test_a_loop_of_links_ends_and_each_file_is_judged_once(tmp_path: Path, registry: Registry) -> None:
    write(tmp_path, {"app/a.py": f"{HEAD}x.delay()\n"})
    (tmp_path / "app" / "loop").symlink_to(tmp_path)
    (tmp_path / "app" / "again.py").symlink_to(tmp_path / "app" / "a.py")
    (tmp_path / "app" / "itself.py").symlink_to(tmp_path / "app" / "itself.py")
    outcome = linter(registry, tmp_path).check()
    assert places(outcome) == [("a.py", 2, "PRB001")]
    assert (outcome.checked, outcome.problems) == (1, [])


def test_several_projects_are_checked_in_one_run(tmp_path: Path, registry: Registry) -> None:
    """Each with its own idea of what `tasks` is, and its own cache."""
    for name in ("one", "two"):
        write(tmp_path / name, {".git/HEAD": "", "tasks.py": TASK, "a.py": f"{SEND}send.delay()\n"})
    write(tmp_path / "two", {"tasks.py": "def send():\n    pass\n"})
    outcome = linter(registry, tmp_path / "one", tmp_path / "two", cache=True).check()
    assert [finding.path for finding in outcome.findings] == [str(tmp_path / "one" / "a.py")]
    assert outcome.checked == 4
    assert all((tmp_path / name / ".keel_lint_cache").is_dir() for name in ("one", "two"))
    assert linter(registry, tmp_path / "one", tmp_path / "two", cache=True).check() == outcome


# -- Rules that fail ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cursed", "cursed_at_the_end"])
def test_a_rule_that_fails_is_said_and_the_rest_is_checked(tmp_path: Path, registry: Registry, name: str) -> None:
    code = f"{HEAD}def {name}():\n    x.delay()\n\ndef fine():\n    x.delay()\n"
    outcome = linter(registry, write(tmp_path, {"a.py": code})).check()
    assert places(outcome) == [("a.py", 2, "KEL000"), ("a.py", 3, "PRB001"), ("a.py", 6, "PRB001")]
    assert "PRB002" in outcome.findings[0].message


def test_a_fault_outside_the_rules_is_said_and_the_rest_is_checked(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = definition._parse

    def fails_once(text: bytes, fact: DefinitionFacts, newline: str) -> object:
        if fact.name == "cursed":
            raise RuntimeError("out of order")
        return parse(text, fact, newline)

    monkeypatch.setattr(definition, "_parse", fails_once)
    code = f"{HEAD}def cursed():\n    x.delay()\n\ndef fine():\n    x.delay()\n"
    outcome = linter(registry, write(tmp_path, {"a.py": code}), select="PRB001").check()
    assert places(outcome) == [("a.py", 2, "KEL000"), ("a.py", 6, "PRB001")]
    assert "RuntimeError: out of order" in outcome.findings[0].message


def test_a_rule_that_fails_cannot_be_suppressed(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}def cursed():  # noqa\n    x.delay()\n"
    assert places(linter(registry, write(tmp_path, {"a.py": code}), select="PRB002").check()) == [("a.py", 2, "KEL000")]


def test_a_rule_that_cannot_be_imported_is_said(tmp_path: Path, make_pack: MakePack) -> None:
    pack = make_pack("keel_lint_torn", {"prb001_dispatch.py": f"{DISPATCH}\nimport no_such_module\n"})
    torn = Registry.of_packages({"itself": "keel_lint.itself", "torn": pack})
    outcome = linter(torn, write(tmp_path, {"a.py": f"{HEAD}def f():\n    x.delay()\n"})).check()
    assert places(outcome) == [("a.py", 2, "KEL000")]
    assert "no_such_module" in outcome.findings[0].message


# -- Overlays -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [False, True])
def test_an_overlay_counts_for_one_check_only(tmp_path: Path, registry: Registry, cache: bool) -> None:
    one = linter(registry, write(tmp_path, {"a.py": f"{HEAD}x.delay()\n", "b.py": "import a\n"}), cache=cache)
    path = tmp_path / "a.py"
    assert places(one.check({path: f"{HEAD}\nx.delay()\n".encode()})) == [("a.py", 3, "PRB001")]
    assert places(one.check({path: HEAD.encode()})) == []
    assert places(one.check()) == [("a.py", 2, "PRB001")]
    assert places(linter(registry, tmp_path, cache=cache).check()) == [("a.py", 2, "PRB001")]


@pytest.mark.parametrize("cache", [False, True])
def test_an_overlay_decides_what_other_files_mean(tmp_path: Path, registry: Registry, cache: bool) -> None:
    one = linter(registry, write(tmp_path, {"tasks.py": TASK, "a.py": f"{SEND}send.delay()\n"}), cache=cache)
    assert places(one.check()) == [("a.py", 2, "PRB001")]
    assert places(one.check({tmp_path / "tasks.py": b"def send():\n    pass\n"})) == []
    assert places(one.check()) == [("a.py", 2, "PRB001")]


def test_an_overlay_need_not_be_on_disk(tmp_path: Path, registry: Registry) -> None:
    """As standard input under a name; it leaves no trace."""
    write(tmp_path, {"tasks.py": TASK})
    one = linter(registry, tmp_path / "new.py")
    outcome = one.check({tmp_path / "new.py": f"{SEND}send.delay()\n".encode()})
    assert places(outcome) == [("new.py", 2, "PRB001")]
    assert (outcome.problems, outcome.checked) == ([], 1)
    assert one.check().problems == [f"{tmp_path / 'new.py'}: No such file or directory"]


# -- Fingerprints ---------------------------------------------------------------------------------------------------------

SENDERS = f"{HEAD}def first():\n    x.delay(1)\n    x.delay(1)\n\ndef second():\n    x.delay(1)\n"


def fingerprints(registry: Registry, root: Path, code: str) -> list[str]:
    return [finding.fingerprint for finding in linter(registry, write(root, {"app/a.py": code})).check().findings]


@pytest.mark.parametrize(
    "moved",
    [
        f'"""Documentation."""\n\n{SENDERS}',
        SENDERS.replace("    x.delay", "\n    y = 1\n    x.delay"),
        SENDERS.replace("\n", "\r\n"),
    ],
    ids=["above", "within", "newlines"],
)
def test_fingerprints_survive_moved_lines(tmp_path: Path, registry: Registry, moved: str) -> None:
    before = fingerprints(registry, tmp_path, SENDERS)
    assert len(set(before)) == len(before) == 3
    assert fingerprints(registry, tmp_path, moved) == before


def test_fingerprints_survive_another_folder_and_other_blanks(tmp_path: Path, registry: Registry) -> None:
    spread = SENDERS.replace("x.delay(1)", "x.delay(1,  2)")
    folded = SENDERS.replace("x.delay(1)", "x.delay(1,\n        2)")
    write(tmp_path / "one", {".git/HEAD": ""})
    write(tmp_path / "two", {".git/HEAD": ""})
    assert fingerprints(registry, tmp_path / "one", spread) == fingerprints(registry, tmp_path / "two", folded)


def test_fingerprints_tell_code_and_definition_apart(tmp_path: Path, registry: Registry) -> None:
    before = fingerprints(registry, tmp_path, SENDERS)
    assert set(before).isdisjoint(fingerprints(registry, tmp_path, SENDERS.replace("delay(1)", "delay(2)")))
    renamed = fingerprints(registry, tmp_path, SENDERS.replace("second", "third"))
    assert [known == now for known, now in zip(before, renamed, strict=True)] == [True, True, False]


# -- Suppressions that cross files ----------------------------------------------------------------------------------------

HELPED = {"tasks.py": TASK, "a.py": "from tasks import send\nfrom service import helper\n\ndef view():\n    send.delay()\n"}
ACCEPTED = "def helper():  # keel: ignore PRB001 -- the helper may\n    pass\n"


@pytest.mark.parametrize("cache", [False, True])
def test_a_comment_at_a_hop_in_another_file_suppresses(tmp_path: Path, registry: Registry, cache: bool) -> None:
    write(tmp_path, {**HELPED, "service.py": "def helper():\n    pass\n"})
    assert places(linter(registry, tmp_path, cache=cache).check()) == [("a.py", 5, "PRB001")]
    write(tmp_path, {"service.py": ACCEPTED})
    for _ in range(2):
        outcome = linter(registry, tmp_path, cache=cache).check()
        assert outcome.findings == []
        assert [(finding.span.row, reason) for finding, reason in outcome.suppressed] == [(5, "the helper may")]


def test_a_comment_that_no_path_needs_is_unused_only_where_the_whole_project_was_checked(
    tmp_path: Path, registry: Registry
) -> None:
    write(tmp_path, {".git/HEAD": "", "service.py": ACCEPTED, "a.py": "from service import helper\nhelper()\n"})
    assert places(linter(registry, tmp_path).check()) == [("service.py", 1, "KEL002")]
    assert places(linter(registry, tmp_path / "service.py").check()) == []
    assert places(linter(registry, tmp_path / "service.py", tmp_path / "a.py").check()) == [("service.py", 1, "KEL002")]


@pytest.mark.parametrize("level", ["run", "verdict"])
def test_a_suppression_expires_though_nothing_has_changed(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    code = f"{HEAD}x.delay()  # keel: ignore PRB001 -- for now, until 2041-05-05\n"
    write(tmp_path, {"a.py": code})
    if level == "run":
        os.utime(tmp_path / "a.py", (1_000_000_000, 1_000_000_000))
    assert places(linter(registry, tmp_path, cache=True).check()) == []
    monkeypatch.setattr(verdicts, "_today", lambda: date(2041, 5, 6))
    monkeypatch.setattr("time.localtime", lambda: (2041, 5, 6))
    assert places(linter(registry, tmp_path, cache=True).check()) == [("a.py", 2, "PRB001"), ("a.py", 2, "KEL004")]


# -- What could not be told -----------------------------------------------------------------------------------------------


def test_calls_that_cannot_be_resolved_are_counted_once(tmp_path: Path, registry: Registry) -> None:
    code = f"{HEAD}queue = connect()\n\ndef f():\n    queue.delay()\n    queue.delay()\n"
    write(tmp_path, {"a.py": code, "b.py": code, "c.py": f"{HEAD}x.delay()\n"})
    for _ in range(2):
        outcome = linter(registry, tmp_path, cache=True).check()
        left = [(Path(one.path).name, one.row, one.column, one.callee) for one in outcome.unresolved]
        assert left == [(name, row, 5, "queue.delay") for name in ("a.py", "b.py") for row in (5, 6)]
        assert places(outcome) == [("c.py", 2, "PRB001")]


# -- Settings that are the project's --------------------------------------------------------------------------------------


def test_a_setting_of_the_project_counts_for_files_that_have_their_own_configuration(
    tmp_path: Path, registry: Registry
) -> None:
    """The cache must know of it: `roots` decides what `tasks` is."""
    write(
        tmp_path,
        {
            ".git/HEAD": "",
            "vendor/__init__.py": "",
            "vendor/tasks.py": TASK,
            "app/keel-lint.toml": 'select = ["PRB001"]\n',
            "app/a.py": f"{SEND}send.delay()\n",
        },
    )

    def check() -> list[tuple[str, int, str]]:
        return places(Linter([tmp_path / "app"], SettingsFinder(registry=registry), registry).check())

    before = check()
    write(tmp_path, {"keel-lint.toml": 'roots = ["vendor"]\n'})
    assert [before, check()] == [places(linter(registry, tmp_path / "app", select="PRB001").check()), [("a.py", 2, "PRB001")]]
