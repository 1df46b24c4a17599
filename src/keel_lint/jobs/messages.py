"""Messages: what a dispatch or a signature sends to which task, argument by argument."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst
import msgspec

from keel_lint.index.expressions import parsed
from keel_lint.index.roles import DISPATCHES, SIGNATURES
from keel_lint.jobs.dispatches import Dispatch
from keel_lint.jobs.plain import Plain
from keel_lint.jobs.values import UNKNOWN
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keel_lint.definition import Definition
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Argument, Call

_SPELLED_OUT = frozenset({"delay", "delay_on_commit", "s", "si"})
_IN_CONTAINERS = frozenset({"apply_async", "apply_async_on_commit", "send_task", "signature", "subtask"})
_SENDING = _SPELLED_OUT | _IN_CONTAINERS | {"partial"}
_CARRYING = frozenset({"", "args", "kwargs"})
_PARTIAL = "functools.partial"


class Passed(Record, frozen=True):
    """One argument for the task: its value, its position or keyword, and the node of the keyword (a name or a string)."""

    value: cst.BaseExpression
    index: int = -1
    keyword: str = ""
    key: cst.CSTNode | None = None


class Message(Record, frozen=True):
    """What a call sends. `is_whole` is false where arguments come from elsewhere (`*args`, a variable, a bare signature)."""

    dispatch: Dispatch
    passed: tuple[Passed, ...]
    is_whole: bool

    @property
    def method(self) -> str:
        """The method that sends it or makes the signature."""
        return self.dispatch.method


def sends_more_than_keys(glance: Glance) -> bool:
    """Whether a call of the definition may send anything but plain data.

    It is answered from the index: most definitions that dispatch send nothing else, and need not be parsed.
    """
    key = ("sends more than keys", glance.path, glance.position)
    plain = Plain(glance)
    return glance.project.memo(key, lambda: any(_sends_more(glance, call, plain) for call in glance.calls), recursive=False)


def _sends_more(glance: Glance, call: Call, plain: Plain) -> bool:
    method = call.callee.rpartition(".")[2]
    if method not in _SENDING or all(plain.holds(one.text) for one in _sent(method, call.arguments)):
        return False
    return method == "partial" or dispatch_of(glance, call) is not None


def _sent(method: str, arguments: tuple[Argument, ...]) -> Sequence[Argument]:
    """The arguments of a call that may hold arguments for the task."""
    if method == "partial":
        return arguments[1:] if arguments and arguments[0].text.rpartition(".")[2] in DISPATCHES else ()
    return [one for one in arguments if one.keyword in _CARRYING] if method in _IN_CONTAINERS else arguments


def counted(call: Call) -> tuple[int, list[str]] | None:
    """How many arguments a call sends by position, and which by keyword, by the index; `None` where not all is seen."""
    method = call.callee.rpartition(".")[2]
    arguments = call.arguments[1:] if method == "send_task" else call.arguments
    if any(one.keyword in {"*", "**"} for one in arguments):
        return None
    if method in _SPELLED_OUT:
        return sum(not one.keyword for one in arguments), [one.keyword for one in arguments if one.keyword]
    plain = [one.text for one in arguments if not one.keyword]
    named = {one.keyword: one.text for one in arguments}
    count = _count(named.get("args", plain[0] if plain else "None"))
    keys = _keys(named.get("kwargs", plain[1] if len(plain) > 1 else "None"))
    return (count, keys) if count is not None and keys is not None else None


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


def dispatch_of(where: Glance, fact: Call) -> Dispatch | None:
    """The dispatch that a call is, or the signature of a task of the project."""
    target, _, method = fact.callee.rpartition(".")
    if method not in SIGNATURES:
        return where.jobs.dispatches.of(where.path, fact)
    symbol = where.project.resolve(where.path, target, fact.scope) if target else None
    task = where.jobs.tasks.of(symbol) if symbol is not None else None
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


def _count(text: str) -> int | None:
    """How many elements a display of a tuple or list has, which is given as source."""
    node = parsed(text)
    if isinstance(node, (ast.Tuple, ast.List)):
        return None if any(isinstance(one, ast.Starred) for one in node.elts) else len(node.elts)
    return 0 if isinstance(node, ast.Constant) and node.value is None else None


def _keys(text: str) -> list[str] | None:
    """The keys of a display of a dict, or of `dict(...)`, which is given as source."""
    node = parsed(text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        found: list[object] = [one.arg for one in node.keywords]
    elif isinstance(node, ast.Dict):
        found = [one.value if isinstance(one, ast.Constant) else None for one in node.keys]
    else:
        return [] if isinstance(node, ast.Constant) and node.value is None else None
    keys = [one for one in found if isinstance(one, str)]
    return keys if len(keys) == len(found) else None
