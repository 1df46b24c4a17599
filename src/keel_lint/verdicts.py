"""What is found in each file, and whether what an earlier run found still holds.

A verdict is kept with all that it was drawn from: the content of files, the answers to name searches, the values of
whole-program facts. Where any of them has changed, the file is judged again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import date
from functools import cached_property
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from keel_lint import __version__
from keel_lint.cache import Cache, Files, decode, encode
from keel_lint.discovery import COMMENT_BITS, FileEntry, is_template, is_test_code
from keel_lint.finding import Finding, Span
from keel_lint.index.facts import ModuleFacts
from keel_lint.outcome import CheckOptions, Outcome, Progress, Unresolved
from keel_lint.processes import Turns, forked
from keel_lint.project import Project, Read
from keel_lint.settings import Settings, select
from keel_lint.source import Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from libcst import ParserSyntaxError

    from keel_lint.flow import Flow
    from keel_lint.jobs import Jobs
    from keel_lint.rule import Registry, RuleInfo
    from keel_lint.suppressions import Suppression, Suppressions

MAX_NESTING = 200
_PACKAGES = {"celery": "celery", "temporal": "temporalio"}
_WORTH_A_PROCESS = 24
_WORTH_LOOKING_AHEAD = 200
_LARGE = 30_000  # bytes

_Look = tuple[int, bytes, ModuleFacts | None]
"""What there is to know of a file at first sight: its words, its digest, and its facts where it matters."""


class Verdict(msgspec.Struct, array_like=True):
    """What was found in one file, and all that it was drawn from.

    `cuts` are the places, as (absolute path, offset), of comments in other files that suppress something here.
    """

    reads: list[tuple[Read, bytes]]
    findings: list[Finding]
    suppressed: list[tuple[Finding, str]]
    cuts: list[tuple[str, int]]
    problem: str
    is_template: bool


class Judging:
    """One pass over files of one project: the state that all of them share."""

    def __init__(
        self,
        root: Path,
        entries: Sequence[FileEntry],
        registry: Registry,
        options: CheckOptions,
        settings: Settings,
        settings_of: Callable[[str], Settings],
        cache: Cache,
        contents: Mapping[str, bytes],
        progress: Progress | None,
    ) -> None:
        """`settings` are the project's, `settings_of` gives a file's; `contents` wins over what stands on disk."""
        self.root = root
        self.entries = entries
        self.registry = registry
        self.options = options
        self.settings = settings
        self.settings_of = settings_of
        self.cache = cache
        self.contents = contents
        self.progress = progress
        self.files = Files(root, entries, cache, contents)
        roots = [source_root.relative_to(root).as_posix() for source_root in settings.roots if source_root.is_relative_to(root)]
        paths, facts = [entry.path for entry in entries], _CachedFacts(cache) if cache.is_open else None
        self.project = Project(root, paths, self.files, facts, roots, is_asked_again=cache.is_open)
        self.project.derive("today", lambda: _today().isoformat().encode())
        self.answers: dict[Read, bytes] = {}
        self.rules_by_roles: dict[tuple[frozenset[str], tuple[str, ...]], list[RuleInfo]] = {}

    def _look_at_all(self, judged: Sequence[str]) -> None:
        """Search the files of which nothing is known, and index those that matter, in two processes where they are many.

        This one first imports what the judging needs, and takes the files apart for the search for names, which both halves of
        the judging will ask.
        """
        unknown = [path for path in dict.fromkeys((*self._production, *judged)) if not self.files.knows(path)]
        if len(unknown) > _WORTH_LOOKING_AHEAD:
            # The other process, which begins with the last, has nothing else to do before.
            unknown = [path for group in self._by_size(unknown) for path in group]
            turns = Turns(len(unknown))
            answer = forked(lambda: encode([self._look_at(path) for _, path in turns.of(unknown[::-1])]))
            self.files.prepare_naming(self.project.production)
            self._import_ahead()
            for _, path in turns.of(unknown):
                self._look_at(path)
            self._learn(unknown[::-1], decode(answer(), list[_Look | None]) or [])
        self.files.load_words(unknown)

    def _look_at(self, path: str) -> _Look | None:
        try:
            words = self.files.words(path)
        except OSError:
            return None
        matters = words & ~COMMENT_BITS and not is_test_code(path)
        return words, self.files.hash(path), self.project.try_facts(path) if matters else None

    def _learn(self, paths: Sequence[str], looks: Sequence[_Look | None]) -> None:
        for path, look in zip(paths, looks, strict=False):
            if look is None:
                continue
            words, digest, facts = look
            self.files.learn(path, words, digest)
            if facts is not None:
                self.project.learn(path, facts)

    def _import_ahead(self) -> None:
        """Import what judges, and the rules for the engines that are named anywhere; others are loaded where one is asked."""
        for module in ("keel_lint.definition", "keel_lint.judging", "keel_lint.suppressions", "tree_sitter_python"):
            import_module(module)
        unnamed = {engine for engine, package in _PACKAGES.items() if not self.project.naming(package)}
        for info in self.registry.rules.values():
            if info.engine in unnamed:
                continue
            with suppress(Exception):  # a rule that cannot be imported is reported where it should have judged
                info.load()

    @cached_property
    def jobs(self) -> Jobs:
        """The project's tasks, workflows and settings."""
        from keel_lint.jobs import Jobs

        settings = self.settings
        return Jobs(self.project, self._relevant, settings.charge_calls, settings.functions, settings.settings)

    @cached_property
    def flow(self) -> Flow:
        """The facts that cross functions and files."""
        from keel_lint.flow import Flow

        return Flow(self.jobs)

    @cached_property
    def _relevant(self) -> tuple[str, ...]:
        """The files of the project in which a word of an engine occurs, test code aside."""
        return tuple(path for path in self._production if self.files.words(path) & ~COMMENT_BITS)

    @cached_property
    def _production(self) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.entries if not is_test_code(entry.path))

    def prepare(self) -> None:
        """Read what the judging of any file reads."""
        self._look_at_all(())
        _ = self.jobs.settings, self.jobs.all_tasks

    def holds(self, path: str, text: str) -> bool:
        """Whether a file of the project has this text, newlines aside."""
        if path not in self.project.paths:
            return False
        try:
            return _newlines(self.project.source(path).text.decode()) == _newlines(text)
        except (OSError, SourceError):
            return False

    def judge(self, judged: list[str], others: Sequence[str] = (), *, whole: bool = False) -> Outcome:
        """The outcome of judging some of the project's files; `whole` says that they are all of them.

        What no finding of these files needs, one of another file may: only the whole project shows an unused suppression.
        Of the `others`, only findings count whose path goes through a judged file: a change there may have caused them.
        """
        self._look_at_all(judged)
        matter = [path for path in judged if self.files.words(path)]
        outcome = Outcome(problems=[*self._missing_settings(), *self._unreadable_files(judged)])
        verdicts = self._verdicts(matter)
        cuts = {cut for verdict in verdicts for cut in verdict.cuts}
        for path, verdict in zip(matter, verdicts, strict=True):
            outcome.findings += [one for one in verdict.findings if not _is_needed(one, cuts, whole=whole)]
            outcome.suppressed += verdict.suppressed
            outcome.problems += [f"{self.project.absolute(path)}: {verdict.problem}"] if verdict.problem else []
            outcome.templates += verdict.is_template
        left = {read for verdict in verdicts for read, _ in verdict.reads if read[0] == "unresolved"}
        outcome.unresolved = [self._unresolved(*read[1:]) for read in left]
        self._add_from_elsewhere(outcome, judged, others)
        return outcome

    def _keep_names(self, verdicts: Iterable[Verdict]) -> None:
        """Keep the answers to the name searches on which the verdicts rest, also where another process has asked them."""
        names = {read[1] for verdict in verdicts for read, _ in verdict.reads if read[0] == "naming"}
        if names:
            self.files.keep_names(names, self.project.production)

    def _unresolved(self, path: str, row: str, column: str, callee: str) -> Unresolved:
        return Unresolved(self.project.absolute(path), int(row), int(column), callee)

    def _add_from_elsewhere(self, outcome: Outcome, judged: list[str], others: Sequence[str]) -> None:
        """Add the findings that stand in other files and whose path goes through a judged one."""
        if not others:
            return
        through = {self.project.absolute(path) for path in judged}
        for verdict in self._verdicts([path for path in others if self.files.words(path) & ~COMMENT_BITS]):
            outcome.findings += [one for one in verdict.findings if _goes_through(one, through)]
            outcome.suppressed += [pair for pair in verdict.suppressed if _goes_through(pair[0], through)]

    def _missing_settings(self) -> list[str]:
        missing = self.jobs.settings_modules.missing if self.settings.settings else ""
        return [f"`settings` names {missing}, which is no module of {self.root}"] if missing else []

    def _unreadable_files(self, judged: list[str]) -> list[str]:
        asked = frozenset(judged)
        problems = (problem for problem in self.files.problems if problem.path in asked)
        return [f"{self.project.absolute(problem.path)}: {problem.message}" for problem in problems]

    def _verdicts(self, paths: list[str]) -> list[Verdict]:
        _ = self.jobs.settings
        known = [self._known_verdict(path) for path in paths]
        missing = [path for path, verdict in zip(paths, known, strict=True) if verdict is None]
        fresh = self._judge_all(missing)
        for path, verdict in fresh.items():
            if self.cache.is_open and path not in self.contents:
                self.cache.put_verdict(self._verdict_key(path), encode(verdict))
        verdicts = [verdict or fresh[path] for path, verdict in zip(paths, known, strict=True)]
        self._keep_names(verdicts)
        return verdicts

    def _judge_all(self, paths: list[str]) -> dict[str, Verdict]:
        """Judge files, in two processes where they are many.

        One begins with the first file and the other with the last, until they meet: neighbours read much the same files, and
        neither process waits for the other.
        """
        if len(paths) < _WORTH_A_PROCESS:
            return dict(self._judge_each(enumerate(paths), len(paths)))
        others, large = self._by_size(paths)
        paths = [*large[::2], *others, *large[1::2]]
        turns = Turns(len(paths))
        answer = forked(lambda: encode([one for _, one in self._judge_each(turns.of(paths[::-1]), len(paths))]))
        found = dict(self._judge_each(turns.of(paths), len(paths)))
        found |= zip(reversed(paths), decode(answer(), list[Verdict]) or (), strict=False)
        left = [path for path in paths if path not in found]  # by a process that did not live to answer
        return found | dict(self._judge_each(enumerate(left), len(left)))

    def _by_size(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """The files that are not large, and the large ones: where these come first, no process waits long for the other."""
        entries = self.files.entries
        large = [path for path in paths if path in entries and entries[path].size > _LARGE]
        known = set(large)
        return [path for path in paths if path not in known], large

    def _judge_each(self, turns: Iterable[tuple[int, str]], count: int) -> Iterator[tuple[str, Verdict]]:
        for turn, path in turns:
            if self.progress is not None:
                self.progress(turn, count)
            yield path, self._judge_file(path)

    # -- one file ---------------------------------------------------------------------------------------------------------

    def _verdict_key(self, path: str) -> bytes:
        settings = self.settings_of(path)
        digests = (self.settings.digest, settings.digest, self.registry.digest)
        parts = (__version__, path, str(self.root), self.options, digests, sorted(self.selected(path)))
        return blake2b(repr(parts).encode(), digest_size=16).digest()

    def selected(self, path: str) -> frozenset[str]:
        """The codes of the rules that run on a file."""
        chosen = select(self.registry, self.settings_of(path), f"{self.root}/{path}")
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
        problem, template = "", False
        findings: list[Finding] = []
        suppressed: list[tuple[Finding, str]] = []
        cuts: list[tuple[str, int]] = []
        with self.project.recording() as reads:
            try:
                found, template = _FileJudge(self, path).findings()
                findings, suppressed = self._suppress(path, found, cuts)
            except SourceError as error:
                findings = [self._unreadable(path, str(error))] if self._exists(path) else []
                problem = str(error)
            except OSError as error:
                problem = error.strerror or str(error)
        # Without a cache nobody asks whether they still hold.
        answers = [(read, self._answer(read) if self.cache.is_open else b"") for read in sorted(reads)]
        return Verdict(answers, findings, suppressed, cuts, problem, template)

    def _exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def _unreadable(self, path: str, reason: str) -> Finding:
        info = self.registry.rules["KEL001"]
        message = f"this file was not checked: {reason}"
        return Finding(info.code, info.slug, info.group, message, self.project.absolute(path), Span(0, 0, 1, 1, 1, 1), 1)

    def _suppress(
        self, path: str, found: list[Finding], cuts: list[tuple[str, int]]
    ) -> tuple[list[Finding], list[tuple[Finding, str]]]:
        from keel_lint.suppressions import Suppressions, may_suppress, noqa_row_for

        source, facts = self.project.source(path), self.project.facts(path)
        placed = [msgspec.structs.replace(one, noqa_row=noqa_row_for(source, one.span.row)) for one in found]
        placed = _with_fingerprints(placed, source, path)
        if self.options.ignore_noqa or not (may_suppress(source.text) or any(one.hops for one in placed)):
            return placed, []
        comments = Suppressions.parse(source, facts, self.registry, self._today(source), own_only=self.options.flake8)
        return self._matched(comments, placed, path, cuts)

    def _today(self, source: Source) -> date:
        """The day on which suppressions in a file are judged; where one may end, the verdict holds for that day only."""
        if b"until" in source.text.lower():
            self.project.note("derived", "today")
        return _today()

    def _matched(
        self, comments: Suppressions, found: list[Finding], path: str, cuts: list[tuple[str, int]]
    ) -> tuple[list[Finding], list[tuple[Finding, str]]]:
        kept: list[Finding] = []
        suppressed: list[tuple[Finding, str]] = []
        for finding in found:
            found_at = self._suppression(comments, finding)
            if found_at is None:
                kept.append(finding)
                continue
            by, number = found_at
            suppressed.append((finding, by.reason))
            if number and finding.hops[number - 1].path != finding.path:
                cuts.append((finding.hops[number - 1].path, by.start))
        problems = comments.problems(self.selected(path), self.project.absolute(path))
        return kept + _with_fingerprints(problems, self.project.source(path), path), suppressed

    def suppression(self, finding: Finding) -> tuple[Suppression, int] | None:
        """What suppresses a finding, and at which hop of its path, counted from 1; 0 where the finding stands."""
        return self._suppression(self._comments_of(finding.path), finding)

    def _suppression(self, comments: Suppressions, finding: Finding) -> tuple[Suppression, int] | None:
        found = comments.match(finding)
        if found is not None:
            return found, 0
        for number, hop in enumerate(finding.hops, 1):
            there = comments if hop.path == finding.path else self._comments_of(hop.path)
            found = there.cuts(finding.code, hop.span.row)
            if found is not None:
                return found, number
        return None

    def _comments_of(self, absolute: str) -> Suppressions:
        from keel_lint.suppressions import Suppressions

        path = Path(absolute).relative_to(self.root).as_posix()
        source = self.project.source(path)
        return Suppressions.parse(source, self.project.facts(path), self.registry, self._today(source))


class _FileJudge:
    """Judges the definitions of one file."""

    def __init__(self, judging: Judging, path: str) -> None:
        self.judging = judging
        self.project = judging.project
        self.path = path
        self.codes = judging.selected(path)

    def findings(self) -> tuple[list[Finding], bool]:
        """What the rules find, and whether the file is a template that no Python parser reads."""
        source, facts = self.project.source(self.path), self.project.facts(self.path)
        broken = self._syntax_error(source, facts) if facts.has_error else None
        if broken is not None and is_template(self.path, source.raw):
            return [], True
        found = [broken] if broken is not None else []
        for position, definition in enumerate(facts.definitions):
            rules = self._rules_for(definition.roles) if definition.outer == position else []
            if rules and not (broken is not None and definition.has_error):
                found += self._judge(position, rules, facts)
        return _once(found), False

    def _rules_for(self, roles: tuple[str, ...]) -> list[RuleInfo]:
        """The rules that judge a definition with these roles; most definitions have none, and the others much the same."""
        known = self.judging.rules_by_roles.get((self.codes, roles))
        if known is None:
            rules = self.judging.registry.rules
            known = [info for code, info in rules.items() if code in self.codes and not set(roles).isdisjoint(info.judges)]
            self.judging.rules_by_roles[self.codes, roles] = known
        return known

    def _judge(self, position: int, rules: list[RuleInfo], facts: ModuleFacts) -> list[Finding]:
        from keel_lint.definition import Definition, UnparsableError
        from keel_lint.glance import Glance
        from keel_lint.judging import judge, may_find

        definition = facts.definitions[position]
        if definition.nesting > MAX_NESTING:
            message = f"this definition was not checked: its syntax nests {definition.nesting} deep, more than {MAX_NESTING}"
            return [self._unparsable(definition.name_start, message)]
        glance = Glance(self.judging.jobs, self.judging.flow, self.path, position)
        try:
            wanted = [info for info in rules if may_find(info, glance)]
            return judge(Definition(self.judging.jobs, self.judging.flow, self.path, position), wanted) if wanted else []
        except UnparsableError as error:
            return [self._unparsable(error.offset, f"this definition was not checked: {error.reason}")]
        except Exception as error:  # a fault of keel-lint here must not hide what is found elsewhere
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            message = f"keel-lint failed here, so this definition was not checked: {reason}; please report this"
            return [self._own("KEL000", definition.name_start, message)]

    def _syntax_error(self, source: Source, facts: ModuleFacts) -> Finding | None:
        """KEL001 where LibCST cannot parse the file either; tree-sitter alone is no judge of that."""
        import libcst

        from keel_lint.fixes import DEEP, bracket_depth

        # The parser recurses on the native stack, where running out of it ends the process.
        if max(facts.nesting, bracket_depth(source.text)) > DEEP:
            return self._unparsable(0, "this file was not checked whole: its syntax nests too deep")
        try:
            libcst.parse_module(source.text.decode())
        except libcst.ParserSyntaxError as error:
            offset, reason = _place_of(error, source)
            return self._unparsable(offset, f"this file does not parse, so the code round this place was not checked: {reason}")
        except Exception as error:  # it is read, and refused as a tree
            return self._unparsable(0, f"this file was not checked whole: {error}")
        return None

    def _unparsable(self, offset: int, message: str) -> Finding:
        return self._own("KEL001", offset, message)

    def _own(self, code: str, offset: int, message: str) -> Finding:
        """A finding about keel-lint itself."""
        info = self.judging.registry.rules[code]
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


def _place_of(error: ParserSyntaxError, source: Source) -> tuple[int, str]:
    """Where and why a file does not parse: in Python's words, which point at the place itself and not behind it.

    LibCST's serve where this Python reads the file, or is too old to see where its syntax goes wrong.
    """
    import ast
    import warnings

    row, column, reason = error.raw_line, error.raw_column, error.message.splitlines()[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source.text.decode())
    except SyntaxError as flaw:
        row, column, reason = flaw.lineno or 1, (flaw.offset or 1) - 1, flaw.msg
    except (MemoryError, RecursionError, ValueError):
        pass
    row = min(max(row, 1), len(source.line_starts))
    return source.line_starts[row - 1] + len(source.line(row)[: max(column, 0)].encode()), reason


def _is_needed(finding: Finding, cuts: set[tuple[str, int]], *, whole: bool) -> bool:
    """Whether a finding says of a suppression that it is unused, and a finding of another file uses it, or may."""
    return finding.code == "KEL002" and (not whole or (finding.path, finding.span.start) in cuts)


def _goes_through(finding: Finding, paths: set[str]) -> bool:
    return any(hop.path in paths for hop in finding.hops)


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once: a decorated method can be reached by two definitions."""
    seen: dict[tuple[str, int, int, str], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.code, finding.span.start, finding.span.end, finding.message), finding)
    return list(seen.values())


def _with_fingerprints(findings: list[Finding], source: Source, path: str) -> list[Finding]:
    """The same findings, each with a fingerprint: of code, file, definition, expression, and which such it is; never a line."""
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


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _today() -> date:
    return date.today()
