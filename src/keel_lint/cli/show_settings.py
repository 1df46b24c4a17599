"""`keel-lint check --show-settings`: what is in force for a file, and where it was read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keel_lint.cache import Cache, Files
from keel_lint.discovery import discover
from keel_lint.jobs.settings_modules import find
from keel_lint.jobs.versions import NEWEST, version_of
from keel_lint.project import Project
from keel_lint.settings import fixable, select

if TYPE_CHECKING:
    from keel_lint.rule import Registry
    from keel_lint.settings import Glob, Settings, SettingsFinder

NEWEST_KNOWN = "no file says; the newest that keel-lint knows"


def describe(path: Path, root: Path, finder: SettingsFinder, registry: Registry) -> str:
    """The settings of the file at `path` in the project at `root`, as TOML with comments."""
    settings, project = finder.for_file(path), finder.for_project(root)
    return "\n".join(
        [
            f"# {path}",
            f"# {_origin(settings)}",
            *_of_file(path, settings, registry),
            "",
            f"# the project {root}",
            f"# {_origin(project)}",
            *_of_project(project),
            *_settings_modules(root, project),
            "",
            "[engines]",
            *_engines(root),
            "",
        ]
    )


def _origin(settings: Settings) -> str:
    return f"settings from {settings.file}" if settings.file else "default settings"


def _of_file(path: Path, settings: Settings, registry: Registry) -> Iterator[str]:
    yield f"select = {_toml(sorted(select(registry, settings, path)))}"
    yield f"unfixable = {_toml(sorted(registry.rules.keys() - fixable(registry, settings)))}"
    yield f"exclude = {_toml([glob.pattern for glob in settings.exclude])}"
    yield f"per-file-ignores = {_toml(_by_pattern(settings.per_file_ignores))}"
    yield f"force-exclude = {_toml(settings.force_exclude)}"
    yield f"tests = {_toml(settings.tests)}"


def _of_project(settings: Settings) -> Iterator[str]:
    yield f"respect-gitignore = {_toml(settings.respect_gitignore)}"
    yield f"roots = {_toml(list(map(str, settings.roots)))}"
    yield f"charge-calls = {_toml(list(settings.charge_calls))}"
    yield f"functions = {_toml(settings.functions)}"
    if settings.settings:
        yield f"settings = {_toml(settings.settings)}"
    if settings.cache_dir:
        yield f"cache-dir = {_toml(str(settings.cache_dir))}"


def _settings_modules(root: Path, settings: Settings) -> Iterator[str]:
    """Which of Django's settings modules count, and what says so."""
    entries = discover(root, respect_gitignore=settings.respect_gitignore).entries
    project = Project(root, [entry.path for entry in entries], Files(root, entries, Cache(), {}))
    found = find(project, settings.settings)
    if found.missing:
        yield f"# Django's settings: {found.missing} is no module of the project"
    for path, origin in sorted(found.named.items()):
        yield f"# Django's settings: {path}, named by {origin}"
    if not found.named and not found.missing:
        yield "# Django's settings: no file names a module; each counts whose name says neither test nor development"
    if not found.is_whole:
        yield "# Django's settings may take in other modules: those beside them count too"


def _engines(root: Path) -> Iterator[str]:
    project = Project(root, [], Files(root, [], Cache(), {}))
    for package in NEWEST:
        (major, minor), origin = version_of(project, package)
        yield f"{package} = {_toml(f'{major}.{minor}')}  # {NEWEST_KNOWN if origin == 'newest' else origin}"


def _by_pattern(ignores: tuple[tuple[Glob, tuple[str, ...]], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for glob, words in ignores:
        found.setdefault(glob.pattern, []).extend(words)
    return found


def _toml(value: object) -> str:
    """A value in TOML, which spells strings and booleans as JSON does."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
