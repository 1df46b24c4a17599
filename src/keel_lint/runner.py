"""From paths to findings: files, facts, definitions, rules, suppressions; with a cache that answers what has not changed."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from keel_lint import __version__
from keel_lint.cache import FOLDER, Cache, Files, decode, encode, is_settled, tree_digest
from keel_lint.discovery import BITS, FileEntry, Tree, forked, group_by_project, is_template, is_test_code, search
from keel_lint.finding import Finding
from keel_lint.index.facts import ModuleFacts
from keel_lint.project import Project, Read
from keel_lint.settings import Settings, SettingsFinder, select
from keel_lint.source import Source, SourceError
from keel_lint.suppressions import Suppression, Suppressions, may_suppress, noqa_row_for

if TYPE_CHECKING:
    from keel_lint.flow import Flow
    from keel_lint.jobs import Jobs
    from keel_lint.rule import Registry, RuleInfo

MAX_NESTING = 200
COMMENT_BITS = BITS["code"] | BITS["keel"]
_WORTH_A_PROCESS = 24

Progress = Callable[[int, int], None]
Overlay = Mapping[Path, bytes]


class Outcome(msgspec.Struct):
    """The result of one check.

    `findings` are sorted; `suppressed` are those a comment suppresses, with its reason. `problems` and `warnings` are lines for
    people; a problem makes the exit status 2. `checked` counts files, `left_out` those of test code, `templates` those that no
    Python parser reads, `unresolved` the calls of which it could not be told whether they dispatch.
    """

    findings: list[Finding] = msgspec.field(default_factory=list)
    suppressed: list[tuple[Finding, str]] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    checked: int = 0
    left_out: int = 0
    templates: int = 0
    unresolved: int = 0

    def add(self, other: Outcome) -> None:
        """Take in the result of another project."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def sort(self) -> None:
        """Bring findings into the order of every report."""
        self.findings.sort(key=lambda finding: finding.order)
        self.suppressed.sort(key=lambda pair: pair[0].order)


class Verdict(msgspec.Struct, array_like=True):
    """What was found in one file, and all that it was drawn from."""

    reads: list[tuple[Read, bytes]]
    findings: list[Finding]
    suppressed: list[tuple[Finding, str]]
    problem: str
    is_template: bool
    unresolved: int


