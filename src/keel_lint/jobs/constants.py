"""What a name is worth: constants of modules and classes, members of enums, and Django's settings, in whatever file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE, Assignment, assignments_of
from keel_lint.jobs.django_settings import DjangoSettings
from keel_lint.jobs.settings_modules import find
from keel_lint.jobs.values import UNKNOWN, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from keel_lint.jobs.settings_modules import SettingsModules
    from keel_lint.project import Project, Symbol

DJANGO_SETTINGS = "django.conf.settings."

_ENUMS = frozenset({"enum.Enum", "enum.IntEnum", "enum.StrEnum"})
_MIXED_IN = frozenset({
    "builtins.int", "builtins.str", "django.db.models.IntegerChoices", "django.db.models.TextChoices", "enum.IntEnum",
    "enum.StrEnum",
})  # fmt: skip
"""Bases that make the member of an enum as good as its value."""


class Constants:
    """Answers what a dotted name is worth. `modules` gives Django's settings modules that count in production."""

    def __init__(self, project: Project, modules: Callable[[], SettingsModules] | None = None) -> None:
        self._project = project
        self.django = DjangoSettings(project, modules or (lambda: find(project, None)))

    def value(self, path: str, dotted: str, scope: int = MODULE) -> object:
        """The value of a name at a scope of a file: that of the one constant assigned to it; else `UNKNOWN`."""
        symbol = self._project.resolve(path, dotted, scope)
        if symbol.name.startswith(DJANGO_SETTINGS):
            return self._of_django(symbol.name.removeprefix(DJANGO_SETTINGS))
        if not symbol.path:
            return timedelta if symbol.name == "datetime.timedelta" else UNKNOWN
        if symbol.assignment >= 0:
            return self._of_module(symbol, dotted)
        return self._of_class(symbol) if symbol.definition >= 0 and symbol.state == "unknown" else UNKNOWN

    def _of_module(self, symbol: Symbol, dotted: str) -> object:
        assignment = self._project.facts(symbol.path).assignments[symbol.assignment]
        if assignment.value == dotted or not symbol.name.endswith(assignment.target):
            return UNKNOWN
        return self._assigned(symbol.path, assignment)

    def _assigned(self, path: str, assignment: Assignment) -> object:
        """What every assignment of this name in its scope agrees on."""
        same = [one for one in assignments_of(self._project.facts(path), assignment.scope) if one.target == assignment.target]
        found = [self._folded(path, one) for one in same]
        return found[0] if all(value == found[0] for value in found) else UNKNOWN

    def _folded(self, path: str, assignment: Assignment) -> object:
        if assignment.cut:
            return UNKNOWN
        unknown: object = UNKNOWN
        key = ("constant", path, assignment.start)
        return self._project.memo(
            key, lambda: fold(assignment.value, lambda name: self.value(path, name, assignment.scope)), unknown
        )

    def _of_class(self, symbol: Symbol) -> object:
        """`Queues.MAIL`, `Queues.MAIL.value`: an attribute of a class, or a member of an enum."""
        facts = self._project.facts(symbol.path)
        definition = facts.definitions[symbol.definition]
        owner = f"{self._project.module_name(symbol.path)}.{definition.qualname}."
        name, _, rest = symbol.name.removeprefix(owner).partition(".")
        if definition.kind != "class" or not symbol.name.startswith(owner) or rest not in {"", "value"}:
            return UNKNOWN
        bases = frozenset(self._project.base_names(symbol.path, symbol.definition))
        is_enum = not bases.isdisjoint(_ENUMS | _MIXED_IN)
        if bool(rest) and not is_enum:
            return UNKNOWN
        if is_enum and not rest and bases.isdisjoint(_MIXED_IN):
            return UNKNOWN
        for path, position in self._project.mro(symbol.path, symbol.definition):
            found = next((a for a in assignments_of(self._project.facts(path), position) if a.target == name), None)
            if found is not None:
                return self._member(path, found, bases)
        return UNKNOWN

    def _member(self, path: str, assignment: Assignment, bases: frozenset[str]) -> object:
        if "enum.StrEnum" in bases and assignment.value in {"auto()", "enum.auto()"}:
            return assignment.target.lower()
        value = self._assigned(path, assignment)
        if isinstance(value, tuple) and value and any("Choices" in base for base in bases):
            return value[0]  # Django's choices are pairs of value and label.
        return value

    def _of_django(self, name: str) -> object:
        if "." in name:
            return UNKNOWN
        unknown: object = UNKNOWN
        return self._project.memo(("django setting", name), lambda: self._agreed(name), unknown)

    def _agreed(self, name: str) -> object:
        found = [self._folded(path, assignment) for path, assignment in self.django.assignments(name)]
        return found[0] if found and self.django.is_whole and all(value == found[0] for value in found) else UNKNOWN
