"""Transactions that Django opens round the project's code: requests, the admin, migrations, and what sends signals.

Sources: `django/contrib/admin/options.py` (`changeform_view`, `delete_view` and the bulk edit of `changelist_view` are atomic),
`django/core/handlers/base.py` (`make_view_atomic`), `django/db/models/deletion.py` (`Collector.delete`),
`django/db/models/query.py` (`get_or_create`, `update_or_create`), `django/db/migrations/executor.py`, and
`django/db/models/fields/related_descriptors.py` (changes of many-to-many relations).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from keel_lint.flow.atomic import METHOD_DECORATOR, Atomic, OpenTransaction
from keel_lint.flow.calls import Edge
from keel_lint.index.facts import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Calls
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Argument, Call, Definition
    from keel_lint.project import Project

_ADMIN = re.compile(r"(?:\w+\.)*admin(?:\.\w+)*\.\w*Admin|(?:\w+\.)*\w*ModelAdmin")
_IN_ADMIN = frozenset({
    "construct_change_message", "delete_model", "log_addition", "log_change", "log_deletion", "response_add", "response_change",
    "response_delete", "save_form", "save_formset", "save_model", "save_related",
})  # fmt: skip
_VIEW = re.compile(
    r"django\.views\.(?:\w+\.)*\w*(?:View|Mixin)|rest_framework\.(?:views|viewsets|generics|mixins)\.\w+|(?:\w+\.)*\w*(?:ViewSet|APIView)"
)
_IN_VIEW = frozenset({
    "create", "delete", "destroy", "dispatch", "form_valid", "get", "get_object", "get_queryset", "head", "list", "options",
    "partial_update", "patch", "perform_create", "perform_destroy", "perform_update", "post", "put", "retrieve", "update",
})  # fmt: skip
_SERIALIZER = re.compile(r"rest_framework\.serializers\.\w*Serializer")
_IN_SERIALIZER = frozenset({"create", "update"})
_MUTATION = re.compile(r"graphene\.(?:\w+\.)*Mutation|graphene\.relay\.ClientIDMutation")
_IN_MUTATION = frozenset({"mutate", "mutate_and_get_payload"})
_FUNCTION_VIEWS = frozenset({
    "django.contrib.auth.decorators.login_required", "django.contrib.auth.decorators.permission_required",
    "django.views.decorators.csrf.csrf_exempt", "django.views.decorators.http.require_GET",
    "django.views.decorators.http.require_http_methods", "django.views.decorators.http.require_POST",
    "rest_framework.decorators.api_view",
})  # fmt: skip
_ACTION = "rest_framework.decorators.action"
_NON_ATOMIC = "django.db.transaction.non_atomic_requests"
_ROUTES = ("path", "re_path", "url")
_SIGNALS = "django.db.models.signals."
_ALWAYS_OPEN = {
    "pre_delete": ("the transaction of the deletion", "still finds the row"),
    "post_delete": ("the transaction of the deletion", "still finds the row"),
    "m2m_changed": ("the transaction of the change", "finds the old relations"),
}
"""The transaction in which a signal is sent, and what a worker does there that is quicker than the commit."""
_RECEIVER = "django.dispatch.receiver"
_SAVES_IN_TRANSACTION = frozenset({"get_or_create", "update_or_create", "aget_or_create", "aupdate_or_create"})
_SAVES = frozenset({"create", "acreate"}) | _SAVES_IN_TRANSACTION
_ON = re.compile(rb"""["']ATOMIC_REQUESTS["']\s*\]?\s*[:=](?!=)\s*(?:True\b|[\w.]+\([^()\n]*default\s*=\s*True\b)""")


class Frameworks:
    """Answers which functions Django calls inside a transaction."""

    def __init__(self, project: Project, calls: Calls, atomic: Atomic, counts: Callable[[str], bool]) -> None:
        """`counts` says whether what a module of Django's settings holds is in force in production."""
        self._project = project
        self._calls = calls
        self._atomic = atomic
        self._counts = counts

    def round_function(self, path: str, position: int) -> OpenTransaction | None:
        """The transaction in which Django calls a function, or `None` where none is known."""
        definition = self._project.facts(path).definitions[position]
        if definition.kind != "function" or definition.is_async:
            return None
        return (
            self._in_admin(path, definition)
            or self._in_migration(path, definition)
            or self._in_signal(path, definition)
            or self._in_request(path, position, definition)
        )

    def _hop(self, path: str, definition: Definition, what: str) -> Hop:
        return self._project.hop(path, *definition.name_span, what)

    # -- the admin and migrations -----------------------------------------------------------------------------------------

    def _in_admin(self, path: str, definition: Definition) -> OpenTransaction | None:
        if definition.name not in _IN_ADMIN or not any(map(_ADMIN.fullmatch, self._project.bases_round(path, definition))):
            return None
        hop = self._hop(path, definition, f"Django's admin calls `{definition.name}` in a transaction")
        return OpenTransaction("", (hop,))

    def _in_migration(self, path: str, definition: Definition) -> OpenTransaction | None:
        if "migrations" not in path.split("/")[:-1] or definition.parent != MODULE:
            return None
        facts = self._project.facts(path)
        runs = [call for call in self._calls.of_name(path, "RunPython") if _hands(call, definition.name)]
        is_atomic = not any(a.target == "atomic" and a.value == "False" for a in facts.assignments)
        if not runs or not is_atomic or any(a.keyword == "atomic" and a.text == "False" for a in runs[0].arguments):
            return None
        if self._is_history(path):
            return None
        hop = self._project.hop(path, runs[0].start, runs[0].end, "a migration runs in a transaction")
        return OpenTransaction("", (hop,))

    def _is_history(self, path: str) -> bool:
        """Whether another migration builds on this one: it has run by then, and nobody changes it."""
        folder, _, name = path.rpartition("/")
        naming = self._project.naming(name.removesuffix(".py"))
        return any(file != path and file.rpartition("/")[0] == folder for file in naming)

    # -- requests ---------------------------------------------------------------------------------------------------------

    @property
    def requests_are_atomic(self) -> Hop | None:
        """Where `ATOMIC_REQUESTS` is switched on in the settings; `None` where it is not, or production settings differ."""
        return self._project.memo(("atomic requests",), self._find_switch, None)

    def _find_switch(self) -> Hop | None:
        stating = set(self._project.naming("ATOMIC_REQUESTS")) & set(self._project.naming("DATABASES"))
        found = [(path, _ON.search(self._project.source(path).text)) for path in sorted(stating) if self._counts(path)]
        if not found or any(match is None for _, match in found):
            return None
        path, match = found[0]
        assert match is not None
        return self._project.hop(path, *match.span(), "`ATOMIC_REQUESTS` opens a transaction round every request")

    def _in_request(self, path: str, position: int, definition: Definition) -> OpenTransaction | None:
        if not self._project.naming("ATOMIC_REQUESTS"):
            return None
        switch = self.requests_are_atomic
        if switch is None or not self._answers_request(path, position, definition):
            return None
        if self._is_non_atomic(path, definition):
            return None
        hop = self._hop(path, definition, f"`{definition.name}` answers a request")
        return OpenTransaction("", (switch, hop), by_request=True)

    def _answers_request(self, path: str, position: int, definition: Definition) -> bool:
        names = {self._project.resolve(path, d.callee, definition.parent).name for d in definition.decorators if d.callee}
        if not names.isdisjoint(_FUNCTION_VIEWS):
            return True
        bases = self._project.bases_round(path, definition)
        if not bases:
            return definition.parent == MODULE and self._is_routed(path, position, definition)
        tables = ((_VIEW, _IN_VIEW), (_SERIALIZER, _IN_SERIALIZER), (_MUTATION, _IN_MUTATION))
        if _ACTION in names and any(map(_VIEW.fullmatch, bases)):
            return True
        return any(definition.name in methods and any(map(table.fullmatch, bases)) for table, methods in tables)

    def _is_routed(self, path: str, position: int, definition: Definition) -> bool:
        """Whether a URLconf names the function."""
        if not definition.parameters or definition.parameters[0].name not in {"request", "req"}:
            return False
        return any(self._routes(file, (path, position), definition.name) for file in self._project.naming(definition.name))

    def _routes(self, file: str, target: Place, name: str) -> bool:
        facts = self._project.try_facts(file)
        for call in facts.calls if facts is not None else ():
            if call.callee.rpartition(".")[2] not in _ROUTES or not call.arguments:
                continue
            for argument in call.arguments[1:]:
                if argument.text.rpartition(".")[2] == name:
                    symbol = self._project.resolve(file, argument.text, call.scope)
                    if (symbol.path, symbol.definition) == target:
                        return True
        return False

    def _is_non_atomic(self, path: str, definition: Definition) -> bool:
        """Whether `non_atomic_requests` is said of a view or of its class."""
        facts = self._project.facts(path)
        owner = facts.definitions[definition.parent] if definition.parent != MODULE else None
        decorators = [(d, definition.parent) for d in definition.decorators]
        for place, position in self._project.mro(path, definition.parent) if owner is not None else ():
            above = self._project.facts(place).definitions[position]
            decorators += [(d, above.parent) for d in above.decorators if place == path]
            dispatch = self._project.method(place, position, "dispatch")
            if dispatch is not None and dispatch[0] == path:
                decorators += [(d, position) for d in facts.definitions[dispatch[1]].decorators]
        return any(self._says_non_atomic(path, d.callee, d.arguments or (), scope) for d, scope in decorators)

    def _says_non_atomic(self, path: str, callee: str, arguments: tuple[Argument, ...], scope: int) -> bool:
        if not callee:
            return False
        name = self._project.resolve(path, callee, scope).name
        if name == METHOD_DECORATOR and arguments:
            return self._project.resolve(path, arguments[0].text.partition("(")[0], scope).name == _NON_ATOMIC
        return name == _NON_ATOMIC

    # -- signals ----------------------------------------------------------------------------------------------------------

    def _in_signal(self, path: str, definition: Definition) -> OpenTransaction | None:
        """Deletions and changes of many-to-many relations send their signals in a transaction of their own."""
        for signal, _, start, end in self._received(path, definition):
            if signal in _ALWAYS_OPEN:
                where, early = _ALWAYS_OPEN[signal]
                hop = self._project.hop(path, start, end, f"Django sends `{signal}` inside {where}")
                return OpenTransaction("", (hop,), by_signal=True, early=early)
        return None

    def _received(self, path: str, definition: Definition) -> Iterator[tuple[str, str, int, int]]:
        """The signals of models that a function handles: the name, the sender as it is written, and where that is said."""
        for decorator in definition.decorators:
            if not decorator.arguments or self._project.resolve(path, decorator.callee, definition.parent).name != _RECEIVER:
                continue
            for written in decorator.arguments[0].text.strip("[]()").split(","):
                signal = self._signal(path, written.strip(), definition.parent)
                if signal:
                    yield signal, _keyword(decorator.arguments, "sender"), decorator.start, decorator.end
        if definition.parent == MODULE:
            yield from self._connected(path, definition)

    def _connected(self, path: str, definition: Definition) -> Iterator[tuple[str, str, int, int]]:
        """`post_save.connect(handler, sender=Model)` in the same file."""
        for call in self._calls.of_name(path, "connect"):
            owner = call.callee.rpartition(".")[0]
            if _hands(call, definition.name) and (signal := self._signal(path, owner, call.scope)):
                yield signal, _keyword(call.arguments, "sender"), call.start, call.end

    def _signal(self, path: str, written: str, scope: int) -> str:
        if not written.replace(".", "").isidentifier():
            return ""
        name = self._project.resolve(path, written, scope).name
        return name.removeprefix(_SIGNALS) if name.startswith(_SIGNALS) else ""

    def saves(self, path: str, position: int) -> Iterator[tuple[Edge, OpenTransaction | None]]:
        """The places where Django runs a handler of `pre_save` or `post_save`, or the `save` of a model, for its own reasons.

        With each comes the transaction that it opens there by itself.
        """
        definition = self._project.facts(path).definitions[position]
        model = self._saved_model(path, definition)
        if model is None:
            return
        name = self._project.facts(model[0]).definitions[model[1]].name
        files = self._project.naming(name)
        for file in files:
            facts = self._project.try_facts(file)
            for call in facts.calls if facts is not None else ():
                last = call.callee.rpartition(".")[2]
                if last in _SAVES and self._is_manager_of(file, call, model):
                    yield self._saving(file, call, (path, position), last)

    def _saving(self, file: str, call: Call, target: Place, last: str) -> tuple[Edge, OpenTransaction | None]:
        fires: Literal["created", "saved"] = "saved" if "update" in last else "created"
        edge = Edge(file, call.scope, call.block, call.start, call.end, target, call.callee, fires=fires)
        if last not in _SAVES_IN_TRANSACTION:
            return edge, None
        hop = self._project.hop(file, call.start, call.end, f"`{last}` opens a transaction of its own")
        return edge, OpenTransaction("", (hop,))

    def _saved_model(self, path: str, definition: Definition) -> Place | None:
        if definition.name == "save" and definition.parent != MODULE:
            return path, definition.parent
        for signal, sender, _, _ in self._received(path, definition):
            if signal in {"pre_save", "post_save"} and sender.replace(".", "").isidentifier():
                symbol = self._project.resolve(path, sender, definition.parent)
                if symbol.state == "internal" and symbol.definition >= 0:
                    return symbol.path, symbol.definition
        return None

    def _is_manager_of(self, file: str, call: Call, model: Place) -> bool:
        """Whether a call is one of `Model.objects`."""
        owner = call.callee.rpartition(".")[0]
        written, _, manager = owner.partition("()")[0].rpartition(".")
        while written and manager != "objects":
            written, _, manager = written.rpartition(".")
        if not written:
            return False
        symbol = self._project.resolve(file, written, call.scope)
        return (symbol.path, symbol.definition) == model


def _keyword(arguments: tuple[Argument, ...], name: str) -> str:
    return next((argument.text for argument in arguments if argument.keyword == name), "")


def _hands(call: Call, name: str) -> bool:
    """Whether a call is given a function of this name first."""
    return bool(call.arguments) and call.arguments[0].text.rpartition(".")[2] == name
