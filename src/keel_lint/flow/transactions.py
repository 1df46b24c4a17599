"""Open database transactions: which calls run inside one.

A transaction is opened by `django.db.transaction.atomic` as a block or a decorator, or by a project's own context manager built on
it. Code in a nested function or lambda runs when that function is called: inside the transaction only where it is called there.
Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/#controlling-transactions-explicitly
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keel_lint.finding import Hop
from keel_lint.index.facts import MODULE, Block, Call, Definition, ModuleFacts
from keel_lint.project import Project, Symbol

ATOMIC = frozenset({"django.db.transaction.atomic", "django.db.transaction.Atomic", "django.db.transaction.commit_on_success"})
METHOD_DECORATOR = "django.utils.decorators.method_decorator"
CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})


@dataclass(frozen=True)
class OpenTransaction:
    """An open transaction round a call: the source of its alias (empty: the default one) and the hops from it to the call."""

    alias: str
    hops: tuple[Hop, ...]


class Transactions:
    """Answers whether a call can run inside an open transaction."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def round_call(self, path: str, call: Call) -> OpenTransaction | None:
        """The transaction that is open when `call` runs, or `None` where none is known to be."""
        facts = self._project.facts(path)
        return self._in_blocks(path, facts, call.block) or self._round_scope(path, facts, call.scope, frozenset())

    def _round_scope(self, path: str, facts: ModuleFacts, scope: int, seen: frozenset[int]) -> OpenTransaction | None:
        """The transaction in which the body of a function runs: opened by its decorator, or round a call of a nested function."""
        if scope == MODULE or scope in seen:
            return None
        definition = facts.definitions[scope]
        if definition.kind != "function":
            return None
        opened = self._by_decorator(path, definition)
        if opened is not None:
            return opened
        for call in self._local_calls(facts, definition):
            opened = self._in_blocks(path, facts, call.block) or self._round_scope(path, facts, call.scope, seen | {scope})
            if opened is not None:
                hop = self._hop(path, call.start, call.end, f"calls `{definition.name}`")
                return OpenTransaction(opened.alias, (*opened.hops, hop))
        return None

    def _local_calls(self, facts: ModuleFacts, nested: Definition) -> Iterator[Call]:
        """The calls of a nested function by its name, in the functions round it."""
        if nested.parent == MODULE or facts.definitions[nested.parent].kind != "function":
            return
        outer = facts.definitions[nested.parent]
        for call in facts.calls:
            if call.callee == nested.name and outer.start <= call.start < outer.end:
                yield call

    def _by_decorator(self, path: str, definition: Definition) -> OpenTransaction | None:
        for decorator in definition.decorators:
            text = self._atomic_text(path, decorator.callee, decorator.arguments, definition.parent)
            if text is not None:
                hop = self._hop(path, decorator.start, decorator.end, "opens a transaction")
                return OpenTransaction(_alias(text), (hop,))
        return None

    def _atomic_text(self, path: str, callee: str, arguments: tuple[object, ...] | None, scope: int) -> str | None:
        """The source of the arguments of an atomic decorator, or `None` for another decorator."""
        from keel_lint.index.facts import Argument

        given = [a for a in arguments or () if isinstance(a, Argument)]
        name = self._project.resolve(path, callee, scope).name if callee else ""
        if name in ATOMIC:
            return ", ".join(f"{a.keyword}={a.text}" if a.keyword else a.text for a in given)
        if name != METHOD_DECORATOR or not given:
            return None
        inner, _, rest = given[0].text.partition("(")
        return rest if self._project.resolve(path, inner, scope).name in ATOMIC else None

    def _in_blocks(self, path: str, facts: ModuleFacts, position: int) -> OpenTransaction | None:
        """The innermost `with` round a call that opens a transaction."""
        while position != -1:
            block = facts.blocks[position]
            opened = self._opened_by(path, block)
            if opened is not None:
                return opened
            position = block.parent
        return None

    def _opened_by(self, path: str, block: Block) -> OpenTransaction | None:
        for callee, text in block.items:
            if callee == "?" or not self.is_atomic(path, callee, block.scope):
                continue
            first_line = block.start + len(f"with {text}".encode())
            return OpenTransaction(_alias(text.partition("(")[2]), (self._hop(path, block.start, first_line, "opens a transaction"),))
        return None

    def is_atomic(self, path: str, callee: str, scope: int) -> bool:
        """Whether calling this name opens a transaction."""
        symbol = self._project.resolve(path, callee, scope)
        return symbol.name in ATOMIC or self._is_wrapper(symbol)

    def _is_wrapper(self, symbol: Symbol) -> bool:
        """A project's own context manager with an atomic block in its body."""
        if symbol.definition < 0 or symbol.state != "internal":
            return False
        key = ("atomic wrapper", symbol.path, symbol.definition)
        return self._project.memo(key, lambda: self._wraps(symbol), recursive=False)

    def _wraps(self, symbol: Symbol) -> bool:
        facts = self._project.facts(symbol.path)
        wrapper = facts.definitions[symbol.definition]
        decorators = {self._project.resolve(symbol.path, d.callee, wrapper.parent).name for d in wrapper.decorators}
        if wrapper.kind != "function" or decorators.isdisjoint(CONTEXT_MANAGERS):
            return False
        inside = (block for block in facts.blocks if block.scope == symbol.definition)
        return any(self.is_atomic(symbol.path, callee, block.scope) for block in inside for callee, _ in block.items)

    def _hop(self, path: str, start: int, end: int, what: str) -> Hop:
        return Hop(self._project.absolute(path), self._project.source(path).span(start, end), what)


def _alias(arguments: str) -> str:
    """The source of the database alias among the arguments of `atomic(...)`; empty for the default one."""
    for part in arguments.rstrip(")").split(","):
        name, equals, value = part.partition("=")
        if equals and name.strip() == "using":
            return "" if value.strip() in {"None", '"default"', "'default'"} else value.strip()
    first = arguments.partition(",")[0].rstrip(")").strip()
    return "" if not first or "=" in first or first in {"None", '"default"', "'default'"} or not _is_value(first) else first


def _is_value(text: str) -> bool:
    return text[0] in "\"'" or text.replace(".", "").isidentifier()
