"""Plain exceptions that leave workflow code: they end no run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.rule import Rule
from keel_lint_temporal._errors import APPLICATION_ERROR, Errors
from keel_lint_temporal._handlers import methods_of

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method


class PlainExceptionRule(Rule):
    """A rule about plain exceptions that are raised in some of the methods of a workflow."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)
        self.errors = definition.once(Errors)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether something is raised at all."""
        return b"raise" in glance.text

    def roots(self) -> list[Method]:
        """The methods that the engine calls and that are judged here."""
        raise NotImplementedError

    def elsewhere(self) -> list[Method]:
        """Those that are judged by another rule, with all that they call."""
        return []

    def message(self, error: str, method: Method, root: Method) -> str:
        """What to say of an error that is raised in a method."""
        raise NotImplementedError

    def finish(self) -> None:
        """Judge what is raised."""
        if self.methods.owner is None or self._any_error_ends_the_run():
            return
        for node in self.definition.find_all(cst.Raise):
            function = self.definition.nearest(node, cst.FunctionDef, cst.Lambda)
            method = self.methods.round(node)
            if node.exc is not None and method is not None and method.node is function and method.kind != "activity":
                self._judge(node, node.exc, method)

    def _any_error_ends_the_run(self) -> bool:
        temporal = self.definition.jobs.temporal
        if temporal.fails_on_any_error(self.definition.path, self.definition.fact) or self.methods.of("dynamic_config"):
            return True
        return "Exception" in temporal.worker_failure_types or "?" in temporal.worker_failure_types

    def _judge(self, node: cst.Raise, raised: cst.BaseExpression, method: Method) -> None:
        error = raised.func if isinstance(raised, cst.Call) else raised
        if self.errors.kind(error) != "plain":
            return
        names = self.errors.names(error)
        if self._is_listed(names) or self.errors.is_caught(node, names):
            self.decline(raised, "it is caught, or the workflow or a worker lists it as an error that ends the run")
            return
        root = next((root for root in self.roots() if self._escapes(method, root, names)), None)
        if root is None or any(self._escapes(method, other, names) for other in self.elsewhere()):
            return
        if self._is_all_there_is(node, method) or self._is_left_over(node):
            self.decline(raised, "the code is not meant to get here, or to do anything else")
            return
        written = self.definition.code(error)
        self.report(raised, self.message(written, method, root), fix=self._replacement(raised, names[0].rpartition(".")[2]))

    def _is_listed(self, names: list[str]) -> bool:
        """Whether the workflow or a worker says that such an error ends the run."""
        temporal = self.definition.jobs.temporal
        listed = {*temporal.failure_types(self.definition.path, self.definition.fact), *temporal.worker_failure_types}
        return "?" in listed or not listed.isdisjoint(name.rpartition(".")[2] for name in names)

    def _is_all_there_is(self, node: cst.Raise, method: Method) -> bool:
        """Whether a run does nothing but raise: it is there to show or to test just that."""
        line = self.definition.parent(node)
        body = method.node.body.body
        return method.kind == "run" and all(one is line or _does_nothing(one) for one in body)

    def _is_left_over(self, node: cst.Raise) -> bool:
        """Whether an error stands where every member of an enumeration has been asked for."""
        for above in self.definition.ancestors(node):
            if isinstance(above, cst.Else):
                return all(self._asks_for_member(test) for test in _tests_before(self.definition, above))
            if isinstance(above, (cst.If, cst.FunctionDef, cst.For, cst.While, cst.Try)):
                return False
        return False

    def _asks_for_member(self, test: cst.BaseExpression) -> bool:
        """Whether a test is `fruit is Fruit.APPLE`, with an `Enum` of the project."""
        if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
            return False
        only = test.comparisons[0]
        if not isinstance(only.operator, (cst.Is, cst.Equal)) or not isinstance(only.comparator, cst.Attribute):
            return False
        names = self.errors.names(only.comparator.value)
        return any(name.startswith("enum.") for name in names)

    def _escapes(self, method: Method, root: Method, names: list[str]) -> bool:
        """Whether an error that leaves a method leaves `root` too: by calls that are awaited and caught by none."""
        waiting, seen = [root], {id(root.node)}
        while waiting:
            here = waiting.pop()
            if here is method:
                return True
            for call, called in self.methods.called(here.node.body):
                if id(called.node) not in seen and self._passes_on(call, called, here, names):
                    seen.add(id(called.node))
                    waiting.append(called)
        return False

    def _passes_on(self, call: cst.Call, called: Method, here: Method, names: list[str]) -> bool:
        if self.definition.nearest(call, cst.FunctionDef, cst.Lambda) is not here.node or called.kind == "activity":
            return False
        is_run = not called.is_async or isinstance(self.definition.parent(call), cst.Await)
        return is_run and not self.errors.is_caught(call, names)

    def _replacement(self, raised: cst.BaseExpression, name: str) -> FixBuilder | None:
        """An `ApplicationError` with the same words; its type is the name of the class."""
        arguments = raised.args if isinstance(raised, cst.Call) else ()
        if len(arguments) > 1 or any(argument.star or argument.keyword for argument in arguments):
            return None
        fix = self.definition.fix("Raise an `ApplicationError`", "unsafe")
        text = f'"{name}"'
        if arguments:
            value = arguments[0].value
            text = self.definition.code(value)
            is_text = isinstance(value, (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString))
            text = text if is_text else f"str({text})"
        fix.replace(raised, f'{fix.name(APPLICATION_ERROR, raised)}({text}, type="{name}")')
        return fix


def _does_nothing(statement: cst.BaseStatement | cst.BaseSmallStatement) -> bool:
    """Whether a statement is a docstring or imports something."""
    parts = statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]
    return all(
        isinstance(part, (cst.Import, cst.ImportFrom))
        or (isinstance(part, cst.Expr) and isinstance(part.value, (cst.SimpleString, cst.ConcatenatedString)))
        for part in parts
    )


def _tests_before(definition: Definition, last: cst.Else) -> list[cst.BaseExpression]:
    """The tests of the `if` and `elif` that an `else` belongs to."""
    tests: list[cst.BaseExpression] = []
    below: cst.CSTNode = last
    for above in definition.ancestors(last):
        if not isinstance(above, cst.If) or above.orelse is not below:
            break
        tests.append(above.test)
        below = above
    # An `else` of a loop or a `try` has none.
    return tests or [cst.Name("_")]
