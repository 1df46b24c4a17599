"""What holds for every rule: how it is named, documented, classified, imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from keel_lint.index.roles import of_base, of_call, of_decorator, of_target
from keel_lint.pages import parse, problems
from keel_lint.rule import ALWAYS_ON, Registry, RuleInfo

OURS = ("keel_lint.itself", "keel_lint_celery", "keel_lint_temporal")
BANDS = {"keel": "0", "celery": "1239", "temporal": "56789"}
PACKS = {"keel": "keel_lint.itself", "celery": "keel_lint_celery", "temporal": "keel_lint_temporal"}
GROUPS = {"correctness", "reliability", "performance", "practice", "internal"}
STATED = ("code", "slug", "group", "engine", "versions", "fix", "status", "default", "judges", "proof")
URL = re.compile(r"https?://[^\s)>\]]+")

RULES = [info for info in Registry.installed().rules.values() if info.module.startswith(OURS)]

each_rule = pytest.mark.parametrize("info", RULES, ids=[info.code for info in RULES])


def imports_at_module_level(info: RuleInfo) -> Iterator[str]:
    """The full names of what a rule's file imports when it is imported itself; what is for type checkers alone aside."""
    waiting = list(ast.parse(info.file.read_bytes()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def test_every_pack_can_be_read() -> None:
    assert not Registry.installed().broken
    assert {info.engine for info in RULES} == set(BANDS)


def test_codes_and_slugs_are_unique() -> None:
    """Read from the names of the files: the registry keeps only one of two."""
    folders = {info.file.parent for info in RULES}
    stems = [file.stem.partition("_") for folder in folders for file in folder.glob("kel*.py")]
    for names in ([code for code, _, _ in stems], [slug for _, _, slug in stems]):
        assert [name for name, times in Counter(names).items() if times > 1] == []


@each_rule
def test_the_documentation_is_whole(info: RuleInfo) -> None:
    assert problems(info) == []


@each_rule
def test_the_references_lead_somewhere(info: RuleInfo) -> None:
    assert URL.search(parse(info).sections["References"])


@each_rule
def test_the_title_is_one_short_line(info: RuleInfo) -> None:
    assert info.title == info.documentation.splitlines()[0].rstrip(".")
    assert 10 <= len(info.title) <= 100


@each_rule
def test_the_file_is_named_after_the_rule(info: RuleInfo) -> None:
    assert info.file.name == f"{info.code}_{info.slug.replace('-', '_')}.py".lower()
    assert re.fullmatch(r"[a-z]+(-[a-z\d]+)+|[a-z]+", info.slug)


@each_rule
def test_the_code_lies_in_the_band_of_its_engine(info: RuleInfo) -> None:
    assert re.fullmatch(rf"KEL[{BANDS[info.engine]}]\d\d", info.code)
    assert info.module.startswith(f"{PACKS[info.engine]}.")


@each_rule
def test_what_is_read_as_text_is_what_the_class_says(info: RuleInfo) -> None:
    rule = info.load()
    assert {name: getattr(info, name) for name in STATED} == {name: getattr(rule, name) for name in STATED}


@each_rule
def test_its_classification_is_one_that_exists(info: RuleInfo) -> None:
    assert info.group in GROUPS
    assert (info.group == "internal") == (info.engine == "keel")
    assert info.fix in {None, "safe", "unsafe", "displayonly"}
    assert info.status in {"stable", "preview"}
    assert info.code not in ALWAYS_ON or info.on_by_default


@each_rule
def test_it_states_its_proof(info: RuleInfo) -> None:
    """By a name, or why there can be none."""
    assert "proof" in vars(info.load())
    assert info.proof
    assert not info.proof.startswith("none") or re.match(r"none: \S.{10}", info.proof)


@each_rule
def test_it_judges_definitions_that_the_index_marks(info: RuleInfo) -> None:
    """A role that the index never gives would keep the rule silent for ever. What keel says of itself judges none."""
    given = {
        *(of_call(f"x.{name}") for name in ("delay", "s", "start_activity", "execute_workflow", "Celery", "Worker", "crontab")),
        *(of_call(f"x.{name}") for name in ("on_commit", "AsyncResult", "RetryPolicy")),
        *(of_decorator(name) for name in ("celery.shared_task", "temporalio.workflow.defn", "temporalio.activity.defn")),
        of_base("celery.Task"),
        of_target("CELERY_TASK_ACKS_LATE"),
    }
    assert set(info.judges) <= given
    assert bool(info.judges) == (info.engine != "keel")


@each_rule
def test_its_file_imports_nothing_slow(info: RuleInfo) -> None:
    slow = ("libcst.matchers", "libcst.metadata", "libcst.codemod", "libcst.helpers", "celery", "temporalio", "django")
    assert [name for name in imports_at_module_level(info) if f"{name}.".startswith(tuple(f"{one}." for one in slow))] == []


def test_all_rules_together_import_nothing_slow() -> None:
    modules = [info.module for info in RULES]
    code = f"import importlib, sys; [importlib.import_module(name) for name in {modules!r}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert set(modules) <= loaded
    assert not {"libcst.matchers", "celery", "temporalio", "django", "asyncio"} & loaded


@pytest.mark.parametrize("module", [f"keel_lint.{name}" for name in ("cli", "flake8", "pages", "rule", "runner")])
def test_what_a_run_begins_with_imports_no_parser(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert module in done.stdout.split()
    assert not {"libcst", "tree_sitter", "tree_sitter_python"} & set(done.stdout.split())
