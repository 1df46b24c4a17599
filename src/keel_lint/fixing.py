"""The builder with which a rule makes a fix: rewrites of syntax become minimal edits of the file's text."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import libcst as cst

from keel_lint.finding import Edit, Fix
from keel_lint.importing import Names
from keel_lint.layout import Change, appended, removed

if TYPE_CHECKING:
    from keel_lint.finding import Applicability
    from keel_lint.index.facts import ModuleFacts
    from keel_lint.source import Source

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
_NEWLINE = re.compile(r"\r\n|\n|\r")
# What may stand between the end of a function's span and the arguments: its own closing parentheses, blanks and comments.
_OPENING = re.compile(rb"(?:[ \t\f\r\n\\)]|#[^\r\n]*(?=[\r\n]))*\(")


class Judged(Protocol):
    """What a fix must know of the definition it changes; `keel_lint.definition.Definition` is one."""

    @property
    def source(self) -> Source: ...
    @property
    def facts(self) -> ModuleFacts: ...
    @property
    def node(self) -> cst.CSTNode: ...
    def span(self, node: cst.CSTNode, /) -> tuple[int, int]: ...
    def code(self, node: cst.CSTNode, /) -> str: ...


class _CallChange:
    """What is to become of the arguments of one call."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.new: list[str] = []


