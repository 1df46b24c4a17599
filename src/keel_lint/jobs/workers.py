"""Workers: which workflows and activities each `Worker(...)` of the project registers, and the task queue it polls.

Lists are followed through variables, constants, functions that return one, `*` and `+`. What cannot be followed makes a list
one that may hold more (`is_whole` is false).
Source: `temporalio.worker.Worker`, `temporalio.activity._Definition`, `temporalio.workflow._Definition`.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE
from keel_lint.jobs.temporal import ACTIVITY, WORKFLOW
from keel_lint.jobs.values import UNKNOWN, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.index.facts import Call, Definition
    from keel_lint.project import Project, Symbol

WORKER = frozenset({"temporalio.worker.Worker", "temporalio.worker._worker.Worker"})
Kind = Literal["activity", "workflow"]

_ADDS_MORE = frozenset({b"SimplePlugin", b"configure_worker", b"worker.Plugin"})
_DEPTH = 10
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHANGES = frozenset({"append", "clear", "extend", "insert", "pop", "remove"})


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One thing in a list of a worker: where it is defined, the name it is registered under, and where it is listed.

    `name` is empty where it cannot be told; `is_dynamic` takes every name; `is_unbound` is a method taken from its class.
    """

    path: str
    position: int
    name: str
    is_dynamic: bool
    is_unbound: bool
    listed: tuple[str, int, int]


class Listing(msgspec.Struct, frozen=True, array_like=True):
    """The items of a list; there may be others where it is not whole. With `is_either` not all of them are listed at once."""

    items: tuple[Item, ...] = ()
    is_whole: bool = True
    is_either: bool = False

    def has(self, name: str) -> bool:
        """Whether something may be registered under a name."""
        return not self.is_whole or any(item.name in {name, ""} or item.is_dynamic for item in self.items)


class WorkerCall(msgspec.Struct, frozen=True, array_like=True):
    """One `Worker(...)`. `queue` is `None` where it cannot be told; `executor` says what is known of `activity_executor`."""

    path: str
    start: int
    end: int
    queue: str | None
    workflows: Listing
    activities: Listing
    executor: Literal["given", "missing", "unknown"]

    def of(self, kind: Kind) -> Listing:
        """The workflows or the activities."""
        return self.activities if kind == "activity" else self.workflows


class Registered(msgspec.Struct, frozen=True, array_like=True):
    """All workers of the project. `is_whole` is false where others may be made in a way that cannot be read."""

    workers: tuple[WorkerCall, ...]
    is_whole: bool


