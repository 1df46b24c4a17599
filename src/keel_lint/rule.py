"""What a rule is, and which rules are installed.

A rule is one Python file in a rule pack: its module docstring is the documentation, its one `Rule` subclass the visitor.
Packs register under the entry-point group `keel_lint.rules`; the value names a package, whose files are walked. What selection
needs is read from the files as text, so that a rule is imported only when one of its definitions must be judged.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from keel_lint.finding import Applicability, Group
from keel_lint.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import libcst as cst

    from keel_lint.definition import Definition
    from keel_lint.finding import Hop
    from keel_lint.fixing import FixBuilder
    from keel_lint.glance import Glance

ENTRY_POINTS = "keel_lint.rules"
DOCUMENTATION = "https://github.com/keel-lint/keel-lint/blob/main/docs/rules/"
ON_BY_DEFAULT = frozenset({"correctness", "reliability", "performance", "internal"})
ALWAYS_ON = frozenset({"KEL000", "KEL001"})

Engine = Literal["celery", "temporal", "keel"]
Status = Literal["stable", "preview"]

_FACT = re.compile(rb"^    ([a-z_]+)(?::[^=\n]+)?[ \t]*=(?!=)[ \t]*(.+?)\r?$", re.MULTILINE)
_TITLE = re.compile(rb'\A(?:#[^\n]*\n)*"""(.+?)\.?(?:"""|\r?\n)')
_STATES_CODE = re.compile(rb"^    code\b[^\n=]*=", re.MULTILINE)
_CLASS = re.compile(rb"^class ", re.MULTILINE)
_OUTSIDE = re.compile(rb"^[^\s#)]", re.MULTILINE)
_QUOTED = r"""(?:"[^"\\]*"|'[^'\\]*')"""
_LITERAL = re.compile(rf"(True|False|None)|{_QUOTED}|(\((?:{_QUOTED}, ?)+(?:{_QUOTED})?\))")
_STRING = re.compile(r"""(["'])(.*?)\1""")
_CONSTANTS = {"True": True, "False": False, "None": None}
_STATED = frozenset({"code", "slug", "group", "engine", "versions", "fix", "status", "default", "judges", "proof"})
_CODE = re.compile(r"[A-Z]{3}\d{3}\Z")


class Rule:
    """One rule while it judges one definition; a new instance is made for each.

    Methods `visit_<Node>` and `leave_<Node>` named after LibCST nodes are called in one walk that all rules share; return
    values are ignored. `finish` is called after the walk.
    """

    code: ClassVar[str]
    slug: ClassVar[str]
    group: ClassVar[Group]
    engine: ClassVar[Engine]
    versions: ClassVar[str] = ""
    fix: ClassVar[Applicability | None] = None
    status: ClassVar[Status] = "stable"
    default: ClassVar[bool | None] = None
    judges: ClassVar[tuple[str, ...]] = ()
    proof: ClassVar[str] = "PENDING"

    def __init__(self, definition: Definition) -> None:
        self.definition = definition

    @classmethod
    def may_find(cls, glance: Glance) -> bool:  # noqa: ARG003
        """Whether the rule may find anything in a definition, by what the index knows of it; `True` costs the parsing."""
        return True

    def finish(self) -> None:
        """Called when the walk is over."""

    def report(
        self, where: cst.CSTNode | tuple[int, int], message: str, *, fix: FixBuilder | None = None, hops: tuple[Hop, ...] = ()
    ) -> None:
        """Report `message` at a node of the definition, or at a (start, end) byte range of the file."""
        self.definition.report(self, where, message, fix, hops)

    def decline(self, where: cst.CSTNode, reason: str | Callable[[], str]) -> None:
        """Say why nothing is reported at a node that the rule looked at: for `keel-lint why`, and free of cost elsewhere.

        Decline what a reader could take for a missed alarm. `reason` is a constant, or is asked for where it is worth finding
        out; an empty one is left out.
        """
        if self.definition.remarks is not None:
            said = reason if isinstance(reason, str) else reason()
            self.definition.remarks.append((self.code, self.definition.span(where), said))


class RuleInfo(msgspec.Struct, frozen=True):
    """What is known of a rule without importing it. `title` is the first line of its documentation."""

    code: str
    slug: str
    group: Group
    engine: Engine
    title: str
    fix: Applicability | None
    status: Status
    default: bool | None
    judges: tuple[str, ...]
    versions: str
    proof: str
    module: str
    file: Path
    changed: int

    @property
    def on_by_default(self) -> bool:
        """Whether the rule runs when nothing is selected."""
        if self.default is not None:
            return self.default
        return self.status == "stable" and self.group in ON_BY_DEFAULT

    @property
    def url(self) -> str | None:
        """The address of the rule's page; `None` for a rule of somebody else's pack, whose code begins otherwise."""
        return f"{DOCUMENTATION}{self.page}" if self.code.startswith("KEL") else None

    @property
    def page(self) -> str:
        """The file name of the rule's page under `docs/rules`."""
        return f"{self.code.lower()}-{self.slug}.md"

    @property
    def documentation(self) -> str:
        """The rule's documentation: the docstring of its file, Markdown."""
        import ast

        return ast.get_docstring(ast.parse(self.file.read_bytes())) or ""

    def load(self) -> type[Rule]:
        """Import the rule's file and return its visitor class. Raises whatever the import raises, or `LookupError`."""
        return _rule_in(sys.modules.get(self.module) or importlib.import_module(self.module), self.code)


@cache
def _rule_in(module: ModuleType, code: str) -> type[Rule]:
    """The rule of a module; kept, because each definition asks."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Rule) and value.__dict__.get("code") == code:
            return value
    raise LookupError(f"{module.__name__} defines no rule {code}")


class BrokenPack(msgspec.Struct, frozen=True):
    """A rule pack that could not be read, and why."""

    name: str
    reason: str


class Registry:
    """The installed rules by code, and the packs that could not be read."""

    def __init__(self, rules: dict[str, RuleInfo], broken: tuple[BrokenPack, ...] = ()) -> None:
        self.rules = rules
        self.broken = broken

    @classmethod
    def installed(cls) -> Registry:
        """Read every pack that is registered under the entry-point group `keel_lint.rules`."""
        return cls.of_packages(dict(sorted(_entry_points())))

    @classmethod
    def of_packages(cls, packages: dict[str, str]) -> Registry:
        """Read the packages given by name; a package or a rule file that cannot be read is kept as broken."""
        rules: dict[str, RuleInfo] = {}
        broken: list[BrokenPack] = []
        for name, package in packages.items():
            try:
                for info in _rules_of(package):
                    if info.code in rules:
                        raise ValueError(f"{info.file.name}: {info.code} is taken by {rules[info.code].module}")
                    rules[info.code] = info
            except (ImportError, OSError, ValueError) as error:
                broken.append(BrokenPack(name, f"{package}: {error}"))
        if not packages:
            broken.append(BrokenPack("keel_lint.rules", "no rule pack is installed"))
        return cls(dict(sorted(rules.items())), tuple(broken))

    @cached_property
    def digest(self) -> list[tuple[str, str, int]]:
        """What tells one set of installed rules from another."""
        return [(info.code, info.module, info.changed) for info in self.rules.values()]

    @cached_property
    def by_slug(self) -> dict[str, RuleInfo]:
        """The installed rules by slug."""
        return {info.slug: info for info in self.rules.values()}

    def find(self, code_or_slug: str) -> RuleInfo | None:
        """The rule with this code or slug."""
        return self.rules.get(code_or_slug.upper()) or self.by_slug.get(code_or_slug)


def _rules_of(package: str) -> Iterator[RuleInfo]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("no such package")
    for folder in spec.submodule_search_locations:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 -- as below
            if not name.endswith(".py") or name.startswith("_"):
                continue
            info = _read_info(Path(folder, name), f"{package}.{name.removesuffix('.py')}")
            if info is not None:
                yield info


def _read_info(file: Path, module: str) -> RuleInfo | None:
    """The facts that a rule file states in its class body; `None` where it has no rule. Raises `ValueError` for odd ones."""
    status = file.stat()
    raw = read_file(str(file), status.st_size)
    title = _TITLE.match(raw)
    behind = raw.find(b'"""', title.end(1)) if title is not None else 0
    stated = _stated(file, next((one for one in _class_bodies(raw, behind) if _STATES_CODE.search(one)), b""))
    if "code" not in stated:
        return None
    if title is None:
        raise ValueError(f"{file.name}: the file must begin with its documentation")
    if not _CODE.match(str(stated["code"])):
        raise ValueError(f"{file.name}: {stated['code']!r} is not three capital letters and three digits")
    if stated.get("engine") != "keel" and not stated.get("judges"):
        raise ValueError(f"{file.name}: without `judges` the rule judges nothing")
    defaults = {"fix": None, "status": "stable", "default": None, "judges": (), "versions": "", "proof": "PENDING"}
    known = {"title": title[1].decode(), "module": module, "file": file, "changed": status.st_mtime_ns}
    try:
        return RuleInfo(**{**defaults, **stated, **known})  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"{file.name}: {error}") from error


