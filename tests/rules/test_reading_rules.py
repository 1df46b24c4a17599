"""The rules about what a replay cannot give back: what their examples do not show, the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

from keel_lint.finding import Finding
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder
from keel_lint.source import Source

if TYPE_CHECKING:
    from keel_lint.rule import Registry

Lint = Callable[..., list[Finding]]

CLOCK = "import time\n\n\ndef now():\n    return time.time()\n"
PASSED = "with workflow.unsafe.imports_passed_through():\n    from app.clock import now\n"
PLAIN = "from app.clock import now\n"
RETRIED = "the sandbox refuses it and the workflow task is retried for ever while the run looks Running"
PASSES = "its module is passed through the sandbox, which refuses nothing there"


def workflow_with(body: str, head: str = PLAIN, decorator: str = "@workflow.defn") -> str:
    """A workflow with this body of its run method."""
    top = f"import asyncio\nimport logging\nimport time\n\nfrom temporalio import workflow\n\n{head}\n\n"
    return f"{top}{decorator}\nclass Wf:\n    @workflow.run\n    async def run(self):\n{indent(dedent(body), ' ' * 8)}\n"


def files(body: str, head: str = PLAIN, decorator: str = "@workflow.defn", **others: str) -> dict[str, str]:
    """A small project: a workflow, a clock, and other modules of its package."""
    beside = {f"app/{name}.py": dedent(text) for name, text in others.items()}
    return {"app/__init__.py": "", "app/clock.py": CLOCK, "app/wf.py": workflow_with(body, head, decorator), **beside}


def fixed(findings: list[Finding], text: str) -> str:
    """The text after the fixes of all findings."""
    edits = [edit for finding in findings if finding.fix for edit in finding.fix.edits]
    return Source.from_bytes(Path("wf.py"), text.encode()).apply(sorted(edits, key=lambda edit: edit.span.start)).decode()


# -- in helpers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "decorator", "expected"),
    [
        (PLAIN, "@workflow.defn", RETRIED),
        (PASSED, "@workflow.defn", PASSES),
        (PLAIN, "@workflow.defn(sandboxed=False)", "nothing refuses it here"),
        (PLAIN, "@workflow.defn(failure_exception_types=[Exception])", "the run fails"),
    ],
)
def test_what_comes_of_it_depends_on_the_sandbox(lint: Lint, head: str, decorator: str, expected: str) -> None:
    (finding,) = lint(files("return now()", head, decorator), "KEL501")
    assert expected in finding.message
    assert "`time.time()` in app/clock.py" in finding.message
    assert [hop.what for hop in finding.hops] == ["calls `now`", "`time.time()` reads the clock"]
    assert finding.hops[-1].path.endswith("app/clock.py")


def test_what_a_passed_through_module_imports_is_outside_as_well(lint: Lint) -> None:
    middle = "from app.clock import now\n\n\ndef stamp():\n    return str(now())\n"
    head = "with workflow.unsafe.imports_passed_through():\n    import app.middle\n"
    (finding,) = lint(files("return app.middle.stamp()", head, middle=middle), "KEL501")
    assert PASSES in finding.message
    assert len(finding.hops) == 3


def test_a_worker_can_pass_a_module_through(lint: Lint) -> None:
    worker = (
        "from temporalio.worker import *\n\nrestrictions = SandboxRestrictions.default.with_passthrough_modules('app.clock')\n"
    )
    (finding,) = lint(files("return now()", worker=worker), "KEL501")
    assert PASSES in finding.message


def test_the_builtin_open_is_refused_in_a_passed_through_module_too(lint: Lint) -> None:
    head = "with workflow.unsafe.imports_passed_through():\n    from app.disk import read\n"
    (finding,) = lint(files("return read()", head, disk="def read():\n    return open('a').read()\n"), "KEL504")
    assert RETRIED in finding.message


def test_one_effect_is_said_once_in_a_workflow(lint: Lint) -> None:
    (finding,) = lint(files("now()\nnow()\nself.other()\nreturn now()"), "KEL501")
    assert finding.span.row == workflow_with("").splitlines().index("    async def run(self):") + 2


def test_each_kind_has_its_own_finding(lint: Lint) -> None:
    both = "import os\nimport time\nimport uuid\n\n\ndef go():\n    return time.time(), uuid.uuid4(), os.getenv('A')\n"
    findings = lint(files("return go()", "from app.both import go\n", both=both), "KEL501", "KEL502", "KEL504", "KEL505")
    assert [finding.code for finding in findings] == ["KEL501", "KEL502", "KEL505"]


def test_functions_that_call_each_other(lint: Lint) -> None:
    ring = """
        import time

        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            time.sleep(1)
            return n != 0 and even(n - 1)
    """
    (finding,) = lint(files("return even(3)", "from app.ring import even\n", ring=ring), "KEL503")
    assert [hop.what for hop in finding.hops] == ["calls `even`", "calls `odd`", "`time.sleep(1)` blocks the thread"]


def test_a_handler_that_is_inherited_from_a_class_that_is_no_workflow(lint: Lint) -> None:
    head = "import time\nfrom temporalio import workflow\n\n\nclass Base:\n"
    base = f"{head}    @workflow.signal\n    def poke(self):\n        time.time()\n"
    text = workflow_with("pass", "from app.base import Base\n").replace("class Wf:", "class Wf(Base):")
    (finding,) = lint({**files(""), "app/wf.py": text, "app/base.py": base}, "KEL501")
    assert text.splitlines()[finding.span.row - 1] == "class Wf(Base):"


@pytest.mark.parametrize(
    "body", ["if not workflow.unsafe.is_replaying():\n    now()", "if workflow.in_workflow():\n    return 1\nnow()"]
)
def test_a_guard_in_the_workflow_keeps_the_call_out(lint: Lint, body: str) -> None:
    assert lint(files(body, PASSED), "KEL501") == []


def test_a_query_may_call_what_the_sandbox_lets_through(lint: Lint) -> None:
    query = "    @workflow.query\n    def ask(self):\n        return now()\n"
    assert lint({**files(""), "app/wf.py": workflow_with("pass", PASSED) + query}, "KEL501") == []
    (finding,) = lint({**files(""), "app/wf.py": workflow_with("pass", PLAIN) + query}, "KEL501")
    assert "always answered with an error" in finding.message


def test_a_comment_at_the_helper_cuts_the_path(lint: Lint) -> None:
    clock = CLOCK.replace("time.time()", "time.time()  # keel: ignore KEL501 -- only logged")
    assert lint({**files("return now()"), "app/clock.py": clock}, "KEL501") == []


def test_what_handles_a_failed_activity_is_workflow_code(lint: Lint) -> None:
    body = "try:\n    await workflow.execute_activity('a', workflow.now())\nexcept Exception:\n    time.time()\n    now()"
    assert len(lint(files(body), "KEL501")) == 2


# -- configuration and cache ------------------------------------------------------------------------------------------------


def checked(root: Path, registry: Registry, contents: Mapping[str, str], *, cache: bool) -> list[str]:
    """The codes found in files, by the configuration among them."""
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    finder = SettingsFinder(Overrides.from_arguments({"select": ["KEL501", "KEL502"]}), isolated=False, registry=registry)
    return [finding.code for finding in Linter([root], finder, registry, cache=cache).check().findings]


@pytest.mark.parametrize(
    ("stated", "body", "expected"),
    [
        ("", "return now()", ["KEL501"]),
        ('"app.clock.now" = "deterministic"', "return now()", []),
        ('"app.clock" = "deterministic"', "return now()", []),
        ('"time.time" = "deterministic"', "return time.time() + now()", []),
        ('"app.pure.pick" = "non-deterministic"', "from app.pure import pick\nreturn pick()", ["KEL502"]),
        ('"vendor.pick" = "non-deterministic"', "import vendor\nreturn vendor.pick()", ["KEL502"]),
    ],
)
def test_functions_can_be_configured(tmp_path: Path, registry: Registry, stated: str, body: str, expected: list[str]) -> None:
    contents = files(body, pure="def pick():\n    return 1\n")
    configuration = f"[tool.keel-lint.functions]\n{stated}\n"
    assert checked(tmp_path, registry, {**contents, "pyproject.toml": configuration}, cache=False) == expected


def test_a_warm_run_sees_a_change_in_a_helper_of_a_helper(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / ".git").mkdir()
    middle = "from app.clock import now\n\n\ndef stamp():\n    return str(now())\n"
    contents = files("return stamp()", "from app.middle import stamp\n", middle=middle)
    still = {**contents, "app/clock.py": "def now():\n    return 1\n"}
    assert checked(tmp_path, registry, still, cache=True) == []
    assert checked(tmp_path, registry, contents, cache=True) == ["KEL501"]
    assert checked(tmp_path, registry, still, cache=True) == []


# -- fixes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body", "instead", "applicability"),
    [
        ("KEL503", "time.sleep(5)", "await asyncio.sleep(5)", "safe"),
        (
            "KEL507",
            "for name in {'a', 'b'}:\n    await self.go(name)",
            "for name in sorted({'a', 'b'}):\n    await self.go(name)",
            "safe",
        ),
        ("KEL507", "for x in set(y):\n    await self.go(x)", "for x in sorted(set(y)):\n    await self.go(x)", "unsafe"),
        ("KEL508", "await asyncio.wait(tasks)", "await workflow.wait(tasks)", "safe"),
        ("KEL508", "for one in asyncio.as_completed(tasks): pass", "for one in workflow.as_completed(tasks): pass", "safe"),
        ("KEL516", "logging.info('a %s', 1)", "workflow.logger.info('a %s', 1)", "safe"),
        ("KEL516", "print('a')", "workflow.logger.info('a')", "unsafe"),
    ],
)
def test_a_fix(lint: Lint, code: str, body: str, instead: str, applicability: str) -> None:
    text = workflow_with(body, "")
    findings = lint({"wf.py": text}, code)
    assert [finding.fix.applicability for finding in findings if finding.fix] == [applicability]
    assert fixed(findings, text) == workflow_with(instead, "")
    assert lint({"wf.py": fixed(findings, text)}, code) == []


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("KEL503", "def inner():\n    time.sleep(1)\ninner()"),
        ("KEL503", "value = [time.sleep(1)]"),
        ("KEL507", "for x in enumerate(set(y)):\n    await self.go(x)"),
        ("KEL516", "print('a', 'b')"),
        ("KEL516", "print('a', end='')"),
    ],
)
def test_no_fix(lint: Lint, code: str, body: str) -> None:
    (finding,) = lint({"wf.py": workflow_with(body, "")}, code)
    assert finding.fix is None


def test_without_the_sandbox_a_timer_is_a_new_command(lint: Lint) -> None:
    (finding,) = lint({"wf.py": workflow_with("time.sleep(1)", "", "@workflow.defn(sandboxed=False)")}, "KEL503")
    assert finding.fix is not None
    assert finding.fix.applicability == "unsafe"


def test_an_sdk_without_workflow_wait_gets_no_fix(lint: Lint) -> None:
    text = workflow_with("await asyncio.wait(tasks)", "")
    (finding,) = lint({"wf.py": text, "requirements.txt": "temporalio==1.6.0\n"}, "KEL508")
    assert finding.fix is None


def test_an_import_is_put_under_imports_passed_through(lint: Lint) -> None:
    head = "from app.acts import (\n    one,\n)  # why\n"
    acts = "import requests\nfrom temporalio import activity\n\n\n@activity.defn\ndef one(): ...\n"
    text = workflow_with("pass", head)
    findings = lint({**files("", acts=acts), "app/wf.py": text}, "KEL514")
    wrapped = "with workflow.unsafe.imports_passed_through():\n    from app.acts import (\n        one,\n    )  # why\n"
    assert fixed(findings, text) == workflow_with("pass", wrapped)
    assert [finding.fix.applicability for finding in findings if finding.fix] == ["safe"]


def test_an_import_above_that_of_the_workflow_module_stays(lint: Lint) -> None:
    (finding,) = lint({"wf.py": "import pandas\n" + workflow_with("pass", "")}, "KEL514")
    assert finding.fix is None


def test_what_a_dropped_sandbox_loads_is_not_reported(lint: Lint) -> None:
    assert lint({"wf.py": "import pandas\n" + workflow_with("pass", "", "@workflow.defn(sandboxed=False)")}, "KEL514") == []
