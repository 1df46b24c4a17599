"""Rewritings of examples: other code that means the same, with the row at which each row then stands.

Each takes one file of an example and returns its new text and where its rows went, or `None` where there is nothing to rewrite.
"""

from __future__ import annotations

import ast
import builtins
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

MARKER = re.compile(r"#[ \t]*((?:[A-Z]{3}\d{3})(?:[ \t]+[A-Z]{3}\d{3})*)[ \t]*$", re.MULTILINE)
WRAPPED_DECORATORS = ("atomic",)

Rows = Callable[[int], int]
Rewritten = tuple[str, Rows] | None


@dataclass(frozen=True)
class File:
    """One file of an example; `others` are the texts of the rest of it, `rows` those that are flagged."""

    path: str
    text: str
    others: Sequence[str]
    rows: Sequence[int]


def unmoved(row: int) -> int:
    """The rows stay where they are."""
    return row


def below(inserted: Sequence[int]) -> Rows:
    """The rows move down by one for each line that was put in before an (old) row in `inserted`."""
    ordered = sorted(inserted)
    return lambda row: row + bisect_right(ordered, row)


# -- Layout ---------------------------------------------------------------------------------------------------------------


def crlf(file: File) -> Rewritten:
    """The line endings of Windows."""
    return (file.text.replace("\n", "\r\n"), unmoved) if "\r" not in file.text else None


def bom(file: File) -> Rewritten:
    """A byte order mark."""
    return f"\ufeff{file.text}", unmoved


