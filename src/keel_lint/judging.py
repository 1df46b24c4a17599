"""One walk over a definition for all the rules that judge it.

The table from node type to visitor methods is made once for each rule: `libcst.visit_batched` looks every visitor over at every
call, which costs more than the visits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.finding import Finding
    from keel_lint.rule import Rule, RuleInfo

Visit = Callable[["cst.CSTNode"], object]


def judge(definition: Definition, rules: Sequence[RuleInfo]) -> list[Finding]:
    """What the rules find in a definition; a rule that fails is reported as KEL000 and the others go on."""
    judges: list[_Judge] = []
    for info in rules:
        try:
            judges.append(_Judge(info, info.load()(definition)))
        except Exception as error:
            _report_failure(definition, info, error)
    for entering, node in definition.order:
        name = type(node).__name__
        for judge_ in judges:
            if not judge_.failed:
                judge_.visit(definition, entering, name, node)
    for judge_ in judges:
        if not judge_.failed:
            judge_.finish(definition)
    return definition.findings


class _Judge:
    """A rule at work on one definition."""

    def __init__(self, info: RuleInfo, rule: Rule) -> None:
        self.info = info
        self.rule = rule
        self.methods = _methods(type(rule))
        self.failed = False

    def visit(self, definition: Definition, entering: bool, name: str, node: cst.CSTNode) -> None:
        method = self.methods.get((entering, name))
        if method is None:
            return
        try:
            getattr(self.rule, method)(node)
        except Exception as error:
            self.failed = True
            _report_failure(definition, self.info, error)

    def finish(self, definition: Definition) -> None:
        try:
            self.rule.finish()
        except Exception as error:
            _report_failure(definition, self.info, error)


_tables: dict[type[Rule], dict[tuple[bool, str], str]] = {}


def _methods(rule: type[Rule]) -> dict[tuple[bool, str], str]:
    """The visitor methods of a rule by (entering, node type), looked up once a run."""
    known = _tables.get(rule)
    if known is not None:
        return known
    found = _tables[rule] = {}
    for name in dir(rule):
        verb, _, node = name.partition("_")
        if verb in {"visit", "leave"} and node[:1].isupper():
            found[verb == "visit", node] = name
    return found


def _report_failure(definition: Definition, info: RuleInfo, error: Exception) -> None:
    from keel_lint.itself.kel000_internal_error import InternalError

    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    message = f"keel-lint failed here, so {info.code} was not checked: {reason}; the rest was checked, please report this"
    start = definition.fact.start if definition.fact.kind == "statement" else definition.fact.name_span[0]
    InternalError(definition).report((start, start), message)