class Workers:
    """Answers which worker registers what. `constant` folds names to values."""

    def __init__(self, project: Project, relevant: tuple[str, ...], constant: Callable[[str, str, int], object]) -> None:
        self._project = project
        self._relevant = relevant
        self._constant = constant
        self._lists = _Lists(project, self.name_of)

    def digest(self) -> bytes:
        """What tells these workers from others."""
        return msgspec.msgpack.encode(self._registered)

    @property
    def registered(self) -> Registered:
        """All workers of the project."""
        self._project.note("derived", "workers")
        return self._registered

    @cached_property
    def _registered(self) -> Registered:
        with self._project.recording(inner=True):
            found = [worker for path in self._relevant for worker in self._workers_in(path)]
            return Registered(tuple(found), is_whole=not any(self._adds_more(path) for path in self._relevant))

    def at(self, path: str, start: int) -> WorkerCall | None:
        """The worker that a call makes."""
        return next((one for one in self.registered.workers if (one.path, one.start) == (path, start)), None)

    def polling(self, queue: str, kind: Kind, name: str) -> list[WorkerCall] | None:
        """The workers that poll a task queue; `None` where one that registers `name` may poll it, for all that can be told."""
        registered = self.registered
        hidden = any(worker.queue is None and worker.of(kind).has(name) for worker in registered.workers)
        if hidden or not registered.is_whole:
            return None
        return [worker for worker in registered.workers if worker.queue == queue]

    def listing(self, kind: Kind, name: str) -> list[WorkerCall]:
        """The workers that list a workflow or an activity of this name."""
        return [one for one in self.registered.workers if any(item.name == name for item in one.of(kind).items)]

    def lacks(self, kind: Kind, name: str) -> bool:
        """Whether there are workers, and none of them registers `name`."""
        registered = self.registered
        if not registered.is_whole or not registered.workers:
            return False
        return not any(worker.of(kind).has(name) for worker in registered.workers)

    # -- names ------------------------------------------------------------------------------------------------------------

    def name_of(self, path: str, definition: Definition) -> tuple[str, bool]:
        """The name that a workflow or activity is registered under, empty where it cannot be told; whether it is dynamic."""
        for decorator in definition.decorators:
            named = self._project.resolve(path, decorator.callee, definition.parent).name if decorator.callee else ""
            if named in {f"{ACTIVITY}.defn", f"{WORKFLOW}.defn"}:
                given = {argument.keyword: argument.text for argument in decorator.arguments or ()}
                if "**" in given or given.get("dynamic", "False") != "False":
                    return "", given.get("dynamic") == "True"
                return self._stated(path, given.get("name"), definition), False
        return "", False

    def _stated(self, path: str, name: str | None, definition: Definition) -> str:
        if name is None:
            return definition.name
        value = fold(name, lambda dotted: self._constant(path, dotted, definition.parent))
        return value if isinstance(value, str) else ""

    # -- reading ----------------------------------------------------------------------------------------------------------

    def _workers_in(self, path: str) -> Iterator[WorkerCall]:
        if not self._project.mentions(path, frozenset({b"Worker"})):
            return
        facts = self._project.try_facts(path)
        for call in facts.calls if facts is not None else ():
            if self._is_worker(path, call):
                yield self._read(path, call)

    def _is_worker(self, path: str, call: Call) -> bool:
        if call.callee.rpartition(".")[2] != "Worker" and "Worker" not in call.callee:
            return False
        return self._project.resolve(path, call.callee, call.scope).name in WORKER

    def _read(self, path: str, call: Call) -> WorkerCall:
        given = {argument.keyword: argument.text for argument in self._arguments(path, call)}
        is_open = "**" in given
        has_plugins = "plugins" in given or self._project.mentions(path, frozenset({b"plugins"}))
        reader = self._lists.reader(path, call)
        queue = reader.constant(given["task_queue"], self._constant) if "task_queue" in given else UNKNOWN
        workflows, activities = (
            reader.read(name, given.get(name), is_whole=not has_plugins and (name in given or not is_open))
            for name in ("workflows", "activities")
        )
        executor = "given" if "activity_executor" in given else "unknown" if is_open or has_plugins else "missing"
        is_named = isinstance(queue, str)
        return WorkerCall(path, call.start, call.end, queue if is_named else None, workflows, activities, executor)  # type: ignore[arg-type]

    def _arguments(self, path: str, call: Call) -> Iterator[_Keyword]:
        """The arguments of a call, from its source: the index keeps them of calls that are named `Worker`."""
        text = self._project.source(path).slice(call.start, call.end)
        node = parsed(text)
        if node is None:
            yield _Keyword("**", "")
            return
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            yield _Keyword(keyword.arg or "**", ast.unparse(keyword.value))

    def _adds_more(self, path: str) -> bool:
        """Whether a file gives workers more than they are made with, or makes them by a class of another package."""
        if self._project.mentions(path, _ADDS_MORE):
            return True
        facts = self._project.try_facts(path) if self._project.mentions(path, frozenset({b"Worker("})) else None
        return facts is not None and any(self._is_other_worker(path, call) for call in facts.calls)

    def _is_other_worker(self, path: str, call: Call) -> bool:
        if not call.callee.endswith("Worker") or not self._project.mentions(path, frozenset({b"temporal"})):
            return False
        symbol = self._project.resolve(path, call.callee, call.scope)
        return symbol.name not in WORKER and symbol.state != "internal"


class _Keyword(msgspec.Struct, frozen=True):
    keyword: str
    text: str


class _Lists:
    """Reads lists of workflows and activities. `name_of` gives the name that a definition is registered under."""

    def __init__(self, project: Project, name_of: Callable[[str, Definition], tuple[str, bool]]) -> None:
        self.project = project
        self.name_of = name_of

    def reader(self, path: str, call: Call) -> _Reader:
        """A reader of expressions in a call."""
        return _Reader(self, path, call.scope, call)

    def tree(self, path: str) -> ast.Module | None:
        """The whole file as Python's own tree."""
        return self.project.memo(("tree", path), lambda: self._parse(path), None)

    def _parse(self, path: str) -> ast.Module | None:
        try:
            return ast.parse(self.project.source(path).text.decode())  # bytes would be read as their cookie says
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


