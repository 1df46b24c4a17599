"""What opens a database transaction where it stands: `with` blocks and decorators.

`django.db.transaction.atomic` opens one as a block or a decorator, and so does what a project builds on it: a context manager,
a decorator. Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/#controlling-transactions-explicitly
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from keel_lint.index.facts import MODULE, Argument, Block, Call, Decorator, Definition, ModuleFacts
from keel_lint.index.tables import Calls
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.finding import Hop
    from keel_lint.project import Project, Symbol

ATOMIC = frozenset({"django.db.transaction.atomic", "django.db.transaction.Atomic", "django.db.transaction.commit_on_success"})
METHOD_DECORATOR = "django.utils.decorators.method_decorator"
CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
HANDLERS = frozenset({
    "create", "delete", "destroy", "form_valid", "get", "partial_update", "patch", "perform_create", "perform_destroy",
    "perform_update", "post", "put", "update",
})  # fmt: skip
"""What the `dispatch` of a view of Django or Django REST framework calls, at once or in the end."""

_SQLALCHEMY = frozenset({"sqlalchemy", "flask_sqlalchemy", "sqlmodel", "advanced_alchemy"})
_SESSIONS = ("session", "sessionlocal", "sessionmaker", "session_factory", "engine")
Library = Literal["django", "sqlalchemy"]


class OpenTransaction(Record, frozen=True):
    """An open transaction round a call: the source of its alias (empty: the default one) and the hops from it to the call.

    `by_signal` says that the way leads through the handler of a model's signal, `durable` that it is never opened inside
    another one. One of SQLAlchemy (`library`) has no alias, and nothing waits for its commit. One that is opened whatever a
    request does (`by_request`) matters where the request writes. `early` is what a worker does that is quicker than the commit.
    """

    alias: str
    hops: tuple[Hop, ...]
    library: Library = "django"
    by_signal: bool = False
    by_request: bool = False
    durable: bool = False
    early: str = "gets DoesNotExist"

    def then(self, *hops: Hop) -> OpenTransaction:
        """The same transaction, seen from further on."""
        return msgspec.structs.replace(self, hops=(*self.hops, *hops))


class Atomic:
    """Answers what opens a transaction where it stands."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def round_block(self, path: str, position: int) -> Iterator[OpenTransaction]:
        """The transactions of the `with` statements round a place, innermost first; `position` is that of the innermost."""
        facts = self._project.facts(path)
        while position != -1:
            block = facts.blocks[position]
            opened = self._opened_by(path, block)
            if opened is not None:
                yield opened
            position = block.parent

    def by_decorator(self, path: str, definition: Definition) -> OpenTransaction | None:
        """The transaction that a decorator of a function or of its class opens round the body.

        The one round an `async def` ends before its body runs.
        """
        if definition.is_async:
            return None
        for decorator in definition.decorators:
            opened = self._decorated_with(path, decorator, definition.parent)
            if opened is not None:
                return opened
        return self._by_class(path, definition)

    def _decorated_with(self, path: str, decorator: Decorator, scope: int) -> OpenTransaction | None:
        if not decorator.callee:
            return None
        hop = self._project.hop(path, decorator.start, decorator.end, f"`{decorator.callee}` opens a transaction")
        symbol = self._project.resolve(path, decorator.callee, scope)
        if symbol.name in ATOMIC:
            return _opened(_text_of(decorator.arguments or ()), hop)
        if symbol.name == METHOD_DECORATOR and decorator.arguments:
            inner, _, rest = decorator.arguments[0].text.partition("(")
            is_atomic = self._project.resolve(path, inner, scope).name in ATOMIC
            return _opened(rest, hop) if is_atomic else None
        return self._through(symbol, self._decorator(symbol), path, decorator.start, decorator.end)

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
        return self._by_dispatch(path, definition) if definition.name in HANDLERS else None

    def _by_dispatch(self, path: str, definition: Definition) -> OpenTransaction | None:
        """The transaction round the handlers of a view whose `dispatch`, or that of a base class, runs in one."""
        found = self._project.method(path, definition.parent, "dispatch")
        if found is None or definition.name == "dispatch":
            return None
        file, position = found
        facts = self._project.facts(file)
        dispatch = facts.definitions[position]
        opened = (self._decorated_with(file, decorator, dispatch.parent) for decorator in dispatch.decorators)
        inside = (
            one
            for call in facts.calls
            if call.scope == position and call.callee == "super().dispatch"
            for one in self.round_block(file, call.block)
        )
        first = next((one for one in (*opened, *inside) if one is not None), None)
        hop = self._project.hop(path, *definition.name_span, f"`dispatch` calls `{definition.name}`")
        return first.then(hop) if first is not None else None

    def _opened_by(self, path: str, block: Block) -> OpenTransaction | None:
        for callee, text in block.items:
            if callee == "?":
                continue
            end = block.start + len(f"with {text}".encode())
            symbol = self._project.resolve(path, callee, block.scope)
            if symbol.name in ATOMIC:
                return _opened(
                    text.partition("(")[2], self._project.hop(path, block.start, end, f"`{callee}` opens a transaction")
                )
            if is_begin(self._project, path, callee):
                hop = self._project.hop(path, block.start, end, f"`{callee}` opens a transaction")
                return OpenTransaction("", (hop,), "sqlalchemy")
            opened = self._through(symbol, self._context_manager(symbol), path, block.start, end)
            if opened is not None:
                return opened
        return None

    # -- what a project builds on `atomic` --------------------------------------------------------------------------------

    def _through(
        self, symbol: Symbol, opened: OpenTransaction | None, path: str, start: int, end: int
    ) -> OpenTransaction | None:
        """The transaction that something of the project opens where it is used."""
        if opened is None:
            return None
        return opened.then(self._project.hop(path, start, end, f"enters `{symbol.name.rpartition('.')[2]}`"))

    def _context_manager(self, symbol: Symbol) -> OpenTransaction | None:
        """The transaction round the `yield` of a project's own context manager."""
        if symbol.definition < 0 or symbol.state != "internal":
            return None
        key = ("atomic context manager", symbol.path, symbol.definition)
        return self._project.memo(key, lambda: self._opened_inside(symbol), recursive=None)

    def _opened_inside(self, symbol: Symbol) -> OpenTransaction | None:
        facts = self._project.facts(symbol.path)
        wrapper = facts.definitions[symbol.definition]
        if wrapper.kind == "class":
            return self._opened_on_entering(symbol)
        decorators = {self._project.resolve(symbol.path, d.callee, wrapper.parent).name for d in wrapper.decorators}
        if decorators.isdisjoint(CONTEXT_MANAGERS):
            return self._returned(symbol, facts, wrapper)
        inside = (self._opened_by(symbol.path, block) for block in facts.blocks if block.scope == symbol.definition)
        return next((opened for opened in inside if opened is not None), None)

    def _opened_on_entering(self, symbol: Symbol) -> OpenTransaction | None:
        """A class that inherits from `Atomic`, or whose `__enter__` enters one that it holds."""
        names = self._project.base_names(symbol.path, symbol.definition)
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        if ATOMIC.isdisjoint(names):
            return None
        hop = self._project.hop(symbol.path, *definition.name_span, f"`{definition.name}` is an `atomic` block")
        return OpenTransaction("", (hop,))

    def _returned(self, symbol: Symbol, facts: ModuleFacts, wrapper: Definition) -> OpenTransaction | None:
        """The transaction of a plain function that returns `atomic(...)`."""
        text = self._project.source(symbol.path).text
        for call in facts.calls:
            if call.scope != symbol.definition or not text[: call.start].rstrip().endswith(b"return"):
                continue
            if self._project.resolve(symbol.path, call.callee, symbol.definition).name in ATOMIC:
                hop = self._project.hop(symbol.path, call.start, call.end, f"`{wrapper.name}` gives a transaction")
                return _opened(_text_of(call.arguments), hop)
        return None

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
        for call in Calls.of(facts).within(maker.start, maker.end) if maker.kind == "function" else ():
            if call.scope != symbol.definition and _calls_outer(facts, call):
                opened = next(self.round_block(symbol.path, call.block), None) or self.by_decorator(
                    symbol.path, facts.definitions[call.scope]
                )
                if opened is not None:
                    return opened
        return None


