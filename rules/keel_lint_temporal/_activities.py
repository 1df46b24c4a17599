"""Activity calls and the activities behind them: the options of a call, the function that it runs, what that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.jobs.activity_options import UNREAD, Options, OptionsReader
from keel_lint.jobs.temporal import ACTIVITY
from keel_lint_temporal._handlers import keyword, positional
from keel_lint_temporal._workflow_code import only_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Call
    from keel_lint.index.facts import Definition as DefinitionFacts

_FAR = 60  # functions that are looked into before an activity is taken to do anything


class ActivityCalls:
    """Answers what the activity calls of one definition run, and with which options."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._reader = OptionsReader(definition.project, definition.jobs.tasks.constant)

    def target(self, call: cst.Call) -> Place | None:
        """The activity function of the project that a call runs, by reference or by name; `None` where it cannot be told."""
        first = next(iter(positional(call)), None) or keyword(call, "activity")
        if first is None or first.star:
            return None
        name = self.definition.value(first.value)
        if isinstance(name, str):
            return self.definition.jobs.temporal.activity_named(name)
        place = self.function(first.value)
        return place if place is not None and is_activity(self.definition, place) else None

    def function(self, node: cst.BaseExpression) -> Place | None:
        """The function behind an expression with the name of an activity, also as a method of an object of a known class."""
        definition = self.definition
        if not definition.jobs.temporal.may_name_activity(definition.code(node).rpartition(".")[2]):
            return None
        start = definition.span(node)[0]
        found = definition.flow.calls.named(definition.path, definition.code(node), definition.scope(node), start)
        return found.target if found is not None else None

    # -- options ----------------------------------------------------------------------------------------------------------

    def options(self, call: cst.Call) -> Options:
        """The options of a call, those behind `**` included."""
        return self.spread(call) | Options(self.stated(call))

    def stated(self, call: cst.Call) -> dict[str, object]:
        """The options that a call states itself."""
        given = {argument.keyword.value: argument for argument in call.args if argument.keyword is not None}
        return {key: self.definition.value(argument.value) for key, argument in given.items()}

    def spread(self, call: cst.Call) -> Options:
        """The options behind the `**` of a call."""
        found = Options()
        for argument in call.args:
            if argument.star == "**":
                found |= self._behind(argument.value)
        return found

    def _behind(self, value: cst.BaseExpression) -> Options:
        scope = self.definition.scope(value)
        function = self.definition.nearest(value, cst.FunctionDef)
        if isinstance(value, cst.Name) and function is not None and self._is_local(function, value.value):
            held = only_value(function, value.value)
            if held is None or not self._is_only_spread(function, value.value):
                return UNREAD
            value = held
        return self._reader.read(self.definition.path, self.definition.code(value), scope)

    def _is_local(self, function: cst.FunctionDef, name: str) -> bool:
        scope = self.definition.scope(function.body)
        return self.definition.project.resolve(self.definition.path, name, scope).state == "local"

    def _is_only_spread(self, function: cst.FunctionDef, name: str) -> bool:
        """Whether a variable is never used but as `**name`, so that nothing can add to what it holds."""
        for node in self.definition.find_all(cst.Name, function):
            holder = self.definition.parent(node)
            if node.value != name or isinstance(holder, (cst.AssignTarget, cst.AnnAssign)):
                continue
            if isinstance(holder, cst.Arg) and (holder.star == "**" or holder.keyword is node):
                continue
            if isinstance(holder, cst.Attribute) and holder.attr is node:
                continue
            return False
        return True


def fact_of(definition: Definition, place: Place) -> DefinitionFacts:
    """What the index knows of a function."""
    return definition.project.facts(place[0]).definitions[place[1]]


def is_activity(definition: Definition, place: Place) -> bool:
    """Whether a function is an activity."""
    return definition.jobs.temporal.is_activity(place[0], fact_of(definition, place))


def other_decorators(definition: Definition, place: Place) -> bool:
    """Whether an activity has a decorator that may do something of its own."""
    fact = fact_of(definition, place)
    names = {
        definition.project.resolve(place[0], one.callee, fact.parent).name if one.callee else "" for one in fact.decorators
    }
    return not names <= {f"{ACTIVITY}.defn", "builtins.staticmethod", "builtins.classmethod"}


def text_of(definition: Definition, place: Place) -> str:
    """The source of a function, without its decorators and parameters."""
    fact = fact_of(definition, place)
    return definition.project.source(place[0]).slice(fact.body_start, fact.end)


def reached_from(definition: Definition, place: Place) -> Iterator[Place]:
    """A function, those inside it, and the functions of the project that they run, nearest first; not endlessly many."""
    waiting, seen = [place], {place}
    while waiting and len(seen) < _FAR:
        here = waiting.pop(0)
        yield here
        fact = fact_of(definition, here)
        facts = definition.project.facts(here[0])
        inside = [(here[0], i) for i, one in enumerate(facts.definitions) if one.parent == here[1] and fact.kind == "function"]
        for found in (*inside, *(edge.target for edge in definition.flow.calls.callees(*here))):
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def calls_of(definition: Definition, place: Place) -> Iterator[tuple[Call, str]]:
    """The calls in a function itself, each with the canonical name of what it calls."""
    project = definition.project
    for call in project.facts(place[0]).calls:
        if call.scope == place[1] and "?" not in call.callee and "(" not in call.callee and "[" not in call.callee:
            yield call, project.resolve(place[0], call.callee, call.scope).name
