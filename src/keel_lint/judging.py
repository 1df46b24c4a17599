"""One walk over a definition for all the rules that judge it.

The table from node type to visitor methods is made once for each set of rules: `libcst.visit_batched` looks every visitor over
at every call, which costs more than the visits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.definition import UnparsableError
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.finding import Finding
    from keel_lint.glance import Glance
    from keel_lint.rule import RuleInfo


def judge(definition: Definition, rules: Sequence[RuleInfo]) -> list[Finding]:
    """What the rules find in a definition; a rule that fails is reported as KEL000 and the others go on."""
    judges = [_Judge(definition, info) for info in rules]
    table = _table(tuple(judge.kind for judge in judges))
    for entering, node in definition.order:
        for index, method in table.get((entering, type(node).__name__), ()):
            judges[index].call(method, node)
    for each in judges:
        each.call("finish")
    return definition.findings


def may_find(info: RuleInfo, glance: Glance) -> bool:
    """Whether a rule wants to see a definition; one that fails at that does, and fails again where it can be reported."""
    try:
        return info.load().may_find(glance)
    except Exception:  # a rule may fail in any way
        return True


class _Judge:
    """A rule at work on one definition. Once it has failed it does nothing more."""

    def __init__(self, definition: Definition, info: RuleInfo) -> None:
        self.definition = definition
        self.info = info
        self.rule: Rule | None = None
        self.kind: type[Rule] = Rule
        try:
            self.kind = info.load()
            self.rule = self.kind(definition)
        except Exception as error:  # a rule may fail in any way
            _report_failure(definition, info, error)

    def call(self, method: str, *arguments: cst.CSTNode) -> None:
        """Call a visitor method of the rule."""
        if self.rule is None:
            return
        try:
            getattr(self.rule, method)(*arguments)
        except UnparsableError:  # another definition, into which the rule looks: said where that one is judged
            self.rule = None
        except Exception as error:  # a rule may fail in any way
            self.rule = None
            _report_failure(self.definition, self.info, error)


_tables: dict[tuple[type[Rule], ...], dict[tuple[bool, str], list[tuple[int, str]]]] = {}


def _table(rules: tuple[type[Rule], ...]) -> dict[tuple[bool, str], list[tuple[int, str]]]:
    """For (entering, node type) which rules are called, by position, and the method of each."""
    known = _tables.get(rules)
    if known is None:
        known = _tables[rules] = {}
        for index, rule in enumerate(rules):
            for name in dir(rule):
                verb, _, node = name.partition("_")
                if verb in {"visit", "leave"} and node[:1].isupper():
                    known.setdefault((verb == "visit", node), []).append((index, name))
    return known


def _report_failure(definition: Definition, info: RuleInfo, error: Exception) -> None:
    from keel_lint.itself.kel000_internal_error import InternalError

    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    message = f"keel-lint failed here, so {info.code} was not checked: {reason}; the rest was checked, please report this"
    start = definition.fact.start if definition.fact.kind == "statement" else definition.fact.name_span[0]
    InternalError(definition).report((start, start), message)
