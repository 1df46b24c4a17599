"""What the handlers of a `try` catch, and whether they let it go on."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import children
from keel_lint.index import expressions
from keel_lint_celery._code import is_retry, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

BROAD = frozenset({"builtins.BaseException", "builtins.Exception"})
_BROAD_NAMES = frozenset(name.rpartition(".")[2] for name in BROAD)
RETRY = frozenset({"celery.exceptions.Retry", "celery.exceptions.TaskPredicate", "celery.exceptions.CeleryError"})
_INNER = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


def caught(definition: Definition, handler: cst.ExceptHandler) -> tuple[str, ...]:
    """The canonical names of what a handler catches; a bare `except` catches everything, what has no name is empty."""
    if handler.type is None:
        return ("builtins.BaseException",)
    kind = handler.type
    kinds = [one.value for one in kind.elements] if isinstance(kind, (cst.Tuple, cst.List)) else [kind]
    return tuple(definition.name(one) or "" for one in kinds)


def own(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes below a node in source order, without those in functions and classes that it defines."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        if one is node or not isinstance(one, _INNER):
            stack.extend(reversed(list(children(one))))


def lets_go_on(definition: Definition, handler: cst.ExceptHandler) -> bool:
    """Whether a handler raises something, or retries, at least sometimes."""
    return any(
        isinstance(node, cst.Raise)
        or (isinstance(node, cst.Call) and (is_retry(definition, node) or _raises(definition, node)))
        for node in own(handler.body)
    )


def tries_round(definition: Definition, node: cst.CSTNode) -> Iterator[cst.Try]:
    """The `try` statements whose handlers see what a node raises, innermost first."""
    below = node
    for above in definition.ancestors(node):
        if isinstance(above, _INNER):
            return
        if isinstance(above, cst.Try) and below is above.body:
            yield above
        below = above


def catching(definition: Definition, tried: cst.Try, names: frozenset[str]) -> cst.ExceptHandler | None:
    """The first handler of a `try` that catches one of these exceptions."""
    return next((one for one in tried.handlers if not names.isdisjoint(caught(definition, one))), None)


def insert_handler(builder: FixBuilder, definition: Definition, before: cst.ExceptHandler, exception: str) -> None:
    """Put `except exception: raise` before a handler, in the layout of that one."""
    start = definition.span(before)[0]
    line = definition.source.line(definition.source.row(start))
    indent = line[: len(line) - len(line.lstrip())]
    name = builder.name(exception, before)
    builder.insert(start, f"except {name}:\n{indent}{_unit(definition, before, indent)}raise\n{indent}")


def _unit(definition: Definition, handler: cst.ExceptHandler, indent: str) -> str:
    """One level of indentation, as the body of a handler has it."""
    if not isinstance(handler.body, cst.IndentedBlock):
        return "    "
    line = definition.source.line(definition.source.row(definition.span(handler.body.body[0])[0]))
    return line[: len(line) - len(line.lstrip())].removeprefix(indent) or "    "


def _raises(definition: Definition, call: cst.Call) -> bool:
    """Whether a call surely raises: it ends the process, or is named so."""
    name = definition.called(call) or ""
    last = name.rpartition(".")[2]
    return name == "sys.exit" or last.startswith(("raise_", "reraise", "_raise"))


_LOGS = re.compile(
    r"(?:.*\.)?(?:_?log(?:ger|ging)?|sentry_sdk|newrelic|warnings|traceback|rollbar|statsd|metrics)(?:\.\w+)*\Z", re.IGNORECASE
)
_REPORTS = frozenset({
    "add_breadcrumb", "capture_exception", "capture_message", "critical", "debug", "error", "exception", "format_exc", "incr",
    "increment", "info", "log", "notice_error", "print", "print_exc", "record_exception", "str", "repr", "format", "type",
    "warn", "warning", "getLogger", "get_logger", "get_task_logger", "bind", "total_seconds", "time", "now", "isoformat",
})  # fmt: skip
_QUIET = (cst.Pass, cst.Expr, cst.Return, cst.Assign)


def may_only_log(glance: Glance) -> bool:
    """Whether the definition has a handler that `only_logs` may be true of."""
    return glance.may_hold(ast.ExceptHandler, _is_all_quiet)


def may_hide_all(glance: Glance) -> bool:
    """The same, for a handler of `BROAD`."""
    return glance.may_hold(ast.ExceptHandler, lambda handler: _is_all_quiet(handler) and _may_be_broad(handler.type))


def _may_be_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, (ast.Tuple, ast.List)):
        return any(map(_may_be_broad, kind.elts))
    return kind is None or expressions.last_name(kind) in _BROAD_NAMES


def _is_all_quiet(handler: ast.ExceptHandler) -> bool:
    return all(map(_is_quiet, handler.body))


def _is_quiet(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return) and statement.value is not None:
        return isinstance(statement.value, ast.Constant) and statement.value.value in {None, False}
    return isinstance(statement, (ast.Pass, ast.Expr, ast.Return, ast.Assign))


def only_logs(definition: Definition, handler: cst.ExceptHandler) -> bool:
    """Whether a handler does nothing but write down what it caught: no value, no raise, nothing that changes anything."""
    statements = handler.body.body
    for statement in statements:
        small = statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]
        if not all(isinstance(one, _QUIET) and not _gives(one) for one in small):
            return False
    calls = [node for node in own(handler.body) if isinstance(node, cst.Call)]
    return all(_is_report(definition, call) for call in calls)


def _gives(small: cst.CSTNode) -> bool:
    """Whether a `return` gives something to the caller."""
    if not isinstance(small, cst.Return) or small.value is None:
        return False
    return not (isinstance(small.value, cst.Name) and small.value.value in {"None", "False"})


def _is_report(definition: Definition, call: cst.Call) -> bool:
    func = call.func
    return last_name(func) in _REPORTS or _LOGS.match(definition.code(func)) is not None


def work_of(function: cst.FunctionDef) -> Iterator[cst.Try]:
    """The `try` statements that hold the work of a function: the last statement of its body, a `return` and logging aside."""
    body = function.body.body if isinstance(function.body, cst.IndentedBlock) else ()
    for last in reversed(body):
        statement: cst.CSTNode = last
        while isinstance(statement, cst.With) and len(statement.body.body) == 1:
            statement = statement.body.body[0]
        if isinstance(statement, cst.Try):
            yield statement
            return
        if not isinstance(statement, cst.SimpleStatementLine) or not all(_is_end(small) for small in statement.body):
            return


def _is_end(small: cst.CSTNode) -> bool:
    if isinstance(small, cst.Return):
        return not _gives(small)
    value = small.value if isinstance(small, cst.Expr) else None
    return isinstance(value, cst.Call) and last_name(value.func) in _REPORTS
