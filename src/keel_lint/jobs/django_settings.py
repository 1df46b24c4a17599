"""Where a setting of Django's gets its value: in the modules that count in production, and what they import by `*`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE, Assignment, assignments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.jobs.settings_modules import SettingsModules
    from keel_lint.project import Project


class DjangoSettings:
    """Answers what Django's settings say. `modules` gives the modules that count."""

    def __init__(self, project: Project, modules: Callable[[], SettingsModules]) -> None:
        self._project = project
        self._modules = modules

    def assignments(self, name: str) -> Iterator[tuple[str, Assignment]]:
        """Every place, as (path, assignment), where a module that may be in force in production assigns the setting."""
        for path in self.paths():
            if self._project.mentions(path, frozenset({name.encode()})):
                facts = self._project.try_facts(path)
                found = assignments_of(facts, MODULE) if facts is not None else ()
                yield from ((path, assignment) for assignment in found if assignment.target == name)

    @property
    def is_whole(self) -> bool:
        """Whether no module takes in others in a way that cannot be followed."""
        return self._modules().is_whole

    def paths(self) -> list[str]:
        """The modules that count, and those beside them that the environment may name instead."""
        modules = self._modules()
        return self._project.memo(("settings modules",), lambda: self._find_paths(modules), [])

    def _find_paths(self, modules: SettingsModules) -> list[str]:
        folders = {path.rpartition("/")[0] for path in modules.named}
        beside = (path for path in self._project.paths if path.rpartition("/")[0] in folders and "settings" in path)
        return sorted({path for path in (*modules.parts, *beside) if modules.counts(path)})
