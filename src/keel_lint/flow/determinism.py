"""What workflow code does that a replay cannot give back, in the function itself or in one that it reaches.

Each function has effects of its own (it reads the clock, draws a number, opens a file ...) and those of the functions it calls.
For every kind the nearest is kept, with the calls that lead to it. Activities are a boundary: what they do is their own matter.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from keel_lint.flow.bodies import Body, Write, bodies
from keel_lint.flow.calls import Edge
from keel_lint.flow.reaching import Reached, Reaching
from keel_lint.flow.unordered import Origin, Unordered
from keel_lint.index.expressions import parsed
from keel_lint.index.facts import MODULE
from keel_lint.jobs.nondeterminism import (
    ENVIRONMENT_VARIABLES,
    EVERY_CALL,
    ORM_QUERIES,
    Kind,
    Reading,
    is_excused,
    reading_of,
)
from keel_lint.jobs.temporal import WORKFLOW
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Calls
    from keel_lint.flow.canonical import CanonicalNames
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Call, Definition, Parameter
    from keel_lint.jobs import Jobs

IN_WORKFLOW = frozenset({f"{WORKFLOW}.in_workflow", f"{WORKFLOW}.unsafe.in_sandbox"})
REPLAYING = f"{WORKFLOW}.unsafe.is_replaying"
ASKS_THE_RUN = IN_WORKFLOW | {
    REPLAYING,
    *(
        f"{WORKFLOW}.{name}"
        for name in ("info", "instance", "new_random", "now", "random", "time", "time_ns", "uuid4", "uuid7")
    ),
}
"""What raises outside a workflow, and in one never does."""
_CONTAINERS = frozenset({
    "builtins.dict", "builtins.list", "builtins.set", "collections.Counter", "collections.OrderedDict",
    "collections.defaultdict", "collections.deque",
})  # fmt: skip
_FACTORIES = ("default_factory", "factory")
_AT_IMPORT = frozenset({"clock", "environment", "randomness"})
_GIVES_BACK = re.compile(rb"\.(?:pop|popitem|popleft|setdefault)\s*\(")
_BOUND_TO = re.compile(rb"\b(\w+)(?:\s*:\s*int)?\s*=\Z")
_COUNTED = re.compile(rb"(?:%|&|\^|//?|\+|-|<<|>>|(?<!\w)(?:abs|format|hex|repr|str)\(|['\"][^'\"\n]*\{)\Z")
_COUNTS = re.compile(rb"(?:%|&|\^|//?|\+|-|<|>)")


class Effect(Record, frozen=True):
    """Something that a replay cannot give back. `name` is the canonical name of what is called, read or written.

    `unless` is the parameter of the function without which it happens: `at or datetime.now()` only reads the clock where no
    `at` is given. `because` are places that show it, before the last one.
    """

    kind: Kind
    name: str
    reading: Reading
    path: str
    start: int
    end: int
    unless: str = ""
    because: tuple[Origin, ...] = ()


class Sort(NamedTuple):
    """What effects are told apart by: their kind, and whether they only matter where the sandbox refuses them."""

    kind: Kind
    harmless: bool


class Determinism(Reaching[Effect]):
    """The effects of the functions of a project.

    `trusted` says of functions, by dotted name (of the function, or of its class or module), whether they are `deterministic`
    or `non-deterministic`, whatever they do.
    """

    label = "effects"

    def __init__(self, jobs: Jobs, calls: Calls, names: CanonicalNames, trusted: Mapping[str, str]) -> None:
        super().__init__(jobs.project)
        self._jobs = jobs
        self._calls = calls
        self._names = names
        self._trusted = trusted

    # -- what is asked ----------------------------------------------------------------------------------------------------

    def own(self, path: str, position: int) -> tuple[Effect, ...]:
        """The effects of a function itself, in source order. Those of a class are its default factories'."""
        return self._project.memo(("own effects", path, position), lambda: tuple(self._own(path, position)), ())

    def edges(self, path: str, position: int) -> tuple[Edge, ...]:
        """The calls of a function that run in a workflow when the function does, without those that are a boundary."""
        return self._project.memo(("workflow edges", path, position), lambda: tuple(self._edges(path, position)), ())

    def at_import(self, path: str, assignment: int) -> Effect | None:
        """What a variable of a module was read from when the module was imported: the clock, chance or the environment."""
        key = ("at import", path, assignment)
        return self._project.memo(key, lambda: self._at_import(path, assignment), None)

    def _at_import(self, path: str, position: int) -> Effect | None:
        assignment = self._project.facts(path).assignments[position]
        node = parsed(assignment.value) if assignment.scope == MODULE and not assignment.cut else None
        for part in _evaluated(node):
            callee = part.func if isinstance(part, ast.Call) else part
            if not isinstance(callee, (ast.Name, ast.Attribute)):
                continue
            name = self.name(path, ast.unparse(callee), MODULE)
            known = self.reading(name) if name and isinstance(part, ast.Call) else None
            if known is not None and known[0] in _AT_IMPORT and not _is_given(part, known[1]):
                return Effect(known[0], name, known[1], path, assignment.start, assignment.end)
            if name in ENVIRONMENT_VARIABLES and self.trust(name) != "deterministic":
                return Effect("environment", name, Reading(), path, assignment.start, assignment.end)
        return None

    def is_cut(self, path: str, position: int, offset: int, *, on_replay: bool = False) -> bool:
        """Whether what stands at `offset` in a function never runs in a workflow, because a guard round it says so.

        With `on_replay` what only the first run does counts as cut, too.
        """
        definitions = self._project.facts(path).definitions
        while position != MODULE:
            cuts = self._cuts(path, position) if definitions[position].kind == "function" else ()
            if any(start <= offset < end and (on_replay or not first_run) for start, end, first_run in cuts):
                return True
            position = definitions[position].parent
        return False

    def name(self, path: str, callee: str, scope: int) -> str:
        """The canonical name of what a call calls, also through objects from outside whose class is known; empty otherwise."""
        return self._names.of(path, callee, scope)

    def hops(self, reached: Reached[Effect]) -> tuple[Hop, ...]:
        """The path of a finding, from the first call to the effect."""
        effect = reached.effect
        last = self._project.hop(effect.path, effect.start, effect.end, f"`{self.spelling(effect)}` {_DOES[effect.kind]}")
        return (*self.way(reached), *(self._project.hop(*origin) for origin in effect.because), last)

    # -- guards -----------------------------------------------------------------------------------------------------------

    def _bodies(self, path: str) -> dict[int, Body]:
        return self._project.memo(("bodies", path), lambda: self._read_bodies(path), {})

    def _read_bodies(self, path: str) -> dict[int, Body]:
        return bodies(self._project.source(path).text, self._project.facts(path), ENVIRONMENT_VARIABLES)

    def _body(self, path: str, position: int) -> Body:
        return self._bodies(path).get(position) or Body()

    def _cuts(self, path: str, position: int) -> tuple[tuple[int, int, bool], ...]:
        return self._project.memo(("cuts", path, position), lambda: tuple(self._find_cuts(path, position)), ())

    def _find_cuts(self, path: str, position: int) -> Iterator[tuple[int, int, bool]]:
        """The stretches that never run in a workflow, and those that only its first run goes through."""
        for region in self._body(path, position).regions:
            names = [self._tested(path, name, position) for name in region.names]
            if region.raised:
                asked = {name for name in names if name.startswith(f"{WORKFLOW}.")}
                is_cut = bool(asked) and asked <= ASKS_THE_RUN
            elif names[0] == "typing.TYPE_CHECKING":
                is_cut = region.truth
            else:
                is_cut = not region.truth and (names[0] in IN_WORKFLOW or names[0] == REPLAYING)
            if is_cut:
                yield region.start, region.end, names[0] == REPLAYING and not region.raised

    def _tested(self, path: str, name: str, position: int) -> str:
        """The canonical name of a test; that of `in_workflow` for a function of the project that only asks for it."""
        symbol = self._project.resolve(path, name, position)
        if symbol.state != "internal" or symbol.definition < 0:
            return symbol.name
        facts = self._project.facts(symbol.path)
        definition = facts.definitions[symbol.definition]
        if definition.kind != "function" or definition.end - definition.body_start > 400:
            return symbol.name
        asked = {self.name(symbol.path, call.callee, call.scope) for call in facts.calls if call.scope == symbol.definition}
        return next(iter(sorted(asked & IN_WORKFLOW)), symbol.name) if len(asked) == 1 else symbol.name

    # -- effects of a function itself -------------------------------------------------------------------------------------

    def _own(self, path: str, position: int) -> Iterator[Effect]:
        definition = self._project.facts(path).definitions[position]
        if definition.kind == "class":
            yield from self._factories(path, position)
            return
        found = [*self._called(path, position), *self._read(path, position), *self._written(path, position)]
        found += self._looped(path, position)
        running = (effect for effect in found if not self.is_cut(path, position, effect.start, on_replay=True))
        for effect in sorted(running, key=lambda effect: (effect.start, effect.end, effect.kind)):
            yield msgspec.structs.replace(effect, unless=self._fallback_for(path, position, effect.start))

    def _fallback_for(self, path: str, position: int, offset: int) -> str:
        """The parameter that must be missing for what stands at an offset to run."""
        regions = self._body(path, position).regions
        missing = [r.names[0] for r in regions if not r.truth and not r.raised and r.start <= offset < r.end]
        optional = {p.name for p in self._project.facts(path).definitions[position].parameters if _is_optional(p)}
        return next((name for name in missing if name in optional), "")

    def _called(self, path: str, position: int) -> Iterator[Effect]:
        definition = self._project.facts(path).definitions[position]
        for call in self._calls_of(path, position):
            name = self.name(path, call.callee, call.scope)
            known = self.reading(name) if name else None
            if known is None:
                yield from self._queried(path, call)
            elif not (call.callee.count("()") and self.reading(name.rpartition(".")[0]) is not None):
                yield from self._effect(path, definition, call, name, *known)

    def _effect(
        self, path: str, definition: Definition, call: Call, name: str, kind: Kind, reading: Reading
    ) -> Iterator[Effect]:
        if kind == "identity" and not self._matters(path, definition, call):
            return
        if kind == "declared" and self._calls.called(path, call) is not None:
            return  # It is the effect of that function.
        if not self._is_fixed(path, call, reading):
            yield Effect(kind, name, reading, path, call.start, call.end)

    def _queried(self, path: str, call: Call) -> Iterator[Effect]:
        """A query of a Django model: `Order.objects.filter(...).first()`."""
        model, found, rest = call.callee.partition(".objects.")
        if not found or rest.rpartition(".")[2] not in ORM_QUERIES or not model.replace(".", "").isidentifier():
            return
        symbol = self._project.resolve(path, model, call.scope)
        if symbol.definition >= 0 and self._jobs.models.of(symbol) is not None:
            yield Effect("io", f"{symbol.name}.objects", Reading(), path, call.start, call.end)

    def reading(self, name: str) -> tuple[Kind, Reading] | None:
        """What a call of this canonical name does that a replay cannot give back; the configuration goes first."""
        stated = self.trust(name)
        if stated is not None:
            return None if stated == "deterministic" else ("declared", Reading())
        return reading_of(name)

    def trust(self, name: str) -> str | None:
        """What the configuration says of a dotted name, or of what it lies in."""
        while name:
            if name in self._trusted:
                return self._trusted[name]
            name = name.rpartition(".")[0]
        return None

    def _stated(self, path: str, definition: Definition) -> str | None:
        """What the configuration says of a function of the project, from whatever folder its module is imported."""
        if not self._trusted:
            return None
        parts = path.rpartition(".")[0].removesuffix("/__init__").split("/")
        names = (".".join([*parts[first:], definition.qualname]) for first in range(len(parts)))
        return next((stated for name in names if (stated := self.trust(name)) is not None), None)

    def _is_fixed(self, path: str, call: Call, reading: Reading) -> bool:
        if reading.fixed_by == EVERY_CALL and not reading.unless:
            return False
        text = self._project.source(path).text[call.start : call.end].decode("utf-8", "replace")
        node = parsed(text)
        if not isinstance(node, ast.Call):
            return True
        return is_excused(reading, text) if reading.unless else _is_given(node, reading)

    def _matters(self, path: str, definition: Definition, call: Call) -> bool:
        """Whether a hash or an identity is used as a number or a text; most only tell objects apart.

        In `__hash__` and its kind it is none of ours.
        """
        text = self._project.source(path).text
        node = parsed(text[call.start : call.end].decode("utf-8", "replace"))
        if definition.name.startswith("__") or not isinstance(node, ast.Call) or all(map(_is_number, node.args)):
            return False
        before, after = text[definition.start : call.start].rstrip(), text[call.end : definition.end].lstrip()
        bound = _BOUND_TO.search(before)
        if bound is None:
            is_returned = before.endswith(b"return") and text[call.end :].lstrip(b" \t")[:1] in b"\r\n#"
            return _is_counted(before, after) or (is_returned and call.callee == "hash")
        name = re.compile(rb"\b" + re.escape(bound[1]) + rb"\b")
        return any(_is_counted(after[: use.start()].rstrip(), after[use.end() :].lstrip()) for use in name.finditer(after))

    def _read(self, path: str, position: int) -> Iterator[Effect]:
        calls = [(call.start, call.end) for call in self._calls_of(path, position)]
        for read in self._body(path, position).reads:
            name = self._project.resolve(path, read.name, position).name
            if name in ENVIRONMENT_VARIABLES and self.trust(name) != "deterministic":
                # `os.environ.get("X")` is shown whole.
                round_it = min(((s, e) for s, e in calls if s == read.start and read.end < e), default=(read.start, read.end))
                yield Effect("environment", name, Reading(), path, *round_it)

    def _written(self, path: str, position: int) -> Iterator[Effect]:
        for write in self._body(path, position).writes:
            if write.guarded or not self._is_read(path, position, write):
                continue
            name = self._shared_name(path, write.name, position, rebinds=write.rebinds)
            if name:
                yield Effect("state", name, Reading(), path, write.start, write.end)

    def _is_read(self, path: str, position: int, write: Write) -> bool:
        """Whether a function also reads what it writes to; a mere counter for others does a replay no harm."""
        definition = self._project.facts(path).definitions[position]
        text = self._project.source(path).text
        if _GIVES_BACK.search(text, write.start, write.end):
            return True
        writes = [(w.start, w.end) for w in self._body(path, position).writes if w.name == write.name]
        name = re.compile(rb"(?<![\w.])" + re.escape(write.name.encode()) + rb"\b")
        uses = (use.start() for use in name.finditer(text, definition.body_start, definition.end))
        lines = ((use, text[text.rfind(b"\n", 0, use) + 1 : use].lstrip()) for use in uses)
        return any(not line.startswith(b"global ") and not any(s <= use < e for s, e in writes) for use, line in lines)

    def _shared_name(self, path: str, written: str, position: int, *, rebinds: bool) -> str:
        """The canonical name of a module-level variable, or of a class's attribute, that is written to; empty for another."""
        symbol = self._project.resolve(path, written, position)
        if symbol.state != "internal" or symbol.definition >= 0:
            return ""
        if rebinds and written.isidentifier():
            return symbol.name
        if symbol.assignment < 0:
            return ""
        value = self._project.facts(symbol.path).assignments[symbol.assignment].value
        if value[:1] in "[{" and value:
            return symbol.name
        callee = value.partition("(")[0]
        made = self._project.resolve(symbol.path, callee).name if callee.replace(".", "").isidentifier() else ""
        return symbol.name if made in _CONTAINERS else ""

    def _looped(self, path: str, position: int) -> Iterator[Effect]:
        body = self._body(path, position)
        if not body.loops:
            return
        text = self._project.source(path).text
        unordered = Unordered(self._project, self._calls.classes, path, position, body.values)
        for loop in body.loops:
            source = text[loop.start : loop.end].decode("utf-8", "replace")
            origin = unordered.origin(source)
            if origin is not None:
                yield Effect("order", source, Reading(), path, loop.start, loop.end, because=origin)

    def _factories(self, path: str, position: int) -> Iterator[Effect]:
        """The default factories of a data class or model: `id: UUID = field(default_factory=uuid4)`."""
        for owner in self._project.mro(path, position):
            for assignment in self._project.facts(owner[0]).assignments:
                if assignment.scope != owner[1] or not any(word in assignment.value for word in _FACTORIES):
                    continue
                name = self._factory(owner[0], assignment.value, owner[1])
                known = self.reading(name) if name else None
                if known is not None and known[1].fixed_by == EVERY_CALL:
                    yield Effect(known[0], name, known[1], owner[0], assignment.start, assignment.end)

    def _factory(self, path: str, value: str, scope: int) -> str:
        node = parsed(value)
        if not isinstance(node, ast.Call):
            return ""
        given = next((k.value for k in node.keywords if k.arg in _FACTORIES), None)
        if isinstance(given, ast.Lambda) and isinstance(given.body, ast.Call):
            given = given.body.func
        return self.name(path, ast.unparse(given), scope) if isinstance(given, (ast.Name, ast.Attribute)) else ""

    # -- calls ------------------------------------------------------------------------------------------------------------

    def _calls_of(self, path: str, position: int) -> Sequence[Call]:
        return [call for call in self._project.facts(path).calls if call.scope == position]

    def _edges(self, path: str, position: int) -> Iterator[Edge]:
        if self._project.facts(path).definitions[position].kind == "class":
            return
        for edge in (*self._calls.callees(path, position), *self._constructed(path, position)):
            if (
                edge.how in {"call", "passed"}
                and not self.is_cut(path, position, edge.start)
                and not self._is_boundary(edge.target)
            ):
                yield edge

    def _is_boundary(self, target: Place) -> bool:
        path, position = target
        definition = self._project.facts(path).definitions[position]
        if self._stated(path, definition) == "deterministic":
            return True
        return self._jobs.temporal.is_activity(path, definition)

    def _constructed(self, path: str, position: int) -> Iterator[Edge]:
        """The classes with default factories that a function makes objects of without giving those values."""
        for call in self._calls_of(path, position):
            if not call.callee.replace(".", "").isidentifier():
                continue
            symbol = self._project.resolve(path, call.callee, call.scope)
            if symbol.state != "internal" or symbol.definition < 0:
                continue
            target = symbol.path, symbol.definition
            if self._project.facts(target[0]).definitions[target[1]].kind == "class" and self._leaves_factories(
                path, call, target
            ):
                yield Edge(path, call.scope, call.block, call.start, call.end, target, call.callee)

    def _leaves_factories(self, path: str, call: Call, target: Place) -> bool:
        effects = self.own(*target)
        if not effects:
            return False
        text = self._project.source(path).text[call.start : call.end].decode("utf-8", "replace")
        targets = {
            assignment.target
            for effect in effects
            for assignment in self._project.facts(effect.path).assignments
            if (assignment.start, assignment.end) == (effect.start, effect.end)
        }
        node = parsed(text)
        keywords = {keyword.arg for keyword in node.keywords} if isinstance(node, ast.Call) else {None}
        return None not in keywords and not targets <= keywords and not (isinstance(node, ast.Call) and node.args)

    # -- all together -----------------------------------------------------------------------------------------------------

    def sort(self, effect: Effect) -> Sort:
        """The kind of an effect, and whether it only matters in the sandbox."""
        return Sort(effect.kind, effect.reading.harmless)

    def besides(self, edge: Edge) -> Iterator[Effect]:
        """The effects that a function has because an argument is missing."""
        return (effect for effect in self.own(*edge.target) if effect.unless and not self._is_given(edge, effect.unless))

    def _is_given(self, edge: Edge, parameter: str) -> bool:
        """Whether a call gives an argument for a parameter, or may do so."""
        text = self._project.source(edge.path).text[edge.start : edge.end].decode("utf-8", "replace")
        node = parsed(text)
        if not isinstance(node, ast.Call) or edge.how != "call":
            return True
        if any(isinstance(given, ast.Starred) for given in node.args) or any(k.arg is None for k in node.keywords):
            return True
        path, position = edge.target
        names = [p.name for p in self._project.facts(path).definitions[position].parameters if p.kind in {"posonly", "plain"}]
        if edge.owner is not None and names[:1] in (["self"], ["cls"]):
            names = names[1:]
        given = dict(zip(names, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
        value = given.get(parameter)
        return value is not None and not (isinstance(value, ast.Constant) and value.value is None)

    def declared(self, path: str, position: int) -> Iterable[Effect]:
        """The effects that a function has whoever calls it, or the one that the configuration says."""
        definition = self._project.facts(path).definitions[position]
        if self._stated(path, definition) == "non-deterministic":
            return (Effect("declared", definition.qualname, Reading(), path, *definition.name_span),)
        return (effect for effect in self.own(path, position) if not effect.unless)


_DOES: dict[Kind, str] = {
    "clock": "reads the clock",
    "randomness": "gives a random value",
    "sleep": "blocks the thread",
    "io": "talks to the outside",
    "environment": "reads the environment",
    "threads": "needs threads",
    "waits": "goes on in any order",
    "client": "talks to the Temporal service",
    "identity": "differs from process to process",
    "declared": "is configured as non-deterministic",
    "state": "changes what lives outside the run",
    "order": "has no fixed order",
}


def _is_optional(parameter: Parameter) -> bool:
    return parameter.default == "None" or "None" in parameter.annotation or "Optional" in parameter.annotation


def _evaluated(node: ast.AST | None) -> Iterator[ast.expr]:
    """The expressions in one that are evaluated with it: not the bodies of lambdas."""
    if node is None or isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.expr):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _evaluated(child)


def _is_given(node: ast.expr, reading: Reading) -> bool:
    """Whether a call has, or may have, the argument that makes its result the same every time."""
    if reading.fixed_by == EVERY_CALL or not isinstance(node, ast.Call):
        return False
    if any(isinstance(given, ast.Starred) for given in node.args) or any(k.arg is None for k in node.keywords):
        return True
    given = [*node.args[reading.fixed_by : reading.fixed_by + 1], *(k.value for k in node.keywords if k.arg == reading.keyword)]
    return any(not (isinstance(value, ast.Constant) and value.value is None) for value in given)


def _is_counted(before: bytes, after: bytes) -> bool:
    """Whether the text round an expression calculates with it, orders by it or writes it down."""
    return _COUNTED.search(before) is not None or _COUNTS.match(after) is not None


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(_is_number(element) for element in node.elts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"int", "float", "len", "round"}
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
