"""A model instance, queryset or request is passed to a task instead of a key

## What it does
Finds ORM instances (Django, SQLAlchemy), `self` of a model, querysets, lists of instances and HTTP requests among the
arguments of `.delay()`, `.apply_async()`, `.s()`, `.si()`, `send_task()` and `partial(task.delay, ...)`. An argument counts
where an assignment, an annotation, a decorator or a class of the project makes its type sure.

## Why is this bad?
Celery's serializer is JSON: the call itself raises `EncodeError` ("Object of type Order is not JSON serializable"). Where
pickle is set, the task gets a copy of the row as it was when the message was published: it works on old data, and `save()`
writes that old data over newer changes.

## Example
### An instance
```python title="shop/models.py"
from django.db import models


class Order(models.Model):
    total = models.IntegerField()
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order):
    print(order.total)
```
```python title="shop/views.py"
from django.shortcuts import get_object_or_404

from shop.models import Order
from shop.tasks import send_receipt


def confirm(request, pk):
    order = get_object_or_404(Order, pk=pk)
    send_receipt.delay(order)  # KEL106


def confirm_all():
    for order in Order.objects.filter(total__gt=0):
        send_receipt.apply_async(kwargs={"order": order}, countdown=60)  # KEL106
```

### `self` of a model
```python
from celery import shared_task
from django.db import models


@shared_task
def index_article(article):
    print(article)


class Article(models.Model):
    title = models.CharField(max_length=100)

    def publish(self):
        index_article.delay(self)  # KEL106
```

### A queryset
```python
from celery import shared_task

from shop.models import Order


@shared_task
def archive(orders):
    print(len(orders))


def archive_old():
    old = Order.objects.filter(total=0)
    archive.delay(old)  # KEL106
```

### A request
```python
from celery import shared_task
from django.http import HttpRequest


@shared_task
def log_visit(request):
    print(request)


def home(request: HttpRequest):
    log_visit.delay(request)  # KEL106
```

## Use instead
### The key, and the row loaded in the task
```python
from celery import shared_task
from django.shortcuts import get_object_or_404

from shop.models import Order


@shared_task
def send_receipt(order_id):
    order = Order.objects.get(pk=order_id)
    print(order.total)


def confirm(request, pk):
    order = get_object_or_404(Order, pk=pk)
    send_receipt.delay(order.pk)
    send_receipt.apply_async(kwargs={"order_id": order.id})
```

### A list of keys
```python
from celery import shared_task

from shop.models import Order


@shared_task
def archive(order_ids):
    Order.objects.filter(pk__in=order_ids).delete()


def archive_old():
    archive.delay(list(Order.objects.filter(total=0).values_list("pk", flat=True)))
```

### The values that the task needs
```python
from celery import shared_task
from django.http import HttpRequest


@shared_task
def log_visit(path, user_id):
    print(path, user_id)


def home(request: HttpRequest):
    log_visit.delay(request.path, request.user.pk)
```

## Fix safety
Unsafe: the row is read again, later, and may have changed or gone. The fix is offered only where every dispatch of the task
is known and passes an instance of the same model, and where nothing else names the task: then all of them pass `.pk`, the
parameter becomes `..._id`, and the task loads the row first; all files change together or none does. Messages that wait in
the queue (possible with pickle only) still carry the instance. A call of the task in a file that holds nothing of Celery is
not seen.

## Known missed alarms
Types that only a call into another function would tell, `form.save()`, `self.get_object()`, instances inside dicts,
`QuerySet.values_list()` without `list(...)`, arguments that are built in a variable (`apply_async(args=values)`). Silent
where the serializer is one of the project's own, where a type is registered with Kombu, for models with `__json__`, and for
tasks with `pydantic=True`.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#state
- https://docs.celeryq.dev/en/stable/userguide/calling.html#serializers
- https://docs.djangoproject.com/en/stable/topics/serialization/
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.index.roles import DISPATCHES, SIGNATURES
from keel_lint.index.tables import Calls
from keel_lint.jobs.messages import message_of, sends_more_than_keys, serializer
from keel_lint.jobs.types import Types
from keel_lint.rule import Rule
from keel_lint_celery._payloads import has_own_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.definition import Definition
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance
    from keel_lint.index.facts import Parameter
    from keel_lint.jobs.messages import Message, Passed
    from keel_lint.jobs.models import Model
    from keel_lint.jobs.tasks import Task
    from keel_lint.jobs.types import Value

Change = tuple[str, int, int, str]
"""A change of a file: its path, the offsets of what is replaced, and the new text."""

_REWRITABLE = frozenset({"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "si"})


class ModelInstanceArgument(Rule):
    """Finds arguments of a task that are rows instead of their keys."""

    code = "KEL106"
    slug = "model-instance-argument"
    group = "correctness"
    engine = "celery"
    versions = ">=4"
    fix = "unsafe"
    judges = ("dispatch", "signature")
    proof = "celery, publish"

    @classmethod
    def may_find(cls, glance: Glance) -> bool:
        """Whether a message of the definition holds more than keys and constants."""
        return sends_more_than_keys(glance)

    @cached_property
    def types(self) -> Types:
        """The types of the definition's expressions."""
        return self.definition.once(Types)

    def visit_Call(self, node: cst.Call) -> None:
        """Judge what a call sends."""
        message = message_of(self.definition, node)
        if message is None or not message.passed:
            return None
        if _takes_models(message):
            return self.decline(node, "the task turns its arguments into plain data itself (`pydantic=True`)")
        for passed in message.passed:
            value = self.types.of(passed.value)
            if value is not None:
                self._judge(node, message, passed, value)
        return None

    def _judge(self, node: cst.Call, message: Message, passed: Passed, value: Value) -> None:
        used = serializer(self.definition, message, node)
        is_pickle = used == "pickle"
        if used not in {"json", "yaml", "msgpack", "pickle"}:
            return self.decline(passed.value, "what the message is serialized with could not be told, or is not known")
        if has_own_encoding(self.definition.jobs):
            return self.decline(passed.value, "the project registers types or serializers of its own with Kombu")
        code = self.definition.code(passed.value)
        shown = f" `{code}`" if len(code) <= 40 and "\n" not in code else ""
        text = _message(message.dispatch.shown, shown, value, is_pickle)
        if text is not None:
            self.report(passed.value, text, fix=self._fix(message, passed, value))
        return None

    def _fix(self, message: Message, passed: Passed, value: Value) -> FixBuilder | None:
        task, model = message.dispatch.task, value.model
        parameter = _parameter(task, passed) if task is not None else None
        if task is None or parameter is None or model is None or value.kind != "model" or not model.path:
            return None
        rewrite = _Rewrite(self.definition, task, parameter, model)
        key = ("pass the key", task.path, task.position, parameter.name, model.dotted)
        changes = self.definition.project.memo(key, rewrite.changes, recursive=None)
        if changes is None:
            return None
        builder = self.definition.fix(f"Pass the key of `{parameter.name}` and load it in `{task.definition.name}`", "unsafe")
        for path, start, end, text in changes:
            if path == self.definition.path:
                builder.replace_span(start, end, text)
            else:
                builder.replace_elsewhere(self.definition.project.source(path), start, end, text)
        return builder


