"""Celery's settings as the project sets them: `app.conf`, `config_from_object`, Django's `CELERY_*`, Flask's `CELERY` dict.

Where production modules differ a setting counts as set: a rule speaks only where all agree that it is not.
Source of names and defaults: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import msgspec

from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE, Argument, Assignment, Call, ModuleFacts, assignments_of
from keel_lint.index.roles import makes_application
from keel_lint.index.tables import Calls
from keel_lint.jobs.settings_modules import NOT_PRODUCTION, SettingsModules
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.project import Project, Symbol

APP_CLASSES = frozenset({"celery.Celery", "celery.app.Celery", "celery.app.base.Celery"})

_RENAMED = {
    "acks_late": "task_acks_late",
    "acks_on_failure_or_timeout": "task_acks_on_failure_or_timeout",
    "always_eager": "task_always_eager",
    "annotations": "task_annotations",
    "create_missing_queues": "task_create_missing_queues",
    "default_delivery_mode": "task_default_delivery_mode",
    "default_queue": "task_default_queue",
    "default_rate_limit": "task_default_rate_limit",
    "default_routing_key": "task_default_routing_key",
    "disable_rate_limits": "worker_disable_rate_limits",
    "eager_propagates_exceptions": "task_eager_propagates",
    "ignore_result": "task_ignore_result",
    "message_compression": "task_compression",
    "queues": "task_queues",
    "reject_on_worker_lost": "task_reject_on_worker_lost",
    "routes": "task_routes",
    "schedule": "beat_schedule",
    "send_events": "worker_send_task_events",
    "store_errors_even_if_ignored": "task_store_errors_even_if_ignored",
    "task_result_expires": "result_expires",
    "track_started": "task_track_started",
}
"""What is called differently since Celery 4, without the `CELERY_` of the old name."""

_OF_THE_APP = {"broker": "broker_url", "backend": "result_backend"}
_NO_SETTINGS = frozenset({"main", "loader", "task_cls", "changes", "config_source", "namespace", "fixups", "autofinalize"})
_TOPICS = ("task_", "worker_", "broker_", "result_", "beat_")
_OTHERS = frozenset({"accept_content", "enable_utc", "imports", "include", "timezone"})
_OLD_PREFIXES = ("celeryd_", "celerybeat_")
_DICTS = frozenset({"CELERY", "CELERY_CONFIG", "CELERY_SETTINGS"})
_DEPTH = 12

_WITHOUT_LIMITS = ("eventlet", "solo", "threads")
"""Pools that know no time limits; that of gevent has no soft one (`celery/concurrency/*.py`, 5.7)."""


class Setting(msgspec.Struct, frozen=True, array_like=True):
    """One place where a setting gets a value; `value` is its source text."""

    name: str
    value: str
    path: str
    start: int
    end: int


class App(msgspec.Struct, frozen=True, array_like=True):
    """A Celery application: where it is made, and the Task class it was given (`task_cls`), as source text."""

    name: str
    path: str
    start: int
    end: int
    task_class: str
    scope: int


class TaskClass(msgspec.Struct, frozen=True, array_like=True):
    """Where an application is given the class of its tasks (`task_cls=`, `app.Task = `): the source text of the class."""

    value: str
    path: str
    scope: int


class CelerySettings(msgspec.Struct, frozen=True):
    """All applications of the project and all that they are told, by setting in Celery's lower-case spelling.

    `opaque` says that some of it comes from where it cannot be read.
    """

    apps: tuple[App, ...]
    settings: Mapping[str, tuple[Setting, ...]]
    opaque: bool
    task_classes: tuple[TaskClass, ...] = ()

    def get(self, name: str) -> tuple[Setting, ...]:
        """Where a setting is set, production modules only."""
        return self.settings.get(name, ())

    def value(self, name: str) -> object:
        """The value of a setting where every production module agrees; `None` where none sets it, else `UNKNOWN`."""
        values = [fold(setting.value) for setting in self.get(name)]
        if not values:
            return UNKNOWN if self.opaque else None
        return values[0] if all(value == values[0] for value in values) else UNKNOWN

    @property
    def can_limit(self) -> bool:
        """Whether the workers' pool, as far as the settings name one, ends a task at its hard time limit."""
        return self.value("worker_pool") not in _WITHOUT_LIMITS

    @property
    def can_limit_softly(self) -> bool:
        """Whether the workers' pool, as far as the settings name one, raises SoftTimeLimitExceeded in a task."""
        return self.can_limit and self.value("worker_pool") != "gevent"


