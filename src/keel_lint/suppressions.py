"""Comments that suppress findings: what they cover, whether they were needed, and how new ones are written.

`# noqa` is read exactly as flake8 reads it, so that both doors suppress the same. `# keel:` comments and the codes of installed
rules inside `# ruff:` comments name what they suppress and are never a blanket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from keel_lint.finding import Edit, Finding, Fix
from keel_lint.record import Record

if TYPE_CHECKING:
    from datetime import date

    from tree_sitter import Node

    from keel_lint.index.facts import Definition, ModuleFacts
    from keel_lint.rule import Registry
    from keel_lint.source import Source

Tool = Literal["noqa", "flake8", "ruff", "keel"]
Verb = Literal["noqa", "ignore", "file-ignore", "disable", "enable", "misspelt"]

_WORDS = (b"noqa", b"keel:", b"keel-lint:", b"ruff:")
_VERBS: tuple[Verb, ...] = ("ignore", "file-ignore", "disable", "enable")
_END_OF_FILE = 1 << 60

_CODES = r"(?::\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+))?"
_NOQA = re.compile(rf"# noqa{_CODES}", re.IGNORECASE)
_FILE_NOQA = re.compile(rf"(?:# flake8[:=]|#\s*ruff:)\s*noqa{_CODES}", re.IGNORECASE)
_DIRECTIVE = re.compile(
    r"(?:^|(?<=\s))#+\s*(?P<tool>keel|keel-lint|ruff):\s*(?P<verb>[a-z-]+):?(?P<rest>.*?)(?=\s+#|\s*$)", re.IGNORECASE
)
_BRACKETED = re.compile(r"\s*\[(?P<names>[^\]]*)\]")
_WORD = re.compile(r"(?P<before>[\s,]*)(?P<name>[^\s,:;]+)")
_CODE = re.compile(r"[A-Za-z]+\d+\Z")
_SLUG = re.compile(r"[a-z\d]+(?:-[a-z\d]+)+\Z")
_DIGIT = re.compile(r"\d")
_SEGMENT_END = re.compile(r"\s+#|\s*$")
_UNTIL = re.compile(r"\buntil\b:?\s*(?P<date>\S*\d\S*|(?:\S+(?:\s+\S+)?)?\s*$)", re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MULTILINE = re.compile(rb'"""|\'\'\'|\\\r?\n')
_NO_CODE = re.compile(rb"(?:\s|\\\r?\n|#[^\r\n]*)*")


def may_suppress(text: bytes) -> bool:
    """Whether a file can hold a comment that suppresses; cheap, and never wrong when it says no."""
    lowered = text.lower()
    return any(word in lowered for word in _WORDS)


def noqa_row_for(source: Source, row: int) -> int:
    """The row on which flake8 looks for the `noqa` of a finding in `row`.

    That is the same row, but the last one of a string or a backslash continuation that runs over several lines.
    """
    return _joined_rows(source, row)[-1]


class Suppression(msgspec.Struct, eq=False):
    """One code, prefix or slug in a comment; `name` is empty for a blanket `noqa`. `start` and `end` are bytes.

    `codes` are those it covers, empty where it names nothing that is installed. `used` says whether it has suppressed
    something. `enabled_by` ends what a `disable` began.
    """

    directive: Directive
    name: str
    codes: frozenset[str]
    start: int
    end: int
    used: bool = False
    enabled_by: Suppression | None = None

    @property
    def row(self) -> int:
        """The row of the comment."""
        return self.directive.row

    @property
    def reason(self) -> str:
        """Why, in the author's words; empty where nothing was given."""
        return self.directive.reason

    @property
    def blanket(self) -> bool:
        """Whether it suppresses whatever is there."""
        return not self.name

    def covers(self, code: str) -> bool:
        """Whether it suppresses findings of `code`, wherever they are."""
        return self.blanket or code in self.codes


class Directive(msgspec.Struct, eq=False):
    """One directive in a comment. `start` and `end` are its bytes, `comment` is where the whole comment begins.

    `expired` says why it does not suppress (any more); `misread` that the directive cannot be understood, and why.
    """

    tool: Tool
    verb: Verb
    row: int
    own_line: bool
    start: int
    end: int
    comment: int
    reason: str = ""
    expired: str = ""
    misread: str = ""
    names: list[Suppression] = msgspec.field(default_factory=list)


