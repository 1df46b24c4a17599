"""ORM models: which classes of the project are one, and what their attributes lead to.

A class is a model by its base classes or by the columns in its body. Sources: https://docs.djangoproject.com/en/stable/topics/db/models/
and https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from keel_lint.index.facts import assignments_of
from keel_lint.project import Symbol
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.index.facts import Assignment
    from keel_lint.project import Project

BASES = frozenset(
    {
        "django.contrib.auth.base_user.AbstractBaseUser",
        "django.contrib.auth.models.AbstractBaseUser",
        "django.contrib.auth.models.AbstractUser",
        "django.contrib.auth.models.Group",
        "django.contrib.auth.models.User",
        "django.db.models.Model",
        "django.db.models.base.Model",
    }
)
TO_ONE = frozenset({"ForeignKey", "OneToOneField", "ParentalKey"})
_FOREIGN_BASE = re.compile(r"(?!pydantic\b)\w+(\.\w+)*\.models?\.(\w+\.)*\w*(Model|User|Page)$")
_MANAGER = re.compile(r"[\w.]*Manager\(|[\w.]+\.(as_manager|from_queryset)\(")
_COLUMNS = frozenset({"Column", "mapped_column"})

Kind = Literal["django", "sqlalchemy"]


class Model(Record, frozen=True):
    """A model class: its name for a message, and where it stands (`path` is empty for one outside the project).

    `dotted` is its canonical name, empty where the class itself is not known.
    """

    name: str
    dotted: str = ""
    path: str = ""
    position: int = -1
    kind: Kind = "django"


class Models:
    """Answers what is a model."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, symbol: Symbol) -> Model | None:
        """The model that a resolved name stands for; `None` for one outside the project, too."""
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        key = ("model", symbol.path, symbol.definition)
        return self._project.memo(key, lambda: self._read(symbol), None)

    def _read(self, symbol: Symbol) -> Model | None:
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        kind = self._kind(symbol) if definition.kind == "class" else None
        if kind is None or self._encodes_itself(symbol):
            return None
        return Model(definition.name, symbol.name, symbol.path, symbol.definition, kind)

    def _kind(self, symbol: Symbol) -> Kind | None:
        names = self._project.base_names(symbol.path, symbol.definition)
        if any(name in BASES or _FOREIGN_BASE.match(name) for name in names):
            return "django"
        for path, assignment in self._attributes(symbol):
            callee = assignment.value.partition("(")[0]
            last = callee.rpartition(".")[2]
            if last in _COLUMNS:
                return "sqlalchemy"
            if last in TO_ONE or last.endswith("Field"):
                name = self._project.resolve(path, callee).name
                if name.startswith("django.db.models."):
                    return "django"
        return None

    def _attributes(self, symbol: Symbol) -> Iterator[tuple[str, Assignment]]:
        for path, owner in self._project.mro(symbol.path, symbol.definition):
            for assignment in assignments_of(self._project.facts(path), owner):
                yield path, assignment

    def _encodes_itself(self, symbol: Symbol) -> bool:
        """Whether the class has `__json__`, which Celery's encoder calls."""
        owners = self._project.mro(symbol.path, symbol.definition)
        return any(
            definition.parent == owner and definition.name == "__json__"
            for path, owner in owners
            for definition in self._project.facts(path).definitions
        )

    def related(self, model: Model, attribute: str) -> Model | None:
        """The model that a to-one relation of another leads to; one without a name where its class is not known."""
        if not model.path:
            return None
        for path, assignment in self._attributes(self._symbol(model)):
            callee, is_call, arguments = assignment.value.partition("(")
            if assignment.target == attribute and is_call and callee.rpartition(".")[2] in TO_ONE:
                return self._target(path, arguments, model) or Model(attribute)
        return None

    def _target(self, path: str, arguments: str, model: Model) -> Model | None:
        first = re.match(r"\s*(?:to\s*=\s*)?([\"']?)([\w.]+)\1\s*[,)]", arguments)
        if first is None:
            return None
        name = first[2]
        if name == "self":
            return model
        return self.of(self._project.resolve(path, name if not first[1] else name.rpartition(".")[2]))

    def has_own_key(self, model: Model) -> bool:
        """Whether the model states its primary key, so that its type is not Django's automatic one."""
        return any("primary_key" in assignment.value for _, assignment in self._attributes(self._symbol(model)))

    def has_objects(self, model: Model) -> bool:
        """Whether the model's manager is called `objects`: it is, unless the class has others only."""
        managers = [a.target for _, a in self._attributes(self._symbol(model)) if _MANAGER.match(a.value)]
        return not managers or "objects" in managers

    def _symbol(self, model: Model) -> Symbol:
        return Symbol(model.dotted, "internal", model.path, model.position)
