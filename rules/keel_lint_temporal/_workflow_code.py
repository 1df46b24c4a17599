"""What runs as workflow code in a workflow class, and what a call there does to the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import libcst as cst

from keel_lint.definition import Definition, descendants, dotted
from keel_lint.flow.calls import Edge
from keel_lint.jobs.nondeterminism import EVERY_CALL, Kind, Reading, is_excused
from keel_lint.jobs.sandbox import BUILTIN_OPEN, refused
from keel_lint.jobs.temporal import ACTIVITY, WORKFLOW
from keel_lint.record import Record
from keel_lint.rule import Rule

if TYPE_CHECKING:
    from keel_lint.finding import Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.flow.determinism import Effect
    from keel_lint.flow.reaching import Reached
    from keel_lint.index.facts import Call

Handler = Literal["run", "query", "validator"]
Sandbox = Literal["on", "weakened", "off"]

_CALLS_WITHOUT_ARGUMENTS = frozenset({"builtins.iter", "collections.defaultdict"})
_CALLS_WITH_ARGUMENTS = frozenset({"builtins.map", "builtins.filter", "functools.partial"})
_FACTORIES = frozenset({"default_factory", "factory"})


class Place(Record, frozen=True):
    """Where a node of workflow code runs.

    `handler` is `run` for all that goes into the history, `query` or `validator` for what is reached from those alone.
    `sandbox` is `weakened` where a worker of the project changes or drops it. `first_run_only` says that replays skip the node.
    """

    handler: Handler
    sandbox: Sandbox
    fails_the_run: bool
    first_run_only: bool


class Far(Record, frozen=True):
    """An effect that a call in workflow code leads to. `where` is the call, or the bytes of a base class whose method runs."""

    where: cst.Call | tuple[int, int]
    place: Place
    passed_through: bool
    reached: Reached[Effect]


class WorkflowCode:
    """Answers which nodes of a definition are workflow code; none are where it is no workflow class."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        temporal = definition.jobs.temporal
        node, path, fact = definition.node, definition.path, definition.fact
        self._handlers: Mapping[int, Handler] = {}
        self._called: dict[int, str | None] = {}
        self.determinism = definition.flow.determinism
        if isinstance(node, cst.ClassDef) and temporal.is_workflow(path, fact):
            self._handlers = _Methods(definition, node).handlers()
            self._stated_sandboxed = temporal.is_sandboxed(path, fact)
            self._fails = temporal.fails_on_any_error(path, fact)

    @property
    def is_workflow(self) -> bool:
        """Whether the definition is a workflow class."""
        return bool(self._handlers)

    def place(self, node: cst.CSTNode) -> Place | None:
        """Where a node runs, or `None` where it is no workflow code: defaults and decorators of methods, activities, types."""
        if not self._handlers:
            return None
        sandboxed = self._stated_sandboxed
        first_run_only = isinstance(node, cst.Call) and self.is_cut(node, on_replay=True)
        below = node
        for above in self.definition.ancestors(node):
            if id(above) in self._handlers:
                place = Place(self._handlers[id(above)], self._sandbox(sandboxed), self._fails, first_run_only)
                return place if self._is_body(above, below) else None
            if self._is_elsewhere(above, below):
                return None
            sandboxed = sandboxed and not self._opens_sandbox(above, below)
            first_run_only = first_run_only or self._skipped_by(above, below, f"{WORKFLOW}.unsafe.is_replaying", when=True)
            below = above
        return None

    def _sandbox(self, sandboxed: bool) -> Sandbox:
        if not sandboxed:
            return "off"
        return "weakened" if self.definition.jobs.temporal.sandbox_is_weakened else "on"

    def _is_body(self, function: cst.CSTNode, below: cst.CSTNode) -> bool:
        return isinstance(function, cst.FunctionDef) and below is function.body

    def _is_elsewhere(self, above: cst.CSTNode, below: cst.CSTNode) -> bool:
        """Whether what stands below a node never runs in a workflow."""
        if isinstance(above, cst.FunctionDef):
            return is_activity(self.definition, above)
        if isinstance(above, cst.Annotation):
            return True
        return self._skipped_by(above, below, "typing.TYPE_CHECKING", when=False) or self._skipped_by(
            above, below, f"{WORKFLOW}.in_workflow", when=True
        )

    def _skipped_by(self, above: cst.CSTNode, below: cst.CSTNode, guard: str, *, when: bool) -> bool:
        """Whether `above` is an `if` that runs `below` only where `guard` is not `when`."""
        if not isinstance(above, (cst.If, cst.IfExp)) or below is above.test:
            return False
        test, negated = _without_not(above.test)
        name = self.definition.called(test) if isinstance(test, cst.Call) else self.definition.name(test)
        return name == guard and ((below is above.body) != negated) != when

    def _opens_sandbox(self, above: cst.CSTNode, below: cst.CSTNode) -> bool:
        if not isinstance(above, cst.With) or below is not above.body:
            return False
        calls = (item.item for item in above.items if isinstance(item.item, cst.Call))
        return any(self.definition.called(call) == f"{WORKFLOW}.unsafe.sandbox_unrestricted" for call in calls)

    # -- what is called ---------------------------------------------------------------------------------------------------

    def called(self, call: cst.Call) -> str | None:
        """The canonical name of what a call calls, also through a local name that stands for nothing else."""
        if id(call) not in self._called:
            self._called[id(call)] = self._find_called(call)
        return self._called[id(call)]

    def _find_called(self, call: cst.Call) -> str | None:
        name = self.definition.called(call)
        if name is not None:
            return name
        if isinstance(call.func, cst.Name):
            function = self.definition.nearest(call, cst.FunctionDef)
            value = only_value(function, call.func.value) if function is not None else None
            return self.definition.name(value) if value is not None else None
        return self._called_on_object(call)

    def _called_on_object(self, call: cst.Call) -> str | None:
        """`pathlib.Path.read_text` for `Path(name).read_text()`; what is done with the outcome of a reading is no reading."""
        owner = call.func.value if isinstance(call.func, cst.Attribute) else None
        if isinstance(owner, cst.Call) and self.determinism.reading(self.called(owner) or "") is not None:
            return None
        fact = self.definition.call_fact(call)
        if fact is None or self._is_bound_in_expression(call, fact):
            return None
        return self.determinism.name(self.definition.path, fact.callee, fact.scope) or None

    def _is_bound_in_expression(self, call: cst.Call, fact: Call) -> bool:
        """Whether a comprehension or lambda round a call binds the first part of its name: the index does not know that."""
        head: cst.CSTNode = call.func
        while isinstance(head, (cst.Attribute, cst.Call, cst.Subscript)):
            head = head.func if isinstance(head, cst.Call) else head.value
        if not isinstance(head, cst.Name) or self.definition.name(head) is not None:
            return False
        return self.definition.project.resolve(self.definition.path, head.value, fact.scope).state != "local"

    def refuses(self, name: str) -> bool | None:
        """Whether the sandbox of the project's temporalio refuses a call of this name; see `jobs.sandbox`."""
        return refused(name, self.definition.jobs.version("temporalio").release)

    def is_cut(self, node: cst.CSTNode, *, on_replay: bool = False) -> bool:
        """Whether a guard keeps a node from running in a workflow, such as a `return` where there is none, or in a replay."""
        fact = self.definition.call_fact(node) if isinstance(node, cst.Call) else None
        start = fact.start if fact is not None else self.definition.span(node)[0]
        return self.determinism.is_cut(self.definition.path, self.definition.scope(node), start, on_replay=on_replay)

    # -- what is reached --------------------------------------------------------------------------------------------------

    @cached_property
    def readings(self) -> dict[Kind, list[tuple[cst.Call | cst.Arg, str, Reading]]]:
        """By kind the calls that a replay cannot give back, and the functions handed over to be called; with their names."""
        found: dict[Kind, list[tuple[cst.Call | cst.Arg, str, Reading]]] = {}
        for call in self.definition.find_all(cst.Call) if self.is_workflow else ():
            named: list[tuple[cst.Call | cst.Arg, str | None]] = [(call, self.called(call))]
            named += [(one, self.definition.name(one.value)) for one in call.args if self._may_be_called(one)]
            for node, name in named:
                known = self.determinism.reading(name) if name else None
                if known is not None and name is not None:
                    found.setdefault(known[0], []).append((node, name, known[1]))
        return found

    def _may_be_called(self, argument: cst.Arg) -> bool:
        call = self.definition.parent(argument)
        if not isinstance(call, cst.Call) or not isinstance(argument.value, (cst.Name, cst.Attribute)):
            return False
        return argument.keyword.value in _FACTORIES if argument.keyword is not None else call.args[0] is argument

    @cached_property
    def own(self) -> list[tuple[Effect, cst.CSTNode, Place]]:
        """The effects of the workflow code itself, with the node and where it runs."""
        path = self.definition.path
        effects = [effect for position in self._functions() for effect in self.determinism.own(path, position)]
        found = ((effect, self._node_at(effect.start, effect.end)) for effect in effects)
        return [(effect, node, place) for effect, node in found if node is not None and (place := self.place(node)) is not None]

    @cached_property
    def far(self) -> list[Far]:
        """The effects that calls of the workflow code lead to, in functions outside the class, in source order."""
        path = self.definition.path
        edges = [edge for position in self._functions() for edge in self.determinism.edges(path, position)]
        calls = {
            (fact.start, fact.end): node
            for node in self.definition.find_all(cst.Call)
            if (fact := self.definition.call_fact(node)) is not None
        }
        found: list[Far] = []
        for edge in sorted(edges, key=lambda edge: (edge.start, edge.end)):
            node = calls.get((edge.start, edge.end))
            place = self.place(node) if node is not None else None
            if node is not None and place is not None and not self._is_inside(edge.target):
                found += self._through(node, place, edge)
        return [*found, *self._inherited()]

    def _through(self, where: cst.Call | tuple[int, int], place: Place, edge: Edge) -> Iterator[Far]:
        for reached in self.determinism.through(edge):
            if not self._is_inside((reached.effect.path, -1), reached.effect.start):
                yield Far(where, place, self._is_passed_through(reached), reached)

    def _is_inside(self, target: tuple[str, int], offset: int = -1) -> bool:
        path, position = target
        if path != self.definition.path:
            return False
        start = self.definition.facts.definitions[position].start if offset < 0 else offset
        return self.definition.fact.start <= start < self.definition.fact.end

    def _is_passed_through(self, reached: Reached[Effect]) -> bool:
        """Whether the effect stands in a module from outside the sandbox: what one of these imports is outside, too."""
        files = [*(edge.target[0] for edge in reached.edges), reached.effect.path]
        steps = zip(reached.edges, files, strict=False)
        temporal = self.definition.jobs.temporal
        return any(edge.path != target and temporal.passes_through(edge.path, edge.written, target) for edge, target in steps)

    def _inherited(self) -> Iterator[Far]:
        """What handlers do that the class inherits from one that is no workflow."""
        if not self._handlers:
            return
        temporal, project, path = self.definition.jobs.temporal, self.definition.project, self.definition.path
        for base in (base for base in self.definition.fact.bases if not base.keyword):
            symbol = project.resolve(path, base.text.partition("[")[0], self.definition.fact.parent)
            if symbol.state != "internal" or symbol.definition < 0:
                continue
            for owner_path, owner in project.mro(symbol.path, symbol.definition):
                definitions = project.facts(owner_path).definitions
                if temporal.is_workflow(owner_path, definitions[owner]):
                    continue
                for position, method in enumerate(definitions):
                    kind = temporal.handler(owner_path, method) if method.parent == owner else None
                    if kind is not None:
                        edge = Edge(path, -1, -1, base.start, base.end, (owner_path, position), f"{base.text}.{method.name}")
                        yield from self._through((base.start, base.end), self._place_of(kind), edge)

    def _place_of(self, kind: str) -> Place:
        handler: Handler = "query" if kind == "query" else "validator" if kind == "validator" else "run"
        return Place(handler, self._sandbox(self._stated_sandboxed), self._fails, first_run_only=False)

    def _functions(self) -> list[int]:
        """The functions and lambdas in the class, by position; none where it is no workflow."""
        if not self._handlers:
            return []
        inside = enumerate(self.definition.facts.definitions)
        return [i for i, d in inside if d.kind == "function" and self._is_inside((self.definition.path, i))]

    def _node_at(self, start: int, end: int) -> cst.CSTNode | None:
        return self._nodes.get((start, end))

    @cached_property
    def _nodes(self) -> dict[tuple[int, int], cst.CSTNode]:
        """The nodes by their bytes, the outermost of each."""
        found: dict[tuple[int, int], cst.CSTNode] = {}
        for node in descendants(self.definition.node):
            if isinstance(node, (cst.BaseExpression, cst.BaseSmallStatement)):
                found.setdefault(self.definition.span(node), node)
        return found

    def is_fixed(self, call: cst.Call, reading: Reading) -> bool:
        """Whether a call has, or may have, the argument that makes its result the same every time."""
        if reading.fixed_by == EVERY_CALL:
            return False
        if any(argument.star for argument in call.args):
            return True
        positional = [argument for argument in call.args if argument.keyword is None]
        named = [a for a in call.args if a.keyword is not None and a.keyword.value == reading.keyword]
        given = positional[reading.fixed_by : reading.fixed_by + 1] + named
        return any(self.definition.value(argument.value) is not None for argument in given)

    def is_called_later(self, argument: cst.Arg, reading: Reading) -> bool:
        """Whether a function handed over as an argument, uncalled, is certain to be called, and without what would fix it."""
        call = self.definition.parent(argument)
        if not isinstance(call, cst.Call) or argument.star:
            return False
        if argument.keyword is not None:
            return argument.keyword.value in _FACTORIES
        if call.args[0] is not argument:
            return False
        name = self.definition.called(call)
        return name in _CALLS_WITHOUT_ARGUMENTS or (name in _CALLS_WITH_ARGUMENTS and reading.fixed_by == EVERY_CALL)