def read_settings(project: Project, paths: tuple[str, ...], modules: Callable[[], SettingsModules]) -> CelerySettings:
    """Read the settings from the given files, those that name Celery, and from the modules that these configure it with.

    `modules` tells which of Django's settings modules count; it is asked only where something is set in one.
    """
    reader = _Reader(project, modules)
    known = [(path, facts) for path in paths if (facts := project.try_facts(path)) is not None]
    for path, facts in known:
        for call in facts.calls:
            if call.callee.endswith(_READ):
                reader.read_call(path, facts, call)
    for path, facts in known:
        for assignment in facts.assignments:
            reader.read_assignment(path, facts, assignment)
    return CelerySettings(
        tuple(reader.apps),
        {name: tuple(found) for name, found in sorted(reader.settings.items())},
        reader.opaque,
        tuple(reader.task_classes),
    )


def setting_of(name: str, namespaces: frozenset[str] = frozenset({"celery"})) -> str:
    """The setting that a name stands for: `CELERY_TASK_ACKS_LATE`, `CELERYD_CONCURRENCY`, `task_routes`."""
    lower = name.lower()
    if lower.startswith(("celeryd_task_time", "celeryd_task_soft")):
        return lower.removeprefix("celeryd_")
    if lower.startswith(_OLD_PREFIXES):
        return lower.replace("celeryd_", "worker_", 1).replace("celerybeat_", "beat_", 1)
    for namespace in sorted(namespaces, key=len, reverse=True):
        if lower.startswith(f"{namespace}_"):
            rest = lower[len(namespace) + 1 :]
            return _RENAMED.get(rest, rest)
    return lower


def is_app(project: Project, path: str, value: str, scope: int) -> bool:
    """Whether an expression makes a Celery application: the class, a subclass of it, or a project's factory."""
    callee = value.partition("(")[0].strip()
    if not callee or callee == value.strip():
        return False
    symbol = project.resolve(path, callee, scope)
    if symbol.definition < 0 or symbol.state != "internal":
        is_unbound = symbol.state == "unbound" and symbol.name == "Celery"
        return is_unbound or symbol.name in APP_CLASSES or _is_named_app_class(symbol.name)
    return _makes_app(project, symbol)


def _makes_app(project: Project, symbol: Symbol) -> bool:
    facts = project.facts(symbol.path)
    definition = facts.definitions[symbol.definition]
    if definition.kind == "class":
        return not APP_CLASSES.isdisjoint(project.base_names(symbol.path, symbol.definition))
    if "Celery" in definition.returns:
        return True
    return any(call.callee.rpartition(".")[2] == "Celery" for call in Calls.of(facts).within(definition.start, definition.end))


def _may_make_app(call: Call) -> bool:
    """Whether a call at module level may make an instance of another class of applications, or call a factory of them."""
    return makes_application(call.callee.rpartition(".")[2]) and call.scope == MODULE


def _is_named_app_class(name: str) -> bool:
    """Whether a class of another package is by its name one of applications: `notifications_utils.celery.NotifyCelery`."""
    owner, _, last = name.rpartition(".")
    return name not in APP_CLASSES and last.endswith("Celery") and "elery" in owner


_READ = (
    "Celery", "_celery", "_celery_app", "add_defaults", "config_from_cmdline", "config_from_envvar", "config_from_object",
    "from_mapping", "update",
)  # fmt: skip
"""How the names of the calls end that are read."""


