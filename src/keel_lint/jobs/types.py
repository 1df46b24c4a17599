"""What kind of thing an expression is: light types for what is passed to a task.

Only what is sure counts: an assignment that reaches the use, an annotation, a class of the project. Anything else has no type.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import libcst as cst

from keel_lint.index.facts import MODULE
from keel_lint.jobs.bindings import Binding, Bindings
from keel_lint.jobs.models import Model
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.definition import Definition
    from keel_lint.flow.calls import Edge

Kind = Literal[
    "model", "models", "manager", "queryset", "row queryset", "rows", "request", "upload", "file", "content", "frame", "dump"
]

MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
QUERYSETS = frozenset({
    "aiterator", "alias", "all", "annotate", "complex_filter", "defer", "difference", "distinct", "exclude", "extra", "filter",
    "filter_by", "intersection", "iterator", "join", "none", "only", "options", "order_by", "prefetch_related", "reverse",
    "select_for_update", "select_related", "union", "using", "where",
})  # fmt: skip
SURE_QUERYSETS = frozenset({"exclude", "filter", "order_by", "select_related", "prefetch_related"})
ROW_QUERYSETS = frozenset({"values", "values_list", "dates", "datetimes"})
_ONE = ("create", "earliest", "first", "get", "last", "latest")
ONE = frozenset({*_ONE, *(f"a{name}" for name in _ONE), "one", "one_or_none", "scalar_one"})
ONE_AND_FLAG = frozenset({"get_or_create", "update_or_create", "aget_or_create", "aupdate_or_create"})
MANY = frozenset({"bulk_create", "abulk_create"})
SHORTCUTS = frozenset({
    "django.shortcuts.get_object_or_404", "django.shortcuts.aget_object_or_404", "rest_framework.generics.get_object_or_404",
    "get_object_or_404",
})  # fmt: skip
LIST_SHORTCUTS = frozenset({"django.shortcuts.get_list_or_404", "django.shortcuts.aget_list_or_404", "get_list_or_404"})
COLLECTIONS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted"})
REQUESTS = frozenset({
    "django.http.HttpRequest", "django.http.request.HttpRequest", "django.core.handlers.wsgi.WSGIRequest",
    "django.core.handlers.asgi.ASGIRequest", "rest_framework.request.Request", "starlette.requests.Request", "fastapi.Request",
    "fastapi.requests.Request", "flask.Request", "flask.wrappers.Request", "pyramid.request.Request",
})  # fmt: skip
UPLOADS = re.compile(r"django\.core\.files\.uploadedfile\.\w+|fastapi\.UploadFile|starlette\.datastructures\.UploadFile")
FRAMES = re.compile(r"(pandas|pd|polars|pl|geopandas|gpd)\.(read_\w+|scan_\w+|DataFrame|GeoDataFrame|concat|merge)$")
FRAME_TYPES = re.compile(r"(pandas|pd|polars|pl|geopandas|gpd)\.(\w+\.)*(DataFrame|GeoDataFrame)$")
FRAME_METHODS = frozenset({
    "assign", "astype", "copy", "drop", "drop_duplicates", "dropna", "fillna", "merge", "query", "rename", "replace",
    "reset_index", "set_index", "sort_values",
})  # fmt: skip
FRAME_DUMPS = frozenset(
    {"to_csv", "to_dict", "to_json", "to_records", "to_dicts", "to_pickle", "to_parquet", "write_json", "write_csv"}
)
BASE64 = re.compile(r"base64\.\w*(b64|b32|b16|b85|a85)encode$")
TEXT_METHODS = frozenset({"decode", "encode", "hex", "strip", "splitlines", "tobytes"})
OF_A_REQUEST = frozenset(
    {"META", "GET", "POST", "FILES", "COOKIES", "session", "build_absolute_uri", "headers", "is_ajax", "resolver_match"}
)
NAMES_A_KEY = re.compile(
    r"(?:\w*_)?(?:action|args|batch|code|countdown|counts?|currency|data|dates?|delay|domain|emails?|event|field|format|hash"
    r"|host|ids?|index|keys?|kwargs|languages?|level|limit|locale|mode|names?|number|path|payload|pks?|priority|queue|size"
    r"|slugs?|status|text|timeout|timestamp|tokens?|types?|urls?|uuids?|version)"
)
"""Names of parameters that say that a key or another plain value is passed."""
_DEPTH = 2
_MOST_CALLERS = 8
_RARE = 40
_HTTP_METHODS = frozenset({"get", "post", "put", "patch", "delete", "dispatch", "head", "options"})
_VIEWS = re.compile(r"django\.views\.|rest_framework\.(views|viewsets|generics)\.")
_FORMS = re.compile(r"django\.forms\.(models\.)?(Base)?ModelForm$")
_WEB = re.compile(r"(django|rest_framework|ninja)(\.|$)")
_MANY_OF = re.compile(
    r"(?:\w+\.)*(?:[Ll]ist|[Ss]et|[Tt]uple|Sequence|Iterable|Collection)\[\s*([^,\[\]]+)(?:,\s*\.\.\.)?\s*\]$"
)


class Value(Record, frozen=True):
    """What an expression is.

    `model` is the class of an instance or of the rows; `small` says that a slice limits the rows or that they are mere keys.
    """

    kind: Kind
    model: Model | None = None
    small: bool = False


class Types:
    """The types of the expressions of one definition."""

    def __init__(self, definition: Definition, depth: int = 0) -> None:
        """`depth` is how many calls lead from the definition to the one that is judged."""
        self._definition = definition
        self._depth = depth
        self._models = definition.jobs.models
        self._working: set[int] = set()

    @cached_property
    def bindings(self) -> Bindings:
        """The local names of the definition."""
        return self._definition.once(Bindings)

    def of(self, node: cst.CSTNode | None) -> Value | None:
        """The type of an expression; `None` where it is not sure."""
        if node is None or id(node) in self._working:
            return None
        self._working.add(id(node))
        try:
            return self._of(node)
        finally:
            self._working.discard(id(node))

    def _of(self, node: cst.CSTNode) -> Value | None:  # noqa: PLR0911 -- one line for each kind of expression
        if isinstance(node, cst.Name):
            return self._name(node)
        if isinstance(node, cst.Attribute):
            return self._attribute(node)
        if isinstance(node, cst.Call):
            return self._call(node)
        if isinstance(node, cst.Subscript):
            return self._subscript(node)
        if isinstance(node, cst.Await):
            return self.of(node.expression)
        if isinstance(node, cst.NamedExpr):
            return self.of(node.value)
        if isinstance(node, cst.IfExp):
            return self._agreed([node.body, node.orelse])
        if isinstance(node, (cst.ListComp, cst.SetComp, cst.GeneratorExp)):
            return _many(self.of(node.elt))
        if isinstance(node, (cst.List, cst.Tuple, cst.Set)):
            return next((_many(found) for element in node.elements if (found := self.of(element.value)) is not None), None)
        return None

    def _agreed(self, nodes: list[cst.BaseExpression]) -> Value | None:
        found = [self.of(node) for node in nodes if not _is_none(node)]
        return _common(found)

    # -- names ------------------------------------------------------------------------------------------------------------

    def _name(self, node: cst.Name) -> Value | None:
        reaching = self.bindings.reaching(node)
        found = [self._bound(binding) for binding in reaching if not (binding.how == "value" and _is_none(binding.source))]
        return _common(found)

    def _bound(self, binding: Binding) -> Value | None:  # noqa: PLR0911 -- one line for each way to bind
        source = binding.source
        if binding.how == "value":
            return self.of(source)
        if binding.how == "first":
            return self._first(source)
        if binding.how == "element":
            return _one(self.of(source))
        if binding.how == "enter":
            return self._entered(source)
        if binding.how == "annotated" and isinstance(source, cst.AnnAssign):
            return self.of(source.value) or self._annotated(source.annotation)
        if binding.how == "parameter" and isinstance(source, cst.Param):
            return self._parameter(source)
        return None

    def _first(self, source: cst.CSTNode | None) -> Value | None:
        """`order, created = Order.objects.get_or_create(...)`."""
        if isinstance(source, cst.Await):
            source = source.expression
        if not isinstance(source, cst.Call) or not isinstance(source.func, cst.Attribute):
            return None
        base = self._chain(source.func.value)
        return Value("model", base.model) if base is not None and source.func.attr.value in ONE_AND_FLAG else None

    def _entered(self, source: cst.CSTNode | None) -> Value | None:
        found = self.of(source)
        return found if found is not None and found.kind in {"file", "upload"} else None

    def _parameter(self, parameter: cst.Param) -> Value | None:
        function = self._definition.nearest(parameter, cst.FunctionDef)
        if function is None:
            return None
        if parameter.annotation is not None:
            return self._annotated(parameter.annotation)
        return self._conventional(parameter, function) or self._passed(parameter, function)

    def _conventional(self, parameter: cst.Param, function: cst.FunctionDef) -> Value | None:
        """A parameter without an annotation whose name and place say what it is."""
        name = parameter.name.value
        if name == "self":
            return self._self(function, parameter)
        if name == "request" and self._is_view(function):
            return Value("request")
        if name == "instance" and self._is_signal_handler(function):
            return Value("model", self._sender(function) or Model("instance"))
        return self._declared(function, name)

    def _declared(self, function: cst.FunctionDef, name: str) -> Value | None:
        """What the class round a method says of a parameter: `instance` is of `Meta.model`, `Arguments.file` is an `Upload`."""
        owner = self._owner(function)
        facts = self._definition.facts
        for assignment in facts.assignments:
            inner = facts.definitions[assignment.scope] if assignment.scope != MODULE else None
            if inner is None or owner < 0 or inner.parent != owner or inner.kind != "class":
                continue
            if name == "instance" and inner.name == "Meta" and assignment.target == "model":
                found = self._class(assignment.value, assignment.scope)
                return found if found is not None and found.kind == "model" else None
            if inner.name in {"Arguments", "Input"} and assignment.target == name:
                return Value("upload") if assignment.value.partition("(")[0].rpartition(".")[2] == "Upload" else None
        return None

    def _passed(self, parameter: cst.Param, function: cst.FunctionDef) -> Value | None:
        """What the callers of the function pass, where those of which it is known agree."""
        definition = self._definition
        # A name that stands everywhere says too little of who calls it to be worth the search.
        if self._depth == _DEPTH or NAMES_A_KEY.fullmatch(parameter.name.value):
            return None
        if len(definition.project.naming(function.name.value)) > _RARE:
            return None
        position = definition.scope(function.body.body[0])
        edges = [edge for edge in definition.flow.calls.callers(definition.path, position) if edge.how == "call"]
        given = [self._given(edge, parameter, function) for edge in edges[:_MOST_CALLERS]]
        return _common([value for value in given if value is not None])

    def _given(self, edge: Edge, parameter: cst.Param, function: cst.FunctionDef) -> Value | None:
        """The type of what one call passes for a parameter."""
        from keel_lint.definition import UnparsableError

        definition = self._definition
        facts = definition.project.facts(edge.path)
        if edge.scope == MODULE:
            return None
        try:
            caller = definition.elsewhere(edge.path, facts.definitions[edge.scope].outer)
        except UnparsableError:
            return None
        call = caller.call_at(edge.start, edge.end)
        is_method = self._owner(function) >= 0 and not _is_static(function)
        names = [one.name.value for one in function.params.params][is_method:]
        value = _argument(call, parameter.name.value, names) if call is not None else None
        return Types(caller, self._depth + 1).of(value) if value is not None else None

    def _annotated(self, annotation: cst.Annotation) -> Value | None:
        text = self._definition.code(annotation.annotation).replace('"', "").replace("'", "").strip()
        optional = re.fullmatch(r"(?:typing\.)?Optional\[(.+)\]", text, re.DOTALL)
        text = optional[1] if optional else text
        parts = [part.strip() for part in text.split("|") if part.strip() != "None"]
        if len(parts) != 1:
            return None
        many = _MANY_OF.match(parts[0])
        if many is not None:
            return _many(self._class(many[1].strip(), self._definition.scope(annotation)))
        return self._class(parts[0], self._definition.scope(annotation))

    def _class(self, text: str, scope: int) -> Value | None:
        definition = self._definition
        symbol = definition.project.resolve(definition.path, text.partition("[")[0], scope)
        model = self._models.of(symbol)
        if model is not None:
            return Value("model", model)
        names = {symbol.name}
        if symbol.state == "internal" and symbol.definition >= 0:
            names.update(definition.project.base_names(symbol.path, symbol.definition))
        if not REQUESTS.isdisjoint(names):
            return Value("request")
        if any(UPLOADS.fullmatch(name) for name in names):
            return Value("upload")
        if any(FRAME_TYPES.match(name) for name in names):
            return Value("frame")
        is_queryset = any(re.fullmatch(r"django\.db\.models\.(query\.)?QuerySet", name) for name in names)
        return Value("queryset") if is_queryset else None

    def _self(self, function: cst.FunctionDef, parameter: cst.Param) -> Value | None:
        """`self` in a method of a model."""
        static = {"staticmethod", "classmethod"}
        decorators = {name for d in function.decorators if (name := self._definition.code(d.decorator)) is not None}
        if not function.params.params or function.params.params[0] is not parameter or decorators & static:
            return None
        owner = self._owner(function)
        if owner < 0:
            return None
        from keel_lint.project import Symbol

        definition = self._definition
        name = f"{definition.project.module_name(definition.path)}.{definition.facts.definitions[owner].qualname}"
        model = self._models.of(Symbol(name, "internal", definition.path, owner))
        return Value("model", model) if model is not None else None

    def _owner(self, function: cst.FunctionDef) -> int:
        """The position of the class in whose body a function stands, or -1."""
        scope = self._definition.scope(function)
        return scope if scope >= 0 and self._definition.facts.definitions[scope].kind == "class" else -1

    def _is_view(self, function: cst.FunctionDef) -> bool:
        """Whether the function takes `request` for an HTTP request: it reads what only such a one has."""
        facts = self._definition.facts
        is_web = any(_WEB.match(record.module) for record in facts.imports)
        for attribute in self._definition.find_all(cst.Attribute, function):
            if isinstance(attribute.value, cst.Name) and attribute.value.value == "request":
                read = attribute.attr.value
                if read in OF_A_REQUEST or (is_web and read in {"user", "method", "data"}):
                    return True
        return is_web and (self._owner(function) >= 0) and function.name.value in _HTTP_METHODS

    def _is_signal_handler(self, function: cst.FunctionDef) -> bool:
        names = [parameter.name.value for parameter in function.params.params]
        starred = function.params.star_kwarg is not None
        return "sender" in names and starred and not names.index("sender")

    def _sender(self, function: cst.FunctionDef) -> Model | None:
        """The model that `@receiver(post_save, sender=Order)` names, or `post_save.connect(handler, sender=Order)`."""
        for decorator in function.decorators:
            if isinstance(decorator.decorator, cst.Call):
                for argument in decorator.decorator.args:
                    if argument.keyword is not None and argument.keyword.value == "sender":
                        return self._model_named(argument.value)
        return self._connected(function)

    def _connected(self, function: cst.FunctionDef) -> Model | None:
        definition = self._definition
        for call in definition.facts.calls:
            if call.callee.endswith(".connect"):
                text = definition.project.source(definition.path).slice(call.start, call.end)
                found = re.search(rf"\.connect\(\s*(?:receiver=)?{function.name.value}\b.*\bsender=([\w.]+)", text, re.DOTALL)
                if found is not None:
                    return self._models.of(definition.project.resolve(definition.path, found[1], call.scope))
        return None

    # -- attributes, calls, subscripts --------------------------------------------------------------------------------------

    def _attribute(self, node: cst.Attribute) -> Value | None:
        name = node.attr.value
        if name in MANAGERS:
            model = self._model_named(node.value)
            return Value("manager", model) if model is not None else None
        if name == "query":
            mapped = self._mapped(node.value)
            return Value("manager", mapped) if mapped is not None else None
        base = self.of(node.value)
        if base is None:
            return self._of_self(node)
        if base.kind == "model" and base.model is not None:
            related = self._models.related(base.model, name)
            return Value("model", related) if related is not None else None
        if base.kind == "request":
            return {"user": Value("model", Model("user")), "body": Value("content"), "FILES": Value("upload")}.get(name)
        return None

    def _of_self(self, node: cst.Attribute) -> Value | None:
        """`self.request` in a class-based view, `self.instance` in a form of a model."""
        if node.attr.value not in {"request", "instance"} or not isinstance(node.value, cst.Name) or node.value.value != "self":
            return None
        function = self.bindings.parameter_scope(node.value)
        owner = self._owner(function) if function is not None else -1
        if owner < 0:
            return None
        names = self._definition.project.base_names(self._definition.path, owner)
        if node.attr.value == "request":
            is_view = any(_VIEWS.match(name) for name in names)
            return Value("request") if is_view else None
        return Value("model", Model("instance")) if any(_FORMS.match(name) for name in names) else None

    def _model_named(self, node: cst.CSTNode) -> Model | None:
        """The model class that an expression names; one that is not known is taken by its capital letter."""
        name = self._definition.name(node)
        if isinstance(node, cst.Call):
            called = self._definition.called(node)
            return Model("user") if called in {"django.contrib.auth.get_user_model", "get_user_model"} else None
        if name is None or not isinstance(node, (cst.Name, cst.Attribute)):
            return None
        written = self._definition.code(node)
        definition = self._definition
        symbol = definition.project.resolve(definition.path, written, definition.scope(node))
        known = self._models.of(symbol)
        if known is not None:
            return known
        last = name.rpartition(".")[2]
        return Model(last, symbol.name if symbol.state == "external" else "") if last[:1].isupper() else None

    def _mapped(self, node: cst.CSTNode | None) -> Model | None:
        """The SQLAlchemy model of the project that an expression names."""
        model = self._model_named(node) if isinstance(node, (cst.Name, cst.Attribute)) else None
        return model if model is not None and model.kind == "sqlalchemy" else None

    def _chain(self, node: cst.CSTNode) -> Value | None:
        """The manager or queryset that an expression is; through a project's own methods too, whose result is not known."""
        found = self.of(node)
        if found is not None:
            return found
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            node = node.func.value
            found = self.of(node)
            if found is not None:
                return Value("manager", found.model) if found.kind in {"manager", "queryset"} else None
        return None

    def _call(self, node: cst.Call) -> Value | None:
        if isinstance(node.func, cst.Attribute):
            found = self._method(node, node.func)
            if found is not None:
                return found
        return self._function(node)

    def _method(self, node: cst.Call, func: cst.Attribute) -> Value | None:  # noqa: C901, PLR0911 -- a table in words
        name = func.attr.value
        base = self.of(func.value)
        if base is None:
            return self._unknown_method(node, func)
        if base.kind in {"manager", "queryset"}:
            if name in ROW_QUERYSETS:
                return Value("row queryset", base.model, base.small or _holds_keys(node, name))
            if name == "all" and base.model is not None and base.model.kind == "sqlalchemy":
                return Value("models", base.model, base.small)
            if name in QUERYSETS:
                return Value("queryset", base.model, base.small)
            if name in ONE:
                return Value("model", base.model)
            return Value("models", base.model, small=True) if name in MANY else None
        if base.kind == "row queryset":
            return base if name in QUERYSETS or name in ROW_QUERYSETS else None
        if base.kind in {"file", "upload"} and name in {"read", "readlines", "getvalue"} and not node.args:
            return Value("content")
        if base.kind == "upload" and name == "get":
            return base
        if base.kind == "content" and name in TEXT_METHODS:
            return base
        if base.kind == "frame":
            return Value("dump") if name in FRAME_DUMPS else base if name in FRAME_METHODS else None
        if base.kind == "request" and name in {"get_data", "body"}:
            return Value("content")
        return None

    def _unknown_method(self, node: cst.Call, func: cst.Attribute) -> Value | None:
        name = func.attr.value
        if name in {"read_bytes", "read_text"} or (name in {"read", "getvalue"} and not node.args and _is_object(func.value)):
            return Value("content")
        if name in {"get", "query"} and node.args:
            mapped = self._mapped(node.args[0].value)
            if mapped is not None:
                return Value("model" if name == "get" else "manager", mapped)
        if name in SURE_QUERYSETS or name in ONE or name in ROW_QUERYSETS:
            chain = self._chain(func.value)
            if chain is not None and chain.kind == "manager":
                kind: Kind = "model" if name in ONE else "row queryset" if name in ROW_QUERYSETS else "queryset"
                return Value(kind, chain.model, kind == "row queryset" and _holds_keys(node, name))
        if name in SURE_QUERYSETS or name == "all":
            owner = self.of(func.value.value) if isinstance(func.value, cst.Attribute) else None
            if owner is not None and owner.kind == "model":
                return Value("queryset")
        return None

    def _function(self, node: cst.Call) -> Value | None:  # noqa: PLR0911 -- a table in words
        name = self._definition.called(node)
        first = node.args[0].value if node.args and not node.args[0].star and node.args[0].keyword is None else None
        if name is None:
            return None
        if name in SHORTCUTS or name in LIST_SHORTCUTS:
            model = self._model_of_first(first)
            return Value("model" if name in SHORTCUTS else "models", model) if model is not None else None
        if name in COLLECTIONS:
            return _listed(self.of(first))
        if name in {"builtins.open", "gzip.open", "io.open", "bz2.open", "lzma.open"}:
            return Value("file")
        if name in {"builtins.str", "builtins.bytes"} or BASE64.match(name):
            found = self.of(first)
            return found if found is not None and found.kind == "content" else None
        if FRAMES.match(name):
            return Value("frame")
        found = self._class(self._definition.code(node.func), self._definition.scope(node))
        return found if found is not None and found.kind == "model" else None

    def _model_of_first(self, first: cst.CSTNode | None) -> Model | None:
        if first is None:
            return None
        chain = self._chain(first)
        return chain.model if chain is not None else self._model_named(first)

    def _subscript(self, node: cst.Subscript) -> Value | None:
        base = self.of(node.value)
        if base is None or len(node.slice) != 1:
            return None
        is_slice = isinstance(node.slice[0].slice, cst.Slice)
        if base.kind in {"queryset", "models"}:
            return Value(base.kind, base.model, small=True) if is_slice else Value("model", base.model)
        if base.kind in {"row queryset", "rows"} and is_slice:
            return Value(base.kind, base.model, small=True)
        return base if base.kind == "upload" else None