def is_begin(project: Project, path: str, callee: str) -> bool:
    """Whether a call is `begin()` of a session, a session factory or an engine of SQLAlchemy, by its name and the imports.

    Source: https://docs.sqlalchemy.org/en/20/orm/session_basics.html#framing-out-a-begin-commit-rollback-block
    """
    owner, _, name = callee.rpartition(".")
    return name == "begin" and is_session(project, path, owner)


def is_session(project: Project, path: str, written: str) -> bool:
    """Whether an expression is named like a session or engine, in a file that uses SQLAlchemy or takes the name from one."""
    last = written.rpartition(".")[2].removesuffix("()").lower()
    if not last.endswith(_SESSIONS):
        return False
    if uses_sqlalchemy(project, path):
        return True
    symbol = project.resolve(path, written.partition(".")[0].removesuffix("()"))
    return symbol.state == "internal" and uses_sqlalchemy(project, symbol.path)


def uses_sqlalchemy(project: Project, path: str) -> bool:
    """Whether a file imports SQLAlchemy or what is built on it."""
    facts = project.try_facts(path)
    return facts is not None and any(record.module.partition(".")[0] in _SQLALCHEMY for record in facts.imports)


def _calls_outer(facts: ModuleFacts, call: Call) -> bool:
    """Whether a call is that of a parameter of a function round the one it stands in."""
    scope = facts.definitions[call.scope].parent
    while scope != MODULE:
        if any(parameter.name == call.callee for parameter in facts.definitions[scope].parameters):
            return True
        scope = facts.definitions[scope].parent
    return False


def _opened(arguments: str, hop: Hop) -> OpenTransaction:
    given = (part.replace(" ", "") for part in arguments.rstrip(")").split(","))
    return OpenTransaction(_alias(arguments), (hop,), durable="durable=True" in given)


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
