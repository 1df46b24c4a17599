"""The call graph: which functions of the project a function runs, and which run it.

An edge is a call, or a function handed by name to something that runs it. It is followed where it is sure what is called: plain
functions, `self` and `cls` through the class and what inherits from it, `super()`, objects whose class is known, class and
static methods, constructors. Nothing is computed before it is asked for. Callers are found by name: only files in which the
name of a function stands are indexed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from keel_lint.flow.classes import Classes, Instance, Place
from keel_lint.index import tables
from keel_lint.index.facts import MODULE, known_as
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keel_lint.index.facts import Argument, Call, Definition, ModuleFacts
    from keel_lint.project import Project, Symbol

How = Literal["call", "passed", "committed", "thread"]

RUN_IT_HERE = frozenset({
    "asgiref.sync.async_to_sync", "asyncio.run", "builtins.filter", "builtins.map", "builtins.sorted", "functools.reduce",
})  # fmt: skip
"""What runs, in the same thread and before it ends or a little later, a function that it is given first."""

RUN_IN_THREADS = frozenset({
    "anyio.to_thread.run_sync", "asgiref.sync.sync_to_async", "asyncio.to_thread", "channels.db.database_sync_to_async",
    "fastapi.concurrency.run_in_threadpool", "starlette.concurrency.run_in_threadpool", "threading.Thread", "threading.Timer",
})  # fmt: skip
"""What runs a function that it is given in another thread."""

_METHODS_IN_THREADS = {"submit": 0, "run_in_executor": 1}
_KEYWORDS = {"threading.Thread": "target", "threading.Timer": "function"}
_POSITIONS = {"threading.Thread": 1, "threading.Timer": 1}
_PARTIAL = re.compile(r"((?:\w+\.)*partial)\(\s*((?:\w+\.)*\w+)\s*[,)]")
ON_COMMIT = "django.db.transaction.on_commit"
_RUNNERS = frozenset(name.rpartition(".")[2] for name in (*RUN_IT_HERE, *RUN_IN_THREADS, ON_COMMIT))
_CONSTRUCTORS = ("__init__", "__post_init__", "__new__")
_COMMON = frozenset({name for kind in (str, bytes, list, dict, set, object, int) for name in dir(kind)} | {
    "all", "apply", "call", "cancel", "check", "clean", "close", "commit", "connect", "create", "delete", "emit", "execute",
    "filter", "first", "flush", "get_or_create", "handle", "init", "load", "log", "notify", "open", "parse", "perform",
    "process", "publish", "put", "read", "render", "reset", "run", "save", "send", "set", "setup", "start", "stop", "submit",
    "sync", "validate", "write",
})  # fmt: skip
"""Names of methods that say nothing of the class."""
_ENDS_NO_NAME = re.compile(rb"[^\w\"\']?\Z")
_BINDS_IT = re.compile(rb"\s*(?:(?:async[ \t]+)?def[ \t]+|from[ \t]+[\w.]+[ \t]+import\b[^#;]*)")
_RENAMED = re.compile(rb"[ \t]+as\b")
_SHORTEST = 4
_RARE = 40  # files that may name a method whose name still says something of the class
_FEW = 4


class Edge(Record, frozen=True):
    """A place where a function is run.

    `path`, `scope`, `block`, `start` and `end` are those of the call; `target` is the function that runs; `written` is how the
    call is written. `how` is `call`, `passed` (handed to something that runs it at once), `committed` (handed to `on_commit`,
    whose `alias` is given) or `thread`. `owner` is the class on whose instance a method runs, `on_self` says that this instance
    is the caller's own. `fires` says that the call saves or creates a row, and that Django runs the function for that.
    """

    path: str
    scope: int
    block: int
    start: int
    end: int
    target: Place
    written: str
    how: How = "call"
    owner: Place | None = None
    on_self: bool = False
    alias: str = ""
    fires: Literal["", "created", "saved"] = ""


class Called(Record, frozen=True):
    """What a call calls: a function of the project, and the class of the object where it is a method."""

    target: Place
    owner: Place | None = None
    on_self: bool = False


class Calls:
    """The call graph of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.classes = Classes(project)

    # -- what a call calls ------------------------------------------------------------------------------------------------

    def called(self, path: str, call: Call) -> Called | None:
        """The function of the project that a call calls; one on an object of which nothing is known is left unresolved."""
        return self.named(path, call.callee, call.scope, call.start)

    def named(self, path: str, callee: str, scope: int, start: int) -> Called | None:
        """The same for a function that is named and not called; `start` is where that stands."""
        key = ("called", path, callee, scope)
        found = self._project.memo(key, lambda: self._named(path, callee, scope), None)
        if found is not None:
            return found
        if "." in callee and "?" not in callee and self._is_of_unknown_object(path, callee, scope):
            self._project.leave_unresolved(path, start)
        return None

    def _named(self, path: str, callee: str, scope: int) -> Called | None:
        if callee.startswith("super()."):
            return self._above(path, callee.removeprefix("super()."), scope)
        symbol = self._project.resolve(path, callee, scope) if _is_name(callee) else None
        if symbol is not None and symbol.state == "internal" and symbol.definition >= 0:
            return self._of_symbol(path, callee, scope, symbol)
        owner, _, name = callee.rpartition(".")
        instance = self.classes.of(path, owner, scope) if owner and "[]" not in owner else None
        return self._method(instance, name, on_self=owner in {"self", "cls"}) if instance is not None else None

    def _of_symbol(self, path: str, callee: str, scope: int, symbol: Symbol) -> Called | None:
        definition = self._project.facts(symbol.path).definitions[symbol.definition]
        place = symbol.path, symbol.definition
        if definition.kind == "class":
            return self._constructor(place)
        if definition.kind != "function":
            return None
        owner = callee.rpartition(".")[0]
        # `Class.method()`: the class that is named, not the one whose method is inherited.
        named = self._project.resolve(path, owner, scope) if owner and _is_method(self._project, place) else None
        is_class = named is not None and named.state == "internal" and named.definition >= 0
        return Called(place, (named.path, named.definition) if named is not None and is_class else None)

    def _constructor(self, place: Place) -> Called | None:
        for name in _CONSTRUCTORS:
            found = self._project.method(*place, name)
            if found is not None:
                return Called(found, place)
        return None

    def _method(self, instance: Instance, name: str, *, on_self: bool) -> Called | None:
        found = self._project.method(*instance.place, name)
        return Called(found, instance.place, on_self) if found is not None else None

    def _above(self, path: str, name: str, scope: int) -> Called | None:
        owner = self.classes.round_function(path, scope)
        if owner is None:
            return None
        found = next((place for place in self._project.methods(*owner, name) if _owner_of(self._project, place) != owner), None)
        return Called(found, owner, on_self=True) if found is not None else None

    def _is_of_unknown_object(self, path: str, callee: str, scope: int) -> bool:
        """Whether a method is called on an object of which nothing is known; not on one from outside the project."""
        head = callee.partition(".")[0].removesuffix("()").removesuffix("[]")
        if head in {"self", "cls", "super"}:
            return False
        return head.isidentifier() and self._project.resolve(path, head, scope).state in {"local", "unknown"}

    # -- from a function outward ------------------------------------------------------------------------------------------

    def callees(self, path: str, position: int) -> tuple[Edge, ...]:
        """The functions of the project that the body of a function runs, in source order; what stands in functions and lambdas
        inside it is theirs.
        """
        return self._project.memo(("callees", path, position), lambda: tuple(self._callees(path, position)), ())

    def _callees(self, path: str, position: int) -> Iterator[Edge]:
        for call in tables.Calls.of(self._project.facts(path)).by_scope.get(position, ()):
            found = self.called(path, call)
            if found is not None:
                yield _edge(path, call, found)
            yield from self._passed(path, call)

    def _passed(self, path: str, call: Call) -> Iterator[Edge]:
        """The functions that a call runs because they are handed to it."""
        for argument, how, alias in self._handed(path, call):
            found = self._function(path, call, argument)
            if found is not None:
                yield _edge(path, call, found, argument.text, how, alias)

    def _handed(self, path: str, call: Call) -> Iterator[tuple[Argument, How, str]]:
        if not call.arguments:
            return
        last = call.callee.rpartition(".")[2]
        at = _METHODS_IN_THREADS.get(last)
        if at is not None:
            yield from ((argument, "thread", "") for argument in _positional(call.arguments)[at : at + 1])
            return
        if not self._may_hand(path, call.callee):
            return
        name = self._project.resolve(path, call.callee, call.scope).name
        if name == ON_COMMIT:
            yield from ((argument, "committed", _using(call)) for argument in _first(call.arguments, "func"))
        elif name in RUN_IT_HERE:
            yield from ((argument, "passed", "") for argument in call.arguments if argument.keyword in {"", "key"})
        elif name in RUN_IN_THREADS:
            found = _positional(call.arguments)[_POSITIONS.get(name, 0) :][:1]
            keyword = _KEYWORDS.get(name, "func")
            yield from ((argument, "thread", "") for argument in found or _first(call.arguments, keyword))

    def _may_hand(self, path: str, callee: str) -> bool:
        """Whether a call has the name of something that runs what it is given, or one that an import gives it."""
        if callee.rpartition(".")[2] in _RUNNERS:
            return True
        imports = self._project.facts(path).imports if callee.isidentifier() else ()
        return any(record.name == callee and record.attribute in _RUNNERS for record in imports)

    def _function(self, path: str, call: Call, argument: Argument) -> Called | None:
        """The function that an argument names, or the lambda that it is."""
        if argument.text.startswith("lambda"):
            facts = self._project.facts(path)
            inside = (
                i for i, d in enumerate(facts.definitions) if d.name == "<lambda>" and argument.start <= d.start < argument.end
            )
            found = next(inside, None)
            return Called((path, found)) if found is not None else None
        partial = _PARTIAL.match(argument.text)
        if partial is not None:
            is_partial = self._project.resolve(path, partial[1], call.scope).name == "functools.partial"
            return self.named(path, partial[2], call.scope, argument.start) if is_partial else None
        return self.named(path, argument.text, call.scope, argument.start) if _is_name(argument.text) else None

    # -- from a function back ---------------------------------------------------------------------------------------------

    def of_name(self, path: str, name: str) -> Sequence[Call]:
        """The calls in a file of what has this name, whatever it is an attribute of."""
        return tables.Calls.of(self._project.facts(path)).by_name.get(name, ())

    def callers(self, path: str, position: int, owner: Place | None = None) -> tuple[Edge, ...]:
        """The places, test code aside, where a function is run; with `owner`, a method on an instance of that class."""
        key = ("callers", path, position, owner)
        return self._project.memo(key, lambda: tuple(self._callers(path, position, owner)), ())

    def ways_back(self, path: str, position: int, owner: Place | None) -> Iterator[tuple[Edge, Place | None]]:
        """The callers of a function that runs on an instance of `owner` (`None`: of any class), and each with the class of the
        instance on which the caller runs then. On the caller's own instance what is known of its class is kept, so that a
        search does not cross from one class to another through a base class of both.
        """
        for edge in self.callers(path, position, owner):
            known = [place for place in (owner, edge.owner) if place is not None]
            nearest = next((place for place in known if all(one in self._project.mro(*place) for one in known)), None)
            if known and (nearest is None or (edge.on_self and not self._runs_on(edge.path, edge.scope, nearest))):
                continue
            yield edge, nearest if edge.on_self else None

    def _runs_on(self, path: str, scope: int, owner: Place) -> bool:
        """Whether a method runs on instances of a class: no class on the way overrides it without a call of `super()`."""
        facts = self._project.facts(path)
        while (
            facts.definitions[scope].parent != MODULE and facts.definitions[facts.definitions[scope].parent].kind == "function"
        ):
            scope = facts.definitions[scope].parent
        name = facts.definitions[scope].name
        for place in self._project.methods(*owner, name):
            if place == (path, scope):
                return True
            calls = tables.Calls.of(self._project.facts(place[0])).by_scope.get(place[1], ())
            if not any(call.callee == f"super().{name}" for call in calls):
                return False
        return True

    def _callers(self, path: str, position: int, owner: Place | None) -> Iterator[Edge]:
        facts = self._project.facts(path)
        definition = facts.definitions[position]
        if definition.kind != "function":
            return
        if definition.name == "<lambda>" or _is_nested(facts, definition):
            yield from self._callers_inside(path, facts, definition, position)
            return
        for file in self._files_that_may_call(path, definition, owner):
            yield from self._callers_in(file, (path, position))

    def _callers_inside(self, path: str, facts: ModuleFacts, definition: Definition, position: int) -> Iterator[Edge]:
        """The callers of a nested function: they stand in the functions round it."""
        outer = facts.definitions[definition.parent] if definition.parent != MODULE else None
        for call in facts.calls if outer is None else tables.Calls.of(facts).within(outer.start, outer.end):
            yield from self._edges_to(path, call, (path, position), definition.name)

    def _files_that_may_call(self, path: str, definition: Definition, owner: Place | None) -> Sequence[str]:
        parent = definition.parent
        if parent == MODULE or self._project.facts(path).definitions[parent].kind != "class":
            return self._project.naming(definition.name)
        place = owner or (path, parent)
        if definition.name in _CONSTRUCTORS:
            return tuple({file for family in self._family(*place) for file in self._project.naming(family)})
        naming = self._project.naming(definition.name)
        own = {above[0] for above in self._project.mro(*place)}
        # What inherits from the class is looked for only where it can make a difference.
        if own.issuperset(naming) or self._is_the_only(path, definition):
            return naming
        own |= {below[0] for below in self._project.subclasses(*place)}
        outside = {file for family in self._family(*place) for file in self._project.naming(family)}
        return tuple(file for file in naming if file in own or file in outside)

    def _is_the_only(self, path: str, definition: Definition) -> bool:
        """Whether every function of the project that has the name of a method is one of the method's family of classes."""
        key = ("the only", path, definition.parent, definition.name)
        return self._project.memo(key, lambda: self._is_alone(path, definition), recursive=False)

    def _is_alone(self, path: str, definition: Definition) -> bool:
        if definition.name in _COMMON or definition.name.startswith("__"):
            return False
        written = f"def {definition.name}(".encode()
        files = self._project.naming(definition.name)
        defined = {file: self._project.raw(file).count(written) for file in files} if len(files) <= _RARE else {}
        if sum(defined.values()) == 1:
            return True
        if not defined or sum(defined.values()) > _FEW:
            return False
        others = {place for file, count in defined.items() if count for place in self._defining(file, definition.name)}
        return self._relatives(path, definition.parent).issuperset(others)

    def _defining(self, file: str, name: str) -> Iterator[Place]:
        """Where the functions of a name stand in a file: in which class, -1 for none."""
        facts = self._project.try_facts(file)
        return ((file, d.parent) for d in (facts.definitions if facts is not None else ()) if d.name == name)

    def _relatives(self, path: str, owner: int) -> frozenset[Place]:
        """A class, what inherits from it, and all that these inherit from."""
        below = {(path, owner), *self._project.subclasses(path, owner)}
        return frozenset(place for one in below for place in self._project.mro(*one))

    def _looks_alike(self, call: Call, owner: Place) -> bool:
        """Whether the variable on which a method is called has the name of one of the method's family of classes.

        `order.fulfill()` for `PaidOrder.fulfill`, where no other class of the project has a method `fulfill`: too little is
        known of such a call to say what it calls, and yet no person would doubt it.
        """
        variable = call.callee.rpartition(".")[0].rpartition(".")[2].removesuffix("()").replace("_", "").lower()
        names = (self._project.facts(path).definitions[at].name.lower() for path, at in self._relatives(*owner))
        return len(variable) >= _SHORTEST and any(variable in name for name in names)

    def _family(self, path: str, owner: int) -> set[str]:
        """The names of a class and of those that inherit from it."""
        places = ((path, owner), *self._project.subclasses(path, owner))
        return {self._project.facts(file).definitions[at].name for file, at in places}

    def _callers_in(self, file: str, target: Place) -> Iterator[Edge]:
        definition = self._project.facts(target[0]).definitions[target[1]]
        may_call = file == target[0] or self._uses(file, definition.name)
        facts = self._project.try_facts(file) if may_call else None
        if facts is None:
            return
        index = tables.Calls.of(facts)
        for name in self._names_in(facts, target, definition):
            for call in index.by_name.get(name, ()):
                yield from self._edges_to(file, call, target, name)
        for call in index.by_argument.get(definition.name, ()):
            yield from (edge for edge in self._passed(file, call) if self._may_run(edge, target) is not None)

    def _uses(self, file: str, name: str) -> bool:
        """Whether a file may use a function of another one, by a name it imports or behind a dot: told without the index."""
        if name in _CONSTRUCTORS:
            return True
        key = ("uses", file, name)
        used = self._project.memo(key, lambda: _used(self._project.raw(file), name.encode()), frozenset[bytes]())
        return b"." in used or (bool(used) and self._project.imports(file, frozenset({name.encode(), b"*"})))

    def _names_in(self, facts: ModuleFacts, target: Place, definition: Definition) -> frozenset[str]:
        """The names under which a file may call a function: its own, and those that imports give it."""
        is_made = definition.name in _CONSTRUCTORS
        return known_as(facts, frozenset(self._family(target[0], definition.parent) if is_made else {definition.name}))

    def _edges_to(self, file: str, call: Call, target: Place, name: str) -> Iterator[Edge]:
        if call.callee.rpartition(".")[2] == name:
            found = self.called(file, call) or self._presumed(file, call, target)
            run = self._may_run(_edge(file, call, found), target) if found is not None else None
            if run is not None:
                yield run
        elif name == "<lambda>" or call.arguments:
            yield from (edge for edge in self._passed(file, call) if edge.target == target)

    def _presumed(self, file: str, call: Call, target: Place) -> Called | None:
        """The method that a call on an object of which nothing is known calls all the same, by its name and the object's."""
        definition = self._project.facts(target[0]).definitions[target[1]]
        owner = _owner_of(self._project, target)
        variable, _, name = call.callee.rpartition(".")
        if owner is None or name != definition.name:
            return None
        if variable in {"self", "cls"}:
            # A base class calls what only those that inherit from it define.
            caller = self.classes.round_function(file, call.scope)
            is_base = caller is not None and caller != owner and caller in self._project.mro(*owner)
            return Called(target, owner, on_self=True) if is_base else None
        if not (self._is_of_unknown_object(file, call.callee, call.scope) and self._is_the_only(target[0], definition)):
            return None
        return Called(target, owner) if self._looks_alike(call, owner) else None

    def _may_run(self, edge: Edge, target: Place) -> Edge | None:
        """The edge where it can run the target: as it says, or because the object is of a class that overrides the method."""
        if edge.target == target:
            return edge
        owner = _owner_of(self._project, target)
        if owner is None or edge.owner is None or edge.written.startswith("super()."):
            return None
        if self._project.facts(edge.target[0]).definitions[edge.target[1]].name != _name_of(self._project, target):
            return None
        is_above = edge.owner != owner and edge.owner in self._project.mro(*owner)
        if not is_above or not edge.on_self:
            return None
        return Edge(
            edge.path,
            edge.scope,
            edge.block,
            edge.start,
            edge.end,
            target,
            edge.written,
            edge.how,
            owner,
            edge.on_self,
            edge.alias,
        )


