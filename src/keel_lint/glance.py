"""A definition as the index knows it, before it is parsed: enough for a rule to say that it will find nothing there."""

from __future__ import annotations

import ast
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from keel_lint.index.expressions import parsed_definition
from keel_lint.index.tables import Calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from keel_lint.flow import Flow
    from keel_lint.index.facts import Call, Definition
    from keel_lint.jobs import Jobs

N = TypeVar("N", bound=ast.AST)


class Glance:
    """What `Rule.may_find` is asked about. Parsing is most of what a definition costs."""

    def __init__(self, jobs: Jobs, flow: Flow, path: str, position: int) -> None:
        self.jobs = jobs
        self.flow = flow
        self.project = jobs.project
        self.path = path
        self.position = position
        self.facts = jobs.project.facts(path)
        self.fact = self.facts.definitions[position]

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls in the definition."""
        return tuple(Calls.of(self.facts).within(self.fact.start, self.fact.end))

    @cached_property
    def inside(self) -> tuple[Definition, ...]:
        """The definitions that stand in this one."""
        return tuple(takewhile(lambda one: one.start < self.fact.end, self.facts.definitions[self.position + 1 :]))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...] | None:
        """All nodes of the definition, outer ones first, as this Python reads it; `None` where it does not.

        Python's parser takes a tenth of the time of LibCST's.
        """
        tree, _ = parsed_definition(self.project.source(self.path).text, self.fact.start, self.fact.end)
        return tuple(ast.walk(tree)) if tree is not None else None

    def may_hold(self, kinds: type[N] | tuple[type[N], ...], test: Callable[[N], bool]) -> bool:
        """Whether a node of one of these kinds passes a test; what Python does not read may hold anything."""
        return self.nodes is None or any(isinstance(node, kinds) and test(node) for node in self.nodes)

    @cached_property
    def text(self) -> bytes:
        """The source of the definition."""
        return self.project.source(self.path).text[self.fact.start : self.fact.end]