class _Rewrite:
    """The change of a task and of all its dispatches from a model's instance to the instance's key."""

    def __init__(self, definition: Definition, task: Task, parameter: Parameter, model: Model) -> None:
        self.jobs = definition.jobs
        self.flow = definition.flow
        self.project = definition.project
        self.path = definition.path
        self.task = task
        self.parameter = parameter
        self.model = model
        self.new = f"{parameter.name}_id"

    def changes(self) -> tuple[Change, ...] | None:
        """All changes, or `None` where one dispatch is not known or the task cannot be changed."""
        if self.model.kind != "django" or not self.jobs.models.has_objects(self.model) or self._sends_itself():
            return None
        found = self._in_task()
        if found is None:
            return None
        for path in self.project.naming(self.task.definition.name):
            here = self._in_file(path)
            if here is None:
                return None
            found += here
        return tuple(sorted(set(found)))

    def _sends_itself(self) -> bool:
        """Whether the task sends itself again under the name `self`, with arguments that are not read here."""
        facts = self.project.facts(self.task.path)
        body = self.task.definition
        for call in Calls.of(facts).within(body.start, body.end):
            owner, _, method = call.callee.rpartition(".")
            if owner != "self":
                continue
            if method in DISPATCHES | SIGNATURES | {"replace", "map", "starmap", "chunks"}:
                return True
            if method == "retry" and "args" in self.project.source(self.task.path).slice(call.start, call.end):
                return True
        return False

    # -- the task ---------------------------------------------------------------------------------------------------------

    def _in_task(self) -> list[Change] | None:
        definition = self._definition(self.task.path, self.task.position)
        if definition is None or self.parameter.default or self.parameter.kind in {"vararg", "kwarg"}:
            return None
        node = next(
            (f for f in definition.find_all(cst.FunctionDef) if definition.span(f.name) == self.task.definition.name_span), None
        )
        own = definition.source.slice(self.task.definition.start, self.task.definition.end)
        load = self._load()
        if node is None or load is None or re.search(rf"\b{self.new}\b", own) or not isinstance(node.body, cst.IndentedBlock):
            return None
        first = next((line for line in node.body.body if not _is_docstring(node.body, line)), None)
        parameter = next((p for p in definition.find_all(cst.Param, node.params) if p.name.value == self.parameter.name), None)
        if first is None or parameter is None:
            return None
        start = definition.span(first)[0]
        if isinstance(first, (cst.FunctionDef, cst.ClassDef)) and first.decorators:
            return None
        line = definition.source.line(definition.source.row(start))
        indent = line[: len(line) - len(line.lstrip())]
        return [
            (self.task.path, *definition.span(parameter.name), self.new),
            *self._annotation(definition, parameter),
            (self.task.path, start, start, "".join(f"{statement}\n{indent}" for statement in load)),
        ]

    def _annotation(self, definition: Definition, parameter: cst.Param) -> Iterator[Change]:
        if parameter.annotation is None:
            return
        end = definition.span(parameter.annotation.annotation)[1]
        text = "" if self.jobs.models.has_own_key(self.model) else ": int"
        yield self.task.path, definition.span(parameter.name)[1], end, text

    def _load(self) -> list[str] | None:
        """The statements that load the row. An import stands in the function: there it closes no circle of imports."""
        load = f"{self.parameter.name} = {self.model.name}.objects.get(pk={self.new})"
        symbol = self.project.resolve(self.task.path, self.model.name, self.task.position)
        if (symbol.path, symbol.definition) == (self.model.path, self.model.position) and self._is_there():
            return [load]
        module = self._module()
        if module is None:
            return None
        if symbol.state != "unbound" and (symbol.path, symbol.definition) != (self.model.path, self.model.position):
            return None
        return [f"from {module} import {self.model.name}", load]

    def _module(self) -> str | None:
        """The module that the task can import the model from: as another file does, else by its path."""
        for path in dict.fromkeys((self.path, *self.jobs.relevant)):
            facts = self.project.try_facts(path)
            for record in facts.imports if facts is not None else ():
                if record.name != record.attribute or record.name != self.model.name or record.module.startswith("."):
                    continue
                symbol = self.project.resolve(path, record.name, record.scope)
                same = (symbol.path, symbol.definition) == (self.model.path, self.model.position)
                if same and self.project.module(record.module, self.task.path) == self.project.module(record.module, path):
                    return record.module
        module = self.project.module_name(self.model.path)
        is_sure = "." in module or "/" not in self.model.path
        is_top_level = self.project.facts(self.model.path).definitions[self.model.position].parent == -1
        found = self.project.module(module, self.task.path) == self.model.path
        return module if is_sure and is_top_level and found else None

    def _is_there(self) -> bool:
        """Whether the name of the model is bound when the module runs, and not only `if TYPE_CHECKING`."""
        imports = [i for i in self.project.facts(self.task.path).imports if i.name == self.model.name and i.scope == -1]
        source = self.project.source(self.task.path)
        return all(source.span(record.start, record.end).column == 1 for record in imports)

    # -- the dispatches ---------------------------------------------------------------------------------------------------

    def _in_file(self, path: str) -> list[Change] | None:
        """The changes of the dispatches in a file; `None` where the name stands anywhere else, or one cannot change."""
        text = self.project.source(path).text
        name = self.task.definition.name.encode()
        open_ = {match.start() for match in re.finditer(rb"\b%s\b" % re.escape(name), text)} if name in text else set()
        if not open_:
            return []
        facts = self.project.facts(path)
        imports = [record for record in facts.imports if record.attribute == name.decode() and record.name != record.attribute]
        known = [(record.start, record.end) for record in facts.imports]
        if path == self.task.path:
            known.append(self.task.definition.name_span)
        found: list[Change] = []
        for span, changes in self._dispatches(path):
            if changes is None:
                return None
            known.append(span)
            found += changes
        is_explained = all(any(start <= offset < end for start, end in known) or _is_comment(text, offset) for offset in open_)
        return found if is_explained and not imports else None

    def _dispatches(self, path: str) -> Iterator[tuple[tuple[int, int], list[Change] | None]]:
        """Each dispatch of the task in a file: where its name stands, and the changes of its arguments."""
        facts = self.project.facts(path)
        name = self.task.definition.name
        outer = {
            definition.outer
            for call in facts.calls
            if name in call.callee or any(name in argument.text for argument in call.arguments[:1])
            for definition in facts.definitions
            if definition.start <= call.start < definition.end
        }
        for position in sorted(outer):
            definition = self._definition(path, position)
            if definition is None:
                return
            types = definition.once(Types)
            for call in definition.find_all(cst.Call):
                message = message_of(definition, call)
                if message is not None and message.dispatch.task == self.task:
                    named = call.func if message.dispatch.call.callee.endswith(definition.code(call.func)) else call.args[0]
                    yield definition.span(named), self._arguments(definition, types, message)

    def _arguments(self, definition: Definition, types: Types, message: Message) -> list[Change] | None:
        passed = [one for one in message.passed if _parameter(self.task, one) == self.parameter]
        if message.method not in _REWRITABLE or not message.is_whole or len(passed) != 1:
            return None
        value = types.of(passed[0].value)
        if value is None or value.kind != "model" or value.model != self.model:
            return None
        if not isinstance(passed[0].value, (cst.Name, cst.Attribute)):
            return None
        end = definition.span(passed[0].value)[1]
        changes: list[Change] = [(definition.path, end, end, ".pk")]
        key = passed[0].key
        if isinstance(key, cst.Name):
            changes.append((definition.path, *definition.span(key), self.new))
        elif isinstance(key, cst.SimpleString):
            start, end = definition.span(key)
            changes.append((definition.path, start, end, f"{key.quote}{self.new}{key.quote}"))
        return changes

    def _definition(self, path: str, position: int) -> Definition | None:
        from keel_lint import definition as judged

        outer = self.project.facts(path).definitions[position].outer
        try:
            made = judged.Definition(self.jobs, self.flow, path, outer)
        except judged.UnparsableError:
            return None
        return made if made.can_fix else None