class Suppressions:
    """What the comments of one file suppress."""

    def __init__(self, source: Source, registry: Registry, directives: list[Directive], *, own_only: bool = False) -> None:
        self.directives = directives
        self._source = source
        self._registry = registry
        self._own_only = own_only
        self._by_row: dict[int, list[Suppression]] = {}
        self._ranges: list[tuple[int, int, Suppression]] = []

    @classmethod
    def parse(
        cls, source: Source, facts: ModuleFacts, registry: Registry, today: date, *, own_only: bool = False
    ) -> Suppressions:
        """Read the comments of a file. With `own_only`, `noqa` on a finding's own row is left to flake8."""
        reader = _Reader(source, registry, today)
        directives = [directive for start, end in sorted(facts.comments) for directive in reader.read(start, end)]
        made = cls(source, registry, directives, own_only=own_only)
        anchors = [_anchor_rows(source, definition) for definition in facts.definitions if definition.kind != "statement"]
        for position, directive in enumerate(directives):
            if directive.verb == "disable":
                _pair(directive, directives[position + 1 :])
            if not directive.expired:
                made._place(directive, anchors)
        made._ranges.sort(key=lambda entry: (entry[1] - entry[0], entry[0]))
        return made

    def _place(self, directive: Directive, anchors: list[range]) -> None:
        if directive.verb == "file-ignore":
            self._ranges += [(1, _END_OF_FILE, name) for name in directive.names]
        if directive.verb == "disable":
            for name in directive.names:
                last = name.enabled_by.row if name.enabled_by else _END_OF_FILE
                self._ranges.append((directive.row, last, name))
        if directive.verb in ("noqa", "ignore"):
            for row in self._covered_rows(directive, anchors):
                self._by_row.setdefault(row, []).extend(directive.names)

    def _covered_rows(self, directive: Directive, anchors: list[range]) -> set[int]:
        own_line = directive.own_line and directive.tool != "noqa"
        rows = set((_next_statement if own_line else _rows_before_comment)(self._source, directive.row))
        if directive.tool == "noqa":
            return rows
        return rows.union(*(anchor for anchor in anchors if not rows.isdisjoint(anchor)))

    def match(self, finding: Finding) -> Suppression | None:
        """What suppresses `finding` where it is reported, if anything does; it then counts as used."""
        from keel_lint.rule import ALWAYS_ON

        if finding.code in ALWAYS_ON:
            return None
        for name in self._at(finding.span.row):
            if name.covers(finding.code) and not (self._own_only and name.directive.tool == "noqa"):
                name.used = True
                return name
        return None

    def cuts(self, code: str, row: int) -> Suppression | None:
        """What cuts the path of a finding of `code` at a hop in `row`, if anything does; it then counts as used.

        A blanket `noqa` cuts no path.
        """
        for name in self._at(row):
            if not name.blanket and name.covers(code):
                name.used = True
                return name
        return None

    def _at(self, row: int) -> Iterator[Suppression]:
        """What stands at `row`, the narrowest first."""
        yield from self._by_row.get(row, ())
        yield from (name for first, last, name in self._ranges if first <= row <= last)

    def problems(self, active: frozenset[str], path: str) -> list[Finding]:
        """What is wrong with the comments: KEL002 to KEL005, those of them that are in `active`.

        To be asked when all findings have been matched. `active` are the codes of the rules that ran on this file with the
        whole project: only their suppressions can be called unused.
        """
        about_text = [remark for one in self.directives for remark in _remarks(one, self._registry)]
        found = [self._finding(remark, path) for remark in about_text if remark.code in active]
        # By a code only: a blanket would hide what is said of itself
        found = [one for one in found if not self.cuts(one.code, one.span.row)]
        if "KEL002" in active:
            unused = (self._finding(remark, path) for remark in self._unused(active))
            found += [one for one in unused if not self.cuts(one.code, one.span.row)]
        return sorted(found, key=lambda finding: finding.order)

    def _finding(self, remark: _Remark, path: str) -> Finding:
        info = self._registry.rules[remark.code]
        span = self._source.span(remark.start, remark.end)
        return Finding(info.code, info.slug, info.group, remark.message, path, span, span.row, fix=remark.fix)

    def _unused(self, active: frozenset[str]) -> Iterator[_Remark]:
        ends = [name.enabled_by for one in self.directives for name in one.names if name.enabled_by]
        for one in self.directives:
            idle = list(_ending_nothing(one, ends) if one.verb == "enable" else _idle(one, active))
            fix = self._removal(one, [name for name, _ in idle], ends) if idle else None
            for name, what in idle:
                yield _Remark("KEL002", name.start, name.end, f"`{name.name}` {what}", fix)

    def _removal(self, directive: Directive, dropped: list[Suppression], ends: list[Suppression]) -> Fix | None:
        """Every finding of a directive carries the same fix: two that each drop one of two codes could leave a blanket.

        There is none where an `enable` ends something else too, nor for `flake8: noqa`: whatever codes stand there, flake8
        skips the whole file.
        """
        going = [name.enabled_by for name in dropped if name.enabled_by]
        if directive.tool == "flake8" or any(name.blanket or ends.count(name) > 1 for name in going):
            return None
        partners = {id(name.directive): name.directive for name in going}.values()
        edits = [_without(self._source, directive, dropped), *(_without(self._source, one, going) for one in partners)]
        title = f"Remove {', '.join(f'`{name.name}`' for name in dropped)}"
        return Fix(title, "safe", tuple(sorted(edits, key=lambda edit: edit.span.start)))


