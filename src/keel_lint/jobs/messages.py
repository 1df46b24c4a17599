"""Messages: what a dispatch or a signature sends to which task, argument by argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst
import msgspec

from keel_lint.index.roles import DISPATCHES, SIGNATURES
from keel_lint.jobs.dispatches import Dispatch
from keel_lint.jobs.values import UNKNOWN

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call

_SPELLED_OUT = frozenset({"delay", "delay_on_commit", "s", "si"})
_IN_CONTAINERS = frozenset({"apply_async", "apply_async_on_commit", "send_task", "signature", "subtask"})
_SENDING = _SPELLED_OUT | _IN_CONTAINERS | {"partial"}
_MESSAGE_OPTIONS = frozenset({"countdown", "eta", "expires", "queue", "priority", "task_id", "routing_key", "MessageGroupId"})
_PARTIAL = "functools.partial"
_HARMLESS = re.compile(
    r"""[\[({]?\s*(?:(?:\w+=|["']\w+["']\s*:)?\s*(?:-?\d[\d_.]*|(["']).*?\1|True|False|None|[\w.]+\.(?:pk|id|uuid))\s*,?\s*)*[\])}]?"""
)


@dataclass(frozen=True)
class Passed:
    """One argument for the task: its value, its position or keyword, and the node of the keyword (a name or a string)."""

    value: cst.BaseExpression
    index: int = -1
    keyword: str = ""
    key: cst.CSTNode | None = None


@dataclass(frozen=True)
class Message:
    """What a call sends. `is_whole` is false where arguments come from elsewhere (`*args`, a variable, a bare signature)."""

    dispatch: Dispatch
    passed: tuple[Passed, ...]
    is_whole: bool

    @property
    def method(self) -> str:
        """The method that sends it or makes the signature."""
        return self.dispatch.method


def sends_more_than_keys(glance: Glance) -> bool:
    """Whether a call of the definition may send anything but keys and constants."""
    return any(
        not _HARMLESS.fullmatch(argument.text)
        for call in glance.calls
        if call.callee.rpartition(".")[2] in _SENDING
        for argument in call.arguments
        if argument.keyword not in _MESSAGE_OPTIONS or call.callee.rpartition(".")[2] in _SPELLED_OUT
    )


def message_of(definition: Definition, node: cst.Call) -> Message | None:
    """What a dispatch, a signature of a task of the project, or the `partial` of a dispatch sends; `None` for other calls."""
    fact = definition.call_fact(node)
    if fact is None:
        return None
    dispatch = dispatch_of(definition, fact)
    if dispatch is not None:
        return _read(dispatch, list(node.args))
    if fact.callee.rpartition(".")[2] != "partial" or not node.args or definition.called(node) != _PARTIAL:
        return None
    called = definition.code(node.args[0].value)
    if called.rpartition(".")[2] not in DISPATCHES:
        return None
    later = definition.jobs.dispatches.of(
        definition.path, msgspec.structs.replace(fact, callee=called, arguments=fact.arguments[1:])
    )
    return _read(later, list(node.args[1:])) if later is not None else None


def dispatch_of(definition: Definition, fact: Call) -> Dispatch | None:
    """The dispatch that a call is, or the signature of a task of the project."""
    target, _, method = fact.callee.rpartition(".")
    if method not in SIGNATURES:
        return definition.jobs.dispatches.of(definition.path, fact)
    symbol = definition.project.resolve(definition.path, target, fact.scope) if target else None
    task = definition.jobs.tasks.of(symbol) if symbol is not None else None
    return Dispatch(fact, method, target, task) if task is not None else None


def serializer(definition: Definition, message: Message, node: cst.Call) -> object:
    """The serializer in force: the call's, the task's, the project's, else JSON, Celery's own; `UNKNOWN` where not sure."""
    own = next(
        (argument for argument in node.args if argument.keyword is not None and argument.keyword.value == "serializer"), None
    )
    if own is not None and message.method not in _SPELLED_OUT:
        return definition.value(own.value)
    jobs = definition.jobs
    task = message.dispatch.task
    option = jobs.tasks.option(task, "serializer") if task is not None else None
    if option is not None:
        return "pickle" if option.value is UNKNOWN and "pickle" in option.text else option.value
    found = jobs.settings.get("task_serializer")
    if found and all("pickle" in setting.value for setting in found):
        return "pickle"
    value = jobs.settings.value("task_serializer")
    return "json" if value is None or (value is UNKNOWN and all("json" in setting.value for setting in found)) else value


def _read(dispatch: Dispatch, args: list[cst.Arg]) -> Message:
    if dispatch.method in _SPELLED_OUT:
        passed, is_whole = _spelled_out(args)
    elif dispatch.method in _IN_CONTAINERS:
        passed, is_whole = _in_containers(args[1:] if dispatch.method == "send_task" else args)
    else:
        passed, is_whole = [], False
    # Arguments of the call that applies a signature come before those of the signature.
    return Message(dispatch, tuple(passed), is_whole and "()" not in dispatch.target)


def _spelled_out(args: list[cst.Arg]) -> tuple[list[Passed], bool]:
    passed: list[Passed] = []
    is_whole = True
    for argument in args:
        if argument.star:
            is_whole = False
        elif argument.keyword is not None:
            passed.append(Passed(argument.value, keyword=argument.keyword.value, key=argument.keyword))
        else:
            passed.append(Passed(argument.value, index=len(passed) if is_whole else -1))
    return passed, is_whole


def _in_containers(args: list[cst.Arg]) -> tuple[list[Passed], bool]:
    named = {argument.keyword.value: argument.value for argument in args if argument.keyword is not None}
    plain = [argument.value for argument in args if argument.keyword is None and not argument.star]
    positional = named.get("args", plain[0] if plain else None)
    keywords = named.get("kwargs", plain[1] if len(plain) > 1 else None)
    first, is_first_whole = _elements(positional)
    second, is_second_whole = _items(keywords)
    starred = any(argument.star for argument in args)
    return [*first, *second], is_first_whole and is_second_whole and not starred


def _elements(node: cst.BaseExpression | None) -> tuple[list[Passed], bool]:
    if node is None or (isinstance(node, cst.Name) and node.value == "None"):
        return [], True
    if not isinstance(node, (cst.Tuple, cst.List)):
        return [], False
    is_whole = not any(isinstance(element, cst.StarredElement) for element in node.elements)
    return [
        Passed(element.value, index=index if is_whole else -1)
        for index, element in enumerate(node.elements)
        if isinstance(element, cst.Element)
    ], is_whole


def _items(node: cst.BaseExpression | None) -> tuple[list[Passed], bool]:
    if node is None or (isinstance(node, cst.Name) and node.value == "None"):
        return [], True
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "dict":
        return _spelled_out(list(node.args)) if all(a.keyword is not None or a.star for a in node.args) else ([], False)
    if not isinstance(node, cst.Dict):
        return [], False
    passed = [
        Passed(element.value, keyword=str(element.key.evaluated_value), key=element.key)
        for element in node.elements
        if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString)
    ]
    return passed, len(passed) == len(node.elements)