class Linter:
    """Checks paths. One instance serves any number of checks of the same paths with different overlays."""

    def __init__(
        self,
        paths: Sequence[Path],
        finder: SettingsFinder,
        registry: Registry,
        *,
        cache: bool = True,
        cache_dir: Path | None = None,
        tests: bool | None = None,
        force_exclude: bool = False,
        ignore_noqa: bool = False,
        flake8: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """With `flake8`, `noqa` on a finding's own row is left to flake8, and KEL002 is not reported."""
        self.registry = registry
        self.options = Options(tests, force_exclude, ignore_noqa, flake8)
        self._runs = [
            _ProjectRun(root, group, finder, registry, self.options, cache, cache_dir, progress)
            for root, group in group_by_project(paths).items()
        ]

    @property
    def root(self) -> Path:
        """The folder of the (first) project."""
        return self._runs[0].root

    def check(self, overlay: Overlay | None = None) -> Outcome:
        """Check all paths; `overlay` gives files another content than they have on disk, such as standard input."""
        outcome = Outcome()
        for run in self._runs:
            outcome.add(run.check(dict(overlay or {})))
        outcome.sort()
        return outcome

    def prepare(self) -> None:
        """Read what all files share, so that processes forked from this one find it there."""
        for run in self._runs:
            run.prepare()

    def check_file(self, path: Path, text: str) -> list[Finding]:
        """The findings of one file whose text (newlines and encoding aside) may differ from what stands on disk."""
        run = next((run for run in self._runs if run.has(path)), self._runs[0])
        return run.check_file(path, text)

    def files(self) -> list[Path]:
        """The files that a check judges."""
        return sorted(run.root / path for run in self._runs for path in run.judged_paths({}))

    def source(self, path: str) -> Source:
        """A file as it stands on disk; raises `SourceError`."""
        return Source.read(Path(path))


class Options(msgspec.Struct, frozen=True):
    """What is asked of a check besides the settings."""

    tests: bool | None
    force_exclude: bool
    ignore_noqa: bool
    flake8: bool


class _ProjectRun:
    """The checks of one project."""

    def __init__(
        self,
        root: Path,
        paths: Sequence[Path],
        finder: SettingsFinder,
        registry: Registry,
        options: Options,
        cache: bool,
        cache_dir: Path | None,
        progress: Progress | None,
    ) -> None:
        self.root = root
        self.paths = paths
        self.finder = finder
        self.registry = registry
        self.options = options
        self.progress = progress
        self.settings = finder.for_project(root)
        folder = cache_dir or self.settings.cache_dir or root / FOLDER
        self.cache_folder = folder if cache else None
        self._shared: _Judging | None = None
        self.began = 0

    @cached_property
    def tree(self) -> Tree:
        self.began = time.time_ns()
        tree = Tree(self.root, respect_gitignore=self.settings.respect_gitignore)
        tree.walk()
        return tree

    # -- which files ------------------------------------------------------------------------------------------------------

    def check(self, overlay: dict[Path, bytes]) -> Outcome:
        outcome = Outcome()
        contents = self._by_place(overlay)
        selected = self._selected(contents, outcome)
        judged = [path for path in selected if not self._is_left_out(path)]
        outcome.left_out = len(selected) - len(judged)
        outcome.checked = len(judged)
        cache = Cache.open(self.cache_folder)
        try:
            self._check_files(judged, contents, cache, outcome)
        finally:
            cache.close()
        return outcome

    def judged_paths(self, contents: dict[str, bytes]) -> list[str]:
        return [path for path in self._selected(contents, Outcome()) if not self._is_left_out(path)]

    def _by_place(self, overlay: dict[Path, bytes]) -> dict[str, bytes]:
        """The overlay by the place in the project; files of other projects are not looked at."""
        places: dict[str, bytes] = {}
        for path, raw in overlay.items():
            absolute = Path(os.path.abspath(path))  # noqa: PTH100 -- symlinks are kept as they are
            if absolute.is_relative_to(self.root):
                places[absolute.relative_to(self.root).as_posix()] = raw
        return places

    def _selected(self, contents: dict[str, bytes], outcome: Outcome) -> list[str]:
        """The files to report on; an overlay's files need not exist."""
        asked = [path for path in self.paths if self._place(path) not in contents]
        selection = self.tree.select(asked)
        for place, raw in contents.items():
            if place not in self.tree.files:
                self.tree.files[place] = FileEntry(place, len(raw), 0)
        given = [place for path in self.paths if (place := self._place(path)) in contents]
        outcome.problems += [f"{problem.path}: {problem.message}" for problem in (*self.tree.problems, *selection.problems)]
        named = {self._place(path) for path in self.paths}
        wanted = [entry.path for entry in selection.entries] + given
        return sorted({path for path in wanted if not self._is_excluded(path, path in named)})

    def _place(self, path: Path) -> str:
        return os.path.relpath(os.path.abspath(path), self.root).replace(os.sep, "/")  # noqa: PTH100

    def _is_excluded(self, path: str, named: bool) -> bool:
        settings = self.finder.for_file(self.root / path)
        if named and not (self.options.force_exclude or settings.force_exclude):
            return False
        return settings.excludes_within(self.root / path, self.root)

    def _is_left_out(self, path: str) -> bool:
        wanted = self.options.tests
        return is_test_code(path) and not (self.finder.for_file(self.root / path).tests if wanted is None else wanted)

    # -- one file at a time -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Judge nothing, but read the project and its settings."""
        with closing(Cache.open(self.cache_folder)) as cache:
            self._shared = _Judging(self, {}, cache)
            self._shared.prepare()

    def has(self, path: Path) -> bool:
        """Whether a file lies in this project."""
        return Path(os.path.abspath(path)).is_relative_to(self.root)  # noqa: PTH100

    def check_file(self, path: Path, text: str) -> list[Finding]:
        place = self._place(path)
        if self._is_left_out(place) or not search(text.encode("utf-8", "surrogatepass")):
            return []
        if self._shared is None:
            self.prepare()
        judging = self._shared
        if judging is None or not judging.holds(place, text):
            contents = self._by_place({path: _encoded(text)})
            self._selected(contents, Outcome())
            judging = _Judging(self, contents, Cache.open(None))
        outcome = judging.judge([place])
        return outcome.findings

    # -- the whole run ----------------------------------------------------------------------------------------------------

    def _check_files(self, judged: list[str], contents: dict[str, bytes], cache: Cache, outcome: Outcome) -> None:
        settled = cache.is_open and not contents and is_settled(self.tree.entries, self.began)
        name = self._run_name(judged) if settled else ""
        known = decode(cache.get(name), Outcome) if name else None
        if known is not None:
            outcome.add(known)
            return
        judging = _Judging(self, contents, cache)
        found = judging.judge(judged)
        judging.files.save()
        if name:
            cache.put(name, encode(found))
        outcome.add(found)

    def _run_name(self, judged: list[str]) -> str:
        """A name for all that this run depends on: the same name, the same outcome."""
        from keel_lint.jobs.versions import FILES

        digest = blake2b(tree_digest(self.tree.entries), digest_size=16)
        digest.update(repr((__version__, str(self.root), judged, self.options, _rules_digest(self.registry))).encode())
        digest.update(repr([_stamp(self.root / name) for name in FILES]).encode())
        for settings in sorted({self.finder.for_file(self.root / path).digest for path in judged}):
            digest.update(settings)
        return f"run-{digest.hexdigest()}"


class _Judging:
    """One pass over files: the state that all of them share."""

    def __init__(self, run: _ProjectRun, contents: dict[str, bytes], cache: Cache) -> None:
        self.run = run
        self.root = run.root
        self.registry = run.registry
        self.options = run.options
        self.cache = cache
        self.contents = contents
        self.files = Files(run.root, run.tree.entries, cache, contents)
        roots = [root.relative_to(run.root).as_posix() for root in run.settings.roots if root.is_relative_to(run.root)]
        self.project = Project(run.root, list(run.tree.files), self.files, _CachedFacts(cache), roots)
        self.answers: dict[Read, bytes] = {}

    @cached_property
    def jobs(self) -> Jobs:
        from keel_lint.jobs import Jobs

        return Jobs(self.project, self._relevant, self.run.settings.charge_calls)

    @cached_property
    def flow(self) -> Flow:
        from keel_lint.flow import Flow

        return Flow(self.jobs)

    @cached_property
    def _relevant(self) -> tuple[str, ...]:
        """The files of the project in which a word of an engine occurs, test code aside."""
        self.files.load_words()
        paths = (entry.path for entry in self.run.tree.entries)
        return tuple(path for path in paths if self.files.words(path) & ~COMMENT_BITS and not is_test_code(path))

    def prepare(self) -> None:
        """Read what the judging of any file reads."""
        _ = self.jobs.settings, self.jobs.all_tasks

    def holds(self, path: str, text: str) -> bool:
        """Whether a file of the project has this text, newlines aside."""
        if path not in self.project.paths:
            return False
        try:
            return _newlines(self.project.source(path).text.decode()) == _newlines(text)
        except (OSError, SourceError):
            return False

    def judge(self, judged: list[str]) -> Outcome:
        """The outcome of judging some of the project's files."""
        self.files.load_words()
        matter = [path for path in judged if self.files.words(path)]
        outcome = Outcome()
        for path, verdict in zip(matter, self._verdicts(matter), strict=True):
            outcome.findings += verdict.findings
            outcome.suppressed += verdict.suppressed
            outcome.problems += [f"{self.project.absolute(path)}: {verdict.problem}"] if verdict.problem else []
            outcome.templates += verdict.is_template
            outcome.unresolved += verdict.unresolved
        return outcome

    def _verdicts(self, paths: list[str]) -> list[Verdict]:
        _ = self.jobs.settings
        known = [self._known_verdict(path) for path in paths]
        missing = [path for path, verdict in zip(paths, known, strict=True) if verdict is None]
        if len(missing) < _WORTH_A_PROCESS:
            made = self._judge_all(missing, 0)
        else:
            half = len(missing) // 2
            other = forked(lambda: msgspec.msgpack.encode(self._judge_all(missing[half:], half)))
            made = [*self._judge_all(missing[:half], 0), *msgspec.msgpack.decode(other(), type=list[Verdict])]
        fresh = dict(zip(missing, made, strict=True))
        for path, verdict in fresh.items():
            if self.cache.is_open and path not in self.contents:
                self.cache.put_verdict(self._verdict_key(path), encode(verdict))
        return [verdict or fresh[path] for path, verdict in zip(paths, known, strict=True)]

    def _judge_all(self, paths: list[str], before: int) -> list[Verdict]:
        verdicts = []
        for index, path in enumerate(paths):
            if self.run.progress is not None:
                self.run.progress(before + index, before + len(paths))
            verdicts.append(self._judge_file(path))
        return verdicts

    # -- one file ---------------------------------------------------------------------------------------------------------

    def _verdict_key(self, path: str) -> bytes:
        settings = self._settings(path)
        parts = (__version__, path, str(self.root), self.options, settings.digest, sorted(self._selected(path)))
        return blake2b(repr((parts, _rules_digest(self.registry))).encode(), digest_size=16).digest()

    def _settings(self, path: str) -> Settings:
        return self.run.finder.for_file(self.root / path)

    def _selected(self, path: str) -> frozenset[str]:
        chosen = select(self.registry, self._settings(path), self.root / path)
        return chosen - {"KEL002"} if self.options.flake8 else chosen

    def _known_verdict(self, path: str) -> Verdict | None:
        if not self.cache.is_open or path in self.contents:
            return None
        verdict = decode(self.cache.verdict(self._verdict_key(path)), Verdict)
        return verdict if verdict is not None and all(self._answer(read) == digest for read, digest in verdict.reads) else None

    def _answer(self, read: Read) -> bytes:
        known = self.answers.get(read)
        if known is None:
            known = self.answers[read] = blake2b(self.project.answer(read), digest_size=16).digest()
        return known

    def _judge_file(self, path: str) -> Verdict:
        before = len(self.jobs.dispatches.unresolved)
        problem, template = "", False
        findings: list[Finding] = []
        suppressed: list[tuple[Finding, str]] = []
        with self.project.recording() as reads:
            try:
                found, template = _FileJudge(self, path).findings()
                findings, suppressed = self._suppress(path, found)
            except SourceError as error:
                findings = [self._unreadable(path, str(error))] if self._exists(path) else []
                problem = str(error)
            except OSError as error:
                problem = error.strerror or str(error)
        unresolved = len(self.jobs.dispatches.unresolved) - before
        answers = [(read, self._answer(read)) for read in sorted(reads)]
        return Verdict(answers, findings, suppressed, problem, template, unresolved)

    def _exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def _unreadable(self, path: str, reason: str) -> Finding:
        from keel_lint.finding import Span

        info = self.registry.rules["KEL001"]
        message = f"this file was not checked: {reason}"
        return Finding(info.code, info.slug, info.group, message, self.project.absolute(path), Span(0, 0, 1, 1, 1, 1), 1)

    def _suppress(self, path: str, found: list[Finding]) -> tuple[list[Finding], list[tuple[Finding, str]]]:
        source, facts = self.project.source(path), self.project.facts(path)
        placed = [msgspec.structs.replace(one, noqa_row=noqa_row_for(source, one.span.row)) for one in found]
        placed = _with_fingerprints(placed, source, path)
        if self.options.ignore_noqa or not may_suppress(source.text):
            return placed, []
        return self._matched(Suppressions.parse(source, facts, self.registry, _today(), own_only=self.options.flake8), placed, path)

    def _matched(
        self, comments: Suppressions, found: list[Finding], path: str
    ) -> tuple[list[Finding], list[tuple[Finding, str]]]:
        kept: list[Finding] = []
        suppressed: list[tuple[Finding, str]] = []
        for finding in found:
            reason = comments.match(finding) or self._cut(comments, finding)
            if reason is None:
                kept.append(finding)
            else:
                suppressed.append((finding, reason.reason))
        return kept + comments.problems(self._selected(path), self.project.absolute(path)), suppressed

    def _cut(self, comments: Suppressions, finding: Finding) -> Suppression | None:
        """The suppression at a hop of the finding's path, in whatever file the hop stands."""
        for hop in finding.hops:
            if hop.path == finding.path:
                found = comments.cuts(finding.code, hop.span.row)
            else:
                found = self._comments_of(hop.path).cuts(finding.code, hop.span.row)
            if found is not None:
                return found
        return None

    def _comments_of(self, absolute: str) -> Suppressions:
        path = Path(absolute).relative_to(self.root).as_posix()
        return Suppressions.parse(self.project.source(path), self.project.facts(path), self.registry, _today())


class _FileJudge:
    """Judges the definitions of one file."""

    def __init__(self, judging: _Judging, path: str) -> None:
        self.judging = judging
        self.project = judging.project
        self.path = path
        self.codes = judging._selected(path)  # noqa: SLF001 -- one mechanism in two classes

    def findings(self) -> tuple[list[Finding], bool]:
        """What the rules find, and whether the file is a template that no Python parser reads."""
        source, facts = self.project.source(self.path), self.project.facts(self.path)
        broken = self._syntax_error(source) if facts.has_error else None
        if broken is not None and is_template(self.path, source.raw):
            return [], True
        found = [broken] if broken is not None else []
        for position, definition in enumerate(facts.definitions):
            rules = self._rules_for(definition.roles)
            if definition.outer == position and rules and not (broken is not None and definition.has_error):
                found += self._judge(position, rules, facts)
        return _once(found), False

    def _rules_for(self, roles: Iterable[str]) -> list[RuleInfo]:
        here = set(roles)
        rules = self.judging.registry.rules
        return [info for code, info in rules.items() if code in self.codes and not here.isdisjoint(info.judges)]

    def _judge(self, position: int, rules: list[RuleInfo], facts: ModuleFacts) -> list[Finding]:
        from keel_lint.definition import Definition, Unparsable
        from keel_lint.judging import judge

        definition = facts.definitions[position]
        if definition.nesting > MAX_NESTING:
            message = f"this definition was not checked: its syntax nests {definition.nesting} deep, more than {MAX_NESTING}"
            return [self._unparsable(definition.name_start, message)]
        try:
            return judge(Definition(self.judging.jobs, self.judging.flow, self.path, position), rules)
        except Unparsable as error:
            return [self._unparsable(error.offset, f"this definition was not checked: {error.reason}")]

    def _syntax_error(self, source: Source) -> Finding | None:
        """KEL001 where LibCST cannot parse the file either; tree-sitter alone is no judge of that."""
        import libcst

        try:
            libcst.parse_module(source.text)
        except libcst.ParserSyntaxError as error:
            start = source.line_starts[min(error.raw_line, len(source.line_starts)) - 1]
            offset = start + len(source.line(error.raw_line)[: error.raw_column].encode())
            message = "this file does not parse, so the code round this place was not checked: " + error.message.splitlines()[0]
            return self._unparsable(offset, message)
        except RecursionError:
            return self._unparsable(0, "this file was not checked whole: it nests too deeply")
        return None

    def _unparsable(self, offset: int, message: str) -> Finding:
        info = self.judging.registry.rules["KEL001"]
        span = self.project.source(self.path).span(offset, offset)
        return Finding(info.code, info.slug, info.group, message, self.project.absolute(self.path), span, span.row)


class _CachedFacts:
    """The cache as a project's store of facts."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._decoder = msgspec.msgpack.Decoder(ModuleFacts)

    def load(self, path: str, digest: bytes) -> ModuleFacts | None:
        blob = self._cache.facts(path, digest)
        return self._decoder.decode(blob) if blob is not None else None

    def save(self, path: str, digest: bytes, facts: ModuleFacts) -> None:
        self._cache.put_facts(path, digest, encode(facts))


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once: a decorated method can be reached by two definitions."""
    seen: dict[tuple[str, int, int, str], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.code, finding.span.start, finding.span.end, finding.message), finding)
    return list(seen.values())


def _with_fingerprints(findings: list[Finding], source: Source, path: str) -> list[Finding]:
    """The same findings with a fingerprint each: of code, file, definition and expression, and which such it is; no line number."""
    seen: Counter[tuple[str, str, str]] = Counter()
    made = []
    for finding in sorted(findings, key=lambda one: one.order):
        expression = " ".join(source.slice(finding.span.start, finding.span.end).split())
        key = (finding.code, finding.qualname, expression)
        text = "\0".join((finding.code, path, finding.qualname, expression, str(seen[key])))
        seen[key] += 1
        digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        made.append(msgspec.structs.replace(finding, fingerprint=digest))
    return made


def _rules_digest(registry: Registry) -> list[tuple[str, str, int]]:
    return [(info.code, info.module, info.changed) for info in registry.rules.values()]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoded(text: str) -> bytes:
    """Text as bytes in the encoding that it declares, UTF-8 where that does not hold it."""
    import io
    import tokenize

    raw = text.encode("utf-8", "surrogatepass")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0])
    except (SyntaxError, UnicodeError):
        return raw


def _today() -> date:
    return date.today()
