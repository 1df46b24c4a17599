"""Why a line is flagged, or is not: what stands there, what each rule makes of it, and what could not be told.

Nothing here runs in an ordinary check; it asks the same questions once more and keeps the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from keel_lint.definition import Definition, UnparsableError
from keel_lint.discovery import COMMENT_BITS, is_template, is_test_code
from keel_lint.finding import Finding, Span
from keel_lint.index.facts import MODULE
from keel_lint.jobs.deferral import is_deferred
from keel_lint.jobs.tasks import SETTING_OF_OPTION
from keel_lint.judging import judge
from keel_lint.settings import matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keel_lint.index.facts import Call, ModuleFacts
    from keel_lint.jobs.tasks import Option, Task
    from keel_lint.outcome import Outcome
    from keel_lint.rule import RuleInfo
    from keel_lint.source import Source
    from keel_lint.suppressions import Suppression
    from keel_lint.verdicts import Judging

_OPTIONS = (
    *SETTING_OF_OPTION, "autoretry_for", "default_retry_delay", "expires", "max_retries", "queue", "retry_backoff",
    "retry_backoff_max", "retry_jitter", "throws",
)  # fmt: skip
_ON_COMMIT = frozenset({"django.db.transaction.on_commit"})
_LONGEST = 80


class Thing(msgspec.Struct, frozen=True):
    """What stands at the line: a definition, a task, a call that publishes one. `what` describes it in words."""

    kind: str
    name: str
    what: str
    path: str
    row: int


class TaskOption(msgspec.Struct, frozen=True):
    """An option that a task really has, and where it comes from."""

    task: str
    name: str
    value: str
    origin: str
    path: str
    row: int


class Suppressed(msgspec.Struct, frozen=True):
    """A finding that a comment suppresses; `hop` counts from 1, 0 is the finding's own line."""

    finding: Finding
    comment: str
    path: str
    row: int
    hop: int
    reason: str


class Silence(msgspec.Struct, frozen=True):
    """Why a rule that looked at something there did not report it."""

    code: str
    slug: str
    row: int
    column: int
    reason: str


class LeftOut(msgspec.Struct, frozen=True):
    """A rule that looks at what stands there, and was not run."""

    code: str
    slug: str
    reason: str
    remedy: str


class Puzzle(msgspec.Struct, frozen=True):
    """A call that could not be resolved: how it is written, and as what it was looked up."""

    callee: str
    row: int
    column: int
    looked_up: str


class Explanation(msgspec.Struct):
    """All that is to be said of one line.

    `notes` are about the file; `through` are findings whose path goes through the line. `asked` are the rules that looked,
    `judged` those of them of which nothing else is said; `irrelevant` counts the selected ones that look at other things.
    """

    path: str
    row: int
    column: int | None
    text: str
    notes: list[str] = msgspec.field(default_factory=list)
    things: list[Thing] = msgspec.field(default_factory=list)
    options: list[TaskOption] = msgspec.field(default_factory=list)
    findings: list[Finding] = msgspec.field(default_factory=list)
    through: list[Finding] = msgspec.field(default_factory=list)
    suppressed: list[Suppressed] = msgspec.field(default_factory=list)
    silences: list[Silence] = msgspec.field(default_factory=list)
    unresolved: list[Puzzle] = msgspec.field(default_factory=list)
    asked: list[str] = msgspec.field(default_factory=list)
    judged: list[str] = msgspec.field(default_factory=list)
    left_out: list[LeftOut] = msgspec.field(default_factory=list)
    irrelevant: int = 0


def explain(judging: Judging, path: str, row: int, column: int | None, outcome: Outcome) -> Explanation:
    """Explain a line (and column) of a project file; `outcome` is that of the whole project.

    Raises `SourceError` and `OSError` for a file that cannot be read, `ValueError` for a line that it does not have.
    """
    source = judging.project.source(path)
    if not 1 <= row <= len(source.line_starts):
        raise ValueError(f"the file has {len(source.line_starts)} lines, and no line {row}")
    made = Explanation(judging.project.absolute(path), row, column, source.line(row).strip())
    return _Explainer(judging, path, source, made).explain(outcome)