class _Reader:
    """Reads expressions at one scope of one file."""

    def __init__(self, lists: _Lists, path: str, scope: int, call: Call | None = None, depth: int = 0) -> None:
        self.lists, self.project = lists, lists.project
        self.path, self.scope, self.call, self.depth = path, scope, call, depth
        self.facts = self.project.facts(path)

    # -- what the call says -----------------------------------------------------------------------------------------------

    def constant(self, text: str, constant: Callable[[str, str, int], object]) -> object:
        """The value of an expression, through local variables too."""
        value = fold(text, lambda name: constant(self.path, name, self.scope))
        if value is UNKNOWN and text.isidentifier():
            found = self.local(text)
            if found is not None and len(found) == 1:
                return fold(ast.unparse(found[0]), lambda name: constant(self.path, name, self.scope))
        return value

    def read(self, name: str, text: str | None, *, is_whole: bool) -> Listing:
        """The list that a keyword of the call gives."""
        if text is None:
            return Listing((), is_whole)
        node = self.keyword(name)
        found = self.listing(node) if node is not None else Listing((), is_whole=False)
        return Listing(found.items, found.is_whole and is_whole, found.is_either)

    def keyword(self, name: str) -> ast.expr | None:
        """The value of a keyword of the call, in the tree of the file."""
        tree = self.lists.tree(self.path)
        if tree is None or self.call is None:
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and self.start(node) == self.call.start:
                for keyword in node.keywords:
                    if keyword.arg == name:
                        return keyword.value
        return None

    def start(self, node: ast.expr) -> int:
        """The byte at which a node begins."""
        return self.project.source(self.path).line_starts[node.lineno - 1] + node.col_offset

    def span(self, node: ast.expr) -> tuple[int, int]:
        """The bytes of a node."""
        starts = self.project.source(self.path).line_starts
        return self.start(node), starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    # -- lists ------------------------------------------------------------------------------------------------------------

    def listing(self, node: ast.expr) -> Listing:
        """What an expression lists."""
        if self.depth > _DEPTH:
            return Listing((), is_whole=False)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return _joined([self.element(element) for element in node.elts])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return _joined([self.listing(node.left), self.listing(node.right)])
        if isinstance(node, ast.Call):
            return self.called(node)
        if isinstance(node, ast.IfExp):
            return _either([self.listing(node.body), self.listing(node.orelse)])
        return self.named(node) if isinstance(node, (ast.Name, ast.Attribute)) else Listing((), is_whole=False)

    def element(self, node: ast.expr) -> Listing:
        if isinstance(node, ast.Starred):
            return self.listing(node.value)
        item = self.item(node)
        return Listing((item,)) if item is not None else Listing((), is_whole=False)

    def called(self, node: ast.Call) -> Listing:
        """`list(x)`, or a function of the project that returns a list."""
        name = ast.unparse(node.func)
        if name in {"list", "tuple"} and len(node.args) == 1 and not node.keywords:
            return self.listing(node.args[0])
        symbol = self.project.resolve(self.path, name, self.scope)
        function = self.function(symbol)
        if function is None:
            return Listing((), is_whole=False)
        inside = self.at(symbol.path, symbol.definition)
        returns = [one for one in ast.walk(function) if isinstance(one, ast.Return)]
        found = [inside.listing(one.value) for one in returns if one.value is not None]
        return found[0] if len(returns) == len(found) == 1 else _either(found)

    def named(self, node: ast.Name | ast.Attribute) -> Listing:
        """A variable or a constant that holds a list, and that nothing changes."""
        dotted = ast.unparse(node)
        local = self.local(dotted) if isinstance(node, ast.Name) else None
        if local is not None:
            return self.held([self.deeper().listing(value) for value in local], self.path, dotted)
        symbol = self.project.resolve(self.path, dotted, self.scope)
        if symbol.assignment < 0 or not symbol.path:
            return Listing((), is_whole=False)
        inside = self.at(symbol.path, MODULE)
        target = self.project.facts(symbol.path).assignments[symbol.assignment].target
        values = inside.assigned(target, inside.lists.tree(symbol.path))
        return self.held([inside.listing(value) for value in values], symbol.path, target)

    def held(self, values: list[Listing], path: str, name: str) -> Listing:
        """What a variable holds that is given these values."""
        return values[0] if len(values) == 1 and not self.changes(path, name) else _either(values)

    def deeper(self) -> _Reader:
        return _Reader(self.lists, self.path, self.scope, self.call, self.depth + 1)

    def at(self, path: str, scope: int) -> _Reader:
        return _Reader(self.lists, path, scope, None, self.depth + 1)

    def changes(self, path: str, name: str) -> bool:
        """Whether a file adds to a list, or takes from it."""
        tree = self.lists.tree(path)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == name:
                return True
            if isinstance(node, ast.Attribute) and node.attr in _CHANGES and ast.unparse(node.value) == name:
                return True
        return tree is None

    # -- names ------------------------------------------------------------------------------------------------------------

    def local(self, name: str) -> list[ast.expr] | None:
        """The values that the functions round this scope give a name; `None` where they do not bind it."""
        scope = self.scope
        while scope != MODULE:
            definition = self.facts.definitions[scope]
            if name in self.facts.bindings.get(scope, ()):
                if any(parameter.name == name for parameter in definition.parameters):
                    return []
                function = self.function_at(self.path, scope)
                return self.assigned(name, function) if function is not None else []
            scope = definition.parent
        return None

    def assigned(self, name: str, root: ast.AST | None) -> list[ast.expr]:
        """The values of all assignments to a name below a node."""
        found: list[ast.expr] = []
        for node in ast.walk(root) if root is not None else ():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
            if value is not None and any(isinstance(target, ast.Name) and target.id == name for target in targets):
                found.append(value)
        return found

    def function(self, symbol: Symbol) -> ast.AST | None:
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        return self.function_at(symbol.path, symbol.definition)

    def function_at(self, path: str, position: int) -> ast.AST | None:
        """A function of a file in its tree: the one of its name that stands on its line."""
        definition = self.project.facts(path).definitions[position]
        tree = self.lists.tree(path)
        row = self.project.source(path).text.count(b"\n", 0, definition.name_start) + 1
        nodes = ast.walk(tree) if tree is not None else ()
        return next((n for n in nodes if isinstance(n, _FUNCTIONS) and (n.name, n.lineno) == (definition.name, row)), None)

    # -- items ------------------------------------------------------------------------------------------------------------

    def item(self, node: ast.expr) -> Item | None:
        """A workflow class, an activity function, or a method of an instance."""
        listed = (self.path, *self.span(node))
        symbol = self.instance_method(node)
        if symbol is not None:
            return self.made(symbol, listed, is_instance=True)
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return None
        local = self.local(ast.unparse(node).partition(".")[0])
        if local is not None:
            return self.deeper().item(local[0]) if isinstance(node, ast.Name) and len(local) == 1 else None
        return self.made(self.project.resolve(self.path, ast.unparse(node), self.scope), listed, is_instance=False)

    def made(self, symbol: Symbol, listed: tuple[str, int, int], *, is_instance: bool) -> Item | None:
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        facts = self.project.facts(symbol.path)
        definition = facts.definitions[symbol.definition]
        in_class = definition.parent != MODULE and facts.definitions[definition.parent].kind == "class"
        is_unbound = in_class and not is_instance and definition.kind == "function" and _takes_self(definition)
        name, is_dynamic = self.lists.name_of(symbol.path, definition)
        return Item(symbol.path, symbol.definition, name, is_dynamic, is_unbound, listed)

    def instance_method(self, node: ast.expr) -> Symbol | None:
        """The method of `Orders().ship`, or of `orders.ship` where `orders` holds an instance of a class of the project."""
        if not isinstance(node, ast.Attribute):
            return None
        made = self.maker(node.value)
        if made is None:
            return None
        reader, call = made
        owner = self.project.resolve(reader.path, ast.unparse(call.func), reader.scope)
        if owner.state != "internal" or owner.definition < 0:
            return None
        definition = self.project.facts(owner.path).definitions[owner.definition]
        if definition.kind != "class":
            return None
        return self.project.resolve(owner.path, f"{definition.qualname}.{node.attr}", MODULE)

    def maker(self, node: ast.expr) -> tuple[_Reader, ast.Call] | None:
        """The one call that makes the object that an expression stands for, and who reads it."""
        if isinstance(node, ast.Call):
            return self, node
        if not isinstance(node, ast.Name) or self.depth > _DEPTH:
            return None
        local = self.local(node.id)
        if local is not None:
            return self.deeper().maker(local[0]) if len(local) == 1 else None
        symbol = self.project.resolve(self.path, node.id, self.scope)
        if symbol.assignment < 0 or not symbol.path:
            return None
        inside = self.at(symbol.path, MODULE)
        target = self.project.facts(symbol.path).assignments[symbol.assignment].target
        values = inside.assigned(target, self.lists.tree(symbol.path))
        return inside.maker(values[0]) if len(values) == 1 else None


def _takes_self(definition: Definition) -> bool:
    """Whether a method wants its instance: `self`, and neither `staticmethod` nor `classmethod`."""
    marks = {decorator.callee for decorator in definition.decorators}
    return marks.isdisjoint({"staticmethod", "classmethod"}) and bool(definition.parameters)


def _joined(listings: list[Listing]) -> Listing:
    items = tuple(item for listing in listings for item in listing.items)
    return Listing(items, all(one.is_whole for one in listings), any(one.is_either for one in listings))


def _either(listings: list[Listing]) -> Listing:
    """One of several lists, or one that is changed."""
    return Listing(_joined(listings).items, is_whole=False, is_either=True)
