"""What is configured for a file, and which rules that selects.

A configuration is a table of options, wherever it stands: in the nearest `keel-lint.toml` or `pyproject.toml`, in
`--config KEY=VALUE`, or in the options of the command line. Files are never merged with one another; the command line is laid
over whichever file is nearest.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from keel_lint.discovery import DEFAULT_EXCLUDE
from keel_lint.reading import read_file
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.rule import Registry

Determinism = Literal["deterministic", "non-deterministic"]

OWN_FILE = "keel-lint.toml"
SHARED_FILE = "pyproject.toml"
TABLE = "tool.keel-lint"
COMMAND_LINE = "the command line"
_CODE_OR_PREFIX = re.compile(r"[A-Z]{3}\d{0,3}\Z")
_LIKE_A_CODE = re.compile(r"[A-Za-z]+\d+\Z")
_WIDTH_OF_A_CODE = 6
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_GLOB_TOKEN = re.compile(r"\*\*/|\*+|\\.|\[!?\]?[^\]]*\]|.", re.DOTALL)
_OUR_TABLE = re.compile(r"^[ \t]*\[+[ \t]*tool[ \t.]+\"?keel-lint", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^[ \t]*#.*", re.MULTILINE)


class Problem(NamedTuple):
    """One thing wrong with a configuration. `line` and `column` are 1-based, 0 where they are not known."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ConfigurationError(Exception):
    """A configuration that cannot be used; `problems` holds all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Selection(NamedTuple):
    """What one layer says about rules: `select` starts anew (`None`: it does not), `extend` adds, `ignore` takes away."""

    select: tuple[str, ...] | None = None
    extend: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


class Glob(NamedTuple):
    """A file pattern and the folder it is relative to.

    It matches a file's or a folder's name, or the whole path below `folder`; `*` crosses slashes in a path, as in ruff.
    """

    pattern: str
    folder: str

    @property
    def expression(self) -> str:
        """A regular expression for absolute paths with forward slashes."""
        whole = re.escape(self.folder.rstrip("/") + "/") + _translate(self.pattern, ".")
        if self.pattern.startswith("/"):
            whole = _translate(self.pattern, ".")
        if "/" in self.pattern:
            return f"(?:{whole})"
        return rf"(?:{whole}|(?:.*/)?{_translate(self.pattern, '[^/]')})"


DEFAULT_GLOBS = tuple(Glob(name, "") for name in DEFAULT_EXCLUDE)


class Overrides(NamedTuple):
    """What the command line gives: options by their key, and the TOML of each `--config KEY=VALUE`."""

    options: Mapping[str, object] = {}
    inline: tuple[str, ...] = ()

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object], inline: Sequence[str] = ()) -> Overrides:
        """Take the options out of parsed arguments: what is no option, or was not given (`None`), is left out.

        Patterns with codes may be a list of pairs.
        """
        given = {name.replace("_", "-"): value for name, value in arguments.items() if value is not None}
        return cls({key: _table_of_pairs(value) for key, value in given.items() if key in _READERS}, tuple(inline))


class Settings(Record, frozen=True, eq=False, dict=True):
    """The configuration of a file. Compare by `digest`.

    `file` is where it was read, `None` for the defaults. `selections` and `fixables` hold one layer each for the file and for
    every layer over it. `roots` and `cache_dir` are absolute; `settings` is Django's settings module; `charge_calls` are the
    project's functions that move money.
    """

    file: Path | None = None
    selections: tuple[Selection, ...] = ()
    fixables: tuple[Selection, ...] = ()
    per_file_ignores: tuple[tuple[Glob, tuple[str, ...]], ...] = ()
    exclude: tuple[Glob, ...] = DEFAULT_GLOBS
    force_exclude: bool = False
    respect_gitignore: bool = True
    tests: bool = False
    unsafe_fixes: bool = False
    show_fixes: bool = False
    functions: Mapping[str, Determinism] = msgspec.field(default_factory=dict)
    roots: tuple[Path, ...] = ()
    settings: str | None = None
    charge_calls: tuple[str, ...] = ()
    cache_dir: Path | None = None
    output_format: str | None = None

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that differ wherever two settings could lead to different findings."""
        from hashlib import blake2b

        stated = [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in _WITHOUT_EFFECT]
        text = repr([(name, sorted(value.items()) if isinstance(value, dict) else value) for name, value in stated])
        return blake2b(text.encode(), digest_size=16).digest()

    def excludes(self, path: str | Path) -> bool:
        """Whether `exclude` names this very file or folder; the folders above it are not looked at."""
        text = str(path).replace(os.sep, "/")
        names, expression = self._excluded
        return text.rpartition("/")[2] in names or (expression is not None and expression.match(text) is not None)

    def ignored(self, path: str | Path) -> tuple[str, ...]:
        """The codes, prefixes and slugs that `per_file_ignores` takes away from a file."""
        text = str(path).replace(os.sep, "/")
        patterns = self._ignore_patterns
        return tuple(word for match, negated, words in patterns if (match(text) is None) == negated for word in words)

    @cached_property
    def _excluded(self) -> tuple[frozenset[str], re.Pattern[str] | None]:
        """Plain names apart: they are nearly all of the patterns, and every file and folder asks."""
        names = frozenset(glob.pattern for glob in self.exclude if not re.search(r"[/*?\[{\\]", glob.pattern))
        rest = [glob.expression for glob in self.exclude if glob.pattern not in names]
        return names, re.compile(rf"(?:{'|'.join(rest)})\Z", re.DOTALL) if rest else None

    @cached_property
    def _ignore_patterns(self) -> list[tuple[Callable[[str], object], bool, tuple[str, ...]]]:
        patterns: list[tuple[Callable[[str], object], bool, tuple[str, ...]]] = []
        for glob, words in self.per_file_ignores:
            negated = glob.pattern.startswith("!")
            expression = glob._replace(pattern=glob.pattern[negated:]).expression
            patterns.append((re.compile(rf"{expression}\Z", re.DOTALL).match, negated, words))
        return patterns


