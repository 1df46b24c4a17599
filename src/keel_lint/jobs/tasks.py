"""Celery tasks, and the options that each really has.

A task is a function under a task decorator (of the library, of an application, or of the project's own making), or a class
derived from `Task`. Its options come from annotations, the decorator, the base class, and the settings, in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE, Argument, Decorator, Definition, Parameter, assignments_of
from keel_lint.index.tables import Calls
from keel_lint.jobs.activity_options import OptionsReader
from keel_lint.jobs.celery_settings import CelerySettings, TaskClass, is_app
from keel_lint.jobs.constants import Constants
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from keel_lint.jobs.settings_modules import SettingsModules
    from keel_lint.project import Project, Symbol

DECORATORS = frozenset({
    "celery.app.shared_task", "celery.current_app.task", "celery.decorators.task", "celery.shared_task", "celery.task",
    "celery.task.task",
})  # fmt: skip
TASK_CLASSES = frozenset({
    "celery.Task", "celery.app.task.Task", "celery.contrib.django.task.DjangoTask", "celery.task.Task", "celery.task.base.Task",
})  # fmt: skip
SETTING_OF_OPTION = {
    "time_limit": "task_time_limit",
    "soft_time_limit": "task_soft_time_limit",
    "acks_late": "task_acks_late",
    "reject_on_worker_lost": "task_reject_on_worker_lost",
    "ignore_result": "task_ignore_result",
    "rate_limit": "task_default_rate_limit",
    "serializer": "task_serializer",
}


class Option(Record, frozen=True):
    """The effective value of a task option: its folded value or `UNKNOWN`, its source text, and what sets it."""

    value: object
    text: str
    origin: str
    path: str
    start: int
    end: int


class _Maker(Record, frozen=True):
    """What makes a function a task: the arguments that it adds itself, and the file in which they stand."""

    path: str
    arguments: tuple[Argument, ...] = ()


class Task(Record, frozen=True):
    """A Celery task of the project. `decorator` is `None` for a class-based one."""

    name: str
    path: str
    position: int
    definition: Definition
    decorator: Decorator | None
    given: Mapping[str, Option]
    base: tuple[str, int] | None
    opaque: bool

    @property
    def is_bound(self) -> bool:
        """Whether the function receives the task as its first argument."""
        bind = self.given.get("bind")
        return bind is not None and bind.value is True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters a caller fills."""
        return self.definition.parameters[1:] if self.is_bound else self.definition.parameters


