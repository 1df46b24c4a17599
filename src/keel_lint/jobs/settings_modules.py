"""Which of a project's Django settings modules are in force in production.

The configuration may name one. Else `DJANGO_SETTINGS_MODULE` decides, as the files that start a process set it. Modules beside
the named one that it does not import are other environments' then, but for those whose name says production: the environment of
the process may name these instead.
Source: https://docs.djangoproject.com/en/stable/topics/settings/#designating-the-settings
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.project import Project

CONFIGURED = "`settings` in keel-lint's configuration"

_VARIABLE = b"DJANGO_SETTINGS_MODULE"
_STARTERS = frozenset({"asgi.py", "manage.py", "wsgi.py"})
_NAMED = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*["']([\w.]+)["']""")
_COMPOSES = re.compile(rb"\b(?:__import__|exec|execfile|import_module|include|run_path)\s*\(")
NOT_PRODUCTION = frozenset({"ci", "debug", "dev", "develop", "development", "local", "test", "testing", "tests"})
_LIVE = frozenset({"live", "prod", "production"})


class SettingsModules(msgspec.Struct, frozen=True):
    """The settings modules that count, by path, with what names each.

    `parts` are these and what they are made of. `is_whole` is false where they may be made of more than can be seen.
    `missing` is the configured name, where no module of the project has it.
    """

    named: dict[str, str]
    parts: frozenset[str] = frozenset()
    is_whole: bool = True
    missing: str = ""

    def counts(self, path: str) -> bool:
        """Whether what a module of settings says is in force in production."""
        if path in self.named and self.is_configured:
            return True
        if not is_production(path):
            return False
        if path in self.parts or not self.is_whole or not self._is_beside(path):
            return True
        return not self.is_configured and not _LIVE.isdisjoint(_words(path))

    @property
    def is_configured(self) -> bool:
        """Whether the configuration names the module."""
        return CONFIGURED in self.named.values()

    def _is_beside(self, path: str) -> bool:
        """Whether a file stands beside a module that counts, and holds settings by its name or its folder's."""
        folder, _, name = path.rpartition("/")
        holds_settings = "settings" in name or "settings" in folder.rpartition("/")[2]
        return holds_settings and any(folder == one.rpartition("/")[0] for one in self.named)


def find(project: Project, configured: str | None) -> SettingsModules:
    """The settings modules of a project; `configured` is the dotted name that the configuration gives."""
    named = dict(_configured(project, configured) if configured else _started(project))
    if configured and not named:
        return SettingsModules({}, missing=configured)
    parts = frozenset(_parts(project, named))
    return SettingsModules(named, parts, not any(_composes(project, path) for path in parts))


def is_production(path: str) -> bool:
    """Whether a settings module may be in force in production: its name says neither test nor development."""
    return NOT_PRODUCTION.isdisjoint(_words(path))


def _words(path: str) -> list[str]:
    return path.rpartition("/")[2].rpartition(".")[0].lower().split("_")


def _configured(project: Project, dotted: str) -> Iterator[tuple[str, str]]:
    path = project.module(dotted, "")
    if path is not None:
        yield path, CONFIGURED


def _started(project: Project) -> Iterator[tuple[str, str]]:
    """What the files that start a process name. A name that says development is only a default for people."""
    for starter in sorted(project.paths, reverse=True):
        name = starter.rpartition("/")[2]
        if (name in _STARTERS or "celery" in name) and project.mentions(starter, frozenset({_VARIABLE})):
            for dotted in _NAMED.findall(project.raw(starter).decode("utf-8", "replace")):
                path = project.module(dotted, starter)
                if path is not None and is_production(path):
                    yield path, starter


def _parts(project: Project, named: dict[str, str]) -> set[str]:
    """The modules that count, with what they import: by `*` from anywhere, by name from their own folder."""
    found: set[str] = set()
    waiting = list(named)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(project, path)
    return found


def _imported(project: Project, path: str) -> Iterator[str]:
    facts = project.try_facts(path)
    folder = path.rpartition("/")[0]
    for record in facts.imports if facts is not None else ():
        dot = "" if record.module.endswith(".") else "."
        for dotted in (record.module, f"{record.module}{dot}{record.attribute}"):
            target = project.module(dotted, path) if dotted.strip(".") else None
            if target is not None and (record.name == "*" or target.rpartition("/")[0] == folder):
                yield target


def _composes(project: Project, path: str) -> bool:
    """Whether a module may take in others in a way that cannot be followed."""
    return project.try_facts(path) is None or _COMPOSES.search(project.source(path).text) is not None
