"""Calls that move money, and whether a second run of the same code would move it again."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.index.tables import Names
from keel_lint.jobs.guards import Guards
from keel_lint.jobs.instances import made_name
from keel_lint.jobs.outside import calls_on, followed, leads_to
from keel_lint.jobs.payments import WORDS, carries_key, is_careful, is_named_so, is_service, paying_verb, payment, pays_a_part
from keel_lint.jobs.receivers import Receivers
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.finding import Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Call, Import
    from keel_lint.jobs.payments import Key, Payment
    from keel_lint.project import Project

HAS_KEY = "an idempotency key is passed, or may be in what `**` spreads"
IS_GUARDED = "the code looks first whether the money has moved already"

_FRESH = re.compile(
    r"uuid\.uuid[14]|secrets\.\w+|random\.\w+|os\.urandom|time\.\w+|datetime\.datetime\.(?:now|utcnow)|.*timezone\.now"
)
_PAYING = re.compile(r"pay(?!load)|charge|refund|capture|transfer|sale|credit", re.IGNORECASE)
_KEY_WORD = re.compile(r"idempot", re.IGNORECASE)


class Charge(Record, frozen=True):
    """A call that moves money each time it runs.

    `shown` is how it is written, or the payment that it leads to by `hops`. `service` is the canonical name of the payment
    service's function, empty for any other, and `key` how that takes an idempotency key. `fresh` is a key that is a new one in
    every run.
    """

    shown: str
    service: str = ""
    key: Key = ""
    fresh: cst.BaseExpression | None = None
    hops: tuple[Hop, ...] = ()


class Charges:
    """Answers which calls of one definition move money again when they run again."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition

    @cached_property
    def _receivers(self) -> Receivers:
        return self.definition.once(Receivers)

    @cached_property
    def _guards(self) -> Guards:
        return Guards(self.definition, self._receivers.bindings)

    def judge(self, node: cst.Call) -> Charge | str | None:
        """What a call does; why it does nothing a second time, where it moves money; `None` where it moves none."""
        fact = self.definition.call_fact(node)
        if fact is not None and not may_pay(self.definition, fact):
            return None
        name = self._receivers.called(node)
        known = payment(name)
        if known is not None:
            return self._judge_service(node, name or "", known)
        if name in self.definition.jobs.charge_calls:
            return self._judge_plain(node, "charge")
        if not is_service(name) and (verb := self._verb(node)) is not None:
            return self._judge_plain(node, verb)
        return self._judge_followed(node)

    # -- payment services -------------------------------------------------------------------------------------------------

    def _judge_service(self, node: cst.Call, name: str, known: Payment) -> Charge | str | None:
        given = self._given(node)
        if known.by_amount and not pays_a_part(given, len(node.args)):
            return None
        fresh = self._fresh_key(node)
        if (carries_key(given) or self._spreads_unknown(node)) and fresh is None:
            return HAS_KEY
        if self._guards.guarded(node):
            return IS_GUARDED
        return Charge(self._shown(node), name, known.key, fresh)

    def _shown(self, node: cst.Call) -> str:
        return self.definition.code(node.func).partition("\n")[0]

    def _given(self, node: cst.Call) -> str:
        """The arguments as source text, with what the variables among them hold."""
        names = {name.value: name for argument in node.args for name in descendants(argument) if isinstance(name, cst.Name)}
        texts = [self.definition.code(node.func), *(self.definition.code(argument) for argument in node.args)]
        for name in names.values():
            bound = self._receivers.bindings.reaching(name)
            texts += [self.definition.code(one.source) for one in bound if one.source is not None]
        texts += self._changes(frozenset(names))
        return " ".join(texts)

    def _changes(self, names: frozenset[str]) -> Iterator[str]:
        """`params["idempotency_key"] = ...` and `params.update(...)`, as source text."""
        for assign in self.definition.find_all(cst.Assign):
            target = assign.targets[0].target
            if isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name) and target.value.value in names:
                yield self.definition.code(assign)
        for call in self.definition.find_all(cst.Call):
            owner = call.func.value if isinstance(call.func, cst.Attribute) else None
            if isinstance(owner, cst.Name) and owner.value in names and last(call) in {"update", "setdefault"}:
                yield self.definition.code(call)

    def _spreads_unknown(self, node: cst.Call) -> bool:
        """Whether a `**` may bring a key that cannot be seen."""
        spread = [argument.value for argument in node.args if argument.star == "**"]
        return any(not self._is_seen(value) for value in spread)

    def _is_seen(self, value: cst.BaseExpression) -> bool:
        if isinstance(value, cst.Name):
            bound = self._receivers.bindings.reaching(value)
            return bool(bound) and all(isinstance(one.source, (cst.Dict, cst.Call)) for one in bound)
        return isinstance(value, cst.Dict)

    def _fresh_key(self, node: cst.Call) -> cst.BaseExpression | None:
        """The idempotency key of a call, where each run makes a new one."""
        for value in self._keys(node):
            made = self._held(value)
            if any(isinstance(one, (cst.BooleanOperation, cst.IfExp)) for one in descendants(made)):
                continue
            calls = (one for one in descendants(made) if isinstance(one, cst.Call))
            if any(_FRESH.fullmatch(self.definition.called(call) or "") for call in calls):
                return value
        return None

    def _keys(self, node: cst.Call) -> Iterator[cst.BaseExpression]:
        for argument in node.args:
            if argument.keyword is not None and _KEY_WORD.search(argument.keyword.value):
                yield argument.value
            for one in descendants(self._held(argument.value)):
                if isinstance(one, cst.DictElement) and _KEY_WORD.search(self.definition.code(one.key)):
                    yield one.value

    def _held(self, value: cst.BaseExpression) -> cst.CSTNode:
        """What a variable holds, or the value itself."""
        bound = self._receivers.bindings.reaching(value) if isinstance(value, cst.Name) else []
        source = bound[0].source if len(bound) == 1 and bound[0].how == "value" else None
        return source if source is not None else value

    # -- plain calls ------------------------------------------------------------------------------------------------------

    def _verb(self, node: cst.Call) -> str | None:
        receiver = self.definition.code(node.func.value) if isinstance(node.func, cst.Attribute) else ""
        arguments = ", ".join(self.definition.code(argument) for argument in node.args)
        function = last(node) if receiver else (self.definition.called(node) or last(node)).rpartition(".")[2]
        return paying_verb(receiver, function, arguments)

    def _judge_plain(self, node: cst.Call, verb: str) -> Charge | str:
        arguments = ", ".join(self.definition.code(argument) for argument in node.args)
        if carries_key(arguments, verb) or self._spreads_unknown(node):
            return HAS_KEY
        if self._is_careful(node) or self._guards.guarded(node):
            return IS_GUARDED
        return Charge(self._shown(node))

    def _is_careful(self, node: cst.Call) -> bool:
        """Whether a function of the project that is called looks first by itself."""
        symbol = self._symbol(node)
        if symbol is None:
            return False
        facts = self.definition.project.facts(symbol[0])
        body = facts.definitions[symbol[1]]
        return is_careful(self.definition.project.source(symbol[0]).slice(body.body_start, body.end))

    def _symbol(self, node: cst.Call) -> tuple[str, int] | None:
        """The function of the project that a call calls."""
        fact = self.definition.call_fact(node)
        if fact is None:
            return None
        symbol = self.definition.project.resolve(self.definition.path, fact.callee, fact.scope)
        if symbol.state != "internal" or symbol.definition < 0:
            return None
        kind = self.definition.project.facts(symbol.path).definitions[symbol.definition].kind
        return (symbol.path, symbol.definition) if kind == "function" else None

    # -- through functions of the project ---------------------------------------------------------------------------------

    def _judge_followed(self, node: cst.Call) -> Charge | None:
        target = self._symbol(node)
        if target is None or self._is_careful(node):
            return None
        found = _payment_in(self.definition.project, *target)
        if found is None or carries_key(self.definition.code(node)) or self._guards.guarded(node):
            return None
        return Charge(found[0], hops=found[1])

    def with_key(self, node: cst.Call, charge: Charge, key: str) -> FixBuilder | None:
        """The fix that passes an idempotency key, given as source, to a payment service."""
        if not charge.key or not self.is_alone(node):
            return None
        builder = self.definition.fix("Pass an idempotency key that stays the same from run to run", "unsafe")
        if charge.key == "argument":
            builder.insert_argument(node, f"idempotency_key={key}")
            return builder
        plain = [argument for argument in node.args if argument.keyword is None]
        if len(plain) > 1 or any(argument.keyword and argument.keyword.value == "options" for argument in node.args):
            return None
        builder.insert_argument(node, f'options={{"idempotency_key": {key}}}')
        return builder

    def is_alone(self, node: cst.Call) -> bool:
        """Whether a call is made at most once in a run, and is the only payment: a key must not be used twice."""
        loops = (cst.For, cst.While, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp, cst.Lambda)
        if self.definition.nearest(node, *loops) is not None:
            return False
        paying = [one for one in self.definition.find_all(cst.Call) if payment(self._receivers.called(one)) is not None]
        return len(paying) == 1


