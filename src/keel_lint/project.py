"""Modules by dotted name, loaded when asked for; names resolved through imports and re-exports.

A *source root* is any directory from which an absolute import resolves, so none needs to be configured: a module is found by
the end of its path, and of several the nearest to the importing file is taken.

Everything an answer was read from is recorded (`Project.recording`), so that a cached verdict knows when it is stale.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from keel_lint.discovery import import_lines, is_test_code
from keel_lint.finding import Hop
from keel_lint.index.facts import MODULE, Definition, Import, ModuleFacts
from keel_lint.index.tables import Names
from keel_lint.reading import read_file
from keel_lint.record import Record
from keel_lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


T = TypeVar("T")
State = Literal["internal", "external", "unbound", "local", "unknown"]
Read = tuple[str, ...]

ENGINES = frozenset({"celery", "django", "django_celery_beat", "kombu", "sqlalchemy", "temporalio"})
EXTERNAL = frozenset(sys.stdlib_module_names) | ENGINES
"""Top-level modules that are never taken for a file of the project, whatever its files are called."""

CONVENTIONS = {
    "activity": "temporalio.activity",
    "atomic": "django.db.transaction.atomic",
    "datetime": "datetime.datetime",
    "on_commit": "django.db.transaction.on_commit",
    "shared_task": "celery.shared_task",
    "timedelta": "datetime.timedelta",
    "transaction": "django.db.transaction",
    "workflow": "temporalio.workflow",
}
"""What a name means that is bound nowhere: code in a document or a half-typed file. Code that runs has none."""

_BUILTINS = frozenset(dir(builtins))
_MAX_HOPS = 24


class Symbol(Record, frozen=True):
    """What a name stands for.

    `name` is canonical and dotted. An internal symbol has the `path` of its module and the position of its definition or
    assignment there (-1: the module itself, or neither). `state` says how far it could be followed.
    """

    name: str
    state: State
    path: str = ""
    definition: int = -1
    assignment: int = -1


class _Recording:
    """What is read inside a `with` block. A generator would take twice as long, and a run has many thousands of these."""

    __slots__ = ("_inner", "_stack", "reads")

    def __init__(self, stack: list[set[Read]], *, inner: bool) -> None:
        self._stack = stack
        self._inner = inner
        self.reads: set[Read] = set()

    def __enter__(self) -> set[Read]:
        self._stack.append(self.reads)
        return self.reads

    def __exit__(self, *_: object) -> None:
        self._stack.pop()
        if self._stack and not self._inner:
            self._stack[-1] |= self.reads


class FileStore(Protocol):
    """Where the project's files come from; paths are relative to its root, with forward slashes."""

    def raw(self, path: str) -> bytes:
        """The content of a file; raises `OSError`."""

    def hash(self, path: str) -> bytes:
        """A digest of the content."""

    def naming(self, name: str, paths: Sequence[str]) -> tuple[str, ...]:
        """Those of the files in which an identifier stands, sorted; `paths` are the same at every call."""


class FactsStore(Protocol):
    """Where facts are kept between runs."""

    def load(self, path: str, digest: bytes) -> ModuleFacts | None:
        """The facts of a file with this content, where they are known."""

    def save(self, path: str, digest: bytes, facts: ModuleFacts) -> None:
        """Keep facts for the next run."""


