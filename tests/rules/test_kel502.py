"""KEL502: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from keel_lint.finding import Finding
from keel_lint.source import Source

Lint = Callable[..., list[Finding]]

IMPORTS = """\
import os
import random
import secrets
import ssl
import uuid
from dataclasses import dataclass, field
from email.utils import make_msgid

import numpy as np
from temporalio import workflow
"""


def in_run(body: str, decorator: str = "@workflow.defn") -> str:
    """A workflow with this body of its run method."""
    head = f"{IMPORTS}\n\n{decorator}\nclass Wf:\n    @workflow.run\n    async def run(self, given: list[str]) -> None:\n"
    return head + indent(dedent(body).strip() + "\n", " " * 8)


def fixed(findings: list[Finding], text: str) -> str:
    """The text after the fixes of all findings."""
    edits = [edit for finding in findings if finding.fix for edit in finding.fix.edits]
    return Source.from_bytes(Path("wf.py"), text.encode()).apply(sorted(edits, key=lambda edit: edit.span.start)).decode()


@pytest.mark.parametrize(
    ("call", "instead", "applicability"),
    [
        ("random.choice(given)", "workflow.random().choice(given)", "safe"),
        ("random.random()", "workflow.random().random()", "safe"),
        ("random.getrandbits(128)", "workflow.random().getrandbits(128)", "safe"),
        ("random.Random()", "workflow.random()", "safe"),
        ("random.Random(None)", "workflow.random()", "safe"),
        ("uuid.uuid4()", "workflow.uuid4()", "safe"),
        ("uuid.uuid4().hex", "workflow.uuid4().hex", "safe"),
        ("uuid.uuid1()", "workflow.uuid4()", "unsafe"),
        ("uuid.uuid1(node=1)", None, None),
        ("uuid.uuid7()", "workflow.uuid7()", "safe"),
        ("uuid.uuid8()", None, None),
        ("random.seed(5)", None, None),
        ("random.SystemRandom(5).random()", None, None),
        ("secrets.token_hex()", None, None),
        ("os.urandom(8)", None, None),
        ("ssl.RAND_bytes(8)", None, None),
        ("make_msgid()", None, None),
        ("np.random.rand(3)", None, None),
        ("np.random.default_rng()", None, None),
    ],
)
def test_each_source_and_its_fix(lint: Lint, call: str, instead: str | None, applicability: str | None) -> None:
    text = in_run(f"value = {call}")
    (finding,) = lint({"wf.py": text}, "KEL502")
    assert (finding.fix is None) == (instead is None)
    if instead is not None:
        assert finding.fix is not None
        assert finding.fix.applicability == applicability
        assert fixed([finding], text) == in_run(f"value = {instead}")
        assert lint({"wf.py": fixed([finding], text)}, "KEL502") == []


@pytest.mark.parametrize(
    "body",
    [
        "return workflow.random().choice(given), workflow.uuid4(), workflow.new_random().random()",
        "return random.Random(7).random(), random.Random(x=given), np.random.default_rng(7), np.random.RandomState(seed=1)",
        "generator = random.Random()\ngenerator.seed(5)\nreturn generator.random()",
        "self.generator = random.Random()\nself.generator.setstate(given)",
        "return uuid.uuid5(uuid.NAMESPACE_DNS, 'a'), uuid.uuid3(uuid.NAMESPACE_DNS, 'a')",
        "return uuid.UUID(given), uuid.uuid8(1, 2, 3)",
        "return secrets.compare_digest(given, given), isinstance(given, (uuid.UUID, random.Random))",
        "generator: random.Random = given\nreturn generator.random()",
        "random = given\nreturn random.random()",
    ],
)
def test_nothing_is_random(lint: Lint, body: str) -> None:
    assert lint({"wf.py": in_run(body)}, "KEL502") == []


@pytest.mark.parametrize(
    ("body", "instead"),
    [
        ("@dataclass\nclass Mark:\n    id: str = field(default_factory=uuid.uuid4)", "default_factory=workflow.uuid4)"),
        ("return list(map(random.choice, given))", "map(workflow.random().choice, given)"),
        ("from uuid import uuid4 as new\nreturn str(new())", "str(workflow.uuid4())"),
        ("new = uuid.uuid4\nreturn new()", "return workflow.uuid4()"),
        ("return max(given, key=lambda _: random.random())", "lambda _: workflow.random().random())"),
    ],
)
def test_other_ways_to_call(lint: Lint, body: str, instead: str) -> None:
    text = in_run(body)
    assert instead in fixed(lint({"wf.py": text}, "KEL502"), text)


def test_a_query_gets_no_fix_because_the_generator_raises_in_it(lint: Lint) -> None:
    query = "    @workflow.query\n    def ask(self):\n        return uuid.uuid4()\n"
    text = f"{IMPORTS}\n\n@workflow.defn\nclass Wf:\n{query}"
    (finding,) = lint({"wf.py": text}, "KEL502")
    assert finding.fix is None
    assert "always answered with an error" in finding.message
    assert lint({"wf.py": text.replace("uuid.uuid4()", "random.Random().random()")}, "KEL502") == []


def test_the_fix_for_uuid7_needs_an_sdk_that_has_it(lint: Lint) -> None:
    files = {"wf.py": in_run("return uuid.uuid7()"), "requirements.txt": "temporalio==1.20.0\n"}
    (finding,) = lint(files, "KEL502")
    assert finding.fix is None


def test_what_the_sandbox_misses_is_said_to_change_on_replay(lint: Lint) -> None:
    missed = lint({"wf.py": in_run("return random.Random()")}, "KEL502")
    unsandboxed = lint({"wf.py": in_run("return uuid.uuid4()", "@workflow.defn(sandboxed=False)")}, "KEL502")
    assert all("nothing refuses it here" in finding.message for finding in (*missed, *unsandboxed))
    assert len(missed) == len(unsandboxed) == 1