_REFUSED_IN: Mapping[Handler, str] = {
    "run": "the sandbox refuses it and the workflow task is retried for ever while the run looks Running",
    "query": "the sandbox refuses it, so the query is always answered with an error",
    "validator": "the sandbox refuses it, so every update is rejected",
}
_FAILS = "the sandbox refuses it and the run fails"
_NOT_IMPLEMENTED = "the workflow's event loop raises NotImplementedError and the workflow task is retried for ever"


def is_activity(definition: Definition, function: cst.FunctionDef) -> bool:
    """Whether a function is decorated as an activity."""
    return f"{ACTIVITY}.defn" in _decorators(definition, function)


def only_value(function: cst.FunctionDef, name: str) -> cst.BaseExpression | None:
    """What a local name of a function stands for, where it is bound once, by a plain assignment; else `None`."""
    values: list[cst.BaseExpression | None] = []
    for node in descendants(function):
        if isinstance(node, (cst.Assign, cst.AnnAssign)) and _targets(node) == [name]:
            values.append(node.value)
        elif isinstance(node, _BINDING):
            values += [None for bound in _bound_by(node) if bound == name]
    return values[0] if len(values) == 1 else None


_BINDING = (
    cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Param, cst.AsName, cst.For, cst.CompFor, cst.NamedExpr, cst.Del, cst.Global,
    cst.Nonlocal, cst.MatchAs, cst.MatchStar,
)  # fmt: skip


