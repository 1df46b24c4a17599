"""Open database transactions: which calls run inside one.

A transaction is opened by `django.db.transaction.atomic` as a block or a decorator, or by a project's own context manager or
decorator built on it. Code in a nested function or lambda runs when that function is called: in the transaction only where it
is called there.
Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/#controlling-transactions-explicitly
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keel_lint.finding import Hop
from keel_lint.index.facts import MODULE, Argument, Block, Call, Decorator, Definition, ModuleFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.project import Project, Symbol

ATOMIC = frozenset({"django.db.transaction.atomic", "django.db.transaction.Atomic", "django.db.transaction.commit_on_success"})
METHOD_DECORATOR = "django.utils.decorators.method_decorator"
CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
HANDLERS = frozenset({"get", "post", "put", "patch", "delete", "form_valid"})


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
        """The transaction in which a function's body runs: its decorator's, or the one round a call of a nested function."""
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
        """The transaction that a decorator opens. The one round an `async def` ends before its body runs."""
        if definition.is_async:
            return None
        for decorator in definition.decorators:
            opened = self._decorated_with(path, decorator, definition.parent)
            if opened is not None:
                return opened
        return self._by_class(path, definition)

    def _decorated_with(self, path: str, decorator: Decorator, scope: int) -> OpenTransaction | None:
        hop = self._hop(path, decorator.start, decorator.end, f"`{decorator.callee}` opens a transaction")
        if decorator.callee:
            symbol = self._project.resolve(path, decorator.callee, scope)
            if symbol.name in ATOMIC:
                return OpenTransaction(_alias(_text_of(decorator.arguments or ())), (hop,))
            if symbol.name == METHOD_DECORATOR and decorator.arguments:
                inner, _, rest = decorator.arguments[0].text.partition("(")
                is_atomic = self._project.resolve(path, inner, scope).name in ATOMIC
                return OpenTransaction(_alias(rest), (hop,)) if is_atomic else None
            return self._through(symbol, self._decorator(symbol), path, decorator.start, decorator.end)
        return None

    def _by_class(self, path: str, definition: Definition) -> OpenTransaction | None:
        """`@method_decorator(atomic, name="dispatch")` on the class of a view."""
        if definition.parent == MODULE:
            return None
        owner = self._project.facts(path).definitions[definition.parent]
        for decorator in owner.decorators if owner.kind == "class" else ():
            name = next((a.text.strip("\"'") for a in decorator.arguments or () if a.keyword == "name"), "")
            if name == definition.name or (name == "dispatch" and definition.name in HANDLERS):
                opened = self._decorated_with(path, decorator, owner.parent)
                if opened is not None:
                    return opened
        return None

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
            if callee == "?":
                continue
            end = block.start + len(f"with {text}".encode())
            symbol = self._project.resolve(path, callee, block.scope)
            if symbol.name in ATOMIC:
                hop = self._hop(path, block.start, end, f"`{callee}` opens a transaction")
                return OpenTransaction(_alias(text.partition("(")[2]), (hop,))
            opened = self._through(symbol, self._context_manager(symbol), path, block.start, end)
            if opened is not None:
                return opened
        return None

    # -- what a project builds on `atomic` ----------------------------------------------------------------------------------

    def _through(
        self, symbol: Symbol, opened: OpenTransaction | None, path: str, start: int, end: int
    ) -> OpenTransaction | None:
        """The transaction that something of the project opens where it is used."""
        if opened is None:
            return None
        hop = self._hop(path, start, end, f"enters `{symbol.name.rpartition('.')[2]}`")
        return OpenTransaction(opened.alias, (*opened.hops, hop))

    def _context_manager(self, symbol: Symbol) -> OpenTransaction | None:
        """The transaction round the `yield` of a project's own context manager."""
        if symbol.definition < 0 or symbol.state != "internal":
            return None
        key = ("atomic context manager", symbol.path, symbol.definition)
        return self._project.memo(key, lambda: self._opened_inside(symbol), recursive=None)

    def _opened_inside(self, symbol: Symbol) -> OpenTransaction | None:
        facts = self._project.facts(symbol.path)
        wrapper = facts.definitions[symbol.definition]
        decorators = {self._project.resolve(symbol.path, d.callee, wrapper.parent).name for d in wrapper.decorators}
        if wrapper.kind != "function" or decorators.isdisjoint(CONTEXT_MANAGERS):
            return None
        inside = (self._opened_by(symbol.path, block) for block in facts.blocks if block.scope == symbol.definition)
        return next((opened for opened in inside if opened is not None), None)

    def _decorator(self, symbol: Symbol) -> OpenTransaction | None:
        """The transaction in which a project's own decorator calls what it decorates; a context manager is one too."""
        if symbol.definition < 0 or symbol.state != "internal":
            return None
        key = ("atomic decorator", symbol.path, symbol.definition)
        find = lambda: self._context_manager(symbol) or self._round_decorated(symbol)  # noqa: E731
        return self._project.memo(key, find, recursive=None)

    def _round_decorated(self, symbol: Symbol) -> OpenTransaction | None:
        facts = self._project.facts(symbol.path)
        maker = facts.definitions[symbol.definition]
        for call in facts.calls if maker.kind == "function" else ():
            if maker.start <= call.start < maker.end and call.scope != symbol.definition and self._calls_outer(facts, call):
                opened = self._in_blocks(symbol.path, facts, call.block) or self._by_decorator(
                    symbol.path, facts.definitions[call.scope]
                )
                if opened is not None:
                    return opened
        return None

    def _calls_outer(self, facts: ModuleFacts, call: Call) -> bool:
        """Whether a call is that of a parameter of a function round the one it stands in."""
        scope = facts.definitions[call.scope].parent
        while scope != MODULE:
            if any(parameter.name == call.callee for parameter in facts.definitions[scope].parameters):
                return True
            scope = facts.definitions[scope].parent
        return False

    def _hop(self, path: str, start: int, end: int, what: str) -> Hop:
        return Hop(self._project.absolute(path), self._project.source(path).span(start, end), what)


def _text_of(arguments: tuple[Argument, ...]) -> str:
    return ", ".join(f"{a.keyword}={a.text}" if a.keyword else a.text for a in arguments)


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