class _Reader:
    def __init__(self, project: Project, modules: Callable[[], SettingsModules]) -> None:
        self.project = project
        self._find_modules = modules
        self.apps: list[App] = []
        self.settings: dict[str, list[Setting]] = {}
        self.task_classes: list[TaskClass] = []
        self.namespaces = frozenset({"celery"})
        self.opaque = False

    @cached_property
    def modules(self) -> SettingsModules:
        return self._find_modules()

    # -- calls ------------------------------------------------------------------------------------------------------------

    def read_call(self, path: str, facts: ModuleFacts, call: Call) -> None:
        owner, _, name = call.callee.rpartition(".")
        if name in {"update", "from_mapping"} and owner.rpartition(".")[2] in {"conf", "config"}:
            self.read_update(path, call, owner.rpartition(".")[2] == "config")
        elif name == "add_defaults":
            self.read_update(path, call, is_flask=False)
        elif name == "config_from_object":
            self.read_config_from_object(path, call)
        elif name in {"config_from_envvar", "config_from_cmdline"}:
            self.opaque = True
        elif name == "Celery" or _may_make_app(call):
            self.read_app(path, facts, call)

    def read_app(self, path: str, facts: ModuleFacts, call: Call) -> None:
        if not is_app(self.project, path, f"{call.callee}()", call.scope):
            return
        if _is_named_app_class(self.project.resolve(path, call.callee, call.scope).name):
            # What the class of another package is configured with, and which tasks it makes, cannot be read.
            self.opaque = True
            self.task_classes.append(TaskClass("", path, call.scope))
        given = {argument.keyword: argument for argument in call.arguments}
        task_class = given["task_cls"].text if "task_cls" in given else ""
        name = next((a.target for a in facts.assignments if a.start <= call.start < a.end), "app")
        self.apps.append(App(name, path, call.start, call.end, task_class, call.scope))
        if task_class:
            self.task_classes.append(TaskClass(task_class, path, call.scope))
        if "namespace" in given:
            self.add_namespace(given["namespace"].text)
        if "config_source" in given:
            self.read_object(path, given["config_source"].text, call.scope)
        if "changes" in given:
            self.keep_dict(path, given["changes"].text, call.scope, (given["changes"].start, given["changes"].end))
        for argument in call.arguments:
            if argument.keyword and argument.keyword not in _NO_SETTINGS:
                self.keep_keyword(path, argument, call.scope)

    def read_update(self, path: str, call: Call, is_flask: bool) -> None:
        """`conf.update(...)`; in a Flask application's `config` only what is Celery's by its name."""
        for argument in call.arguments:
            if argument.keyword in _DICTS and is_flask:
                self.keep_dict(path, argument.text, call.scope, (argument.start, argument.end))
            elif is_flask and not argument.keyword.startswith("CELERY"):
                continue
            elif argument.keyword:
                self.keep_keyword(path, argument, call.scope)
            else:
                self.keep_dict(path, argument.text, call.scope, (argument.start, argument.end))

    def keep_keyword(self, path: str, argument: Argument, scope: int) -> None:
        place = argument.start, argument.end
        if argument.keyword == "**":
            self.keep_dict(path, argument.text, scope, place)
        elif argument.keyword != "*":
            name = _OF_THE_APP.get(argument.keyword, argument.keyword)
            self.keep(setting_of(name, self.namespaces), argument.text, path, place)

    def read_config_from_object(self, path: str, call: Call) -> None:
        for argument in call.arguments:
            if argument.keyword == "namespace":
                self.add_namespace(argument.text)
        source = next((argument for argument in call.arguments if argument.keyword in {"", "obj"}), None)
        if source is not None:
            self.read_object(path, source.text, call.scope)

    def add_namespace(self, text: str) -> None:
        value = fold(text)
        if isinstance(value, str) and value:
            self.namespaces |= {value.lower().rstrip("_")}

    # -- what an application is configured from ---------------------------------------------------------------------------

    def read_object(self, path: str, text: str, scope: int) -> None:
        """A module, a class, an instance or a dict; Django's and Flask's settings are read by their own names."""
        symbol = self.named(path, text, scope)
        if symbol.name.startswith("django.conf") or text.partition("[")[0].endswith(".config"):
            return
        if symbol.assignment >= 0:
            self.read_assigned(symbol)
        elif symbol.definition >= 0:
            self.read_class(symbol.path, symbol.definition)
        elif symbol.path and symbol.state == "internal":
            self.read_module(symbol.path, set())
        else:
            self.opaque = True

    def named(self, path: str, text: str, scope: int) -> Symbol:
        value = fold(text)
        if not isinstance(value, str):
            return self.project.resolve(path, text.partition("(")[0], scope)
        dotted = value.replace(":", ".")
        module = self.project.module(dotted, path)
        if module is not None:
            return Symbol(dotted, "internal", module)
        parent, _, name = dotted.rpartition(".")
        holder = self.project.module(parent, path) if parent else None
        return self.project.resolve(holder, name) if holder is not None else Symbol(dotted, "unknown")

    def read_assigned(self, symbol: Symbol) -> None:
        assignment = self.project.facts(symbol.path).assignments[symbol.assignment]
        text = self.text(symbol.path, assignment)
        made = self.project.resolve(symbol.path, text.partition("(")[0])
        if "(" in text and made.definition >= 0:
            self.read_class(made.path, made.definition)
        else:
            self.keep_dict(symbol.path, text, assignment.scope, (assignment.start, assignment.end))

    def read_class(self, path: str, position: int) -> None:
        for owner_path, owner in self.project.mro(path, position):
            for assignment in assignments_of(self.project.facts(owner_path), owner):
                self.keep_assignment(owner_path, assignment, assignment.target)

    def read_module(self, path: str, seen: set[str]) -> None:
        facts = self.project.try_facts(path)
        if facts is None or path in seen:
            return
        seen.add(path)
        for assignment in assignments_of(facts, MODULE):
            if "." not in assignment.target:
                self.keep_assignment(path, assignment, assignment.target)
        for record in facts.imports:
            other = self.project.module(record.module, path) if record.name == "*" else None
            if other is not None:
                self.read_module(other, seen)

    # -- assignments ------------------------------------------------------------------------------------------------------

    def read_assignment(self, path: str, facts: ModuleFacts, assignment: Assignment) -> None:
        owner, _, name = assignment.target.rpartition(".")
        if name in {"Task", "task_cls"} and (owner or self.is_in_app_class(path, facts, assignment.scope)):
            self.task_classes.append(TaskClass(assignment.value, path, assignment.scope))
        holder = owner.rpartition(".")[2]
        if holder == "conf":
            self.keep_assignment(path, assignment, name)
        elif holder in {"", "config"}:
            self.read_setting(path, facts, assignment, name, is_module=not owner)

    def read_setting(self, path: str, facts: ModuleFacts, assignment: Assignment, name: str, is_module: bool) -> None:
        is_setting = name in _DICTS or self.is_upper_setting(name) or (is_module and _is_lower_setting(path, name))
        if not is_setting or not self.is_production_class(facts, assignment.scope) or not self.modules.counts(path):
            return
        if name in _DICTS:
            self.keep_dict(path, self.text(path, assignment), assignment.scope, (assignment.start, assignment.end))
        else:
            self.keep_assignment(path, assignment, name)

    def is_upper_setting(self, name: str) -> bool:
        if not name.isupper():
            return False
        starts = ("celeryd_", "celerybeat_", "broker_", *(f"{namespace}_" for namespace in self.namespaces))
        return name.lower().startswith(starts)

    def is_in_app_class(self, path: str, facts: ModuleFacts, scope: int) -> bool:
        if scope == MODULE or facts.definitions[scope].kind != "class":
            return False
        return not APP_CLASSES.isdisjoint(self.project.base_names(path, scope))

    def is_production_class(self, facts: ModuleFacts, scope: int) -> bool:
        name = facts.definitions[scope].name if scope != MODULE else ""
        return not any(name.lower().startswith(word) for word in NOT_PRODUCTION if len(word) > 2)

    # -- keeping ----------------------------------------------------------------------------------------------------------

    def text(self, path: str, assignment: Assignment) -> str:
        """The whole value of an assignment: the index cuts long ones."""
        if not assignment.cut:
            return assignment.value
        whole = self.project.source(path).slice(assignment.start, assignment.end)
        return whole[whole.index(assignment.value[:200]) :]

    def keep_assignment(self, path: str, assignment: Assignment, name: str) -> None:
        place = assignment.start, assignment.end
        self.keep(setting_of(name, self.namespaces), self.text(path, assignment), path, place)

    def keep_dict(self, path: str, text: str, scope: int, place: tuple[int, int]) -> None:
        for name, value in self.items(path, text, scope, 0):
            self.keep(setting_of(name, self.namespaces), value, path, place)

    def keep(self, name: str, value: str, path: str, place: tuple[int, int]) -> None:
        found = self.settings.setdefault(name, [])
        setting = Setting(name, value, path, *place)
        if setting not in found:
            found.append(setting)

    def items(self, path: str, text: str, scope: int, depth: int) -> Iterator[tuple[str, str]]:
        """The string keys of a dict given as source, and the source of their values; names and `**` are followed."""
        tree = parsed(text)
        if tree is None:
            self.opaque = True
            return
        for name, value in _pairs(tree):
            if name:
                yield name, ast.unparse(value)
            elif isinstance(value, (ast.Name, ast.Attribute)):
                yield from self.named_items(path, ast.unparse(value), scope, depth)
            elif not isinstance(value, ast.Subscript):
                self.opaque = True

    def named_items(self, path: str, dotted: str, scope: int, depth: int) -> Iterator[tuple[str, str]]:
        symbol = self.project.resolve(path, dotted, scope)
        assignment = self.assigned_in_class(symbol, dotted) if symbol.assignment < 0 else None
        if symbol.assignment >= 0:
            assignment = self.project.facts(symbol.path).assignments[symbol.assignment]
        if assignment is not None and depth < _DEPTH:
            yield from self.items(symbol.path, self.text(symbol.path, assignment), assignment.scope, depth + 1)
        elif dotted.rpartition(".")[2] not in {"config", "settings", *_DICTS}:
            self.opaque = True

    def assigned_in_class(self, symbol: Symbol, dotted: str) -> Assignment | None:
        """`Config.CELERY`: what a class of the project assigns to the last part of a name."""
        if symbol.definition < 0:
            return None
        name = dotted.rpartition(".")[2]
        found = assignments_of(self.project.facts(symbol.path), symbol.definition)
        return next((assignment for assignment in found if assignment.target == name), None)


def _pairs(tree: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The items of a dict by key; what else goes into it, and what is no dict, without one."""
    if isinstance(tree, ast.Dict):
        for key, value in zip(tree.keys, tree.values, strict=True):
            if key is None:
                yield from _pairs(value)
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(tree, ast.Call) and ast.unparse(tree.func) == "dict":
        for argument in tree.args:
            yield from _pairs(argument)
        for keyword in tree.keywords:
            yield from [(keyword.arg, keyword.value)] if keyword.arg else _pairs(keyword.value)
    else:
        yield "", tree


def _is_lower_setting(path: str, name: str) -> bool:
    """Whether a lower-case name is a setting: those of a module that Celery's own configuration can be in."""
    stem = path.rpartition("/")[2].lower()
    return any(word in stem for word in ("celery", "config", "settings")) and (name.startswith(_TOPICS) or name in _OTHERS)