def last(call: cst.Call) -> str:
    """The last part of the name of what a call calls."""
    func = call.func
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""


def may_pay(where: Definition | Glance, call: Call) -> bool:
    """Whether a call is named after a payment, or may lead to one: asked before the dear questions."""
    if where.jobs.charge_calls:
        return True
    if ".objects." in f"{call.callee}.":  # a query asks the database
        return False
    head, dot, _ = call.callee.partition(".")
    imports = Names.of(where.facts).imported.get(head, ())
    names = {call.callee.rpartition(".")[2], *(record.attribute for record in imports if not dot)}
    if any(map(is_named_so, names)):
        return True
    if not (_PAYING.search(call.callee) or any(_PAYING.search(record.attribute) for record in imports)):
        if not imports:
            return where.project.mentions(where.path, WORDS)
        leads = (leads_to(where.project, where.path, record, call.callee) for record in imports)
        if not any(_speaks_of_money(where.project, record, module) for record, module in zip(imports, leads, strict=True)):
            return False
    return _leads_to_money(where, call)


def _speaks_of_money(project: Project, record: Import, module: str | None) -> bool:
    if module is None:
        return any(word.decode() in record.module for word in WORDS)
    return module.endswith("__init__.py") or project.imports(module, WORDS)


def _leads_to_money(where: Definition | Glance, call: Call) -> bool:
    """Whether a call of another name pays all the same, or what it calls cannot be told."""
    symbol = where.project.resolve(where.path, call.callee, call.scope)
    if symbol.state in {"local", "unbound"}:
        return where.project.mentions(where.path, WORDS)
    if symbol.state == "external":
        return any(word.decode() in symbol.name for word in WORDS)
    if symbol.state != "internal":
        return True
    if symbol.definition < 0:  # what a module holds
        return where.project.imports(symbol.path, WORDS)
    kind = where.project.facts(symbol.path).definitions[symbol.definition].kind
    return kind == "function" and _payment_in(where.project, symbol.path, symbol.definition) is not None


def _payment_in(project: Project, path: str, position: int) -> tuple[str, tuple[Hop, ...]] | None:
    """The first payment without a key that a function of the project makes, and the way to it."""
    key = ("payment in", path, position)
    return project.memo(key, lambda: _find_payment(project, path, position), None)


def _find_payment(project: Project, path: str, position: int) -> tuple[str, tuple[Hop, ...]] | None:
    for here, call, symbol, through in followed(project, path, position, WORDS):
        name = made_name(project, symbol)
        known = payment(name)
        text = project.source(here).slice(call.start, call.end)
        if known is None or carries_key(text) or "**" in text or (known.by_amount and not pays_a_part(text, 0)):
            continue
        places = (*through, (here, call.start, 0, ""))
        if not any(_is_careful_at(project, place, offset) for place, offset, _, _ in places):
            return name, calls_on(project, (*through, (here, call.start, call.end, name)))
    return None


def _is_careful_at(project: Project, path: str, offset: int) -> bool:
    round_it = [one for one in project.facts(path).definitions if one.kind == "function" and one.start <= offset < one.end]
    return any(is_careful(project.source(path).slice(one.body_start, one.end)) for one in round_it)
