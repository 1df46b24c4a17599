"""The names under which tasks are registered, and whether a name that is used is one of them.

Celery makes the name of a function's task from its module and `__name__` where none is given.
Source: `celery.utils.imports.gen_task_name`, `celery.app.base.Celery._task_from_fun`.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from keel_lint.index.facts import Call
    from keel_lint.jobs.tasks import Task, Tasks
    from keel_lint.project import Project

Reason = Literal["no module", "not there", "no task", "other name", "like another"]

_MAKERS = frozenset({"task", "shared_task", "periodic_task", "register_task"})
_OFFERED = 3
_TYPOS = 2
_LONG_ENOUGH = 8
_WORTH_OFFERING = 0.6


class Given(msgspec.Struct, frozen=True, array_like=True):
    """All names of tasks: those of definitions as (name, path, position), and those that calls like `app.task(f)` give.

    `unnamed` are functions whose tasks have a name that cannot be told; `is_whole` says that no other task is made by a call,
    `is_celerys` that no application makes names in a way of its own.
    """

    named: tuple[tuple[str, str, int], ...]
    made: tuple[str, ...]
    unnamed: tuple[str, ...]
    is_whole: bool
    is_celerys: bool


class Missing(Record, frozen=True):
    """A name that no task has: why that is sure, and the names that may be meant, nearest first."""

    name: str
    reason: Reason
    nearest: tuple[str, ...]
    module: str = ""


class TaskNames:
    """Answers which task a name stands for. `all_tasks` gives every task of the project."""

    def __init__(
        self, project: Project, tasks: Tasks, relevant: tuple[str, ...], all_tasks: Callable[[], Iterable[Task]]
    ) -> None:
        self._project = project
        self._tasks = tasks
        self._relevant = relevant
        self._all_tasks = all_tasks

    def digest(self) -> bytes:
        """What tells these names from others."""
        return msgspec.msgpack.encode(self._given)

    # -- the names --------------------------------------------------------------------------------------------------------

    @property
    def given(self) -> Given:
        """All names that the project gives to tasks."""
        self._project.note("derived", "task-names")
        return self._given

    @cached_property
    def _given(self) -> Given:
        with self._project.recording(inner=True):
            return self._read()

    @cached_property
    def _by_name(self) -> Mapping[str, list[tuple[str, int]]]:
        found: dict[str, list[tuple[str, int]]] = {}
        for name, path, position in self._given.named:
            found.setdefault(name, []).append((path, position))
        for name in self._given.made:
            found.setdefault(name, [])
        return found

    def of(self, task: Task) -> str | None:
        """The name under which a task is registered; `None` where it cannot be told."""
        stated = task.given.get("name")
        if task.definition.kind == "class":
            stated = self._tasks.option(task, "name")
        if task.opaque or (stated is not None and stated.value is UNKNOWN):
            return None
        if stated is not None and isinstance(stated.value, str) and stated.value:
            return stated.value
        return f"{self._project.module_name(task.path)}.{task.definition.name}"

    def _read(self) -> Given:
        named: list[tuple[str, str, int]] = []
        unnamed: list[str] = []
        for task in self._all_tasks():
            name = self.of(task)
            if name is None:
                unnamed.append(task.definition.name)
            else:
                named.append((name, task.path, task.position))
        made = [name for path in self._relevant for name in self._made_in(path)]
        sure = tuple(name for name in made if name is not None)
        is_celerys = not any(self._names_its_own_way(path) for path in self._relevant)
        return Given(tuple(named), sure, tuple(unnamed), None not in made, is_celerys)

    def _names_its_own_way(self, path: str) -> bool:
        facts = self._project.try_facts(path)
        return facts is not None and any(definition.name == "gen_task_name" for definition in facts.definitions)

    def _made_in(self, path: str) -> list[str | None]:
        """The names of tasks that calls make, `None` for one that cannot be told."""
        facts = self._project.try_facts(path)
        if facts is None:
            return []
        spans = [(one.start, one.end) for definition in facts.definitions for one in definition.decorators]
        calls = (call for call in facts.calls if call.callee.rpartition(".")[2] in _MAKERS)
        return [self._made(path, call) for call in calls if not any(a <= call.start < b for a, b in spans)]

    def _made(self, path: str, call: Call) -> str | None:
        named = next((a.text for a in call.arguments if a.keyword == "name"), None)
        if named is not None:
            value = fold(named, lambda name: self._tasks.constant(path, name, call.scope))
            return value if isinstance(value, str) else None
        first = next((a.text for a in call.arguments if not a.keyword), "").partition("(")[0].strip()
        symbol = self._project.resolve(path, first, call.scope) if first else None
        if symbol is None or symbol.state != "internal" or symbol.definition < 0:
            return None
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        return f"{self._project.module_name(symbol.path)}.{definition.name}"

    # -- a name that is used ----------------------------------------------------------------------------------------------

    def places(self, name: str) -> list[tuple[str, int]]:
        """The tasks, as (path, position), that a name stands for."""
        self._project.note("derived", "task-names")
        return list(self._by_name.get(name, ()))

    def find(self, name: str) -> Task | None:
        """The one task that a name stands for."""
        places = self.places(name)
        return self._tasks.at(*places[0]) if len(places) == 1 else None

    def missing(self, name: str, importer: str) -> Missing | None:
        """Why no task of the project can have a name that is used in `importer`; `None` where one has it or may have it.

        A name that does not begin with a package of the project may be that of another service's task.
        """
        given = self.given
        owner, _, last = name.rpartition(".")
        if self._is_known(name) or last in given.unnamed or not given.is_celerys:
            return None
        module = self._project.module(owner, importer) if owner else None
        if module is not None:
            return self._missing_in(module, name, last)
        if owner and self._is_own_package(owner, importer) and not self._is_class(owner, importer):
            return Missing(name, "no module", self.nearest(name), owner)
        if not given.is_whole or given.unnamed:
            return None
        nearest = self._mistyped(name)
        return Missing(name, "like another", nearest) if nearest else None

    def _is_known(self, name: str) -> bool:
        """Whether a task has the name; a package may be imported under a longer or a shorter one."""
        return name in self._by_name or any(_is_same(known, name) for known in self._by_name)

    def _missing_in(self, path: str, name: str, last: str) -> Missing | None:
        facts = self._project.try_facts(path)
        if facts is None or not last.isidentifier():
            return None
        if not self._has_word(path, last):
            return Missing(name, "not there", self.nearest(name), self._project.module_name(path))
        symbol = self._project.resolve(path, last)
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        task = self._tasks.of(symbol)
        registered = self.of(task) if task is not None else None
        if registered is not None:
            return None if _is_same(registered, name) else Missing(name, "other name", (registered,))
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        if task is not None or definition.decorators or definition.kind != "function" or not self._given.is_whole:
            return None
        return Missing(name, "no task", self.nearest(name), self._project.module_name(symbol.path))

    def _is_own_package(self, owner: str, importer: str) -> bool:
        """Whether the first part of a name is a package of the project that no other distribution can add to."""
        head = self._project.module(owner.partition(".")[0], importer)
        return head is not None and head.endswith("/__init__.py")

    def _is_class(self, owner: str, importer: str) -> bool:
        """Whether a dotted name ends in what a module of the project defines: the name of a method, or made in another way."""
        parent, _, name = owner.rpartition(".")
        module = self._project.module(parent, importer) if parent else None
        return module is not None and self._has_word(module, name)

    def _has_word(self, path: str, word: str) -> bool:
        return re.search(rf"\b{re.escape(word)}\b".encode(), self._project.source(path).text) is not None

    def nearest(self, name: str) -> tuple[str, ...]:
        """Names of tasks that are like a name: those with the same last part first."""
        last = name.rpartition(".")[2]
        ranked = []
        for known in self._by_name:
            alike = SequenceMatcher(None, name, known, autojunk=False).ratio()
            same = known.rpartition(".")[2] == last
            if same or alike >= _WORTH_OFFERING:
                ranked.append((not same, -alike, known))
        return tuple(known for _, _, known in sorted(ranked)[:_OFFERED])

    def _mistyped(self, name: str) -> tuple[str, ...]:
        """The names of tasks from which a name differs as one that is mistyped does."""
        return tuple(known for known in self.nearest(name) if _is_mistyped(name, known))


def _is_same(known: str, name: str) -> bool:
    """Whether two names are one, as a package may be imported under a longer or a shorter name."""
    if known == name:
        return True
    return "." in known and (known.endswith(f".{name}") or name.endswith(f".{known}"))


def _is_mistyped(name: str, known: str) -> bool:
    """Whether a long name differs from another in one or two letters; digits tell versions apart."""
    if min(len(name), len(known)) < _LONG_ENOUGH:
        return False
    steps = [step for step in SequenceMatcher(None, name, known, autojunk=False).get_opcodes() if step[0] != "equal"]
    changed = "".join(name[a:b] + known[c:d] for _, a, b, c, d in steps)
    return sum(max(b - a, d - c) for _, a, b, c, d in steps) <= _TYPOS and changed.isalpha()
