"""Source to `ModuleFacts`, by tree-sitter, in one pass over the tree with an explicit stack (trees can be very deep)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from keel_lint.index import roles
from keel_lint.index.facts import (
    MODULE,
    Argument,
    Assignment,
    Block,
    Call,
    Decorator,
    Definition,
    Import,
    Kind,
    ModuleFacts,
    Parameter,
)
from keel_lint.index.parser import kinds, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

VALUE_LIMIT = 4000
LOCAL_LIMIT = 300
DEEP = 100
LONGEST_NAME = 200
_QUOTES = frozenset(b"\"'")
_DIRECTIVES = (b"noqa", b"keel:", b"keel-lint:", b"ruff:")
_PATTERNS = frozenset({
    "pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "as_pattern_target", "parenthesized_expression",
    # What stands behind `as` is parsed as an expression.
    "tuple", "list", "list_splat",
})  # fmt: skip
_PARAMETER_KINDS = {"list_splat_pattern": "vararg", "dictionary_splat_pattern": "kwarg"}
_SEQUENCES = frozenset({"list", "tuple", "expression_list", "binary_operator", "set"})
_OBJECTS = frozenset({"call", "await", "identifier", "attribute", "conditional_expression"})
_is_dotted = re.compile(r"(?!(?:None|True|False)\b)[^\W\d]\w*(?:\.[^\W\d]\w*)*").fullmatch
_NO_NAMES: frozenset[str] = frozenset()
_LEAVES = frozenset({"identifier", "integer", "float", "true", "false", "none", "ellipsis", "pass_statement", "string_content"})


def index(text: bytes) -> ModuleFacts:
    """The facts of a module given as UTF-8 without byte order mark. Never fails on broken syntax: `has_error` says so."""
    root = parse(text)
    builder = _Builder(text)
    builder.walk(root)
    return builder.facts(root.has_error)


class _At(NamedTuple):
    """Where the walk stands: the scope, the `with` block in it, and the indented blocks round it."""

    scope: int
    block: int
    indents: int
    awaited: bool = False


class _Draft:
    """A definition while its body is being walked."""

    __slots__ = (
        "bases", "body_start", "decorators", "deep", "depth", "end", "has_error", "is_async", "kind", "name", "name_span",
        "nesting", "outer", "parameters", "parent", "qualname", "returns", "roles", "start",
    )  # fmt: skip

    def __init__(self, kind: Kind, name: str, qualname: str, parent: int, at: _At, start: int, node: Node) -> None:
        self.kind, self.name, self.qualname, self.parent = kind, name, qualname, parent
        self.start, self.end, self.depth = start, node.end_byte, at.indents
        self.has_error = node.has_error
        self.outer = -1
        self.name_span = (start, start)
        self.body_start = node.end_byte
        self.is_async = False
        self.nesting = self.deep = 0
        self.decorators: tuple[Decorator, ...] = ()
        self.bases: tuple[Argument, ...] = ()
        self.parameters: tuple[Parameter, ...] = ()
        self.returns = ""
        self.roles: set[str] = set()

    def freeze(self) -> Definition:
        return Definition(
            self.kind, self.name, self.qualname, self.parent, self.outer, self.start, self.end, *self.name_span,
            self.body_start, self.is_async, self.depth, self.nesting, self.decorators, self.bases, self.parameters,
            self.returns, tuple(sorted(self.roles)), self.has_error,
        )  # fmt: skip


class _Builder:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.imports: list[Import] = []
        self.drafts: list[_Draft] = []
        self.blocks: list[Block] = []
        self.calls: list[Call] = []
        self.assignments: list[Assignment] = []
        self.locals: list[Assignment] = []
        self.bindings: defaultdict[int, set[str]] = defaultdict(set)
        self.elsewhere: defaultdict[int, set[str]] = defaultdict(set)
        self.exported: tuple[str, ...] | None = None
        self.comments: list[tuple[int, int]] = []
        self.modules: dict[str, str] = {}
        self.stack: list[tuple[Iterator[Node], _At, int]] = []
        self.deep = self.deepest = 0
        self.statement: _Draft | None = None

    def facts(self, has_error: bool) -> ModuleFacts:
        return ModuleFacts(
            tuple(self.imports),
            tuple(draft.freeze() for draft in self.drafts),
            tuple(self.blocks),
            tuple(self.calls),
            tuple(self.assignments),
            {scope: tuple(sorted(names - self.elsewhere.get(scope, _NO_NAMES))) for scope, names in self.bindings.items()},
            self.exported,
            has_error,
            tuple(self.comments),
            self.deepest,
            tuple(self.locals),
        )

    # -- the walk ---------------------------------------------------------------------------------------------------------

    def walk(self, root: Node) -> None:
        stack, handlers, otherwise = self.stack, _handlers(), _Builder.descend
        stack.append((iter(root.named_children), _At(MODULE, -1, 0), 0))
        while stack:
            nodes, at, deep = stack[-1]
            for node in nodes:
                handler = handlers.get(node.kind_id, otherwise)
                if handler is None:
                    continue
                self.deep = deep + 1
                if deep > DEEP:
                    self.note_depth(node, at.scope)
                handler(self, node, at)
                break  # what was pushed comes before the other nodes
            else:
                stack.pop()

    def push(self, nodes: Iterable[Node], at: _At) -> None:
        self.stack.append((iter(nodes), at, self.deep))

    def push_comments(self, node: Node, at: _At) -> None:
        """Go on with the comments that hang on a node itself."""
        self.push([child for child in node.named_children if child.type == "comment"], at)

    def descend(self, node: Node, at: _At) -> None:
        self.stack.append((iter(node.named_children), at, self.deep))

    def note_depth(self, node: Node, scope: int) -> None:
        """Remember how deep the syntax of the file and of what is judged here nests; what is shallow is not worth the time."""
        self.deepest = max(self.deepest, self.deep)
        if self.statement is not None and node.start_byte < self.statement.end:
            self.statement.nesting = max(self.statement.nesting, self.deep - self.statement.deep)
        while scope != MODULE:
            draft = self.drafts[scope]
            draft.nesting = max(draft.nesting, self.deep - draft.deep)
            scope = draft.parent

    def slice(self, node: Node) -> str:
        return self.text[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def bind(self, scope: int, name: str) -> None:
        self.bindings[scope].add(name)

    def bind_pattern(self, scope: int, pattern: Node | None) -> None:
        waiting = [pattern] if pattern is not None else []
        while waiting:
            part = waiting.pop()
            if part.type == "identifier":
                self.bind(scope, self.slice(part))
            elif part.type in _PATTERNS:
                waiting.extend(part.named_children)

    def give_role(self, scope: int, role: str | None) -> None:
        if role is not None and scope != MODULE:
            self.drafts[self.drafts[scope].outer].roles.add(role)

    # -- names ------------------------------------------------------------------------------------------------------------

    def dotted(self, node: Node | None) -> str:
        """The dotted text of an expression; see `facts.Call.callee`."""
        if node is not None and node.type in {"identifier", "attribute"}:
            written = self.slice(node)
            if _is_dotted(written):
                return written
        parts: list[str] = []
        while node is not None:
            if len(parts) == LONGEST_NAME:  # a chain of n calls is asked for n names
                parts.append("?")
                break
            if node.type == "identifier":
                parts.append(self.slice(node))
                break
            if node.type == "attribute":
                name = node.child_by_field_name("attribute")
                parts.append("." + (self.slice(name) if name is not None else "?"))
                node = node.child_by_field_name("object")
            elif node.type == "call":
                parts.append("()")
                node = node.child_by_field_name("function")
            elif node.type == "subscript":
                parts.append("[]")
                node = node.child_by_field_name("value")
            else:
                parts.append("?")
                break
        return "".join(reversed(parts))

    def canonical(self, dotted: str) -> str:
        """A dotted name with its first part read through the module-level imports seen so far."""
        head, _, rest = dotted.partition(".")
        target = self.modules.get(head, head)
        return f"{target}.{rest}" if rest else target

    # -- imports ----------------------------------------------------------------------------------------------------------

    def add_import(self, name: str, module: str, attribute: str, node: Node, at: _At) -> None:
        self.imports.append(Import(name, module, attribute, at.scope, node.start_byte, node.end_byte))
        if at.scope == MODULE:
            self.modules[name] = f"{module}.{attribute}" if attribute else module

    def import_statement(self, node: Node, at: _At) -> None:
        for child in node.named_children:
            if child.type == "dotted_name":
                head = self.slice(child).partition(".")[0]
                self.add_import(head, head, "", node, at)
            elif child.type == "aliased_import":
                name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
                if name is not None and alias is not None:
                    self.add_import(self.slice(alias), self.slice(name), "", node, at)

    def import_from(self, node: Node, at: _At) -> None:
        module_node = node.child_by_field_name("module_name")
        module = "".join(self.slice(module_node).split()) if module_node is not None else ""
        for child in node.children_by_field_name("name"):
            if child.type == "dotted_name":
                self.add_import(self.slice(child), module, self.slice(child), node, at)
            elif child.type == "aliased_import":
                name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
                if name is not None and alias is not None:
                    self.add_import(self.slice(alias), module, self.slice(name), node, at)
        self.push_comments(node, at)
        if any(child.type == "wildcard_import" for child in node.named_children):
            self.add_import("*", module, "*", node, at)

    # -- definitions ------------------------------------------------------------------------------------------------------

    def draft(self, kind: Kind, name: str, at: _At, start: int, node: Node) -> int:
        parent = self.drafts[at.scope] if at.scope != MODULE else None
        qualname = f"{parent.qualname}.{name}" if parent is not None else name
        made = _Draft(kind, name, qualname, at.scope, at, start, node)
        position = len(self.drafts)
        made.end -= self.text.endswith(b"\r", 0, made.end)  # a comment at its end takes in half of a line ending
        made.deep = self.deep
        self.drafts.append(made)
        made.outer = position if parent is None or self.judged_alone(parent) else parent.outer
        return position

    def judged_alone(self, parent: _Draft) -> bool:
        """Whether what stands in `parent` is judged by itself: methods of a class that does not matter."""
        return parent.kind == "class" and self.drafts[parent.outer].kind == "class" and not parent.roles

    def decorated(self, node: Node, at: _At) -> None:
        definition = node.child_by_field_name("definition")
        if definition is None:
            return self.descend(node, at)
        decorators = [child for child in node.named_children if child.type == "decorator"]
        self.push_comments(node, at)
        for decorator in decorators:
            self.push(decorator.named_children, at)
        made = tuple(self.decorator(decorator) for decorator in decorators)
        if definition.type == "class_definition":
            return self.class_(definition, at, made, node.start_byte)
        return self.function(definition, at, made, node.start_byte)

    def decorator(self, node: Node) -> Decorator:
        expression = next((child for child in node.named_children if child.type != "comment"), None)
        if expression is not None and expression.type == "call":
            arguments = tuple(self.arguments(expression))
            return Decorator(self.dotted(expression.child_by_field_name("function")), arguments, node.start_byte, node.end_byte)
        return Decorator(self.dotted(expression), None, node.start_byte, node.end_byte)

    def function(self, node: Node, at: _At, decorators: tuple[Decorator, ...] = (), start: int | None = None) -> None:
        name_node = node.child_by_field_name("name")
        name = self.slice(name_node) if name_node is not None else ""
        self.bind(at.scope, name)
        position = self.draft("function", name, at, node.start_byte if start is None else start, node)
        draft = self.drafts[position]
        draft.is_async = node.children[0].type == "async"
        draft.decorators = decorators
        self.finish_header(draft, node, name_node)
        returns = node.child_by_field_name("return_type")
        draft.returns = self.slice(returns) if returns is not None else ""
        self.push([returns] if returns is not None else [], at)
        self.parameters(draft, position, node.child_by_field_name("parameters"), at)
        self.type_parameters(position, node)
        for decorator in decorators:
            self.give_role(position, roles.of_decorator(self.canonical(decorator.callee)))
        self.push_body(node, position, at)

    def class_(self, node: Node, at: _At, decorators: tuple[Decorator, ...] = (), start: int | None = None) -> None:
        name_node = node.child_by_field_name("name")
        name = self.slice(name_node) if name_node is not None else ""
        self.bind(at.scope, name)
        position = self.draft("class", name, at, node.start_byte if start is None else start, node)
        draft = self.drafts[position]
        draft.decorators = decorators
        self.finish_header(draft, node, name_node)
        superclasses = node.child_by_field_name("superclasses")
        if superclasses is not None:
            draft.bases = tuple(self.arguments_of(superclasses))
            self.push(superclasses.named_children, at)
        self.type_parameters(position, node)
        if draft.outer == position:
            draft.roles.update(self.class_roles(draft, node))
        else:
            for decorator in decorators:
                self.give_role(position, roles.of_decorator(self.canonical(decorator.callee)))
        self.push_body(node, position, at)

    def class_roles(self, draft: _Draft, node: Node) -> Iterator[str]:
        found = [roles.of_decorator(self.canonical(decorator.callee)) for decorator in draft.decorators]
        found += [roles.of_base(base.text) for base in draft.bases if not base.keyword]
        yield from (role for role in found if role is not None)
        body = node.child_by_field_name("body")
        if body is None or b"activity" not in self.text[node.start_byte : node.end_byte]:
            return
        for child in body.named_children:
            if child.type == "decorated_definition" and self.is_activity(child):
                yield "activity"

    def is_activity(self, node: Node) -> bool:
        decorators = (child for child in node.named_children if child.type == "decorator")
        return any(roles.of_decorator(self.canonical(self.decorator(child).callee)) == "activity" for child in decorators)

    def lambda_(self, node: Node, at: _At) -> None:
        position = self.draft("function", "<lambda>", at, node.start_byte, node)
        parameters = node.child_by_field_name("parameters")
        self.parameters(self.drafts[position], position, parameters, at)
        body = node.child_by_field_name("body")
        if body is not None:
            self.drafts[position].body_start = body.start_byte
            self.push([body], _At(position, -1, at.indents))

    def finish_header(self, draft: _Draft, node: Node, name_node: Node | None) -> None:
        if name_node is not None:
            draft.name_span = (name_node.start_byte, name_node.end_byte)
        body = node.child_by_field_name("body")
        if body is not None:
            draft.body_start = body.start_byte

    def push_body(self, node: Node, position: int, at: _At) -> None:
        body = node.child_by_field_name("body")
        # A comment can stand between the header and the body.
        self.push_comments(node, at)
        if body is not None:
            self.push([body], _At(position, -1, at.indents))

    def parameters(self, draft: _Draft, position: int, node: Node | None, at: _At) -> None:
        if node is None:
            return
        keyword_only = False
        made: list[Parameter] = []
        for child in node.named_children:
            if child.type == "positional_separator":
                made = [Parameter(known.name, "posonly", known.annotation, known.default) for known in made]
            elif child.type == "keyword_separator":
                keyword_only = True
            elif child.type == "comment":
                self.push([child], at)
            else:
                made.append(self.parameter(child, keyword_only))
                keyword_only = keyword_only or made[-1].kind == "vararg"
                self.bind(position, made[-1].name)
                if child.type != "identifier":
                    self.push_annotation_and_default(child, at)
        draft.parameters = tuple(made)

    def parameter(self, node: Node, keyword_only: bool) -> Parameter:
        kind, annotation, default = "kwonly" if keyword_only else "plain", "", ""
        name: Node | None = node
        if node.type in {"default_parameter", "typed_default_parameter", "typed_parameter"}:
            name = node.child_by_field_name("name") or node.named_children[0]
            annotation = self.field(node, "type")
            default = self.field(node, "value")
        if name is not None and name.type in _PARAMETER_KINDS:
            kind = _PARAMETER_KINDS[name.type]
            name = name.named_children[0] if name.named_children else None
        return Parameter(self.slice(name) if name is not None else "", kind, annotation, default)  # type: ignore[arg-type]

    def push_annotation_and_default(self, node: Node, at: _At) -> None:
        inside = (node.child_by_field_name("type"), node.child_by_field_name("value"))
        self.push([child for child in inside if child is not None], at)

    def field(self, node: Node, name: str) -> str:
        child = node.child_by_field_name(name)
        return self.slice(child) if child is not None else ""

    # -- statements and expressions ---------------------------------------------------------------------------------------

    def block(self, node: Node, at: _At) -> None:
        self.push(node.named_children, _At(at.scope, at.block, at.indents + 1))

    def with_(self, node: Node, at: _At) -> None:
        clause = next((child for child in node.named_children if child.type == "with_clause"), None)
        body = node.child_by_field_name("body")
        if clause is None or body is None:
            return self.descend(node, at)
        items = tuple(self.with_item(item) for item in clause.named_children if item.type == "with_item")
        position = len(self.blocks)
        self.blocks.append(Block(items, node.children[0].type == "async", at.scope, at.block, node.start_byte, node.end_byte))
        self.push([body], _At(at.scope, position, at.indents))
        self.push(clause.named_children, at)
        self.enter(clause, at)
        # A comment behind the colon hangs on the statement itself.
        self.push_comments(node, at)
        return None

    def with_item(self, node: Node) -> tuple[str, str]:
        value = node.child_by_field_name("value")
        if value is not None and value.type == "as_pattern" and value.named_children:
            value = value.named_children[0]
        return (self.dotted(value).removesuffix("()"), self.slice(value)) if value is not None else ("?", "")

    def enter(self, node: Node, at: _At) -> None:
        """Keep what `with value as name` binds."""
        for item in node.named_children:
            bound = item.child_by_field_name("value")
            target = bound.child_by_field_name("alias") if bound is not None and bound.type == "as_pattern" else None
            if bound is not None and target is not None and target.named_children[0].type == "identifier":
                self.keep_local(target.named_children[0], bound.named_children[0], "", at)

    def call(self, node: Node, at: _At) -> None:
        function = node.child_by_field_name("function")
        callee = self.dotted(function)
        self.give_role(at.scope, self.call_role(callee))
        name = self.canonical(callee).rpartition(".")[2] if "." not in callee else callee.rpartition(".")[2]
        kept = tuple(self.arguments(node)) if roles.keeps_arguments(callee) or roles.keeps_arguments(name) else ()
        if name in {"partial", "async_to_sync"} and kept:
            # `partial(task.delay, ...)`: what is called later is a dispatch.
            self.give_role(at.scope, roles.of_call(kept[0].text))
        self.calls.append(Call(callee, node.start_byte, node.end_byte, at.scope, at.block, at.awaited, kept))
        self.descend(node, _At(at.scope, at.block, at.indents) if at.awaited else at)

    def call_role(self, callee: str) -> str | None:
        """The role that a call gives; what has another name here, or is too common a word, is known by its import."""
        role = roles.of_call(callee)
        if role is not None or "." in callee or callee not in self.modules:
            return role
        canonical = self.canonical(callee)
        return roles.of_call(canonical) if canonical.startswith(("celery.", "django.", "temporalio.")) else None

    def string(self, node: Node, at: _At) -> None:
        if self.text[node.start_byte] not in _QUOTES:
            self.descend(node, at)

    def await_(self, node: Node, at: _At) -> None:
        self.push(node.named_children, _At(at.scope, at.block, at.indents, awaited=True))

    def arguments(self, call: Node) -> Iterator[Argument]:
        node = call.child_by_field_name("arguments")
        if node is None:
            return
        if node.type == "generator_expression":
            yield Argument("", self.slice(node)[:VALUE_LIMIT], node.start_byte, node.end_byte)
            return
        yield from self.arguments_of(node)

    def arguments_of(self, node: Node) -> Iterator[Argument]:
        for child in node.named_children:
            if child.type == "comment":
                continue
            keyword, value = self.argument_parts(child)
            yield Argument(keyword, self.slice(value)[:VALUE_LIMIT], child.start_byte, child.end_byte)

    def argument_parts(self, node: Node) -> tuple[str, Node]:
        if node.type == "keyword_argument":
            value = node.child_by_field_name("value")
            return self.field(node, "name"), value if value is not None else node
        if node.type in {"list_splat", "dictionary_splat"} and node.named_children:
            return "*" if node.type == "list_splat" else "**", node.named_children[0]
        return "", node

    def expression_statement(self, node: Node, at: _At) -> None:
        if at.scope == MODULE and self.matters(node):
            position = self.draft("statement", "", at, node.start_byte, node)
            draft = self.statement = self.drafts[position]
            draft.roles.update(role for role in self.statement_roles(node) if role is not None)
            draft.qualname = ""
        self.descend(node, at)

    def matters(self, node: Node) -> bool:
        return any(role is not None for role in self.statement_roles(node))

    def statement_roles(self, node: Node) -> Iterator[str | None]:
        """The roles of a module-level statement: from what it assigns and from every call in it."""
        waiting = list(node.named_children)
        while waiting:
            child = waiting.pop()
            if child.type in {"assignment", "augmented_assignment"}:
                yield self.target_role(child.child_by_field_name("left"))
            elif child.type == "call":
                yield self.call_role(self.dotted(child.child_by_field_name("function")))
            if child.type not in _LEAVES and child.type not in {"lambda", "string"}:
                waiting.extend(child.named_children)

    def target_role(self, left: Node | None) -> str | None:
        """The role that an assignment gives: a name, an attribute, or a key of one (`app.config["CELERY"]`)."""
        if left is not None and left.type == "subscript" and (target := self.setting_target(left)):
            return roles.of_target(target)
        return roles.of_target(self.dotted(left))

    def assignment(self, node: Node, at: _At) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        kind = left.type if left is not None else ""
        named = self.dotted(left) if kind in {"identifier", "attribute"} else ""
        self.bind_pattern(at.scope, left)
        if at.scope != MODULE:
            self.give_role(at.scope, roles.of_target(named) if named else self.target_role(left))
        if left is None:
            return self.descend(node, at)
        if named and self.keeps(kind, at):
            self.keep_assignment(node, named, right, at)
        elif named:
            self.keep_local(left, right, self.field(node, "type"), at)
        elif kind == "subscript" and (target := self.setting_target(left)):
            self.keep_assignment(node, target, right, at)
        return self.descend(node, at)

    def keep_local(self, name: Node, value: Node | None, annotation: str, at: _At) -> None:
        """Keep what a local name of a function is bound to, where that may be an object of a known class."""
        if at.scope == MODULE or not (annotation or (value is not None and value.type in _OBJECTS)):
            return
        text = self.slice(value) if value is not None else ""
        if value is not None and len(text) > LOCAL_LIMIT:
            text = self.dotted(value)
        self.locals.append(Assignment(self.slice(name), annotation, text, False, at.scope, name.start_byte, name.end_byte))

    def keeps(self, kind: str, at: _At) -> bool:
        return kind == "attribute" or at.scope == MODULE or self.drafts[at.scope].kind == "class"

    def setting_target(self, left: Node) -> str:
        """`app.conf.name` for `app.conf["name"]`; empty for what is subscripted otherwise."""
        holder = self.dotted(left.child_by_field_name("value"))
        key = self.slice(left.named_children[-1]).strip("\"'")
        return f"{holder}.{key}" if holder.endswith((".conf", ".config")) and key.isidentifier() else ""

    def keep_assignment(self, node: Node, target: str, right: Node | None, at: _At) -> None:
        while right is not None and right.type == "assignment":  # In `a = b = 1` the value of both is 1.
            right = right.child_by_field_name("right")
        value = self.text[right.start_byte : right.end_byte] if right is not None else b""
        self.assignments.append(
            Assignment(
                target,
                self.field(node, "type"),
                value[:VALUE_LIMIT].decode("utf-8", "replace"),
                len(value) > VALUE_LIMIT,
                at.scope,
                node.start_byte,
                node.end_byte,
            )
        )
        if target == "__all__" and right is not None and at.scope == MODULE:
            self.exported = self.strings(right)

    def strings(self, node: Node) -> tuple[str, ...] | None:
        """The strings of a list or of a sum of lists; `None` where it holds anything else."""
        found: list[str] = []
        for child in node.named_children:
            if child.type == "string":
                found.append(self.slice(child).strip("\"'"))
            elif child.type != "comment":
                inner = self.strings(child) if node.type == "binary_operator" else None
                if inner is None:
                    return None
                found += inner
        return tuple(found) if node.type in _SEQUENCES else None

    def augmented_assignment(self, node: Node, at: _At) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        self.bind_pattern(at.scope, left)
        if self.exported is not None and right is not None and self.dotted(left) == "__all__":
            added = self.strings(right)
            self.exported = None if added is None else self.exported + added
        self.descend(node, at)

    def global_(self, node: Node, at: _At) -> None:
        """Names that a function shares with the module, or with the function round it, are not its own."""
        names = {self.slice(name) for name in node.named_children if name.type == "identifier"}
        if at.scope == MODULE:
            return
        self.elsewhere[at.scope].update(names)
        if node.type == "global_statement":
            self.bindings[MODULE].update(names)

    def type_alias(self, node: Node, at: _At) -> None:
        self.bind_first(at.scope, node.child_by_field_name("left"))
        self.descend(node, at)

    def type_parameters(self, scope: int, node: Node) -> None:
        parameters = node.child_by_field_name("type_parameters")
        for child in parameters.named_children if parameters is not None else ():
            self.bind_first(scope, child)

    def bind_first(self, scope: int, node: Node | None) -> None:
        """Bind the first name in a type: `T` of `T: int = str` and of `*T`."""
        while node is not None and node.type != "identifier":
            node = node.named_children[0] if node.named_children else None
        if node is not None:
            self.bind(scope, self.slice(node))

    def capture(self, node: Node, at: _At) -> None:
        """A bare name in a pattern of `match` is bound; a dotted one is compared."""
        last = node.named_children[-1] if node.named_children else None
        if last is not None and last.type == "dotted_name" and len(last.named_children) == 1 and self.slice(last) != "_":
            self.bind(at.scope, self.slice(last))
        self.descend(node, at)

    def splat(self, node: Node, at: _At) -> None:
        for name in node.named_children:
            self.bind_pattern(at.scope, name)

    def named_expression(self, node: Node, at: _At) -> None:
        self.bind_pattern(at.scope, node.child_by_field_name("name"))
        self.descend(node, at)

    def for_(self, node: Node, at: _At) -> None:
        self.bind_pattern(at.scope, node.child_by_field_name("left"))
        self.descend(node, at)

    def as_pattern(self, node: Node, at: _At) -> None:
        alias = node.child_by_field_name("alias")
        # In a pattern of `match` the name is the last child, without a field.
        self.bind_pattern(at.scope, alias if alias is not None else node.named_children[-1])
        self.descend(node, at)

    def comment(self, node: Node, at: _At) -> None:  # noqa: ARG002
        text = self.text[node.start_byte : node.end_byte].lower()
        if any([word in text for word in _DIRECTIVES]):  # noqa: C419 -- three times as fast, for so few
            self.comments.append((node.start_byte, node.end_byte))


@lru_cache(maxsize=1)
def _handlers() -> dict[int, _Handler | None]:
    """What is done with a node, by the number of its kind; `None` for a leaf, and any other kind is only descended into."""
    return {number: _HANDLERS.get(name) for name in (*_HANDLERS, *_LEAVES) for number in kinds().get(name, ())}


_Handler = Callable[[_Builder, "Node", _At], None]
_HANDLERS: dict[str, _Handler] = {
    "import_statement": _Builder.import_statement,
    "import_from_statement": _Builder.import_from,
    "decorated_definition": _Builder.decorated,
    "function_definition": _Builder.function,
    "class_definition": _Builder.class_,
    "lambda": _Builder.lambda_,
    "with_statement": _Builder.with_,
    "call": _Builder.call,
    "string": _Builder.string,
    "await": _Builder.await_,
    "expression_statement": _Builder.expression_statement,
    "assignment": _Builder.assignment,
    "named_expression": _Builder.named_expression,
    "for_statement": _Builder.for_,
    "as_pattern": _Builder.as_pattern,
    "global_statement": _Builder.global_,
    "nonlocal_statement": _Builder.global_,
    "augmented_assignment": _Builder.augmented_assignment,
    "type_alias_statement": _Builder.type_alias,
    "case_pattern": _Builder.capture,
    "keyword_pattern": _Builder.capture,
    "splat_pattern": _Builder.splat,
    "block": _Builder.block,
    "comment": _Builder.comment,
}
