"""The canonical name of what a variable holds: that of what made it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keel_lint.index.facts import MODULE

if TYPE_CHECKING:
    from keel_lint.index.facts import Call
    from keel_lint.project import Project, Symbol

_NAME = re.compile(r"[A-Za-z_][\w.]*\Z")


def made_name(project: Project, symbol: Symbol) -> str:
    """The name of a symbol; with `client = stripe.StripeClient(key)` in a module, `client.refunds` is
    `stripe.StripeClient.refunds`.
    """
    if symbol.assignment < 0:
        return symbol.name
    assignment = project.facts(symbol.path).assignments[symbol.assignment]
    callee, called, _ = assignment.value.partition("(")
    if not called or not _NAME.match(callee):
        return symbol.name
    variable = f"{project.module_name(symbol.path)}.{assignment.target}"
    return project.resolve(symbol.path, callee).name + symbol.name.removeprefix(variable)


def held_name(project: Project, path: str, call: Call) -> str:
    """The name of a method of a local variable that is bound once: `requests.Session.send` for `session.send` where the
    function says `session = requests.Session()` or `with requests.Session() as session:`; empty for another.
    """
    head, _, method = call.callee.partition(".")
    facts = project.facts(path)
    scope = call.scope
    while scope != MODULE and head not in facts.bindings.get(scope, ()):
        scope = facts.definitions[scope].parent
    bound = [one for one in facts.locals if one.scope == scope and one.target == head]
    callee, called, _ = bound[0].value.partition("(") if len(bound) == 1 else ("", "", "")
    if not called or not _NAME.match(callee):
        return ""
    return f"{project.resolve(path, callee, scope).name}.{method}"
