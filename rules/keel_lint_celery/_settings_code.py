"""Settings, beat entries and routes as a definition writes them: what several rules look at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import dotted
from keel_lint.jobs.celery_settings import setting_of
from keel_lint.jobs.values import fold
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.glance import Glance

_TASK_KEY = re.compile(rb"""["']task["']|\btask[ \t]*=""")
_SCHEDULE_KEY = re.compile(rb"""["']schedule["']|\bschedule[ \t]*=""")


class Written(Record, frozen=True):
    """A setting that gets a value in a definition. `anchor` is where a finding about it stands."""

    name: str
    value: cst.BaseExpression
    anchor: cst.CSTNode


class BeatEntry(Record, frozen=True):
    """One entry of beat's schedule: `{"task": ..., "schedule": ..., "args": ...}`; `parts` are its values by key."""

    parts: dict[str, cst.BaseExpression]

    @property
    def task(self) -> cst.BaseExpression:
        """The name of the task."""
        return self.parts["task"]


def settings_in(definition: Definition) -> list[Written]:
    """The settings of Celery that a definition gives a value: assigned, updated, or as keys of a dict of settings."""
    return definition.once(_settings)


def production_settings(glance: Glance, name: str) -> list[tuple[tuple[int, int], object]]:
    """Where a definition gives a setting a value that may be in force in production, as (span, value)."""
    fact, tasks = glance.fact, glance.jobs.tasks
    if not glance.jobs.settings_modules.counts(glance.path):
        return []
    here = (one for one in glance.jobs.settings.get(name) if one.path == glance.path and fact.start <= one.start < fact.end)
    return [((s.start, s.end), fold(s.value, lambda text, path=s.path: tasks.constant(path, text))) for s in here]  # type: ignore[misc]


def beat_entries(definition: Definition) -> list[BeatEntry]:
    """The entries of beat's schedule in a definition: dicts with a task and a schedule."""
    return definition.once(_entries)


def may_have_entries(glance: Glance) -> bool:
    """Whether a definition writes the two keys of an entry of beat's schedule."""
    return _TASK_KEY.search(glance.text) is not None and _SCHEDULE_KEY.search(glance.text) is not None


def items(node: cst.CSTNode) -> Iterator[tuple[str, cst.BaseExpression, cst.CSTNode]]:
    """The string keys of a dict display or a `dict(...)`, each with its value and the node that names it."""
    if isinstance(node, cst.Dict):
        for element in node.elements:
            if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString):
                yield str(element.key.evaluated_value), element.value, element.key
    elif isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "dict":
        for argument in node.args:
            if argument.keyword is not None:
                yield argument.keyword.value, argument.value, argument.keyword


def text_of(definition: Definition, node: cst.CSTNode) -> str | None:
    """The string that an expression is worth."""
    value = definition.value(node)
    return value if isinstance(value, str) else None


def _entries(definition: Definition) -> list[BeatEntry]:
    found = []
    for kind in (cst.Dict, cst.Call):
        for node in definition.find_all(kind):
            parts = {name: value for name, value, _ in items(node)}
            if {"task", "schedule"} <= parts.keys():
                found.append(BeatEntry(parts))
    return found


def _settings(definition: Definition) -> list[Written]:
    found: list[Written] = []
    for target, value, anchor in _assigned(definition):
        owner, _, name = target.rpartition(".")
        last = owner.rpartition(".")[2]
        if name in {"CELERY", "CELERY_CONFIG", "CELERY_SETTINGS"}:
            found += _of_dict(value)
        elif last == "conf" or name.isupper() or (name.islower() and not owner):
            found.append(Written(setting_of(name), value, anchor))
    for call in definition.find_all(cst.Call):
        found += _updated(definition, call)
    return found


def _assigned(definition: Definition) -> Iterator[tuple[str, cst.BaseExpression, cst.CSTNode]]:
    for assign in definition.find_all(cst.Assign):
        for target in assign.targets:
            yield _target(target.target), assign.value, assign
    for annotated in definition.find_all(cst.AnnAssign):
        if annotated.value is not None:
            yield _target(annotated.target), annotated.value, annotated


def _target(node: cst.CSTNode) -> str:
    """The dotted name of a target; a key counts as an attribute (`app.conf["name"]`)."""
    if isinstance(node, cst.Subscript) and len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
        key = node.slice[0].slice.value
        owner = dotted(node.value)
        if owner is not None and isinstance(key, cst.SimpleString):
            return f"{owner}.{key.evaluated_value!s}"
    return dotted(node) or ""


def _updated(definition: Definition, call: cst.Call) -> Iterator[Written]:
    """`app.conf.update(...)`, `Celery(..., task_always_eager=True)`."""
    fact = definition.call_fact(call)
    if fact is None:
        return
    owner, _, name = fact.callee.rpartition(".")
    if (name == "update" and owner.rpartition(".")[2] == "conf") or name in {"add_defaults", "Celery"}:
        for argument in call.args:
            if argument.keyword is not None:
                yield Written(setting_of(argument.keyword.value), argument.value, argument)
            elif not argument.star:
                yield from _of_dict(argument.value)


def _of_dict(node: cst.CSTNode) -> Iterator[Written]:
    for name, value, _ in items(node):
        yield Written(setting_of(name), value, value)