class _Remark(NamedTuple):
    """What is to be said of the comment at bytes `start` to `end`."""

    code: str
    start: int
    end: int
    message: str
    fix: Fix | None = None


class _Word(NamedTuple):
    """A name in the text of a comment."""

    text: str
    start: int
    end: int


class _Comment(Record, frozen=True):
    text: str
    start: int
    row: int
    own_line: bool

    def offset(self, index: int) -> int:
        """The byte in the file at which the comment's character `index` stands."""
        return self.start + len(self.text[:index].encode())

    def directive(self, tool: Tool, verb: Verb, start: int, end: int, reason: str) -> Directive:
        first, last = self.offset(start), self.offset(end)
        return Directive(tool, verb, self.row, self.own_line, first, last, self.start, _plain(reason))


class _Reader:
    """Turns comments into directives."""

    def __init__(self, source: Source, registry: Registry, today: date) -> None:
        self.source, self.registry, self.today = source, registry, today

    def read(self, start: int, end: int) -> Iterator[Directive]:
        """The directives in the comment at bytes `start` to `end`."""
        row = self.source.row(start)
        own_line = not self.source.text[self.source.line_starts[row - 1] : start].strip()
        comment = _Comment(self.source.slice(start, end).rstrip(), start, row, own_line)
        whole_file = _FILE_NOQA.match(comment.text) if own_line else None
        if whole_file:
            tool: Tool = "flake8" if "flake8" in whole_file[0].lower() else "ruff"
            yield self._noqa(comment, whole_file, tool, "file-ignore")
            return
        noqa = _NOQA.search(comment.text)
        if noqa:
            yield self._noqa(comment, noqa, "noqa", "noqa")
        for found in _DIRECTIVE.finditer(comment.text):
            yield from self._directive(comment, found)

    def _noqa(self, comment: _Comment, found: re.Match[str], tool: Tool, verb: Verb) -> Directive:
        text = comment.text
        start = len(text[: found.start()].rstrip("#"))
        after = len(text[: found.end()].rstrip(", \t"))
        directive = comment.directive(tool, verb, start, _segment_end(text, after), text[after:])
        if found["codes"] is None:
            self._add_blanket(directive)
            directive.misread = self._mistaken_for_blanket(text[after:])
        else:
            self._add(directive, comment, _words(text, *found.span("codes")))
        return directive

    def _mistaken_for_blanket(self, rest: str) -> str:
        after = re.match(r"\s*:\s*([^\s,]+)", rest)
        info = self.registry.find(after[1]) if after else None
        return f"this `noqa` suppresses everything; write `# noqa: {info.code}`" if info else ""

    def _directive(self, comment: _Comment, found: re.Match[str]) -> Iterator[Directive]:
        tool: Tool = "ruff" if found["tool"].lower() == "ruff" else "keel"
        verb = next((verb for verb in _VERBS if verb == found["verb"].lower()), None)
        words, after = self._names(comment.text, found, tool)
        if found["tool"].lower() == "keel-lint":
            if verb is not None:
                yield self._misread(comment, found, f"`keel-lint:` means nothing; write `keel: {verb}`")
            return
        if verb is None:
            if tool == "keel" and words:
                yield from self._misspelt(comment, found)
            return
        directive = comment.directive(tool, verb, found.start(), found.end(), comment.text[after : found.end()])
        self._add(directive, comment, words)
        if tool == "keel":
            self._take_date(directive)
        if tool == "keel" and verb == "enable" and not words:
            self._add_blanket(directive)
        elif tool == "keel" and not words:
            directive.misread = f"`keel: {verb}` names no rule, so it suppresses nothing"
        yield directive

    def _misspelt(self, comment: _Comment, found: re.Match[str]) -> Iterator[Directive]:
        from difflib import get_close_matches

        verb = found["verb"].lower()
        near = ["ignore"] if verb == "noqa" else get_close_matches(verb, _VERBS, 1, 0.75)
        if near:
            yield self._misread(comment, found, f"`keel: {found['verb']}` means nothing; did you mean `{near[0]}`?")

    def _misread(self, comment: _Comment, found: re.Match[str], why: str) -> Directive:
        directive = comment.directive("keel", "misspelt", found.start(), found.end(), "")
        directive.misread = why
        return directive

    def _names(self, text: str, found: re.Match[str], tool: Tool) -> tuple[list[_Word], int]:
        """The names behind a verb, and where they end: in brackets, or words that look like codes or slugs."""
        after, end = found.span("rest")
        bracketed = _BRACKETED.match(text, after, end)
        if bracketed:
            return _words(text, *bracketed.span("names")), bracketed.end()
        words: list[_Word] = []
        word = _WORD.match(text, after, end)
        while word and tool == "keel" and self._is_name(word["name"], listed="," in word["before"] or not words):
            words.append(_Word(word["name"], *word.span("name")))
            after = word.end()
            word = _WORD.match(text, after, end)
        return words, after

    def _is_name(self, word: str, *, listed: bool) -> bool:
        """A code is always a name, a slug only first or behind a comma: a reason may hold words with hyphens."""
        return bool(_CODE.match(word)) or (listed and (bool(_SLUG.match(word)) or word in self.registry.by_slug))

    def _add(self, directive: Directive, comment: _Comment, words: list[_Word]) -> None:
        for word in words:
            start, end = comment.offset(word.start), comment.offset(word.end)
            directive.names.append(Suppression(directive, word.text, self._codes(directive.tool, word.text), start, end))

    def _add_blanket(self, directive: Directive) -> None:
        directive.names.append(Suppression(directive, "", frozenset(), directive.start, directive.end))

    def _codes(self, tool: Tool, name: str) -> frozenset[str]:
        """The codes that a name stands for; only a `keel:` comment may use slugs or lower case."""
        if tool == "keel":
            if name in self.registry.by_slug:
                return frozenset({self.registry.by_slug[name].code})
            name = name.upper()
        if not _DIGIT.search(name):
            return frozenset()
        return frozenset(code for code in self.registry.rules if code.startswith(name))

    def _take_date(self, directive: Directive) -> None:
        """Take the date out of the reason. What is past, or not a date, must not suppress."""
        found = _UNTIL.search(directive.reason)
        if found is None:
            return
        directive.reason = _plain(directive.reason[: found.start()] + directive.reason[found.end() :])
        said = found["date"].strip().rstrip(".,;)")
        until = _date(said)
        if until is None:
            directive.expired = f"`{f'until {said}'.strip()}` is not a date (YYYY-MM-DD), so this suppresses nothing"
        elif until < self.today:
            directive.expired = f"expired on {said}, so this suppresses nothing"