def _edge(path: str, call: Call, found: Called, written: str = "", how: How = "call", alias: str = "") -> Edge:
    place = (path, call.scope, call.block, call.start, call.end)
    return Edge(*place, found.target, written or call.callee, how, found.owner, found.on_self, alias)


def _is_name(text: str) -> bool:
    return text.replace(".", "").isidentifier()


def _is_nested(facts: ModuleFacts, definition: Definition) -> bool:
    return definition.parent != MODULE and facts.definitions[definition.parent].kind == "function"


def _owner_of(project: Project, place: Place) -> Place | None:
    """The class of a method."""
    facts = project.facts(place[0])
    parent = facts.definitions[place[1]].parent
    return (place[0], parent) if parent != MODULE and facts.definitions[parent].kind == "class" else None


def _is_method(project: Project, place: Place) -> bool:
    return _owner_of(project, place) is not None


def _name_of(project: Project, place: Place) -> str:
    return project.facts(place[0]).definitions[place[1]].name


def _positional(arguments: Sequence[Argument]) -> list[Argument]:
    return [argument for argument in arguments if not argument.keyword]


def _first(arguments: Sequence[Argument], keyword: str) -> list[Argument]:
    """The first positional argument, else the one of this keyword."""
    return (_positional(arguments) or [argument for argument in arguments if argument.keyword == keyword])[:1]


def _using(call: Call) -> str:
    """The alias that `on_commit` is given, as source; empty for the default one."""
    given = [argument.text for argument in call.arguments if argument.keyword == "using"] or [
        argument.text for argument in _positional(call.arguments)[1:2]
    ]
    return "" if not given or given[0] in {"None", '"default"', "'default'"} else given[0]


def _used(raw: bytes, name: bytes) -> frozenset[bytes]:
    """What stands before a name in a source: a dot, or anything else, for which an empty text stands.

    It does not count behind `def`, in an import of one line that keeps the name, and as the first or last word of a text.
    """
    found: set[bytes] = set()
    start = raw.find(name)
    while start >= 0:
        end = start + len(name)
        before = raw[raw.rfind(b"\n", 0, start) + 1 : start]
        is_word = _ENDS_NO_NAME.match(raw[start - 1 : start]) and _ENDS_NO_NAME.match(raw[end : end + 1])
        if is_word and (_BINDS_IT.fullmatch(before) is None or _RENAMED.match(raw, end)):
            found.add(b"." if before.rstrip().endswith(b".") else b"")
        start = raw.find(name, start + 1)
    return frozenset(found)