class _Explainer:
    def __init__(self, judging: Judging, path: str, source: Source, made: Explanation) -> None:
        self.judging = judging
        self.project = judging.project
        self.jobs = judging.jobs
        self.path = path
        self.source = source
        self.made = made
        self.facts: ModuleFacts = self.project.facts(path)

    def explain(self, outcome: Outcome) -> Explanation:
        self.made.notes += self._about_file()
        round_it = self._definitions()
        self._add_findings(outcome)
        for position in round_it:
            self._describe(position)
        outer = self.facts.definitions[round_it[-1]].outer if round_it else MODULE
        with self.project.recording() as reads:
            for call in self._calls():
                self._describe_call(call)
            self._ask_rules(outer)
        self._add_unresolved(reads, outcome)
        return self.made

    # -- where ------------------------------------------------------------------------------------------------------------

    def _is_here(self, start: int, end: int) -> bool:
        """Whether what stands at these bytes stands at the line, and at the column where one was given."""
        span = self.source.span(start, end)
        if not span.row <= self.made.row <= span.end_row:
            return False
        at = self.made.column
        return at is None or (span.row, span.column) <= (self.made.row, at) < (span.end_row, max(span.end_column, 2))

    def _spans_here(self, span: Span) -> bool:
        return self._is_here(span.start, span.end)

    def _definitions(self) -> list[int]:
        """The definitions round the line, outermost first."""
        found = [i for i, d in enumerate(self.facts.definitions) if d.name != "<lambda>" and self._holds_row(d.start, d.end)]
        return sorted(found, key=lambda position: self.facts.definitions[position].start)

    def _holds_row(self, start: int, end: int) -> bool:
        return self.source.row(start) <= self.made.row <= self.source.row(max(end - 1, start))

    def _calls(self) -> list[Call]:
        """The calls that begin on the line, or end there: those that a reader sees."""
        here = (call for call in self.facts.calls if self._is_here(call.start, call.end))
        return [call for call in here if self.made.row in (self.source.row(call.start), self.source.row(call.end))]

    # -- the file ---------------------------------------------------------------------------------------------------------

    def _about_file(self) -> Iterator[str]:
        if is_template(self.path, self.source.raw) and self.facts.has_error:
            yield "the file is a template: no rule looks at it until it is Python"
        if is_test_code(self.path):
            yield "the file is test code, which a check leaves out without `--tests`"
        if not self.judging.files.words(self.path) & ~COMMENT_BITS:
            yield "no word of an engine stands in the file's code, so no rule looks at it"
        elif not self.facts.definitions:
            yield "nothing in the file is a definition that an engine could run"

    # -- findings ---------------------------------------------------------------------------------------------------------

    def _add_findings(self, outcome: Outcome) -> None:
        for finding in outcome.findings:
            if finding.path == self.made.path and self._spans_here(finding.span):
                self.made.findings.append(finding)
            elif any(hop.path == self.made.path and self._spans_here(hop.span) for hop in finding.hops):
                self.made.through.append(finding)
        for finding, _ in outcome.suppressed:
            self._add_suppressed(finding)

    def _add_suppressed(self, finding: Finding) -> None:
        places = [(finding.path, finding.span), *((hop.path, hop.span) for hop in finding.hops)]
        if not any(path == self.made.path and self._spans_here(span) for path, span in places):
            return
        found = self.judging.suppression(finding)
        if found is None:
            return
        by, number = found
        path = finding.hops[number - 1].path if number else finding.path
        self.made.suppressed.append(Suppressed(finding, _written(by), path, by.row, number, by.reason))

    # -- what stands there ------------------------------------------------------------------------------------------------

    def _describe(self, position: int) -> None:
        definition = self.facts.definitions[position]
        row = self.source.row(definition.name_start if definition.kind != "statement" else definition.start)
        kind = self._kind(position)
        roles = f", looked at for: {', '.join(sorted(definition.roles))}" if definition.roles else ""
        name = definition.qualname or "module-level statement"
        self.made.things.append(Thing(kind, name, f"{kind} `{name}`{roles}", self.made.path, row))
        task = self.jobs.tasks.at(self.path, position)
        if task is not None:
            self.made.things.append(Thing("task", task.name, f"Celery task `{task.name}`", self.made.path, row))
            self.made.options += self._options(task)

    def _kind(self, position: int) -> str:
        definition = self.facts.definitions[position]
        temporal = self.jobs.temporal
        if definition.kind == "class" and temporal.is_workflow(self.path, definition):
            return "Temporal workflow"
        if definition.kind == "function" and temporal.is_activity(self.path, definition):
            return "Temporal activity"
        handler = temporal.handler(self.path, definition) if definition.kind == "function" else None
        return f"workflow method ({handler})" if handler else definition.kind

    def _options(self, task: Task) -> Iterator[TaskOption]:
        for name in dict.fromkeys((*task.given, *_OPTIONS)):
            found = self.jobs.tasks.option(task, name)
            if found is not None:
                yield TaskOption(task.name, name, _short(found.text), found.origin, *self._place(found))

    def _place(self, option: Option) -> tuple[str, int]:
        return self.project.absolute(option.path), self.project.source(option.path).row(option.start)

    def _describe_call(self, call: Call) -> None:
        dispatch = self.jobs.dispatches.of(self.path, call)
        if dispatch is None:
            return
        where = ""
        if dispatch.task is not None:
            row = self.project.source(dispatch.task.path).row(dispatch.task.definition.name_start)
            where = f", which stands at {dispatch.task.path}:{row}"
        waits = "; it waits for the commit by itself" if is_deferred(self.jobs, dispatch) else ""
        later = self._on_commit(call)
        after = f"; it runs after the commit, inside `on_commit` on line {self.source.row(later.start)}" if later else ""
        text = f"dispatch of the task `{dispatch.shown}`{where}{waits}{after}"
        self.made.things.append(Thing("dispatch", dispatch.shown, text, self.made.path, self.source.row(call.start)))

    def _on_commit(self, call: Call) -> Call | None:
        """The `on_commit(...)` round a call in a lambda."""
        round_it = (outer for outer in self.facts.calls if outer.start < call.start and call.end <= outer.end)
        named_so = (outer for outer in round_it if outer.callee.rpartition(".")[2] == "on_commit")
        return next((o for o in named_so if self.project.resolve(self.path, o.callee, o.scope).name in _ON_COMMIT), None)

    # -- rules ------------------------------------------------------------------------------------------------------------

    def _ask_rules(self, outer: int) -> None:
        selected = self.judging.selected(self.path)
        rules = self.judging.registry.rules
        roles = frozenset(self.facts.definitions[outer].roles) if outer != MODULE else frozenset[str]()
        here = [info for info in rules.values() if not roles.isdisjoint(info.judges)]
        asked = [info for info in here if info.code in selected]
        self.made.asked = [info.code for info in asked]
        self.made.left_out = [self._left_out(info) for info in here if info.code not in selected]
        self.made.irrelevant = sum(bool(info.judges) and info.code in selected and info not in asked for info in rules.values())
        if outer != MODULE and asked:
            self._collect_remarks(outer, asked)
        said = {one.code for one in (*self.made.findings, *self.made.through, *(s.finding for s in self.made.suppressed))}
        said |= {silence.code for silence in self.made.silences}
        self.made.judged = [info.code for info in asked if info.code not in said]

    def _collect_remarks(self, outer: int, asked: Sequence[RuleInfo]) -> None:
        try:
            definition = Definition(self.jobs, self.judging.flow, self.path, outer)
        except UnparsableError as error:
            self.made.notes.append(f"this definition could not be parsed: {error.reason}")
            return
        definition.remarks = []
        judge(definition, asked)
        for code, (start, end), reason in definition.remarks:
            if reason and self._is_here(start, end):
                span = self.source.span(start, end)
                self.made.silences.append(Silence(code, self.judging.registry.rules[code].slug, span.row, span.column, reason))

    def _left_out(self, info: RuleInfo) -> LeftOut:
        settings = self.judging.settings_of(self.path)
        place = f"{self.judging.root}/{self.path}"
        if any(info.code in matching(self.judging.registry, word) for word in settings.ignored(place)):
            return LeftOut(info.code, info.slug, "`per-file-ignores` takes it away from this file", "")
        named = any(
            info.code in matching(self.judging.registry, word) for layer in settings.selections for word in layer.ignore
        )
        if named:
            return LeftOut(info.code, info.slug, "`ignore` takes it away", "")
        if info.on_by_default:
            return LeftOut(info.code, info.slug, "`select` does not name it", f"--extend-select {info.code}")
        why = f"its status is {info.status}" if info.status != "stable" else f"its group, {info.group}, is off by default"
        return LeftOut(info.code, info.slug, why, f"--extend-select {info.code}")

    # -- what could not be told -------------------------------------------------------------------------------------------

    def _add_unresolved(self, reads: set[tuple[str, ...]], outcome: Outcome) -> None:
        """The calls here that a rule could not follow, on behalf of this definition or of one that leads here."""
        places = {(int(read[2]), int(read[3])) for read in reads if read[0] == "unresolved" and read[1] == self.path}
        places |= {(one.row, one.column) for one in outcome.unresolved if one.path == self.made.path}
        for call in self._calls():
            span = self.source.span(call.start, call.end)
            if (span.row, span.column) in places:
                self.made.unresolved.append(Puzzle(call.callee, span.row, span.column, self._looked_up(call)))

    def _looked_up(self, call: Call) -> str:
        owner = call.callee.rpartition(".")[0].removesuffix("()") or call.callee
        if call.callee.startswith("?") or "[]" in owner:
            return "an expression that is no plain name"
        symbol = self.project.resolve(self.path, owner, call.scope)
        if symbol.state == "local":
            return f"`{owner}`, a variable of the function: which value it has is not followed"
        if symbol.assignment >= 0:
            value = self.project.facts(symbol.path).assignments[symbol.assignment].value
            return f"`{symbol.name}`, to which {symbol.path} assigns `{_short(value)}`"
        where = f" in {symbol.path}" if symbol.path else ""
        return f"`{symbol.name}`{where}, which is no task, class or function that could be found"


def _written(by: Suppression) -> str:
    """A comment's directive, as someone would look for it."""
    directive = by.directive
    if directive.tool == "noqa":
        return f"# noqa{f': {by.name}' if by.name else ''}"
    return f"# {directive.tool}: {directive.verb} {by.name}".rstrip()


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