def _targets(node: cst.Assign | cst.AnnAssign) -> list[str | None]:
    return [dotted(target.target) for target in node.targets] if isinstance(node, cst.Assign) else [dotted(node.target)]


def _bound_by(node: cst.CSTNode) -> Iterator[str]:
    """The names that a node binds, and some that it only mentions."""
    holders: list[cst.CSTNode] = [node] if isinstance(node, (cst.Del, cst.Global, cst.Nonlocal)) else []
    holders += node.targets if isinstance(node, cst.Assign) else []
    holders += [part for field in ("target", "name") if (part := getattr(node, field, None)) is not None]
    return (inner.value for holder in holders for inner in descendants(holder) if isinstance(inner, cst.Name))


def _without_not(test: cst.BaseExpression) -> tuple[cst.BaseExpression, bool]:
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return test.expression, True
    return test, False


def _decorators(definition: Definition, function: cst.FunctionDef) -> list[str]:
    """The canonical names of a function's decorators; `.validator` stands for that of any update."""
    names = []
    for decorator in function.decorators:
        expression = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        written = dotted(expression) or ""
        names.append("validator" if written.endswith(".validator") else definition.name(expression) or written)
    return names


class _Methods:
    """The methods of a workflow class, and what each is called from."""

    def __init__(self, definition: Definition, owner: cst.ClassDef) -> None:
        self._definition = definition
        self._owner = owner
        every = definition.find_all(cst.FunctionDef)
        functions = [f for f in every if definition.nearest(f, cst.ClassDef, cst.FunctionDef) is owner]
        self._decorated = {id(function): _decorators(definition, function) for function in functions}
        self._functions = [f for f in functions if f"{ACTIVITY}.defn" not in self._decorated[id(f)]]

    def handlers(self) -> Mapping[int, Handler]:
        """The methods that run in a workflow, by identity.

        A static or class method counts where a method of the class calls it; any other unless only a query or validator does.
        """
        queries = self._reached([f for f in self._functions if self._is(f, "query")])
        validators = self._reached([f for f in self._functions if self._is(f, "validator")])
        read_only = {id(function) for function in (*queries, *validators)}
        entered = self._reached([f for f in self._functions if self._enters(f, read_only)])
        handlers: dict[int, Handler] = {id(function): "run" for function in entered}
        for function in queries:
            handlers.setdefault(id(function), "query")
        for function in validators:
            handlers.setdefault(id(function), "validator")
        return handlers

    def _enters(self, function: cst.FunctionDef, read_only: set[int]) -> bool:
        if self._is(function, "run", "signal", "update", "init"):
            return True
        return id(function) not in read_only and not self._needs_caller(function)

    def _is(self, function: cst.FunctionDef, *kinds: str) -> bool:
        names = self._decorated[id(function)]
        return any(kind in names or f"{WORKFLOW}.{kind}" in names for kind in kinds)

    def _needs_caller(self, function: cst.FunctionDef) -> bool:
        """Whether code outside the workflow may call the method: that needs no instance."""
        return not {"builtins.staticmethod", "builtins.classmethod"}.isdisjoint(self._decorated[id(function)])

    def _reached(self, roots: Iterable[cst.FunctionDef]) -> list[cst.FunctionDef]:
        waiting = list(roots)
        seen: dict[int, cst.FunctionDef] = {}
        while waiting:
            function = waiting.pop()
            if id(function) not in seen:
                seen[id(function)] = function
                names = set(self._referred(function))
                waiting += [other for other in self._functions if other.name.value in names]
        return list(seen.values())

    def _referred(self, function: cst.FunctionDef) -> Iterator[str]:
        owners = {"self", "cls", self._owner.name.value}
        for node in descendants(function.body):
            if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value in owners:
                yield node.attr.value


