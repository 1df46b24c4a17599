"""What a project runs: tasks, dispatches, workflows, activities, and the settings of the engines."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from keel_lint.jobs.brokers import Broker, Brokers
from keel_lint.jobs.celery_settings import CelerySettings, read_settings
from keel_lint.jobs.dispatches import Dispatches
from keel_lint.jobs.models import Models
from keel_lint.jobs.names import TaskNames
from keel_lint.jobs.settings_modules import SettingsModules, find
from keel_lint.jobs.tasks import Task, Tasks
from keel_lint.jobs.temporal import Temporal
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.jobs.versions import Version, version_of
from keel_lint.jobs.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keel_lint.jobs.django_settings import DjangoSettings
    from keel_lint.project import Project


class Jobs:
    """The whole-program facts about background jobs.

    They are drawn from `relevant`; `charge_calls` are the project's own functions that move money, `functions` those that are
    configured as `deterministic` or `non-deterministic`, `settings_module` is the dotted name of the Django settings that
    production uses.
    """

    def __init__(
        self,
        project: Project,
        relevant: tuple[str, ...],
        charge_calls: tuple[str, ...] = (),
        functions: Mapping[str, str] | None = None,
        settings_module: str | None = None,
    ) -> None:
        self.project = project
        self._relevant = relevant
        self.charge_calls = charge_calls
        self.functions = functions or {}
        self._settings_module = settings_module
        project.derive("settings-modules", lambda: msgspec.msgpack.encode(self._settings_modules, order="deterministic"))
        project.derive("celery-settings", lambda: msgspec.msgpack.encode(self._settings))
        project.derive("relevant", lambda: "\0".join(relevant).encode("utf-8", "surrogateescape"))
        project.derive("tasks", lambda: msgspec.msgpack.encode([(task.path, task.position) for task in self._all_tasks]))
        project.derive("task-names", self._task_names)
        project.derive("workers", self._all_workers)
        project.derive("broker", self._the_broker)
        project.derive("sandbox-is-weakened", lambda: bytes([self.temporal.sandbox_is_weakened]))
        project.derive("modules-passed-through", lambda: repr(sorted(self.temporal.modules_passed_through)).encode())
        project.derive("worker-failure-types", lambda: " ".join(sorted(self.temporal.worker_failure_types)).encode())
        project.derive("activities", self._activities_digest)
        project.derive("error-types", lambda: " ".join(sorted(self.temporal.dotted_error_types)).encode())
        project.derive("default-converter", lambda: bytes([self.temporal.converter_is_default]))
        project.derive("heartbeating", lambda: " ".join(sorted(self.temporal.heartbeating)).encode())
        project.derive("client-in-activity", lambda: bytes([self.temporal.helper_asks_for_client]))
        project.derive("heartbeat-interceptor", lambda: bytes([self.temporal.interceptor_heartbeats]))
        project.derive("replay-filters", lambda: " ".join(sorted(self.temporal.replay_filters)).encode())
        project.derive("timeout-interceptor", lambda: bytes([self.temporal.interceptor_sets_timeouts]))

    @property
    def relevant(self) -> tuple[str, ...]:
        """The files in which a word of an engine occurs, test code aside."""
        self.project.note("derived", "relevant")
        return self._relevant

    @cached_property
    def _settings(self) -> CelerySettings:
        with self.project.recording(inner=True):
            return read_settings(self.project, self._relevant, lambda: self._settings_modules)

    @cached_property
    def _settings_modules(self) -> SettingsModules:
        with self.project.recording(inner=True):
            return find(self.project, self._settings_module)

    @property
    def settings_modules(self) -> SettingsModules:
        """Django's settings modules that count in production."""
        self.project.note("derived", "settings-modules")
        return self._settings_modules

    @property
    def settings(self) -> CelerySettings:
        """Celery's settings and applications."""
        self.project.note("derived", "celery-settings")
        return self._settings

    @property
    def tasks(self) -> Tasks:
        """What is a task, and the options that it has."""
        self.project.note("derived", "celery-settings")
        return self._tasks

    @cached_property
    def _tasks(self) -> Tasks:
        return Tasks(self.project, self._settings, lambda: self.settings_modules)

    @cached_property
    def names(self) -> TaskNames:
        """The names under which tasks are registered."""
        return TaskNames(self.project, self._tasks, self._relevant, lambda: self._all_tasks)

    def _task_names(self) -> bytes:
        return self.names.digest()

    @property
    def django_settings(self) -> DjangoSettings:
        """Which modules are Django's settings."""
        return self._tasks.constants.django

    @cached_property
    def workers(self) -> Workers:
        """Temporal's workers: what each registers, and the task queue it polls."""
        return Workers(self.project, self._relevant, self._tasks.constant)

    def _all_workers(self) -> bytes:
        return self.workers.digest()

    @property
    def broker(self) -> Broker | None:
        """The broker, where it is one that delivers a message again after a known time."""
        return self._brokers.redelivering

    @cached_property
    def _brokers(self) -> Brokers:
        return Brokers(self.project, self._settings, self._tasks, self._relevant)

    def _the_broker(self) -> bytes:
        return self._brokers.digest()

    def setting(self, name: str) -> object:
        """What every place that gives Celery a setting agrees on; `None` where none does, `UNKNOWN` where it cannot be told."""
        settings = self.settings
        found = [fold(one.value, lambda text, path=one.path: self.tasks.constant(path, text)) for one in settings.get(name)]  # type: ignore[misc]
        if not found:
            return UNKNOWN if settings.opaque else None
        return found[0] if all(value == found[0] for value in found) else UNKNOWN

    @property
    def dispatches(self) -> Dispatches:
        """What publishes a task."""
        self.project.note("derived", "celery-settings")
        return self._dispatches

    @cached_property
    def _dispatches(self) -> Dispatches:
        return Dispatches(self.project, self._tasks)

    @cached_property
    def models(self) -> Models:
        """What is an ORM model."""
        return Models(self.project)

    def _activities_digest(self) -> bytes:
        return self.temporal.activities_digest()

    @cached_property
    def temporal(self) -> Temporal:
        """What is a workflow, and what is an activity."""
        return Temporal(self.project, self._relevant)

    @cached_property
    def _all_tasks(self) -> tuple[Task, ...]:
        with self.project.recording(inner=True):
            return tuple(task for path in self._relevant for task in self._tasks_in(path))

    def _tasks_in(self, path: str) -> list[Task]:
        facts = self.project.try_facts(path)
        if facts is None:
            return []
        marked = (i for i, d in enumerate(facts.definitions) if d.decorators or "task-class" in d.roles)
        return [task for position in marked if (task := self._tasks.at(path, position)) is not None]

    @property
    def all_tasks(self) -> tuple[Task, ...]:
        """Every task of the project; what each was read from counts as read."""
        self.project.note("derived", "tasks")
        found = (self.tasks.at(task.path, task.position) for task in self._all_tasks)
        return tuple(task for task in found if task is not None)

    def version(self, package: str) -> Version:
        """The version of `celery`, `temporalio` or `django` that the project uses."""
        return version_of(self.project, package)
