"""The canonical name of what a module-level variable holds: that of what made it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
