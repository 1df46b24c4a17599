"""The fix that takes a blocking call out of the event loop: `await asyncio.to_thread(f, a)` for `f(a)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder

_PLAIN = (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return)


def in_thread(definition: Definition, call: cst.Call, *, whole: bool = False) -> FixBuilder | None:
    """An unsafe fix that makes a call in a thread; `None` where its function cannot wait, or does more than keep the value.

    With `whole` what the call is made on, and its arguments, are worked out in the thread, too.
    """
    if not can_wait(definition, call) or (whole and _must_stay(definition, call)):
        return None
    fix = definition.fix("Make the call in a thread", "unsafe")
    thread = f"await {fix.name('asyncio', call)}.to_thread"
    if whole:
        start, end = definition.span(call)
        fix.insert(start, f"{thread}(lambda: ")
        fix.insert(end, ")")
    else:
        fix.hand_over(call, thread)
    return fix


def _must_stay(definition: Definition, call: cst.Call) -> bool:
    """Whether there is something in a call that a lambda cannot hold, or that means something else there."""
    return any(next(definition.find_all(kind, call), None) is not None for kind in (cst.Await, cst.Yield, cst.NamedExpr))


def can_wait(definition: Definition, call: cst.Call) -> bool:
    """Whether `await` can be written before a call: it is a statement, or its value is kept or returned, in an `async def`."""
    function = definition.nearest(call, cst.FunctionDef, cst.Lambda)
    is_async = isinstance(function, cst.FunctionDef) and function.asynchronous is not None
    return is_async and isinstance(definition.parent(call), _PLAIN)
