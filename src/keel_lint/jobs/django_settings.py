"""Which modules are a project's Django settings: those that `DJANGO_SETTINGS_MODULE` names where a process starts.

Source: https://docs.djangoproject.com/en/stable/topics/settings/#designating-the-settings
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE, Assignment, assignments_of
from keel_lint.jobs.settings_modules import SettingsModules, find, is_production

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.project import Project

_STARTERS = frozenset({"asgi.py", "celery.py", "celery_app.py", "manage.py", "wsgi.py"})
_NAMED = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*["']([\w.]+)["']""")


class DjangoSettings:
    """Answers where a setting of Django's gets its value."""

    def __init__(self, project: Project, chosen: Callable[[], SettingsModules] | None = None) -> None:
        """`chosen` tells which modules the configuration names."""
        self._project = project
        self._chosen = chosen or (lambda: find(project, None))
        project.derive("django-settings", lambda: "\0".join(self._modules).encode("utf-8", "surrogateescape"))

    def assignments(self, name: str) -> Iterator[tuple[str, Assignment]]:
        """Every place, as (path, assignment), where a module that may be in force in production assigns the setting."""
        for path in self.modules():
            if self._project.mentions(path, frozenset({name.encode()})):
                facts = self._project.try_facts(path)
                found = assignments_of(facts, MODULE) if facts is not None else ()
                yield from ((path, assignment) for assignment in found if assignment.target == name)

    def modules(self) -> tuple[str, ...]:
        """The settings modules and what they import by `*`; those for tests and development where there is no other."""
        self._project.note("derived", "django-settings")
        return self._modules

    @cached_property
    def _modules(self) -> tuple[str, ...]:
        with self._project.recording(inner=True):
            return tuple(self._find())

    def _find(self) -> list[str]:
        chosen = self._chosen()
        if chosen.is_configured:
            return sorted(filter(chosen.counts, chosen.parts))
        named = [path for path in self._named() if path is not None]
        waiting = [path for path in named if is_production(path)] or named
        # A module beside them (`production.py`) is chosen by the environment.
        folders = {path.rpartition("/")[0] for path in waiting if "settings" in path.rpartition("/")[0].rpartition("/")[2]}
        waiting += sorted(p for p in self._project.paths if p.rpartition("/")[0] in folders and is_production(p))
        found: list[str] = []
        while waiting:
            path = waiting.pop(0)
            if path not in found:
                found.append(path)
                waiting += self._starred(path)
        return found

    def _named(self) -> Iterator[str | None]:
        for path in sorted(self._project.paths):
            if path.rpartition("/")[2] in _STARTERS and self._project.mentions(path, frozenset({b"DJANGO_SETTINGS_MODULE"})):
                for dotted in _NAMED.findall(self._project.source(path).text.decode("utf-8", "replace")):
                    yield self._project.module(dotted, path)

    def _starred(self, path: str) -> list[str]:
        if not self._project.mentions(path, frozenset({b"import"})):
            return []
        facts = self._project.try_facts(path)
        stars = (record.module for record in facts.imports if record.name == "*") if facts is not None else ()
        return [target for module in stars if (target := self._project.module(module, path)) is not None]