class ReadingRule(Rule):
    """A rule about what a replay cannot give back: a kind of effects.

    `kinds` are those of `jobs.nondeterminism`. `reads` says in a message what such a call does, `replayed` what comes of it
    where nothing refuses it, `elsewhere` what to do where the call stands in a helper.
    """

    kinds: ClassVar[tuple[Kind, ...]]
    reads: ClassVar[str]
    replayed: ClassVar[str] = "a replay gets another value and can stray from its history"
    elsewhere: ClassVar[str]

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.workflow = definition.once(WorkflowCode)
        self._said: set[tuple[str, int, int]] = set()

    # -- in the workflow itself -------------------------------------------------------------------------------------------

    def judge(self, node: cst.Call | cst.Arg, name: str, reading: Reading) -> None:
        """Judge a call of such a function, or the function where it is handed over to be called."""
        place = self.workflow.place(node)
        if place is None or self.workflow.is_cut(node):
            return
        if isinstance(node, cst.Call):
            if does := self.does(node, name, place, reading):
                self._say(node, f"`{self.definition.code(node.func)}()` {does}", name, place, reading)
        elif self.workflow.is_called_later(node, reading):
            what = f"`{self.definition.code(node.value)}` is handed over to be called, and {self.reads}"
            self._say(node.value, what, name, place, reading)

    def does(self, node: cst.Call, name: str, place: Place, reading: Reading) -> str | None:  # noqa: ARG002
        """What a call does, in a message; `None` where it does nothing that matters."""
        if self.workflow.is_fixed(node, reading) or is_excused(reading, self.definition.code(node)):
            return None
        return self.reads

    def instead(self, node: cst.BaseExpression, name: str, place: Place) -> tuple[str, FixBuilder | None]:  # noqa: ARG002
        """What to write instead of a call or a function, and the fix that does."""
        return self.elsewhere, None

    def _say(self, node: cst.BaseExpression, what: str, name: str, place: Place, reading: Reading) -> None:
        harmed = self.harm(place, name, reading)
        if harmed is not None:
            instead, fix = self.instead(node, name, place)
            self.report(node, f"{what} in workflow code: {harmed}; use {instead}", fix=fix)

    # -- by other effects than calls, and in helpers ----------------------------------------------------------------------

    def finish(self) -> None:
        """Judge the calls, what is read or written without one, and what calls lead to: each thing once in a workflow."""
        for kind in self.kinds:
            for call, name, reading in self.workflow.readings.get(kind, ()) if kind not in _WITHOUT_CALL else ():
                self.judge(call, name, reading)
        for effect, node, place in self.workflow.own:
            in_table = effect.kind not in _WITHOUT_CALL and self.workflow.determinism.reading(effect.name) is not None
            if effect.kind in self.kinds and not in_table:
                self.judge_own(effect, node, place)
        for far in self.workflow.far:
            if far.reached.effect.kind in self.kinds:
                self._judge_far(far)

    def judge_own(self, effect: Effect, node: cst.CSTNode, place: Place) -> None:
        """Judge an effect of the workflow code that is no call of a function in a table."""
        harmed = self.harm(place, effect.name, effect.reading)
        if harmed is not None:
            what = f"`{self.workflow.determinism.spelling(effect)}` {self._reads(effect)} in workflow code"
            self.report(node, f"{what}: {harmed}; use {self.elsewhere}")

    def _judge_far(self, far: Far) -> None:
        effect = far.reached.effect
        site = (effect.path, effect.start, effect.end)
        harmed = self.harm(far.place, effect.name, effect.reading, passed_through=far.passed_through)
        if harmed is None or site in self._said:
            return
        self._said.add(site)
        spelling = self.workflow.determinism.spelling(effect)
        called = far.reached.edges[0].written
        what = f"`{called}()` {self._reads(effect)} in workflow code, by `{spelling}` in {effect.path}"
        self.report(far.where, f"{what}: {harmed}; use {self.elsewhere}", hops=self._hops(far))

    def _reads(self, effect: Effect) -> str:
        return "is configured as non-deterministic" if effect.kind == "declared" else self.reads

    def _hops(self, far: Far) -> tuple[Hop, ...]:
        return self.workflow.determinism.hops(far.reached)

    # -- what comes of it -------------------------------------------------------------------------------------------------

    def harm(self, place: Place, name: str, reading: Reading, *, passed_through: bool = False) -> str | None:
        """What a call does to the run, or `None` where it does nothing."""
        refuses = self.workflow.refuses(name)
        if reading.raises:
            return _NOT_IMPLEMENTED if reading.raises == "NotImplementedError" else self.replayed
        if place.sandbox == "on" and refuses and (not passed_through or name in BUILTIN_OPEN):
            return _FAILS if place.handler == "run" and place.fails_the_run else _REFUSED_IN[place.handler]
        if place.handler != "run" or place.first_run_only or reading.harmless:
            return None
        if passed_through:
            return f"its module is passed through the sandbox, which refuses nothing there, so {self.replayed}"
        if place.sandbox == "off" or refuses is False:
            return f"nothing refuses it here, so {self.replayed}"
        return self._harm_where_it_depends(refuses=bool(refuses))

    def _harm_where_it_depends(self, *, refuses: bool) -> str:
        full = "in the full sandbox it is refused and the workflow task is retried for ever"
        elsewhere = "elsewhere the sandbox refuses it and the workflow task is retried for ever"
        if refuses:
            return f"under a worker that lets it through {self.replayed}; {full}"
        return f"in a passed-through module {self.replayed}; {elsewhere}"


_WITHOUT_CALL = frozenset({"declared", "identity", "order", "state"})
"""Kinds that the calls alone do not show."""