def _class_bodies(raw: bytes, behind: int) -> Iterator[bytes]:
    """What stands in the classes of a file behind an offset, each up to the next line that is not indented."""
    for start in _CLASS.finditer(raw, behind):
        end = _OUTSIDE.search(raw, raw.find(b"\n", start.end()) + 1)
        yield raw[start.end() : end.start() if end is not None else len(raw)]


def _stated(file: Path, body: bytes) -> dict[str, object]:
    """The facts in the body of a class. Raises `ValueError` for a value that cannot be read: it would count as not stated."""
    stated: dict[str, object] = {}
    for name, value in _FACT.findall(body):
        if name.decode() in _STATED:
            stated[name.decode()] = _literal(value.decode(), f"{file.name}: `{name.decode()}`")
    return stated


def _literal(text: str, what: str) -> object:
    """The value of a literal on one line: a string, a tuple of strings, `True`, `False` or `None`; `ValueError` for others."""
    found = _LITERAL.match(text)
    if found is None or text[found.end() :].lstrip(" \t")[:1] not in {"", "#"}:
        raise ValueError(f"{what} must be a plain string, a tuple of them, True, False or None, and stand on one line: {text}")
    if found[1]:
        return _CONSTANTS[found[1]]
    strings = tuple(one for _, one in _STRING.findall(found[0]))
    return strings if found[2] else strings[0]


def _entry_points() -> Iterator[tuple[str, str]]:
    """The name and value of every entry point of the group, read straight from the installed distributions' metadata.

    `importlib.metadata` gives the same, but its import alone takes a third of the time that a run with nothing to do may take.
    """
    seen: set[str] = set()
    for folder in sys.path:
        try:
            found = os.listdir(folder or ".")  # noqa: PTH208 -- names are enough, and paths cost time
        except OSError:
            continue
        for name in found:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            distribution = name.partition("-")[0].lower()
            if distribution not in seen:
                seen.add(distribution)
                yield from _entry_points_in(Path(folder, name, "entry_points.txt"))


def _entry_points_in(file: Path) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text("utf-8")
    except OSError:
        return
    if f"[{ENTRY_POINTS}]" not in text:
        return
    lines = text.partition(f"[{ENTRY_POINTS}]")[2].partition("\n[")[0].splitlines()
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            yield name.strip(), value.strip()