_WITHOUT_EFFECT = frozenset({"file", "force_exclude", "output_format", "show_fixes", "unsafe_fixes", "cache_dir"})


class SettingsFinder:
    """Finds the settings of files: the nearest configuration file's, the command line laid over it.

    With a `registry`, codes and slugs are checked along with everything else. Raises `ConfigurationError`, when it is made for
    what is wrong on the command line or in the `explicit` file, and from `for_file` and `for_project` for a file found.
    """

    def __init__(
        self,
        cli: Overrides | None = None,
        *,
        isolated: bool = False,
        explicit: Path | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._registry = registry
        self._known: dict[str, Settings] = {}
        self._fixed: Settings | None = None
        problems: list[Problem] = []
        self._over = self._read_command_line(cli or Overrides(), problems)
        if isolated and explicit is not None:
            problems.append(Problem(COMMAND_LINE, 0, 0, f"`--config {explicit}` cannot be used with `--isolated`"))
        elif explicit is not None:
            self._fixed = self._read_explicit(explicit, problems)
        elif isolated:
            self._fixed = self._settings(None, {})
        if problems:
            raise ConfigurationError(problems)

    def for_file(self, path: str | Path) -> Settings:
        """The settings of a file that need not exist."""
        folder = os.path.dirname(path)  # noqa: PTH120 - asked for every file
        return self._fixed or self._known.get(folder) or self._for_folder(os.path.abspath(folder))  # noqa: PTH100

    def for_project(self, root: str | Path) -> Settings:
        """The settings of a folder: those of the project, from which `functions`, `roots` and `settings` are taken."""
        return self._fixed or self._for_folder(os.path.abspath(root))  # noqa: PTH100

    def _for_folder(self, folder: str) -> Settings:
        found = self._known.get(folder)
        if found is None:
            found = self._known[folder] = self._search(folder)
        return found

    def _search(self, folder: str) -> Settings:
        for name in (OWN_FILE, SHARED_FILE):
            path = f"{folder}{os.sep}{name}"
            own = self._read_file(path) if os.path.exists(path) else None  # noqa: PTH110 - asked once for every folder
            if own is not None:
                return own
        parent = os.path.dirname(folder)  # noqa: PTH120
        return self._settings(None, {}) if parent == folder else self._for_folder(parent)

    def _read_file(self, path: str) -> Settings | None:
        problems: list[Problem] = []
        document = _Document.read(Path(path), problems)
        values = document.options(Path(path).parent, self._registry, problems) if document else None
        if problems:
            raise ConfigurationError(problems)
        return None if values is None else self._settings(Path(path), values)

    def _read_explicit(self, path: Path, problems: list[Problem]) -> Settings:
        """A file that was named counts for every file checked, and its patterns from the current folder, as in ruff."""
        before = len(problems)
        document = _Document.read(path, problems, named=True)
        values = document.options(Path.cwd(), self._registry, problems) if document else None
        if values is None and len(problems) == before:
            problems.append(Problem(str(path), 0, 0, f"it has no table [{TABLE}]"))
        return self._settings(path.absolute(), values or {})

    def _read_command_line(self, cli: Overrides, problems: list[Problem]) -> list[dict[str, Any]]:
        layers = []
        for text in cli.inline:
            document = _Document.parse(f"`--config {text}`", text, problems)
            layers.append(document.options(Path.cwd(), self._registry, problems) if document else None)
        flags = _Document(COMMAND_LINE, "", dict(cli.options), flags=True)
        layers.append(flags.options(Path.cwd(), self._registry, problems))
        return [layer for layer in layers if layer]

    def _settings(self, file: Path | None, values: dict[str, Any]) -> Settings:
        layers = [values, *self._over]
        stated: dict[str, Any] = {}
        for layer in layers:
            for key, value in layer.items():
                stated[key] = stated.get(key, ()) + value if key in _ADDING else value
        stated["exclude"] = stated.get("exclude", DEFAULT_GLOBS) + stated.pop("extend-exclude", ())
        ignores = stated.get("per-file-ignores", ()) + stated.pop("extend-per-file-ignores", ())
        stated["per-file-ignores"] = ignores
        return Settings(
            file=file,
            selections=_layers(layers, "select", "extend-select", "ignore"),
            fixables=_layers(layers, "fixable", "extend-fixable", "unfixable"),
            **{key.replace("-", "_"): value for key, value in stated.items() if key not in _SELECTORS},
        )


def split_config(values: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The file and the inline TOML among the values of `--config`. Raises `ConfigurationError` for two files."""
    files = [value for value in values if "=" not in value or Path(value).is_file()]
    if len(files) > 1:
        raise ConfigurationError([Problem(COMMAND_LINE, 0, 0, f"`--config` names {len(files)} files; one can be used")])
    return (Path(files[0]) if files else None), tuple(value for value in values if value not in files)


def select(registry: Registry, settings: Settings, path: str | Path) -> frozenset[str]:
    """The codes of the rules that run on a file; those that cannot be selected away are always among them."""
    from keel_lint.rule import ALWAYS_ON

    chosen = _selected(registry, settings)
    for word in settings.ignored(path):
        chosen -= matching(registry, word)
    return chosen | (ALWAYS_ON & registry.rules.keys())


def fixable(registry: Registry, settings: Settings) -> frozenset[str]:
    """The codes of the rules whose fixes may be applied."""
    return _resolve(registry, frozenset(registry.rules), settings.fixables)


def matching(registry: Registry, word: str) -> frozenset[str]:
    """The codes that `ALL`, a code, a prefix of codes, or a slug stands for; empty where it stands for none."""
    if word == "ALL":
        return frozenset(registry.rules)
    if word in registry.by_slug:
        return frozenset({registry.by_slug[word].code})
    if not _CODE_OR_PREFIX.match(word):
        return frozenset()
    return frozenset(code for code in registry.rules if code.startswith(word))


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known word most like `word`, or nothing where none is like it.

    A code is like another where two signs were swapped or one is missing or too many: else any code of as many signs is.
    """
    known = list(known)
    if _LIKE_A_CODE.match(word):
        slips = (other for other in known if _is_slip(word.upper(), other))
        # Of several, one in the same band is meant more often than one with the same last digits
        best = max(slips, key=lambda code: sum(code.startswith(word.upper()[:n]) for n in range(len(word) + 1)), default="")
    else:
        from difflib import get_close_matches

        best = next(iter(get_close_matches(word.lower(), known, n=1)), "")
    return f"; did you mean `{best}`?" if best else ""


def _is_slip(word: str, code: str) -> bool:
    if len(word) == len(code):
        return sorted(word) == sorted(code)
    shorter, longer = sorted((word, code), key=len)
    return any(longer[:gap] + longer[gap + 1 :] == shorter for gap in range(len(longer)))


@lru_cache(maxsize=256)
def _selected(registry: Registry, settings: Settings) -> frozenset[str]:
    default = frozenset(code for code, info in registry.rules.items() if info.on_by_default)
    return _resolve(registry, default, settings.selections)


def _resolve(registry: Registry, chosen: frozenset[str], layers: Iterable[Selection]) -> frozenset[str]:
    """Apply the layers in turn; within one the longer word wins, and of two as long the one that takes away."""
    for layer in layers:
        if layer.select is not None:
            chosen = frozenset()
        adding = [(_width(registry, word), False, word) for word in (*(layer.select or ()), *layer.extend)]
        for _, drops, word in sorted(adding + [(_width(registry, word), True, word) for word in layer.ignore]):
            codes = matching(registry, word)
            chosen = chosen - codes if drops else chosen | codes
    return chosen


def _width(registry: Registry, word: str) -> int:
    if word == "ALL":
        return 0
    return _WIDTH_OF_A_CODE if word in registry.by_slug else len(word)


def _layers(layers: Iterable[dict[str, Any]], select: str, extend: str, ignore: str) -> tuple[Selection, ...]:
    said = (Selection(layer.get(select), layer.get(extend, ()), layer.get(ignore, ())) for layer in layers)
    return tuple(layer for layer in said if layer != Selection())


class _Wrong(Protocol):
    """Takes note of a value of the wrong kind: what was expected, and the key below the option that it stands at."""

    def __call__(self, expected: str, value: object, below: str = "") -> None: ...


class _Document:
    """The options one place gives, and its text, in which problems are located."""

    def __init__(self, name: str, text: str, table: dict[str, Any], *, flags: bool = False) -> None:
        self.name, self.text, self.table, self.flags = name, text, table, flags

    @classmethod
    def read(cls, path: Path, problems: list[Problem], *, named: bool = False) -> _Document | None:
        """The options in a file; `None` where it holds no table of ours, or where it cannot be read, which is a problem.

        What is `named` may be a pipe, such as a shell makes.
        """
        try:
            raw = path.read_bytes() if named else read_file(str(path))
            shared = path.name == SHARED_FILE
            # Spares nearly every project without a table of ours the TOML parser
            if shared and b"keel" not in raw:
                return None
            text = raw.decode()
        except OSError as error:
            problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror or error}"))
            return None
        except UnicodeDecodeError as error:
            problems.append(Problem(str(path), 0, 0, f"is not UTF-8: {error.reason} at byte {error.start}"))
            return None
        return cls.parse(str(path), text, problems, within=TABLE if shared else "")

    @classmethod
    def parse(cls, name: str, text: str, problems: list[Problem], within: str = "") -> _Document | None:
        """The options in TOML text, below the table `within`; `None` where it is not there or the text is no TOML."""
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            table: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problems.append(_invalid_toml(name, text, str(error)))
            return None
        if within == TABLE:
            problems += _misspelt_tables(name, text, table.get("tool"))
        for key in filter(None, within.split(".")):
            table = table.get(key) if isinstance(table, dict) else None
        return cls(name, text, table) if isinstance(table, dict) else None

    def options(self, folder: Path, registry: Registry | None, problems: list[Problem]) -> dict[str, Any]:
        """The options by key, converted, with patterns and paths relative to `folder`; adds what is wrong to `problems`."""
        values: dict[str, Any] = {}
        for key, given in self.table.items():
            if key not in _READERS:
                problems.append(self._problem((key,), f"unknown key {self._shown(key)}{nearest(key, _READERS)}"))
                continue

            def wrong(expected: str, value: object, below: str = "", *, key: str = key) -> None:
                keys = (key, below) if below else (key,)
                message = f"{self._shown('.'.join(keys))} must be {expected}, not {_kind(value)}"
                problems.append(self._problem(keys, message, value))

            values[key] = _READERS[key](given, folder, wrong)
        if registry is not None:
            problems += self._unknown_selectors(values, registry)
        return values

    def _unknown_selectors(self, values: dict[str, Any], registry: Registry) -> Iterable[Problem]:
        for key, value in values.items():
            tables = [((key, glob.pattern), words) for glob, words in value] if key in _TABLES else []
            for where, words in tables + ([((key,), value)] if key in _SELECTORS else []):
                for word in words:
                    if not matching(registry, word):
                        offer = nearest(word, [*registry.rules, *registry.by_slug]) or "; `keel-lint rule` lists them"
                        message = f"`{word}` in {self._shown('.'.join(where))} matches no rule{offer}"
                        yield self._problem(where, message, word)

    def _shown(self, key: str) -> str:
        return f"`--{key}`" if self.flags else f"`{key}`"

    def _problem(self, keys: tuple[str, ...], message: str, value: object = None) -> Problem:
        line, column = _locate(self.text, keys, value) if self.text else (0, 0)
        return Problem(self.name, line, column, message)


def _misspelt_tables(name: str, text: str, tools: object) -> Iterator[Problem]:
    """A table that is ours but for its spelling: what stands there would be passed over in silence."""
    ours = TABLE.rpartition(".")[2]
    for key in tools if isinstance(tools, dict) else ():
        if key != ours and re.sub(r"[-_]", "", key.lower()) == ours.replace("-", ""):
            yield Problem(name, *_locate(text, (key,), None), f"unknown table [tool.{key}]; did you mean [{TABLE}]?")


def _invalid_toml(name: str, text: str, message: str) -> Problem:
    at = _AT.search(message)
    line, column = (int(at[1]), int(at[2])) if at and at[1] else (len(text.splitlines()) or 1, 1)
    return Problem(name, line, column, f"not valid TOML: {_AT.sub('', message)}")


def _locate(text: str, keys: tuple[str, ...], value: object) -> tuple[int, int]:
    """Line and column of the last of `keys`, or of a string `value` behind it, since TOML parsers give no positions.

    Each is looked for behind the one before; what is not found keeps the place of that one.
    """
    bare = _COMMENT_LINE.sub(lambda match: " " * len(match[0]), text)
    table = _OUR_TABLE.search(bare)
    at = table.start() if table else 0
    patterns = [rf"""(?:^|[{{,.\[])[ \t]*["']?({re.escape(key)})["']?[ \t]*(?=[=.\]])""" for key in keys]
    if isinstance(value, str):
        patterns.append(rf"""(["']{re.escape(value)}["'])""")
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(bare, at)
        at = found.start(1) if found else at
    return bare.count("\n", 0, at) + 1, at - bare.rfind("\n", 0, at)


def _translate(pattern: str, any_character: str) -> str:
    """A file pattern as a regular expression: `*`, `?`, `[a-z]`, `{a,b}`, and `**/` for any number of folders."""
    special = {"**/": "(?:.*/)?", "?": any_character, "{": "(?:", "}": ")"}
    out, depth = "", 0
    for token in _GLOB_TOKEN.findall(pattern):
        depth += (token == "{") - (token == "}")
        if token in special:
            out += special[token]
        elif token == "," and depth:
            out += "|"
        elif token[0] == "*":
            out += f"{any_character}*"
        elif token[0] == "[" and len(token) > 1:
            out += "[" + token[1:].replace("\\", "\\\\").replace("!", "^", token[1] == "!")
        else:
            out += re.escape(token[-1])
    return out


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a float", dict: "a table", list: "an array"}
    return f"`{value}`" if isinstance(value, str) else names.get(type(value), "a date or time")


def _table_of_pairs(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if not (isinstance(value, list) and value and isinstance(value[0], tuple)):
        return value
    table: dict[str, list[str]] = {}
    for pattern, code in value:
        table.setdefault(pattern, []).append(code)
    return table


def _strings(value: object, _folder: Path, wrong: _Wrong, below: str = "") -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        wrong("an array of strings", value, below)
        return ()
    for item in value:
        if not isinstance(item, str):
            wrong("an array of strings", item, below)
    return tuple(item for item in value if isinstance(item, str))


def _string(value: object, _folder: Path, wrong: _Wrong) -> str | None:
    if isinstance(value, str) and value:
        return value
    wrong("a string", value)
    return None


def _boolean(value: object, _folder: Path, wrong: _Wrong) -> bool:
    if not isinstance(value, bool):
        wrong("a boolean", value)
    return value is True


def _globs(value: object, folder: Path, wrong: _Wrong) -> tuple[Glob, ...]:
    patterns = [pattern.rstrip("/") for pattern in _strings(value, folder, wrong)]
    return tuple(glob for pattern in patterns for glob in _glob(pattern, folder, wrong))


def _strings_by_glob(value: object, folder: Path, wrong: _Wrong) -> tuple[tuple[Glob, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        wrong("a table of patterns with their codes", value)
        return ()
    read = [(pattern, _strings(words, folder, wrong, pattern)) for pattern, words in value.items()]
    return tuple((glob, words) for pattern, words in read for glob in _glob(pattern, folder, wrong))


def _glob(pattern: str, folder: Path, wrong: _Wrong) -> Iterator[Glob]:
    glob = Glob(pattern, folder.as_posix())
    try:
        re.compile(glob.expression)
    except re.error:
        wrong("made of file patterns", pattern)
    else:
        yield glob


def _functions(value: object, folder: Path, wrong: _Wrong, prefix: str = "") -> dict[str, Determinism]:
    """Dotted names with their determinism; a name that was not quoted comes as tables in tables."""
    if not isinstance(value, dict):
        wrong("a table of functions", value)
        return {}
    read: dict[str, Determinism] = {}
    for name, word in value.items():
        if isinstance(word, dict):
            read.update(_functions(word, folder, wrong, f"{prefix}{name}."))
        elif word in ("deterministic", "non-deterministic"):
            read[f"{prefix}{name}"] = word
        else:
            wrong('"deterministic" or "non-deterministic"', word, f"{prefix}{name}")
    return read


def _output_format(value: object, _folder: Path, wrong: _Wrong) -> str | None:
    from keel_lint.report import FORMATS

    if value in FORMATS:
        return str(value)
    wrong(f"one of {', '.join(FORMATS)}", value)
    return None


def _folders(value: object, folder: Path, wrong: _Wrong) -> tuple[Path, ...]:
    names = _strings(value, folder, wrong)
    roots = {name: Path(os.path.normpath(folder.absolute() / name)) for name in names}
    for name, root in roots.items():
        if not root.is_dir():
            wrong("an array of folders that exist", name)
    return tuple(roots.values())


def _path(value: object, folder: Path, wrong: _Wrong) -> Path | None:
    name = _string(value, folder, wrong)
    return folder.absolute() / Path(name).expanduser() if name else None


_SELECTORS = ("select", "extend-select", "ignore", "fixable", "extend-fixable", "unfixable")
_TABLES = ("per-file-ignores", "extend-per-file-ignores")
_ADDING = ("extend-exclude", "extend-per-file-ignores")
_READERS: dict[str, Callable[[object, Path, _Wrong], Any]] = {
    **dict.fromkeys(_SELECTORS, _strings),
    **dict.fromkeys(("exclude", "extend-exclude"), _globs),
    **dict.fromkeys(_TABLES, _strings_by_glob),
    **dict.fromkeys(("force-exclude", "respect-gitignore", "tests", "unsafe-fixes", "show-fixes"), _boolean),
    "functions": _functions,
    "roots": _folders,
    "charge-calls": _strings,
    "settings": _string,
    "cache-dir": _path,
    "output-format": _output_format,
}
