"""Fixes that put a call off until a transaction of Django has committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.atomic import OpenTransaction


def can_spell(opened: OpenTransaction) -> bool:
    """Whether the alias of a transaction means the same at the call as where the transaction is opened."""
    return not opened.alias or opened.alias[0] in "\"'" or len(opened.hops) == 1


def wait_for_commit(builder: FixBuilder, node: cst.Call, opened: OpenTransaction) -> FixBuilder | None:
    """`on_commit(partial(function, ...))` with the arguments as they are written, comments and line breaks too.

    The value of the call is lost, so it must be a statement. `None` where the call cannot be written so.
    """
    definition = builder.definition
    if any(isinstance(argument.value, cst.GeneratorExp) and not argument.value.lpar for argument in node.args):
        return None
    using = f", using={opened.alias}" if opened.alias else ""
    on_commit = f"{builder.name('django.db.transaction', node)}.on_commit"
    start, end = definition.span(node)
    if not node.args:
        builder.insert(start, f"{on_commit}(")
        builder.replace_span(definition.span(node.func)[1], end, f"{using})")
        return builder
    builder.insert(start, f"{on_commit}(")
    builder.hand_over(node, builder.name("functools.partial", node))
    builder.insert(end, f"{using})")
    return builder