def _date(text: str) -> date | None:
    from datetime import date

    try:
        return date.fromisoformat(text) if _ISO_DATE.match(text) else None
    except ValueError:
        return None


def _words(text: str, start: int, end: int) -> list[_Word]:
    return [_Word(word["name"], *word.span("name")) for word in _WORD.finditer(text, start, end)]


def _plain(reason: str) -> str:
    """A reason without what stands between it and the codes."""
    return reason.strip(" \t-\u2013\u2014:#,")


def _segment_end(text: str, start: int) -> int:
    found = _SEGMENT_END.search(text, start)
    return found.start() if found else len(text)


def _pair(disable: Directive, later: list[Directive]) -> None:
    """Find what ends each name of a `disable`: the next `enable` of the same tool that names it, or that names nothing."""
    enables = [name for one in later if one.verb == "enable" and one.tool == disable.tool for name in one.names]
    for name in disable.names:
        name.enabled_by = next((one for one in enables if one.blanket or (name.codes and one.codes >= name.codes)), None)


def _ending_nothing(directive: Directive, ends: list[Suppression]) -> Iterator[tuple[Suppression, str]]:
    yield from ((name, "ends nothing") for name in directive.names if name.codes and name not in ends)


def _idle(directive: Directive, active: frozenset[str]) -> Iterator[tuple[Suppression, str]]:
    """The names of a directive that could go, and why."""
    seen: set[str] = set()
    for name in directive.names:
        if not name.codes or name.codes == {"KEL002"} or directive.expired:
            continue
        if name.name in seen:
            yield name, "is given twice"
        elif not name.used and name.codes <= active:
            yield name, "suppresses nothing here"
        seen.add(name.name)


