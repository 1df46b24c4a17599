"""The broker of a project, and how long it waits for a message to be acknowledged before it delivers it again.

Redis and SQS have such a visibility timeout: `broker_transport_options["visibility_timeout"]`, else an hour with Redis and half
an hour with SQS. Source: `kombu.transport.redis`, `kombu.transport.SQS`,
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#visibility-timeout
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from keel_lint.jobs.values import UNKNOWN, fold

if TYPE_CHECKING:
    from keel_lint.jobs.celery_settings import CelerySettings, Setting
    from keel_lint.jobs.tasks import Tasks
    from keel_lint.project import Project

_SCHEME = re.compile(
    r"""["'](redis|rediss|sqs|amqps?|pyamqp|librabbitmq|sentinel|memory|filesystem|confluentkafka|gcpubsub)(?:\+\w+)?://"""
)
_DEFAULTS = {"redis": 3600.0, "sqs": 1800.0}
_OPTION = frozenset({b"visibility_timeout"})


class Broker(msgspec.Struct, frozen=True, array_like=True):
    """A broker that delivers messages again: which one, after how many seconds, and the setting that says so, if any does."""

    kind: Literal["redis", "sqs"]
    visibility: float
    is_default: bool


class Brokers:
    """Answers which broker a project uses, as far as its settings tell."""

    def __init__(self, project: Project, settings: CelerySettings, tasks: Tasks, relevant: tuple[str, ...]) -> None:
        self._project = project
        self._settings = settings
        self._tasks = tasks
        self._relevant = relevant

    def digest(self) -> bytes:
        """What tells this broker from another."""
        return msgspec.msgpack.encode(self._broker)

    @property
    def redelivering(self) -> Broker | None:
        """The broker, where it is sure to be Redis or SQS and its visibility timeout is known."""
        self._project.note("derived", "broker")
        return self._broker

    @cached_property
    def _broker(self) -> Broker | None:
        with self._project.recording(inner=True):
            kind = self._kind()
            visibility = self._visibility() if kind is not None else UNKNOWN
            if kind is None or visibility is UNKNOWN:
                return None
            return Broker(kind, visibility if isinstance(visibility, float) else _DEFAULTS[kind], visibility is None)

    def _kind(self) -> Literal["redis", "sqs"] | None:
        """What all broker addresses in the project agree on; the default of one that the environment gives counts."""
        urls = self._settings.get("broker_url")
        found = {_SCHEME.findall(url.value)[0] if _SCHEME.search(url.value) else self._named(url) for url in urls}
        if found <= {"redis", "rediss"} and found:
            return "redis"
        return "sqs" if found == {"sqs"} else None

    def _named(self, url: Setting) -> str:
        value = fold(url.value, lambda name: self._tasks.constant(url.path, name))
        return value.partition("://")[0] if isinstance(value, str) else ""

    def _visibility(self) -> object:
        """The seconds that the settings give, `None` where none does, `UNKNOWN` where it cannot be told."""
        found = []
        for options in self._settings.get("broker_transport_options"):
            folded = fold(options.value, lambda name, path=options.path: self._tasks.constant(path, name))  # type: ignore[misc]
            if not isinstance(folded, dict):
                return UNKNOWN
            found += [folded["visibility_timeout"]] if "visibility_timeout" in folded else []
        if not found:
            is_elsewhere = any(self._project.mentions(path, _OPTION) for path in self._relevant)
            return UNKNOWN if is_elsewhere or self._settings.opaque else None
        known = [float(value) for value in found if isinstance(value, (int, float))]
        return max(known) if len(known) == len(found) else UNKNOWN


def spelled(seconds: float) -> str:
    """A duration for a message: `90 seconds`, `30 minutes`, `12 hours`."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {word}{'' if number == 1 else 's'}"
    return f"{seconds:g} seconds"