class FixBuilder:
    """Collects the edits of one fix; offsets are those of `Source.text`. Line breaks in new code become the file's own."""

    def __init__(self, definition: Judged, title: str, applicability: Applicability) -> None:
        self.definition = definition
        self.title = title
        self.applicability: Applicability = applicability
        self._source = definition.source
        self._changes: list[Change] = []
        self._elsewhere: list[Edit] = []
        self._calls: dict[cst.Call, _CallChange] = {}

    def replace(self, node: cst.CSTNode, new: str | cst.CSTNode) -> None:
        """Put `new` in the place of `node` (a statement without the comments round it); what stays the same is not touched."""
        start, end = self._stretch(node)
        old = self._source.slice(start, end)
        text = _NEWLINE.sub(self._source.newline, new) if isinstance(new, str) else self._code(node, new, end)
        before, after = _TOKEN.findall(old), _TOKEN.findall(text)
        head = _common(before, after)
        tail = _common(before[head:][::-1], after[head:][::-1])
        start += _size(before[:head])
        end -= _size(before[len(before) - tail :])
        self.replace_span(start, end, "".join(after[head : len(after) - tail]))

    def insert(self, offset: int, text: str) -> None:
        """Put `text` in at `offset`."""
        self.replace_span(offset, offset, text)

    def delete(self, start: int, end: int) -> None:
        """Take out the text between two offsets."""
        self.replace_span(start, end, "")

    def replace_span(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of what stands between two offsets."""
        if start != end or text:
            self._changes.append((start, end, _NEWLINE.sub(self._source.newline, text)))

    def replace_elsewhere(self, source: Source, start: int, end: int, text: str) -> None:
        """Put `text` in the place of what stands between two offsets of another file."""
        self._elsewhere.append(Edit(source.span(start, end), _NEWLINE.sub(source.newline, text), str(source.path)))

    def insert_argument(self, call: cst.Call, text: str) -> None:
        """Add the argument `text`, as in `name=value`, behind the last one of `call`."""
        self._calls.setdefault(call, _CallChange()).new.append(text)

    def remove_argument(self, call: cst.Call, argument: cst.Arg) -> None:
        """Take `argument` out of `call`. Comments next to it stay."""
        self._calls.setdefault(call, _CallChange()).gone.add(list(call.args).index(argument))

    def hand_over(self, call: cst.Call, to: str) -> None:
        """Turn `f(a)` into `to(f, a)`. Comments and line breaks between the arguments stay."""
        start, end = self.definition.span(call)
        if not call.args:
            self.insert(start, f"{to}(")
            self.replace_span(self.definition.span(call.func)[1], end, ")")
            return
        func, inside = self.definition.span(call.func), self._inside(call)[0]
        first = self.definition.span(call.args[0])[0]
        between = self._source.slice(inside, first)
        if between.strip() or not between or call.func.lpar:
            self.insert(start, f"{to}(")
            self.replace_span(inside - 1, inside, ", " if not between else ",")
        else:
            # Each argument stands on a line of its own: so does the function.
            self.replace_span(*func, to)
            self.insert(first, f"{self._source.slice(*func)},{between}")
        generator = call.args[0].value
        if isinstance(generator, cst.GeneratorExp) and not generator.lpar:
            first, last = self.definition.span(call.args[0])
            self.insert(first, "(")
            self.insert(last, ")")

    def insert_decorator_arguments(self, decorator: cst.Decorator, text: str) -> None:
        """Add the arguments `text` to a decorator, which need not be a call yet."""
        if isinstance(decorator.decorator, cst.Call):
            self.insert_argument(decorator.decorator, text)
        else:
            self.insert(self.definition.span(decorator)[1], f"({text})")

    def name(self, qualified: str, at: cst.CSTNode | None = None) -> str:
        """How `qualified`, as in `functools.partial`, is spelled at the node `at`, or anywhere in the definition without it.

        An import is added where none will do. Only with `at` can an import inside a function do.
        """
        return self._names.spelling(qualified, None if at is None else self.definition.span(at)[0])

    def build(self) -> Fix | None:
        """The fix; `None` where nothing changes, or where changes contradict each other."""
        changes = [*self._changes, *self._names.changes()]
        for call, change in self._calls.items():
            changes += self._arguments(call, change)
        changes.sort(key=lambda change: change[:2])
        if any(after[0] < before[1] for before, after in pairwise(changes)) or not (changes or self._elsewhere):
            return None
        edits = (Edit(self._source.span(start, end), text) for start, end, text in changes)
        return Fix(self.title, self.applicability, (*edits, *self._elsewhere))

    @cached_property
    def _names(self) -> Names:
        return Names(self._source, self.definition.facts, self._stretch(self.definition.node))

    def _stretch(self, node: cst.CSTNode) -> tuple[int, int]:
        """The span of `node`, its decorators included."""
        start, end = self.definition.span(node)
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node.decorators:
            start = self._source.text.rindex(b"@", 0, self.definition.span(node.decorators[0].decorator)[0])
        return start, end

    def _code(self, old: cst.CSTNode, new: cst.CSTNode, end: int) -> str:
        """The text of `new` for the place where `old` ends at `end`."""
        if isinstance(new, (cst.BaseCompoundStatement, cst.SimpleStatementLine)):
            return self._statement_code(old, new.with_changes(leading_lines=()), end)
        if isinstance(new, cst.BaseExpression) and isinstance(old, cst.BaseExpression) and old.lpar and new.lpar:
            # The parentheses round the old one stand outside its span.
            new = new.with_changes(lpar=(), rpar=())
        return self.definition.code(new)

    def _statement_code(self, old: cst.CSTNode, new: cst.BaseStatement, end: int) -> str:
        start = self._stretch(old)[0]
        line = self._source.line(self._source.row(start))
        indent = line[: len(line) - len(line.lstrip())]
        code = self.definition.code(cst.IndentedBlock([new], indent=indent) if indent else new)
        comment = self._source.line(self._source.row(end))[self._source.span(end, end).column - 1 :].strip()
        # The comment behind a statement stands outside its span.
        return code.removesuffix(comment).rstrip() if comment.startswith("#") else code

    def _arguments(self, call: cst.Call, change: _CallChange) -> list[Change]:
        spans = [self.definition.span(argument) for argument in call.args]
        inside = self._inside(call)
        if not spans:
            return self._first_arguments(inside, change.new)
        last = len(spans) - 1
        if change.new and last in change.gone:
            kept = change.gone - {last}
            return [*removed(self._source, inside, spans, kept), (*spans[last], ", ".join(change.new))]
        changes = removed(self._source, inside, spans, change.gone) if change.gone else []
        if change.new:
            if isinstance(call.args[last].value, cst.GeneratorExp) and not call.args[last].value.lpar:
                changes += [(spans[last][0], spans[last][0], "("), (spans[last][1], spans[last][1], ")")]
            changes += appended(self._source, spans[last], inside[1], change.new)
        return changes

    def _inside(self, call: cst.Call) -> tuple[int, int]:
        """What stands between the parentheses of `call`."""
        opening = _OPENING.match(self._source.text, self.definition.span(call.func)[1])
        return (opening.end() if opening else 0), self.definition.span(call)[1] - 1

    def _first_arguments(self, inside: tuple[int, int], texts: list[str]) -> list[Change]:
        text = ", ".join(texts)
        return [(inside[1], inside[1], text) if b"#" in self._source.text[slice(*inside)] else (*inside, text)]


def _common(first: list[str], second: list[str]) -> int:
    """How many tokens the two begin with in common."""
    return next(
        (index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _size(tokens: list[str]) -> int:
    return len("".join(tokens).encode())