class Project:
    """The files of one project, read and indexed when asked for."""

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        files: FileStore,
        store: FactsStore | None = None,
        roots: Sequence[str] = (),
        *,
        is_asked_again: bool = True,
    ) -> None:
        """With `is_asked_again` false nobody asks what an answer was read from: of that, only calls that are left unresolved
        are recorded.
        """
        self.root = root
        self.paths = frozenset(paths)
        self._files = files
        self._store = store
        self._roots = frozenset(roots)
        self._is_asked_again = is_asked_again
        self._facts: dict[str, ModuleFacts] = {}
        self._sources: dict[str, Source] = {}
        self._texts: dict[str, str] = {}
        self._held: dict[tuple[str, str, frozenset[bytes]], bool] = {}
        self._modules: dict[tuple[str, str], str | None] = {}
        self._memo: dict[tuple[object, ...], tuple[object, frozenset[Read]]] = {}
        self._reads: list[set[Read]] = []
        self._computing: set[tuple[object, ...]] = set()
        self._derived: dict[str, Callable[[], bytes]] = {}
        self._unresolved: dict[tuple[str, int], Read] = {}

    # -- what an answer was read from -------------------------------------------------------------------------------------

    def recording(self, *, inner: bool = False) -> _Recording:
        """Collect all that is read inside the block; what an `inner` block reads does not count for the one round it."""
        return _Recording(self._reads, inner=inner)

    def derive(self, name: str, digest: Callable[[], bytes]) -> None:
        """Name an answer that is drawn from many files, so that its value counts as what was read, and not the files."""
        self._derived[name] = digest

    def note(self, *read: str) -> None:
        """Record that something was read; `answer` must know how to read it again."""
        if self._reads and (self._is_asked_again or read[0] == "unresolved"):
            self._reads[-1].add(read)

    def leave_unresolved(self, path: str, offset: int) -> None:
        """Record that it could not be told what the call at `offset` of a file leads to: such calls are counted and listed."""
        self.note("file", path)
        read = self._unresolved.get((path, offset))
        if read is None:
            callee = next((call.callee for call in self.facts(path).calls if call.start == offset), "")
            span = self.source(path).span(offset, offset)
            read = self._unresolved[path, offset] = ("unresolved", path, str(span.row), str(span.column), callee)
        self.note(*read)

    def memo(self, key: tuple[object, ...], compute: Callable[[], T], recursive: T) -> T:
        """`compute()`, once a run, with all that it reads; `recursive` is the answer where it asks for itself."""
        known = self._memo.get(key)
        if known is None:
            if key in self._computing:
                return recursive
            self._computing.add(key)
            try:
                with self.recording() as reads:
                    value = compute()
            finally:
                self._computing.discard(key)
            self._memo[key] = (value, frozenset(reads))
            return value
        if self._reads:
            self._reads[-1] |= known[1]
        return known[0]  # type: ignore[return-value]

    def answer(self, read: Read) -> bytes:
        """What reading `read` gives now, as bytes to compare."""
        kind, *rest = read
        if kind == "file":
            return self._hash(rest[0])
        if kind == "module":
            return (self._find_module(rest[0], rest[1]) or "").encode("utf-8", "surrogateescape")
        if kind == "name":
            return self.module_name(rest[0]).encode("utf-8", "surrogateescape")
        if kind == "naming":
            return "\0".join(self.naming(rest[0])).encode("utf-8", "surrogateescape")
        if kind == "text":
            return self.text(rest[0]).encode("utf-8", "surrogateescape")
        return self._derived[rest[0]]() if kind == "derived" else b""

    def _hash(self, path: str) -> bytes:
        try:
            return self._files.hash(path) if path in self.paths else b""
        except OSError:
            return b""

    # -- files ------------------------------------------------------------------------------------------------------------

    def source(self, path: str) -> Source:
        """The source of a file; raises `SourceError` where it cannot be decoded, `OSError` where it cannot be read."""
        self.note("file", path)
        source = self._sources.get(path)
        if source is None:
            source = self._sources[path] = Source.from_bytes(self.root / path, self._files.raw(path))
        return source

    def text(self, path: str) -> str:
        """The content of a file that is not Python, such as a lock file; empty where there is none."""
        self.note("text", path)
        if path not in self._texts:
            try:
                self._texts[path] = read_file(f"{self.root}/{path}").decode("utf-8", "replace")
            except OSError:
                self._texts[path] = ""
        return self._texts[path]

    def facts(self, path: str) -> ModuleFacts:
        """The facts of a file; raises as `source` does."""
        self.note("file", path)
        facts = self._facts.get(path)
        if facts is None:
            facts = self._facts[path] = self._load_facts(path)
        return facts

    def _load_facts(self, path: str) -> ModuleFacts:
        known = self._store.load(path, self._files.hash(path)) if self._store is not None else None
        if known is not None:
            return known
        from keel_lint.index.build import index

        facts = index(self.source(path).text)
        if self._store is not None:
            self._store.save(path, self._files.hash(path), facts)
        return facts

    def raw(self, path: str) -> bytes:
        """The bytes of a file; none where it cannot be read."""
        self.note("file", path)
        try:
            return self._files.raw(path)
        except OSError:
            return b""

    def mentions(self, path: str, words: frozenset[bytes]) -> bool:
        """Whether one of the words stands anywhere in a file: cheap, where indexing it may not be worth the time."""
        return self._holds("file", path, words)

    def imports(self, path: str, words: frozenset[bytes]) -> bool:
        """The same, for an import of the file."""
        return self._holds("imports", path, words)

    def _holds(self, where: Literal["file", "imports"], path: str, words: frozenset[bytes]) -> bool:
        self.note("file", path)
        key = (where, path, words)
        if key not in self._held:
            text = self.raw(path) if where == "file" else self.import_lines(path)
            self._held[key] = any(word in text for word in words)
        return self._held[key]

    def import_lines(self, path: str) -> bytes:
        """The lines of a file in which something is imported, and some in which nothing is."""
        return self.memo(("imports", path), lambda: b"\n".join(import_lines(self.raw(path))), b"")

    @cached_property
    def production(self) -> tuple[str, ...]:
        """The files of the project, test code aside."""
        return tuple(sorted(path for path in self.paths if not is_test_code(path)))

    def naming(self, name: str) -> tuple[str, ...]:
        """The files in which an identifier stands, in code or not, test code aside."""
        self.note("naming", name)
        return self._files.naming(name, self.production)

    def learn(self, path: str, facts: ModuleFacts) -> None:
        """Take facts that another process has made."""
        self._facts[path] = facts
        if self._store is not None:
            self._store.save(path, self._files.hash(path), facts)

    def try_facts(self, path: str) -> ModuleFacts | None:
        """The facts of a file, or `None` where it cannot be read: said where it is checked, not where it is asked about."""
        from keel_lint.source import SourceError

        try:
            return self.facts(path)
        except (OSError, SourceError):
            return None

    def absolute(self, path: str) -> str:
        """The absolute path of a project file."""
        return str(self.root / path)

    def hop(self, path: str, start: int, end: int, what: str) -> Hop:
        """A step of a path, at some bytes of a file."""
        return Hop(self.absolute(path), self.source(path).span(start, end), what)

    # -- modules ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        stems: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.paths):
            folder, _, name = path.rpartition("/")
            stem = name.rpartition(".")[0]
            stems[folder.rpartition("/")[2] if stem == "__init__" else stem].append(path)
        return stems

    def module(self, dotted: str, importer: str) -> str | None:
        """The file of the module that `importer` imports under an absolute or relative name; `None` for one of others."""
        folder = importer.rpartition("/")[0]
        self.note("module", dotted, folder)
        key = (dotted, folder)
        if key not in self._modules:
            self._modules[key] = self._find_module(dotted, folder)
        return self._modules[key]

    def _find_module(self, dotted: str, folder: str) -> str | None:
        if dotted.startswith("."):
            return self._relative(dotted, folder)
        parts = dotted.split(".")
        if parts[0] in EXTERNAL:
            return None
        tail = "/".join(parts)
        found = [
            (root, path)
            for path in self._by_stem.get(parts[-1], ())
            if (root := _root_of(path, tail)) is not None and self._may_be_root(root, folder)
        ]
        return min(found, key=lambda candidate: (_distance(candidate[0], folder), _rank(candidate[1])))[1] if found else None

    def _relative(self, dotted: str, folder: str) -> str | None:
        level = len(dotted) - len(dotted.lstrip("."))
        parts = folder.split("/") if folder else []
        if level - 1 > len(parts):
            return None
        base = parts[: len(parts) - (level - 1)]
        names = [*base, *filter(None, dotted[level:].split("."))]
        return self._file_of("/".join(names))

    def _file_of(self, stem: str) -> str | None:
        inside = f"{stem}/" if stem else ""
        candidates = (f"{inside}__init__.py", f"{stem}.py", f"{inside}__init__.pyi", f"{stem}.pyi")
        return next((path for path in candidates if path in self.paths), None)

    def _may_be_root(self, root: str, folder: str) -> bool:
        """A package is no source root, except for the scripts that lie in it; Django's `manage.py` makes one for all."""
        if not root or root in self._roots or f"{root}/__init__.py" not in self.paths or f"{root}/manage.py" in self.paths:
            return True
        return root == folder and f"{root}/__main__.py" in self.paths

    def module_name(self, path: str) -> str:
        """The dotted name under which a file is imported: from the outermost package round it."""
        self.note("name", path)
        stem = path.rpartition(".")[0].removesuffix("/__init__")
        parts = stem.split("/")
        first = len(parts) - 1
        while first > 0 and "/".join(parts[:first]) + "/__init__.py" in self.paths:
            first -= 1
        return ".".join(parts[first:])

    # -- names ------------------------------------------------------------------------------------------------------------

    def resolve(self, path: str, dotted: str, scope: int = MODULE) -> Symbol:
        """What a dotted name means at a scope of a file, followed through imports, re-exports, aliases and inheritance."""
        key = ("resolve", path, dotted, scope)
        return self.memo(key, lambda: self._resolve(path, dotted, scope, 0), Symbol(dotted, "unknown"))

    def _resolve(self, path: str, dotted: str, scope: int, hops: int) -> Symbol:
        head, *rest = dotted.split(".")
        facts = self.try_facts(path)
        if facts is None or hops > _MAX_HOPS or not head.isidentifier():
            return Symbol(dotted, "unknown")
        names = Names.of(facts)
        while scope != MODULE:
            definition = facts.definitions[scope]
            if definition.kind != "class":
                local = self._in_scope(path, names, scope, head, rest, hops)
                if local is not None:
                    return local
            scope = definition.parent
        return self._at_module(path, names, head, rest, hops) or self._unbound(head, rest)

    def _in_scope(self, path: str, names: Names, scope: int, head: str, rest: list[str], hops: int) -> Symbol | None:
        imported = names.imports.get((scope, head))
        if imported:
            return self._follow(path, imported[-1], rest, hops)
        nested = names.definitions.get((scope, head))
        if nested:
            return self._inside(path, nested[-1], rest, hops)
        if head in names.bindings.get(scope, ()):
            return Symbol(".".join([head, *rest]), "local")
        return None

    def _at_module(self, path: str, names: Names, head: str, rest: list[str], hops: int) -> Symbol | None:
        found = names.definitions.get((MODULE, head))
        if found:
            return self._inside(path, found[-1], rest, hops)
        imported = names.imports.get((MODULE, head))
        if imported:
            followed = [self._follow(path, record, rest, hops) for record in imported]
            return next((symbol for symbol in followed if symbol.state == "internal"), followed[0])
        assigned = names.assignments.get(head)
        if assigned is not None:
            return self._assigned(path, assigned, head, rest, hops)
        if head in names.bindings.get(MODULE, ()):
            return Symbol(".".join([self.module_name(path), head, *rest]), "unknown", path)
        return self._starred(path, names, head, rest, hops)

    def _starred(self, path: str, names: Names, head: str, rest: list[str], hops: int) -> Symbol | None:
        outside = None
        for record in names.stars:
            target = self.module(record.module, path)
            if target is None:
                outside = Symbol(".".join([record.module, head, *rest]), "unknown")
                continue
            facts = self.try_facts(target)
            if facts is None or hops > _MAX_HOPS or not _exports(facts, head):
                continue
            found = self._at_module(target, Names.of(facts), head, rest, hops + 1)
            if found is not None:
                return found
        return outside if head not in _BUILTINS else None

    def _unbound(self, head: str, rest: list[str]) -> Symbol:
        if head in _BUILTINS:
            return Symbol(".".join(["builtins", head, *rest]), "external")
        return Symbol(".".join([CONVENTIONS.get(head, head), *rest]), "unbound")

    def _assigned(self, path: str, position: int, head: str, rest: list[str], hops: int) -> Symbol:
        facts = self.facts(path)
        value = facts.assignments[position].value
        if _is_dotted(value) and value.partition(".")[0] != head:
            return self._resolve(path, ".".join([value, *rest]), MODULE, hops + 1)
        name = ".".join([self.module_name(path), head, *rest])
        return Symbol(name, "internal" if not rest else "unknown", path, -1, position)

    def _inside(self, path: str, position: int, rest: list[str], hops: int) -> Symbol:
        """A definition, or an attribute of it: a method is looked for in the class and in its bases."""
        facts = self.facts(path)
        definition = facts.definitions[position]
        name = f"{self.module_name(path)}.{definition.qualname}"
        if not rest:
            return Symbol(name, "internal", path, position)
        if definition.kind == "class":
            found = self._attribute(path, position, rest, hops)
            if found is not None:
                return found
        return Symbol(".".join([name, *rest]), "unknown", path, position)

    def _attribute(self, path: str, position: int, rest: list[str], hops: int) -> Symbol | None:
        for owner_path, owner in self._mro(path, position, hops):
            names = Names.of(self.facts(owner_path))
            found = names.definitions.get((owner, rest[0]))
            if found:
                return self._inside(owner_path, found[-1], rest[1:], hops + 1)
        return None

    def method(self, path: str, position: int, name: str) -> tuple[str, int] | None:
        """The definition of a method in a class or the nearest of its bases in the project."""
        return next(self.methods(path, position, name), None)

    def methods(self, path: str, position: int, name: str) -> Iterator[tuple[str, int]]:
        """The definitions of a method in a class and its bases in the project, in the order in which Python looks."""
        for owner_path, owner in self.mro(path, position):
            found = Names.of(self.facts(owner_path)).definitions.get((owner, name))
            if found:
                yield owner_path, found[-1]

    def subclasses(self, path: str, position: int) -> frozenset[tuple[str, int]]:
        """The classes of the project, test code aside, that inherit from a class at any depth."""
        key = ("subclasses", path, position)
        return self.memo(key, lambda: frozenset(self._subclasses(path, position)), frozenset())

    def _subclasses(self, path: str, position: int) -> Iterator[tuple[str, int]]:
        name = self.facts(path).definitions[position].name
        inherits = re.compile(rf"\bclass[ \t]+\w+[^:]*\b{name}\b|\b{name}[ \t]+as\b".encode())
        for candidate in self.naming(name):
            # Searching the text is cheaper than indexing it.
            facts = self.try_facts(candidate) if inherits.search(self.raw(candidate)) else None
            for at, definition in enumerate(facts.definitions if facts is not None else ()):
                if definition.bases and (path, position) in self.bases(candidate, at):
                    yield candidate, at
                    yield from self.subclasses(candidate, at)

    def bases(self, path: str, position: int) -> tuple[tuple[str, int], ...]:
        """The direct base classes of a class that the project defines."""
        definition = self.facts(path).definitions[position]
        named = (base.text.partition("[")[0] for base in definition.bases if not base.keyword)
        symbols = (self.resolve(path, name, definition.parent) for name in named)
        return tuple((s.path, s.definition) for s in symbols if s.state == "internal" and s.definition >= 0)

    def mro(self, path: str, position: int) -> list[tuple[str, int]]:
        """The classes of the project that a class inherits from, itself first, as (path, position); depth first."""
        return self.memo(("mro", path, position), lambda: list(self._mro(path, position, 0)), [(path, position)])

    def _mro(self, path: str, position: int, hops: int) -> Iterator[tuple[str, int]]:
        seen: set[tuple[str, int]] = set()
        waiting = [(path, position)]
        while waiting and len(seen) < _MAX_HOPS:
            here = waiting.pop(0)
            if here in seen:
                continue
            seen.add(here)
            yield here
            definition = self.facts(here[0]).definitions[here[1]]
            for base in definition.bases:
                if base.keyword:
                    continue
                symbol = self._resolve(here[0], base.text.partition("[")[0], definition.parent, hops + 1)
                if symbol.definition >= 0 and symbol.state == "internal":
                    waiting.append((symbol.path, symbol.definition))

    def base_names(self, path: str, position: int) -> list[str]:
        """The canonical names of all base classes, direct and inherited, of a class."""
        found = []
        for owner_path, owner in self.mro(path, position):
            definition = self.facts(owner_path).definitions[owner]
            bases = (base for base in definition.bases if not base.keyword)
            found += [self.resolve(owner_path, base.text.partition("[")[0], definition.parent).name for base in bases]
        return found

    def bases_round(self, path: str, definition: Definition) -> list[str]:
        """The names of all base classes of the class of a method; none for a function."""
        owner = definition.parent
        is_method = owner != MODULE and self.facts(path).definitions[owner].kind == "class"
        return self.base_names(path, owner) if is_method else []

    def _follow(self, path: str, record: Import, rest: list[str], hops: int) -> Symbol:
        attributes = [record.attribute, *rest] if record.attribute else rest
        top = record.module.partition(".")[0]
        if top in EXTERNAL:
            return Symbol(".".join([record.module, *attributes]), "external")
        return self._member(path, record.module, attributes, hops)

    def _member(self, importer: str, module: str, attributes: list[str], hops: int) -> Symbol:
        """An attribute of a module, longest module name first, so that `import a.b` and namespace packages work."""
        for split in range(len(attributes), -1, -1):
            dotted = _join(module, attributes[:split])
            target = self.module(dotted, importer)
            if target is None or (target == importer and split):
                continue
            if split == len(attributes):
                if split and (found := self._reexported(importer, module, attributes, target, hops)) is not None:
                    return found
                return Symbol(self.module_name(target), "internal", target)
            facts = self.try_facts(target)
            if facts is None or hops > _MAX_HOPS:
                return Symbol(_join(module, attributes), "unknown")
            head, *rest = attributes[split:]
            found = self._at_module(target, Names.of(facts), head, rest, hops + 1)
            return found or Symbol(".".join([self.module_name(target), head, *rest]), "unknown", target)
        return Symbol(_join(module, attributes), "external" if not module.startswith(".") else "unknown")

    def _reexported(self, importer: str, module: str, attributes: list[str], target: str, hops: int) -> Symbol | None:
        """A package may bind a name that is also a submodule (`from .celery import app as celery`): the binding wins."""
        package = self.module(_join(module, attributes[:-1]), importer)
        if package is None or package in (target, importer) or hops > _MAX_HOPS:
            return None
        facts = self.try_facts(package)
        if facts is None:
            return None
        names = Names.of(facts)
        if not names.binds_other_than_module(attributes[-1]):
            return None
        return self._at_module(package, names, attributes[-1], [], hops + 1)