class Tasks:
    """Answers what is a task and what options it has."""

    def __init__(
        self, project: Project, settings: CelerySettings, modules: Callable[[], SettingsModules] | None = None
    ) -> None:
        self._project = project
        self._known_settings = settings
        self.constants = Constants(project, modules)
        self._spread = OptionsReader(project, self.constant)

    @property
    def _settings(self) -> CelerySettings:
        self._project.note("derived", "celery-settings")
        return self._known_settings

    def at(self, path: str, position: int) -> Task | None:
        """The task that a definition is, or `None`."""
        return self._project.memo(("task", path, position), lambda: self._read(path, position), None)

    def of(self, symbol: Symbol) -> Task | None:
        """The task that a resolved name stands for, or `None`."""
        return self.at(symbol.path, symbol.definition) if symbol.definition >= 0 and symbol.state == "internal" else None

    def option(self, task: Task, name: str) -> Option | None:
        """The effective option, or `None` where nothing in the project sets it."""
        found = self._annotated(task, name) or task.given.get(name) or self._inherited(task, name)
        if found is None or (found.value is None and name in SETTING_OF_OPTION):
            # Celery takes `None` for an option that is not given.
            return self._from_settings(name) or found
        return found

    def overriding(self, task: Task | None, method: str) -> tuple[str, int] | None:
        """Where the task's base classes in the project define a method of their own, as (path, position).

        Without a task: the classes that every task of the application has.
        """
        for path, owner in self._bases(task) if task is not None else self.application_bases():
            facts = self._project.facts(path)
            for position, definition in enumerate(facts.definitions):
                if definition.parent == owner and definition.name == method and definition.kind == "function":
                    return path, position
        return None

    # -- what is a task ---------------------------------------------------------------------------------------------------

    def _read(self, path: str, position: int) -> Task | None:
        definition = self._project.facts(path).definitions[position]
        if definition.kind == "class":
            return self._class_task(path, position)
        for decorator in definition.decorators:
            given = self._task_decorator(path, definition, decorator)
            if given is not None:
                return self._function_task(path, position, definition, decorator, given)
        return None

    def _function_task(self, path: str, position: int, definition: Definition, decorator: Decorator, maker: _Maker) -> Task:
        given, is_maker_opaque = self._given(maker.path, maker.arguments, MODULE)
        own, opaque = self._given(path, decorator.arguments or (), definition.parent)
        given |= own
        based = given.get("base")
        scope = definition.parent if "base" in own else MODULE
        base = self._class_of(based.path, based.text, scope) if based is not None else None
        opaque = opaque or is_maker_opaque
        named = given["name"].value if "name" in given else UNKNOWN
        name = named if isinstance(named, str) else f"{self._project.module_name(path)}.{definition.qualname}"
        return Task(name, path, position, definition, decorator, given, base, opaque)

    def _given(self, path: str, arguments: Iterable[Argument], scope: int) -> tuple[dict[str, Option], bool]:
        """The options in a decorator, and whether there may be others: a `**` is followed to the dict that it spreads."""
        given: dict[str, Option] = {}
        opaque = False
        for argument in arguments:
            if argument.keyword == "**":
                spread = self._spread.read(path, argument.text, scope)
                opaque = opaque or not spread.complete
                for name, value in spread.values.items():
                    text = spread.texts.get(name, argument.text)
                    given[name] = Option(value, text, "decorator", path, argument.start, argument.end)
            elif argument.keyword == "*":
                opaque = True
            elif argument.keyword:
                given[argument.keyword] = self._option(path, argument, "decorator")
        return given, opaque

    def _class_task(self, path: str, position: int) -> Task | None:
        facts = self._project.facts(path)
        has_run = any(d.parent == position and d.name == "run" for d in facts.definitions)
        return self.as_base(path, position) if has_run else None

    def as_base(self, path: str, position: int) -> Task | None:
        """A class that tasks can inherit from, as a task of its own; `None` where it is no class of tasks."""
        definition = self._project.facts(path).definitions[position]
        if definition.kind != "class" or TASK_CLASSES.isdisjoint(self._base_names(path, position)):
            return None
        name = f"{self._project.module_name(path)}.{definition.qualname}"
        return Task(name, path, position, definition, None, {}, (path, position), opaque=False)

    def _task_decorator(self, path: str, definition: Definition, decorator: Decorator) -> _Maker | None:
        """The arguments that a task decorator's own maker adds, or `None` where it makes no task."""
        if not decorator.callee:
            return None
        symbol = self._project.resolve(path, decorator.callee, definition.parent)
        if symbol.name in DECORATORS:
            return _Maker(path)
        if symbol.state == "internal" and symbol.definition >= 0:
            return self._made_by_project(symbol)
        owner, _, last = decorator.callee.rpartition(".")
        if last == "task" and owner and self.is_application(path, owner, definition.parent):
            return _Maker(path)
        return self._made_by_assignment(symbol) if symbol.assignment >= 0 else None

    def _made_by_assignment(self, symbol: Symbol) -> _Maker | None:
        """`task_with_retry = shared_task(max_retries=3)`, or the `partial` of a task decorator."""
        facts = self._project.facts(symbol.path)
        assignment = facts.assignments[symbol.assignment]
        inside = (call for call in facts.calls if assignment.start <= call.start and call.end == assignment.end)
        made = next(inside, None)
        if made is None:
            return None
        arguments = made.arguments
        if made.callee.rpartition(".")[2] == "partial" and arguments and not arguments[0].keyword:
            decorator, arguments = arguments[0].text, arguments[1:]
        else:
            decorator = made.callee
        if decorator.rpartition(".")[2] not in _MAKING or not self._is_task_call(symbol.path, decorator, MODULE):
            return None
        return _Maker(symbol.path, arguments)

    def is_application(self, path: str, dotted: str, scope: int) -> bool:
        """Whether a name stands for a Celery application."""
        owner = self._project.resolve(path, dotted, scope)
        if owner.assignment >= 0:
            value = self._project.facts(owner.path).assignments[owner.assignment].value
            return is_app(self._project, owner.path, value, -1) or "elery" in value.partition("(")[0]
        if owner.state == "unbound":
            return owner.name in {"app", "celery", "celery_app"}
        last_two = owner.name.rpartition(".")
        return owner.name == "celery.current_app" or (
            owner.state in {"external", "unknown"} and "celery" in owner.name.lower() and last_two[2].lower() in _APP_NAMES
        )

    def _made_by_project(self, symbol: Symbol) -> _Maker | None:
        """A project's own decorator makes tasks where its body calls a task decorator."""
        facts = self._project.facts(symbol.path)
        maker = facts.definitions[symbol.definition]
        if maker.kind != "function":
            return None
        for call in Calls.of(facts).within(maker.start, maker.end):
            if call.callee.rpartition(".")[2] not in _MAKING:
                continue
            if self._is_task_call(symbol.path, call.callee, call.scope):
                given = (argument for argument in call.arguments if argument.keyword not in {"", "*", "**"})
                return _Maker(symbol.path, tuple(given))
        return None

    def _is_task_call(self, path: str, callee: str, scope: int) -> bool:
        if self._project.resolve(path, callee, scope).name in DECORATORS:
            return True
        owner = callee.rpartition(".")[0]
        return "celery" in owner.lower() or (bool(owner) and self.is_application(path, owner, scope))

    # -- options ----------------------------------------------------------------------------------------------------------

    def _option(self, path: str, argument: Argument, origin: str) -> Option:
        value = fold(argument.text, lambda name: self.constant(path, name))
        return Option(value, argument.text, origin, path, argument.start, argument.end)

    def constant(self, path: str, dotted: str, scope: int = -1) -> object:
        """The value of a name that stands for a constant, in whatever file; see `Constants`."""
        return self.constants.value(path, dotted, scope)

    def _class_of(self, path: str, text: str, scope: int) -> tuple[str, int] | None:
        symbol = self._project.resolve(path, text, scope)
        return (symbol.path, symbol.definition) if symbol.state == "internal" and symbol.definition >= 0 else None

    def _bases(self, task: Task) -> Iterable[tuple[str, int]]:
        """The project's classes that the task's class inherits from, nearest first."""
        if task.base is not None:
            return self._project.mro(*task.base)
        if "base" in task.given:
            return ()
        return self.application_bases()

    def application_bases(self) -> Iterable[tuple[str, int]]:
        """The project's classes that a task inherits from where it names no base of its own, nearest first."""
        for given in self._settings.task_classes:
            found = self._given_class(given)
            if found is not None:
                return self._project.mro(*found)
        return ()

    def _given_class(self, given: TaskClass) -> tuple[str, int] | None:
        """The class that an application is given: by name, as `"module:Class"`, or made by a function of the project."""
        text = given.value
        if text[:1] in {'"', "'"}:
            module, _, name = text.strip("\"'").replace(":", ".").rpartition(".")
            path = self._project.module(module, given.path) if module else None
            return self._class_of(path, name, -1) if path is not None else None
        maker, is_call, _ = text.partition("(")
        found = self._class_of(given.path, maker, given.scope)
        if found is None or not is_call:
            return found
        path, position = found
        nested = enumerate(self._project.facts(path).definitions)
        return next(((path, i) for i, d in nested if d.parent == position and d.kind == "class"), None)

    def is_opaque(self, task: Task) -> bool:
        """Whether the task may have options that cannot be read: from a `**`, or from a class of another package."""
        if task.opaque or self.base_is_opaque(task):
            return True
        if task.base is not None or "base" in task.given:
            return False
        return any(self._given_class(given) is None and not self._is_celerys(given) for given in self._settings.task_classes)

    def _is_celerys(self, given: TaskClass) -> bool:
        """Whether an application is given one of Celery's own classes of tasks."""
        named = given.value.strip("\"'").replace(":", ".")
        return named in TASK_CLASSES or self._project.resolve(given.path, named, given.scope).name in TASK_CLASSES

    def base_is_opaque(self, task: Task) -> bool:
        """Whether the task's base class is named but cannot be read."""
        if task.base is None:
            return "base" in task.given and task.given["base"].text.rpartition(".")[2] != "Task"
        known = {*TASK_CLASSES, "builtins.object", "abc.ABC", "typing.Generic"}
        names = self._base_names(*task.base)
        return any(not self._is_internal(name) and name not in known for name in names)

    def _base_names(self, path: str, position: int) -> Iterator[str]:
        """The canonical names of all base classes of a class; `app.Task` is Celery's own."""
        for owner_path, owner in self._project.mro(path, position):
            definition = self._project.facts(owner_path).definitions[owner]
            for base in definition.bases:
                holder, _, last = base.text.rpartition(".")
                if last == "Task" and holder and self.is_application(owner_path, holder, definition.parent):
                    yield "celery.Task"
                elif not base.keyword:
                    yield self._project.resolve(owner_path, base.text.partition("[")[0], definition.parent).name

    def _is_internal(self, name: str) -> bool:
        return self._project.module(name.rpartition(".")[0], "") is not None

    def _inherited(self, task: Task, name: str) -> Option | None:
        for path, owner in self._bases(task):
            facts = self._project.facts(path)
            for assignment in assignments_of(facts, owner):
                if assignment.target == name:
                    value = fold(assignment.value, lambda text, path=path: self.constant(path, text))  # type: ignore[misc]
                    origin = f"base class {facts.definitions[owner].name}"
                    return Option(value, assignment.value, origin, path, assignment.start, assignment.end)
        return None

    def _from_settings(self, name: str) -> Option | None:
        setting = SETTING_OF_OPTION.get(name)
        found = self._settings.get(setting) if setting is not None else ()
        if not found:
            return None
        here = found[-1]
        value = fold(here.value, lambda text: self.constant(here.path, text)) if len({s.value for s in found}) == 1 else UNKNOWN
        return Option(value, here.value, "settings", here.path, here.start, here.end)

    def _annotated(self, task: Task, name: str) -> Option | None:
        for setting in self._settings.get("task_annotations"):
            table = fold(setting.value, lambda text, path=setting.path: self.constant(path, text))  # type: ignore[misc]
            if not isinstance(table, dict):
                return Option(UNKNOWN, setting.value, "task_annotations", setting.path, setting.start, setting.end)
            for pattern, options in table.items():
                if _is_name_of(pattern, task) and isinstance(options, dict) and name in options:
                    value = options[name]
                    return Option(value, str(value), "task_annotations", setting.path, setting.start, setting.end)
        return None


def _is_name_of(pattern: object, task: Task) -> bool:
    """Whether a key of `task_annotations` means the task; a package may be imported under a longer or a shorter name."""
    if not isinstance(pattern, str):
        return False
    return pattern in {"*", task.name} or f".{task.name}".endswith(f".{pattern}") or pattern.endswith(f".{task.name}")


_MAKING = frozenset({"shared_task", "task"})
_APP_NAMES = frozenset({"app", "celery", "celery_app", "capp", "current_app"})
