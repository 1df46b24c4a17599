"""Queries and validators only read: what they must not do, in themselves and in the methods that they call."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from keel_lint.rule import Rule
from keel_lint_temporal._handlers import methods_of

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.glance import Glance
    from keel_lint_temporal._handlers import Method


class MutationRule(Rule):
    """A rule about handlers of one kind that change the workflow. `harm` says what comes of it."""

    kind: ClassVar[str]
    harm: ClassVar[str]

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.methods = methods_of(definition)

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether there may be such a handler."""
        return cls.kind.encode() in glance.text

    def finish(self) -> None:
        """Judge the handlers."""
        for method in self.methods.of(self.kind):
            self._judge(method)

    def _judge(self, method: Method) -> None:
        for found in self.methods.found(method, self.methods.changes):
            through = f", through `{self.definition.code(found.where)}`" if found.hops else ""
            message = f"{self.kind} `{method.name}` changes `self.{found.what}`{through}: {self.harm}"
            self.report(found.where, message, hops=found.hops)