def _remarks(directive: Directive, registry: Registry) -> Iterator[_Remark]:
    """What the text of a directive gives cause to say, whether it is used or not."""
    start, end = directive.start, directive.end
    named = [name.name for name in directive.names if name.codes]
    if named and not directive.reason and directive.verb != "enable":
        yield _Remark("KEL003", start, end, f"suppresses {', '.join(named)} without a reason")
    if directive.expired:
        yield _Remark("KEL004", start, end, directive.expired)
    if directive.misread:
        yield _Remark("KEL005", start, end, directive.misread)
    for name in directive.names:
        message = "" if name.codes or name.blanket else _unknown(name, registry)
        if message:
            yield _Remark("KEL005", name.start, name.end, message)


def _unknown(name: Suppression, registry: Registry) -> str:
    """What to say of a name that stands for nothing; nothing where it may be a code of another tool."""
    from keel_lint.settings import nearest

    families = {code[:3] for code in registry.rules}
    if name.name[:3].upper() in families and _CODE.match(name.name):
        return f"no rule has the code `{name.name}`{nearest(name.name, registry.rules)}"
    if name.directive.tool == "keel" and not _CODE.match(name.name):
        return f"no rule is called `{name.name}`{nearest(name.name, registry.by_slug)}"
    return ""


def _without(source: Source, directive: Directive, dropped: Sequence[Suppression]) -> Edit:
    """The edit that takes names out of a directive: the whole directive, and its line, where nothing else is left."""
    kept = [name.name for name in directive.names if name not in dropped]
    if kept:
        return Edit(source.span(directive.names[0].start, directive.names[-1].end), ", ".join(kept))
    rows = [*source.line_starts, len(source.text)]
    behind = source.text[directive.end : rows[directive.row]]
    opens = directive.start == directive.comment
    if opens and directive.own_line and not behind.strip():
        return Edit(source.span(rows[directive.row - 1], rows[directive.row]), "")
    if opens and behind.strip():
        return Edit(source.span(directive.start, rows[directive.row] - len(behind.lstrip())), "")
    end = directive.end if behind.strip() else rows[directive.row] - len(behind.lstrip(b" \t\f"))
    return Edit(source.span(len(source.text[: directive.start].rstrip(b" \t\f")), end), "")


def add_noqa(source: Source, findings: Sequence[Finding], reason: str, registry: Registry) -> tuple[Edit, ...]:
    """The edits that put a `noqa` comment with `reason` behind each finding of the file, sorted.

    A comment that is there keeps its codes and its reason. Findings that cannot be suppressed are passed over.
    """
    from keel_lint.rule import ALWAYS_ON

    codes: dict[int, set[str]] = {}
    for finding in findings:
        if finding.code in registry.rules and finding.code not in ALWAYS_ON:
            codes.setdefault(noqa_row_for(source, finding.span.row), set()).add(finding.code)
    edits = (_noqa_edit(source, row, sorted(wanted), " ".join(reason.split())) for row, wanted in sorted(codes.items()))
    return tuple(edit for edit in edits if edit)