def tabs(file: File) -> Rewritten:
    """Tabs for indentation."""
    text = re.sub(r"^(?: {4})+", lambda found: "\t" * (len(found[0]) // 4), file.text, flags=re.MULTILINE)
    return (text, unmoved) if text != file.text else None


def beyond_the_basic_plane(file: File) -> Rewritten:
    """A line of characters that take four bytes, and two units of UTF-16."""
    line = "# 🦄" if "__future__" in file.text else '"🦄 🐍"  # 🎉'
    return f"{line}\n{file.text}", below([1])


def without_marker(file: File) -> Rewritten:
    """The code as its author writes it: a marker must not be what makes a file worth a look."""
    text = MARKER.sub("", file.text)
    return (text, unmoved) if text != file.text else None


# -- Suppressions ---------------------------------------------------------------------------------------------------------


def noqa(file: File) -> Rewritten:
    """`noqa` in place of the markers."""
    return _with_comment(file, r"# noqa: \1")


def keel_ignore(file: File) -> Rewritten:
    """A `keel:` comment in place of the markers."""
    return _with_comment(file, r"# keel: ignore \1 -- it is an example")


def _with_comment(file: File, comment: str) -> Rewritten:
    marked = {file.text.count("\n", 0, found.start()) + 1 for found in MARKER.finditer(file.text)}
    return (MARKER.sub(comment, file.text), unmoved) if marked and marked == set(file.rows) else None


# -- Imports --------------------------------------------------------------------------------------------------------------


def aliased_imports(file: File) -> Rewritten:
    """`from x import y as keel_y`, `import a.b as keel_b`."""
    code = _Code.of(file)
    if code is None:
        return None
    names: dict[str, str] = {}
    for node in code.find(cst.ImportFrom):
        names |= {name: f"keel_{name}" for name in code.plain_names(node) if code.is_bound_once(name)}
    for alias in code.imported_modules():
        module = dotted(alias.name)
        if code.is_bound_once(module.partition(".")[0]) and code.is_used_only_below(module):
            names[module] = f"keel_{module.rpartition('.')[2]}"
    names = {name: alias for name, alias in names.items() if not code.is_exported(name)}
    return code.rewritten(_Aliases(names), names)


def modules_imported(file: File) -> Rewritten:
    """`import x` and `x.y` for `from x import y`."""
    code = _Code.of(file)
    if code is None:
        return None
    names: dict[str, str] = {}
    statements: set[cst.ImportFrom] = set()
    for node in code.find(cst.ImportFrom):
        bound = code.bound_by(node)
        module = code.absolute_module(node)
        own = sum(name == module.partition(".")[0] for name in bound)
        may = module and bound and all(code.is_bound_once(name) and not code.is_exported(name) for name in bound)
        if may and code.bound[module.partition(".")[0]] == own:
            statements.add(node)
            names |= {name: f"{module}.{original}" for name, original in bound.items()}
    return code.rewritten(_ModuleImports(statements), names)


def names_imported(file: File) -> Rewritten:
    """`from x import y` and `y` for `import x` and `x.y`."""
    code = _Code.of(file)
    if code is None:
        return None
    names: dict[str, str] = {}
    wanted: dict[str, list[str]] = {}
    for alias in code.imported_modules():
        module = dotted(alias.name)
        used = sorted(code.attributes_of(module))
        taken = {*dir(builtins), *(name for name in code.bound if name != module), *names.values()}
        may = "." not in module and code.is_bound_once(module) and not code.is_exported(module)
        if may and used and taken.isdisjoint(used) and code.is_used_only_below(f"{module}."):
            wanted[module] = used
            names |= {f"{module}.{name}": name for name in used}
    return code.rewritten(_NameImports(wanted), names)


def local_imports(file: File) -> Rewritten:
    """The imports once more at the top of each function."""
    code = _Code.of(file)
    if code is None:
        return None
    copied = "; ".join(code.copies())
    places = [place for place in code.function_tops() if copied]
    lines = file.text.splitlines(keepends=True)
    for row, indentation in sorted(places, reverse=True):
        lines.insert(row - 1, f"{indentation}{copied}\n")
    return ("".join(lines), below([row for row, _ in places])) if places else None


# -- Wrapping -------------------------------------------------------------------------------------------------------------


def in_a_function(file: File) -> Rewritten:
    """Functions that nobody names, each within another function."""
    return _wrapped(file, ["def keel_wrapper():\n"])


def in_a_class(file: File) -> Rewritten:
    """Functions that nobody names as static methods."""
    return _wrapped(file, ["class KeelWrapper:\n", "    @staticmethod\n"])


def _wrapped(file: File, header: list[str]) -> Rewritten:
    code = _Code.of(file)
    stretches = list(code.wrappable()) if code is not None else []
    lines = file.text.splitlines(keepends=True)
    for first, last in reversed(stretches):
        body = [f"    {line}" if line.strip() else line for line in lines[first - 1 : last]]
        lines[first - 1 : last] = [*header, *body]
    inserted = [first for first, _ in stretches for _ in header]
    return ("".join(lines), below(inserted)) if stretches else None


# -- How names are rewritten ----------------------------------------------------------------------------------------------


def dotted(node: cst.CSTNode | None) -> str:
    """The dotted text of a name or attribute; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    inner = dotted(node.value) if isinstance(node, cst.Attribute) else ""
    return f"{inner}.{node.attr.value}" if inner and isinstance(node, cst.Attribute) else ""


class _Code:
    """A file with what it binds. A name counts where the whole file binds it once, so that each use means that one."""

    def __init__(self, file: File, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.module = cst.parse_module(file.text)
        self.bound = Counter(_bound_names(tree))
        self.nodes = list(_walk(self.module))
        self.labels = set(_labels(self.nodes))

    @classmethod
    def of(cls, file: File) -> _Code | None:
        """The code of a file; `None` where it does not parse."""
        try:
            return cls(file, ast.parse(file.text))
        except (SyntaxError, cst.ParserSyntaxError):
            return None

    def find(self, *kinds: type[cst.ImportFrom]) -> Iterator[cst.ImportFrom]:
        """The `from` imports of anything but the future."""
        return (node for node in self.nodes if isinstance(node, kinds) and dotted(node.module) != "__future__")

    def imported_modules(self) -> Iterator[cst.ImportAlias]:
        """What plain imports name, without an alias."""
        for node in self.nodes:
            if isinstance(node, cst.Import):
                yield from (alias for alias in node.names if alias.asname is None)

    def is_bound_once(self, name: str) -> bool:
        """Whether the file binds a name once, and no string spells it, as an annotation might."""
        return self.bound[name] == 1 and not re.search(rf"[\"'\[]{name}[\"'.\[]", self.file.text)

    def is_exported(self, name: str) -> bool:
        """Whether another file may take the name from here."""
        return any(re.search(rf"\bimport\b[^\n]*\b{re.escape(name)}\b|import \*", other) for other in self.file.others)

    def uses(self, head: str) -> Iterator[str]:
        """The longest dotted name of each use of a name."""
        inner = {id(node.value) for node in self.nodes if isinstance(node, cst.Attribute)}
        for node in self.nodes:
            text = dotted(node) if id(node) not in inner and id(node) not in self.labels else ""
            if text.partition(".")[0] == head:
                yield text

    def is_used_only_below(self, module: str) -> bool:
        """Whether each use of the first part of a module's name goes through the whole of it."""
        return all(f"{text}.".startswith(f"{module.rstrip('.')}.") for text in self.uses(module.partition(".")[0])) and (
            not module.endswith(".") or all(text.startswith(module) for text in self.uses(module[:-1]))
        )

    def attributes_of(self, module: str) -> set[str]:
        """The attributes that are read of a module."""
        return {text.split(".")[1] for text in self.uses(module) if "." in text}

    def bound_by(self, node: cst.ImportFrom) -> dict[str, str]:
        """What a `from` import binds, by name; nothing for a star."""
        names = node.names if not isinstance(node.names, cst.ImportStar) else ()
        return {dotted(alias.asname.name) if alias.asname else dotted(alias.name): dotted(alias.name) for alias in names}

    def plain_names(self, node: cst.ImportFrom) -> list[str]:
        """The names that a `from` import binds as they are."""
        return [name for name, original in self.bound_by(node).items() if name == original]

    def absolute_module(self, node: cst.ImportFrom) -> str:
        """The module of a `from` import; empty for a relative one."""
        return "" if node.relative else dotted(node.module)

    def copies(self) -> Iterator[str]:
        """The imports at the top of the file, on one line each."""
        for statement in self.tree.body:
            if not isinstance(statement, (ast.Import, ast.ImportFrom)) or getattr(statement, "module", "") == "__future__":
                continue
            names = [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
            if all(self.bound[name] == 1 for name in names) and "*" not in names:
                yield ast.unparse(statement)

    def function_tops(self) -> Iterator[tuple[int, str]]:
        """The row and indentation of the first statement, behind the documentation, of each function that is in no other."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                waiting += ast.iter_child_nodes(node)
                continue
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and body[0].lineno > node.lineno:
                first = min([body[0].lineno, *(one.lineno for one in getattr(body[0], "decorator_list", ()))])
                line = self.file.text.splitlines()[first - 1]
                yield first, line[: len(line) - len(line.lstrip())]

    def wrappable(self) -> Iterator[tuple[int, int]]:
        """The rows of each function at the top of the file that no code names, and no engine takes by its decorator."""
        for node in self.tree.body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            decorated = all(any(word in ast.unparse(one) for word in WRAPPED_DECORATORS) for one in node.decorator_list)
            named = sum(len(re.findall(rf"\b{node.name}\b", text)) for text in (self.file.text, *self.file.others))
            if decorated and named == 1 and node.end_lineno is not None:
                yield min([node.lineno, *(one.lineno for one in node.decorator_list)]), node.end_lineno

    def rewritten(self, imports: cst.CSTTransformer, names: Mapping[str, str]) -> Rewritten:
        """The file with its imports and names changed; rows stay where they are."""
        if not names:
            return None
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        heights = {
            id(node): span.end.line - span.start.line
            for node, span in wrapper.resolve(PositionProvider).items()
            if isinstance(node, cst.SimpleStatementLine)
        }
        changed = self.module.visit(_Names(names, self.labels)).visit(imports)
        text = _same_height(self.module, changed, heights).code
        return (text, unmoved) if text != self.file.text else None


class _Names(cst.CSTTransformer):
    """Puts one dotted name in the place of another."""

    def __init__(self, names: Mapping[str, str], labels: set[int]) -> None:
        super().__init__()
        self.names, self.labels = names, labels

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return updated_node if id(original_node) in self.labels else self._changed(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return updated_node if id(original_node) in self.labels else self._changed(original_node, updated_node)

    def _changed(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        new = self.names.get(dotted(original))
        return cst.parse_expression(new) if new is not None else updated


class _Aliases(cst.CSTTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_ImportAlias(self, original_node: cst.ImportAlias, updated_node: cst.ImportAlias) -> cst.ImportAlias:
        alias = self.names.get(dotted(original_node.name))
        if alias is None or original_node.asname is not None:
            return updated_node
        return updated_node.with_changes(asname=cst.AsName(cst.Name(alias)))


class _ModuleImports(cst.CSTTransformer):
    def __init__(self, statements: set[cst.ImportFrom]) -> None:
        super().__init__()
        self.texts = {cst.Module([]).code_for_node(node) for node in statements}

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.BaseSmallStatement:
        if cst.Module([]).code_for_node(original_node) not in self.texts or original_node.module is None:
            return updated_node
        return cst.Import([cst.ImportAlias(original_node.module)])


class _NameImports(cst.CSTTransformer):
    def __init__(self, wanted: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.wanted = wanted

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        if not any(isinstance(one, cst.Import) for one in original_node.body):
            return updated_node
        made: list[str] = []
        for one in updated_node.body:
            made += self._imports(one) if isinstance(one, cst.Import) else [cst.Module([]).code_for_node(one).rstrip("; ")]
        line = cst.parse_statement("; ".join(made))
        return updated_node.with_changes(body=cst.ensure_type(line, cst.SimpleStatementLine).body)

    def _imports(self, node: cst.Import) -> Iterator[str]:
        for alias in node.names:
            module = dotted(alias.name)
            names = self.wanted.get(module) if alias.asname is None else None
            yield f"from {module} import {', '.join(names)}" if names else f"import {_code(alias)}"


def _code(alias: cst.ImportAlias) -> str:
    return cst.Module([]).code_for_node(alias.with_changes(comma=cst.MaybeSentinel.DEFAULT))


def _same_height(before: cst.Module, after: cst.Module, heights: Mapping[int, int]) -> cst.Module:
    """The module with an empty line before each import for every line that it has become shorter."""
    old = [node for node in _walk(before) if isinstance(node, cst.SimpleStatementLine)]
    new = [node for node in _walk(after) if isinstance(node, cst.SimpleStatementLine)]
    spans = MetadataWrapper(after, unsafe_skip_copy=True).resolve(PositionProvider)
    missing: dict[int, int] = {}
    for one, other in zip(old, new, strict=True):
        missing[id(other)] = heights[id(one)] - (spans[other].end.line - spans[other].start.line)

    class Padding(cst.CSTTransformer):
        def leave_SimpleStatementLine(
            self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
        ) -> cst.SimpleStatementLine:
            blank = [cst.EmptyLine(indent=False)] * missing[id(original_node)]
            return updated_node.with_changes(leading_lines=[*updated_node.leading_lines, *blank])

    return after.visit(Padding())


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _labels(nodes: Sequence[cst.CSTNode]) -> Iterator[int]:
    """The names that are no uses: attributes, keywords, and what stands in imports."""
    for node in nodes:
        if isinstance(node, cst.Attribute):
            yield id(node.attr)
        elif isinstance(node, cst.Arg) and node.keyword is not None:
            yield id(node.keyword)
        elif isinstance(node, (cst.Import, cst.ImportFrom)):
            yield from map(id, _walk(node))


def _bound_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