def _is_static(function: cst.FunctionDef) -> bool:
    return any(isinstance(d.decorator, cst.Name) and d.decorator.value == "staticmethod" for d in function.decorators)


def _argument(call: cst.Call, name: str, parameters: list[str]) -> cst.BaseExpression | None:
    """What a call passes for a parameter; `None` where nothing, or where an unpacked argument stands before it."""
    positional = [argument for argument in call.args if argument.keyword is None]
    if any(argument.star for argument in positional):
        return None
    for argument in call.args:
        if argument.keyword is not None and argument.keyword.value == name:
            return argument.value
    place = parameters.index(name) if name in parameters else len(positional)
    return positional[place].value if place < len(positional) else None


def _is_object(node: cst.CSTNode) -> bool:
    """Whether the receiver of `.read()` is an object, and not a module or class."""
    return not isinstance(node, cst.Name) or not node.value[:1].isupper()


def _holds_keys(node: cst.Call, name: str) -> bool:
    """Whether a queryset of rows has one column only."""
    return name in {"dates", "datetimes"} or (name == "values_list" and sum(a.keyword is None for a in node.args) == 1)


def _is_none(node: cst.CSTNode | None) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _common(found: list[Value | None]) -> Value | None:
    """What all agree on."""
    sure = [value for value in found if value is not None]
    if not sure or len(sure) != len(found) or len({value.kind for value in sure}) != 1:
        return None
    same = len({value.model for value in sure}) == 1
    return Value(sure[0].kind, sure[0].model if same else None, all(value.small for value in sure))


def _one(value: Value | None) -> Value | None:
    """An element of a collection."""
    return Value("model", value.model) if value is not None and value.kind in {"queryset", "models"} else None


def _many(value: Value | None) -> Value | None:
    """A collection of such things."""
    return Value("models", value.model, small=True) if value is not None and value.kind == "model" else None


def _listed(value: Value | None) -> Value | None:
    """`list(...)` of a value."""
    if value is None:
        return None
    if value.kind in {"queryset", "models"}:
        return Value("models", value.model, value.small)
    return Value("rows", value.model, value.small) if value.kind == "row queryset" else None