def _exports(facts: ModuleFacts, name: str) -> bool:
    return name in facts.exported if facts.exported is not None else not name.startswith("_")


def _join(module: str, attributes: Sequence[str]) -> str:
    if not attributes:
        return module
    return module + ".".join(attributes) if module.endswith(".") else ".".join([module, *attributes])


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split(".")) and text not in {"None", "True", "False"}


def _root_of(path: str, tail: str) -> str | None:
    """The folder from which `path` is imported as `tail`; `None` where it is another module."""
    stem = path.rpartition(".")[0].removesuffix("/__init__")
    if stem == tail:
        return ""
    return stem[: -len(tail) - 1] if stem.endswith("/" + tail) else None


def _rank(path: str) -> tuple[bool, bool]:
    """Of two files for one module a package comes before a file, and code before its stub: the order in which Python looks."""
    return (path.endswith(".pyi"), "/__init__." not in path)


def _distance(root: str, folder: str) -> tuple[int, int, str]:
    """How far a source root is from the importing folder: unshared steps first, then the shorter root."""
    ours, theirs = root.split("/") if root else [], folder.split("/") if folder else []
    shared = 0
    for mine, yours in zip(ours, theirs, strict=False):
        if mine != yours:
            break
        shared += 1
    return (len(ours) - shared, len(ours) - 2 * shared, root)