def _message(task: str, shown: str, value: Value, is_pickle: bool) -> str | None:
    model = value.model
    key = "id" if model is not None and model.kind == "sqlalchemy" else "pk"
    row = shown.strip(" `") or "it"
    kind, instead = {
        "model": (f"the model instance{shown}", f"pass `{row}.{key}` and load the row in the task"),
        "models": (
            f"the model instances{shown}",
            f"pass their keys, `[row.{key} for row in ...]`, and load the rows in the task",
        ),
        "queryset": (f"the queryset{shown}", 'pass `list(....values_list("pk", flat=True))` and load the rows in the task'),
        "request": (f"the request{shown}", "pass the values that the task needs"),
    }.get(value.kind, ("", ""))
    if not kind:
        return None
    if not is_pickle:
        of_type = {"queryset": "QuerySet", "request": "WSGIRequest"}.get(
            value.kind, model.name if model and model.dotted else ""
        )
        why = f"Object of type {of_type} is not JSON serializable" if of_type else "not JSON serializable"
        return f"`{task}` is given {kind}: publishing it raises EncodeError ({why}); {instead}"
    if value.kind == "request":
        return None
    return (
        f"`{task}` is given a pickled copy of {kind}: it works on the row as it was when published, and saving that "
        f"overwrites newer changes; {instead}"
    )


def _takes_models(message: Message) -> bool:
    """Whether the task turns its arguments into plain data itself."""
    task = message.dispatch.task
    pydantic = task.given.get("pydantic") if task is not None else None
    return pydantic is not None and pydantic.value is not False


def _parameter(task: Task, passed: Passed) -> Parameter | None:
    """The parameter of the task that an argument fills."""
    if task.decorator is None:
        return None
    if passed.keyword:
        return next((parameter for parameter in task.parameters if parameter.name == passed.keyword), None)
    plain = [parameter for parameter in task.parameters if parameter.kind in {"posonly", "plain"}]
    return plain[passed.index] if 0 <= passed.index < len(plain) else None


def _is_docstring(body: cst.IndentedBlock, line: cst.BaseStatement) -> bool:
    if line is not body.body[0] or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return False
    only = line.body[0]
    return isinstance(only, cst.Expr) and isinstance(only.value, (cst.SimpleString, cst.ConcatenatedString))


def _is_comment(text: bytes, offset: int) -> bool:
    return text[text.rfind(b"\n", 0, offset) + 1 : offset].lstrip().startswith(b"#")
