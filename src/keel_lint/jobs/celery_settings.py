"""Celery's settings as the project sets them: `app.conf`, `config_from_object`, Django's `CELERY_*`.

Where production modules differ a setting counts as set: a rule speaks only where all agree that it is not.
Source of names and defaults: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from keel_lint.index.facts import MODULE, Argument, Call, ModuleFacts
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.project import Project

APP_CLASSES = frozenset({"celery.Celery", "celery.app.Celery", "celery.app.base.Celery"})

OLD_NAMES = {
    "celeryd_task_time_limit": "task_time_limit",
    "celeryd_task_soft_time_limit": "task_soft_time_limit",
    "celery_task_time_limit": "task_time_limit",
    "celery_task_soft_time_limit": "task_soft_time_limit",
    "celery_acks_late": "task_acks_late",
    "celery_always_eager": "task_always_eager",
    "celery_ignore_result": "task_ignore_result",
    "celery_annotations": "task_annotations",
    "celery_routes": "task_routes",
    "celerybeat_schedule": "beat_schedule",
    "celery_result_backend": "result_backend",
    "celery_broker_url": "broker_url",
}
_NOT_PRODUCTION = ("test", "tests", "testing", "dev", "develop", "development", "local", "ci", "debug")


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


class CelerySettings(msgspec.Struct, frozen=True):
    """All applications of the project and all that they are told, by setting in Celery's lower-case spelling."""

    apps: tuple[App, ...]
    settings: Mapping[str, tuple[Setting, ...]]
    opaque: bool

    def get(self, name: str) -> tuple[Setting, ...]:
        """Where a setting is set, production modules only."""
        return self.settings.get(name, ())

    def value(self, name: str) -> object:
        """The value of a setting where every production module agrees; `None` where none sets it, else `UNKNOWN`."""
        values = {setting.value for setting in self.get(name)}
        if not values:
            return UNKNOWN if self.opaque else None
        return fold(values.pop()) if len(values) == 1 else UNKNOWN


def read_settings(project: Project, paths: tuple[str, ...]) -> CelerySettings:
    """Read the settings from the given files: those that name Celery."""
    reader = _Reader(project)
    for path in paths:
        facts = project.try_facts(path)
        if facts is not None:
            reader.read(path, facts)
    return CelerySettings(
        tuple(reader.apps), {name: tuple(found) for name, found in sorted(reader.settings.items())}, reader.opaque
    )


def is_app(project: Project, path: str, value: str, scope: int) -> bool:
    """Whether an expression makes a Celery application: the class, a subclass of it, or a project's factory."""
    callee = value.partition("(")[0].strip()
    if not callee or callee == value.strip():
        return False
    symbol = project.resolve(path, callee, scope)
    if symbol.name in APP_CLASSES or (symbol.state == "unbound" and symbol.name == "Celery"):
        return True
    if symbol.definition < 0 or symbol.state != "internal":
        return False
    facts = project.facts(symbol.path)
    definition = facts.definitions[symbol.definition]
    if definition.kind == "class":
        return not APP_CLASSES.isdisjoint(project.base_names(symbol.path, symbol.definition))
    if "Celery" in definition.returns:
        return True
    return any(
        call.callee.rpartition(".")[2] == "Celery" and definition.start <= call.start < definition.end for call in facts.calls
    )


class _Reader:
    def __init__(self, project: Project) -> None:
        self.project = project
        self.apps: list[App] = []
        self.settings: dict[str, list[Setting]] = {}
        self.opaque = False

    def read(self, path: str, facts: ModuleFacts) -> None:
        self.read_apps(path, facts)
        self.read_assignments(path, facts)
        for call in facts.calls:
            self.read_call(path, facts, call)

    def read_apps(self, path: str, facts: ModuleFacts) -> None:
        for call in facts.calls:
            if call.callee.rpartition(".")[2] != "Celery" and not self.subclass(path, call):
                continue
            if not is_app(self.project, path, f"{call.callee}()", call.scope):
                continue
            task_class = next((argument.text for argument in call.arguments if argument.keyword == "task_cls"), "")
            name = next((a.target for a in facts.assignments if a.start <= call.start < a.end), "app")
            self.apps.append(App(name, path, call.start, call.end, task_class, call.scope))
            self.keep_arguments(path, call.arguments)

    def subclass(self, path: str, call: Call) -> bool:
        """Whether a call at module level may make an instance of a project's own application class."""
        return "elery" in call.callee and call.scope == MODULE and self.project.resolve(path, call.callee).definition >= 0

    def read_assignments(self, path: str, facts: ModuleFacts) -> None:
        for assignment in facts.assignments:
            owner, _, name = assignment.target.rpartition(".")
            spelled = self.setting_name(owner, name)
            if spelled is not None and not (not owner and not is_production(path)):
                self.keep(spelled, assignment.value, path, assignment.start, assignment.end)
            if not owner and name in {"CELERY", "CELERY_CONFIG", "CELERY_SETTINGS"} and is_production(path):
                self.keep_dict(assignment.value, path, assignment.start, assignment.end)

    def setting_name(self, owner: str, name: str) -> str | None:
        if owner:
            return name.lower() if owner.rpartition(".")[2] == "conf" else None
        lower = name.lower()
        if lower in OLD_NAMES and name.isupper():
            return OLD_NAMES[lower]
        if name.startswith("CELERY_"):
            return lower.removeprefix("celery_")
        return lower if lower.startswith(("task_", "worker_", "broker_", "result_", "beat_")) and not owner else None

    def read_call(self, path: str, facts: ModuleFacts, call: Call) -> None:  # noqa: ARG002
        owner, _, name = call.callee.rpartition(".")
        if name == "update" and owner.rpartition(".")[2] == "conf":
            self.keep_arguments(path, call.arguments)
        elif name in {"config_from_envvar", "config_from_cmdline"}:
            self.opaque = True

    def keep_arguments(self, path: str, arguments: tuple[Argument, ...]) -> None:
        for argument in arguments:
            if argument.keyword and argument.keyword not in {"*", "**"}:
                self.keep(argument.keyword.lower(), argument.text, path, argument.start, argument.end)
            elif not argument.keyword and argument.text.startswith(("{", "dict(")):
                self.keep_dict(argument.text, path, argument.start, argument.end)
            elif argument.keyword in {"*", "**"}:
                self.opaque = True

    def keep_dict(self, text: str, path: str, start: int, end: int) -> None:
        for name, value in _dict_items(text):
            lower = name.lower()
            self.keep(OLD_NAMES.get(lower, lower.removeprefix("celery_")), value, path, start, end)

    def keep(self, name: str, value: str, path: str, start: int, end: int) -> None:
        self.settings.setdefault(name, []).append(Setting(name, value, path, start, end))


def _dict_items(text: str) -> Iterator[tuple[str, str]]:
    """The string keys of a dict given as source, and the source of their values."""
    import ast

    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if isinstance(tree, ast.Dict):
        for key, value in zip(tree.keys, tree.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, ast.unparse(value)
    elif isinstance(tree, ast.Call):
        for keyword in tree.keywords:
            if keyword.arg is not None:
                yield keyword.arg, ast.unparse(keyword.value)


def is_production(path: str) -> bool:
    """Whether a settings module may be in force in production: its name says neither test nor development."""
    stem = path.rpartition("/")[2].rpartition(".")[0].lower()
    return not any(part in _NOT_PRODUCTION for part in stem.split("_"))