def _noqa_edit(source: Source, row: int, codes: list[str], reason: str) -> Edit | None:
    start = source.line_starts[row - 1]
    line = source.line(row)
    comment = _comment_in(source, row)
    found = _NOQA.search(comment) if comment else None
    if found is None:
        at = start + len(line.rstrip().encode())
        tail = f" -- {reason}" if reason else ""
        return Edit(source.span(at, start + len(line.encode())), f"  # noqa: {', '.join(codes)}{tail}")
    present = (found["codes"] or "").replace(",", " ").split()
    missing = [code for code in codes if not code.startswith(tuple(present))]
    if found["codes"] is None or not missing:
        return None
    before = line[: len(line) - len(comment)] + comment[: found.end("codes")].rstrip(", \t")
    at = start + len(before.encode())
    tail = f" -- {reason}" if reason and not comment[found.end("codes") :].strip() else ""
    return Edit(source.span(at, at), "".join(f", {code}" for code in missing) + tail)


def _anchor_rows(source: Source, definition: Definition) -> range:
    """The rows on which a comment speaks for a definition as a whole: from its decorators to the end of its header."""
    name = source.row(definition.name_start)
    first = source.row(definition.start)
    return range(first, max(name, source.row(definition.body_start) - 1) + 1)


@lru_cache(maxsize=4)
def _tree(source: Source) -> Node:
    from keel_lint.index.parser import parse

    return parse(source.text)


@lru_cache(maxsize=4)
def _joined(source: Source) -> list[tuple[int, int]]:
    """The stretches of rows that strings and backslashes hold together, as flake8 joins them."""
    stretches: list[tuple[int, int]] = []
    done = 0
    for found in _MULTILINE.finditer(source.text):
        if found.start() < done:
            continue
        start, end = _string_or_backslash(source, found)
        done = max(found.end(), end)
        first, last = source.row(start), source.row(end)
        if stretches and first <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], last)
        elif first < last:
            stretches.append((first, last))
    return stretches


def _string_or_backslash(source: Source, found: re.Match[bytes]) -> tuple[int, int]:
    node: Node | None = _tree(source).descendant_for_byte_range(found.start(), found.start() + 1)
    outermost = None
    while node is not None:
        if node.type == "comment":
            return found.start(), found.start()
        outermost = node if node.type == "string" else outermost
        node = node.parent
    return (outermost.start_byte, outermost.end_byte) if outermost else found.span()


def _joined_rows(source: Source, row: int) -> range:
    """The rows that flake8 reads as one line with `row`."""
    for first, last in _joined(source):
        if first <= row <= last:
            return range(first, last + 1)
    return range(row, row + 1)


def _rows_before_comment(source: Source, row: int) -> range:
    """The rows that flake8 reads as one line with a comment in `row`; the file is parsed only where there can be several."""
    line = source.line(row)
    if '"""' in line or "'''" in line or source.line(row - 1).endswith("\\"):
        return _joined_rows(source, row)
    return range(row, row + 1)


def _comment_in(source: Source, row: int) -> str:
    """The comment that ends a row; empty where there is none."""
    start = source.line_starts[row - 1]
    line = source.line(row)
    last = start + len(line.rstrip().encode()) - 1
    node = _tree(source).descendant_for_byte_range(last, last + 1) if b"#" in line.encode() else None
    return source.slice(node.start_byte, node.end_byte).rstrip("\r") if node is not None and node.type == "comment" else ""


def _next_statement(source: Source, row: int) -> range:
    """The rows of the statement behind a comment on its own line, of its header where it has a body.

    Between brackets, those of the element that follows.
    """
    skipped = _NO_CODE.match(source.text, source.line_starts[row - 1])
    start = skipped.end() if skipped else len(source.text)
    node = _tree(source).descendant_for_byte_range(start, start + 1)
    if node is None or start >= len(source.text):
        return range(0)
    while node.type != "decorator" and node.parent is not None and _begins(node.parent, start):
        node = node.parent
    return range(source.row(start), max(source.row(start), source.row(_header_end(node) - 1)) + 1)


def _begins(node: Node, start: int) -> bool:
    return node.start_byte == start and node.type not in ("module", "block", "ERROR")


def _header_end(node: Node) -> int:
    body = next((position for position, child in enumerate(node.children) if child.type == "block"), None)
    if body is None:
        return node.end_byte
    colons = [child.end_byte for child in node.children[:body] if child.type == ":"]
    return colons[-1] if colons else node.children[body].start_byte
