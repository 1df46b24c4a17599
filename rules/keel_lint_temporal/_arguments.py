"""What is handed to an activity, a child workflow or a started workflow: one argument after what is called, or `args=[...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.jobs.receivers import Receivers
from keel_lint.record import Record
from keel_lint_temporal._commands import ACTIVITIES, CHILDREN, CLIENT_STARTS, CONTINUE_AS_NEW, RETRIED_FOR_EVER
from keel_lint_temporal._handlers import keyword, positional

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.definition import Definition


class Given(Record, frozen=True):
    """What a call gives. `plain` stand after the activity or workflow; `then` is what an error raised by the call does."""

    plain: list[cst.Arg]
    arg: cst.Arg | None
    args: cst.Arg | None
    then: str


def given(definition: Definition, call: cst.Call) -> Given | None:
    """The arguments that a call hands over; `None` for a call that starts nothing."""
    name = definition.called(call) or ""
    if name in ACTIVITIES or name in CHILDREN or name == CONTINUE_AS_NEW:
        before, then = int(name != CONTINUE_AS_NEW), f"and {RETRIED_FOR_EVER}"
    elif CLIENT_STARTS.match(definition.once(Receivers).called(call) or ""):
        before, then = 1, "before anything is started"
    else:
        return None
    plain = positional(call)
    if any(argument.star for argument in plain[:before]):
        return None
    return Given(plain[before:], keyword(call, "arg"), keyword(call, "args"), then)
