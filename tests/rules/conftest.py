"""What the tests of rules share: a small project on disk, and the findings in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from keel_lint.finding import Finding
from keel_lint.rule import Registry
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder

Lint = Callable[..., list[Finding]]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The installed rules."""
    return Registry.installed()


@pytest.fixture
def lint(tmp_path: Path, registry: Registry) -> Lint:
    """Write files (text or bytes by name) into an empty project and check it with the given codes."""

    def check(files: Mapping[str, str | bytes], *codes: str) -> list[Finding]:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        finder = SettingsFinder(Overrides.from_arguments({"select": list(codes or ("ALL",))}), isolated=True, registry=registry)
        outcome = Linter([tmp_path], finder, registry, cache=False, tests=True).check()
        assert not outcome.problems
        return outcome.findings

    return check
