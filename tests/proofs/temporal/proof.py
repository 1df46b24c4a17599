"""Proofs of Temporal rules: the rule's own example is the bad face, and each marked line of it does the harm by itself."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from platform import python_version
from typing import TYPE_CHECKING, Any, ClassVar

import keel_lint
from keel_lint import fixes
from keel_lint.pages import Example, parse
from keel_lint.rule import Registry, RuleInfo
from keel_lint.runner import Linter
from keel_lint.settings import Overrides, SettingsFinder
from tests.proofs.harness import Face, NotHere, Performance, Proof, ProofFailure, Stage, lay_out
from tests.proofs.temporal import forks
from tests.proofs.temporal.dev_server import LoopbackFrontend, frontend, served, server
from tests.proofs.temporal.signs import Sign, first_line, healthy

if TYPE_CHECKING:
    from keel_lint.finding import Finding
    from tests.proofs.temporal.observation import Observation, Scenario

HARM, CLEAN, NEITHER = "HARM", "CLEAN", "NEITHER"
MARK = r"#[ \t]*{code}[ \t]*$"


class ReplayStage(Stage):
    """Judge `replay`: the real core and sandbox, a recorded history, and two workers that replay it. Forks play it."""

    judge: ClassVar[str] = "replay"


class WorkerStage(ReplayStage):
    """Judge `worker`: the real client and the real worker, on a frontend of ours or, without grpcio, on a dev server."""

    judge: ClassVar[str] = "worker"


@lru_cache
def registry() -> Registry:
    """The installed rules."""
    return Registry.installed()


def import_keel() -> None:
    """Import the tool and all rules: both faces are played at the same time, and two threads must not begin that together."""
    for module in walk_packages(keel_lint.__path__, "keel_lint."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):  # what an extra needs that is not installed
                importlib.import_module(module.name)
    for info in registry().rules.values():
        info.load()


import_keel()


class TemporalProof(Proof[ReplayStage]):
    """A claim about one example of a rule's documentation, which needs no second copy.

    `example` counts the examples that are flagged. Every marked line is judged alone, with all others fixed by the rule's fix,
    and by `rewritten` where it has none: texts of the example and what a person writes instead, which may span lines; those
    that hold no mark belong to every face. With `together` the marked lines are judged all at once.
    """

    stage: type[ReplayStage] = ReplayStage
    example: ClassVar[int] = 1
    lines: ClassVar[tuple[str, ...]] = ()
    """Texts of the marked lines that the claim is about, where it is not about all."""
    unshown: ClassVar[Mapping[str, str]] = {}
    """Texts of marked lines whose harm the judge cannot show, and why."""
    rewritten: ClassVar[Mapping[str, str]] = {}
    together: ClassVar[bool] = False
    scenarios: ClassVar[tuple[Scenario, ...]]
    harm: ClassVar[Sign]
    clean: ClassVar[Sign | None] = None
    """By what health is known, where it is more than an end as the scenario has it and replays that say the same."""
    beside: ClassVar[Mapping[str, str]] = {}
    """More files of the project, such as a workflow that uses the example's activities."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Packages that the example imports and that need not be there."""
    on_server: ClassVar[bool] = True
    """Whether the same is seen on a real server, in a few seconds of its clock."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "code" not in dir(cls):
            return
        if "project" not in vars(cls):
            cls.project = {**cls.prepared(examples(cls.info(), flagged=True)[cls.example - 1].files), **cls.beside}
        if cls.changes(repairs=True):
            cls.repair = cls.rewrite(cls.project)

    @classmethod
    def prepared(cls, files: Mapping[str, str]) -> dict[str, str]:
        """The bad face: the example, with those changes that are no repair."""
        return {name: _replaced(text, cls.changes(repairs=False)) for name, text in files.items()}

    @classmethod
    def rewrite(cls, files: Mapping[str, str], but: str = "") -> dict[str, str]:
        """The files with all repairs, but that of one marked line."""
        repairs = cls.changes(repairs=True)
        kept = [old for old in repairs if but and any(line.strip() in but for line in old.splitlines() if cls.code in line)]
        return {
            name: _replaced(text, {old: repairs[old] for old in repairs if old not in kept}) for name, text in files.items()
        }

    @classmethod
    def changes(cls, *, repairs: bool) -> dict[str, str]:
        return {old: new for old, new in cls.rewritten.items() if (cls.code in old) == repairs}

    @classmethod
    def info(cls) -> RuleInfo:
        """The rule."""
        return registry().rules[cls.code]

    def play(self, stage: ReplayStage) -> None:
        """Nothing: `perform` has forks play it."""

    def is_harm(self, seen: list[str]) -> bool:
        return bool(seen) and all(line.startswith(HARM) for line in seen)

    def is_clean(self, seen: list[str]) -> bool:
        return bool(seen) and all(line.startswith(CLEAN) for line in seen)

    def perform(self, face: Face, folder: Path) -> Performance:
        """Have the scenarios of a face played and judged; a line of the effects for each."""
        seen, why = [], ""
        try:
            self.ask_for_packages()
            for what, project, scenario in self.cases(face, folder):
                seen.append(self.line(what, self.judged(project, scenario), scenario))
        except NotHere as reason:
            why = str(reason)
        return Performance(tuple(seen), {"Python": python_version(), "temporalio": version("temporalio")}, why)

    def ask_for_packages(self) -> None:
        """Raises `NotHere` where the example cannot be imported."""
        for name in self.needs:
            if find_spec(name) is None:
                raise NotHere(f"{name} is not installed")

    def judged(self, project: Path, scenario: Scenario) -> Observation:
        """Have one scenario played. Raises `NotHere`."""
        seen = forks.recorded(project, scenario)
        if seen.outcome == "unplayed":
            raise NotHere(seen.detail)
        return seen

    def line(self, what: str, seen: Observation, scenario: Scenario) -> str:
        """What was seen, in one line that begins with the verdict."""
        harm, clean = self.harm(seen), (self.clean or healthy(scenario.ends))(seen)
        if harm and not clean:
            return f"{HARM} {what}: {harm}"
        if clean and not harm:
            return f"{CLEAN} {what}: {clean}"
        flaws = [seen.detail, *seen.task_failures[:1], seen.diverged, *seen.warnings[:2], *seen.answers]
        told = "; ".join(first_line(flaw) for flaw in flaws if flaw)
        return f"{NEITHER} {what}: {seen.outcome} {seen.result!r}; {told}; {seen.commands[:6]}"

    # -- what is played ---------------------------------------------------------------------------------------------------

    def cases(self, face: Face, folder: Path) -> Iterator[tuple[str, Path, Scenario]]:
        """What is played for a face: its name, the folder of the project, the scenario."""
        if face == "good" or self.together:
            yield from ((scenario.name, folder / "project", scenario) for scenario in self.scenarios)
            return
        for number, (path, row, line) in enumerate(self.marked_lines()):
            project = folder / f"alone-{number}"
            lay_out(self.alone(path, row, line, project), project)
            what = re.sub(self.mark(), "", line).strip()
            yield from ((f"{scenario.name}: `{what}`", project, scenario) for scenario in self.scenarios_of(path, row))

    def mark(self) -> str:
        return MARK.format(code=self.code)

    def marked_lines(self) -> list[tuple[str, int, str]]:
        """The marked lines whose harm is to be shown, as file, row and text."""
        lines = [(path, row, line) for path, text in self.project.items() for row, line in enumerate(text.splitlines(), 1)]
        marked = [(path, row, line) for path, row, line in lines if re.search(self.mark(), line)]
        unknown = [text for text in (*self.lines, *self.unshown) if not any(text in line for _, _, line in marked)]
        if unknown:
            raise ProofFailure(f"{self.name}: no marked line holds {unknown}")
        meant = [one for one in marked if not self.lines or any(text in one[2] for text in self.lines)]
        return [one for one in meant if not any(text in one[2] for text in self.unshown)]

    def alone(self, path: str, row: int, line: str, folder: Path) -> dict[str, str]:
        """The project with everything repaired but one line."""
        lines = self.project[path].splitlines(keepends=True)
        kept = lines[row - 1] = re.sub(self.mark(), f"# noqa: {self.code}", lines[row - 1], flags=re.MULTILINE)
        files = self.rewrite(self.project, but=line)
        files[path] = files[path].replace(line, kept.rstrip("\n")) if self.repair else "".join(lines)
        lay_out(files, folder)
        return {**files, **fixed(folder, self.code)}

    def scenarios_of(self, path: str, row: int) -> list[Scenario]:
        """The scenarios of the workflow in which a line stands; all, where it stands in none."""
        classes = [node for node in ast.walk(ast.parse(self.project[path])) if isinstance(node, ast.ClassDef)]
        names = {node.name for node in classes if node.lineno <= row <= (node.end_lineno or row)}
        return [one for one in self.scenarios if one.workflow in names] or list(self.scenarios)


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


class WorkerProof(TemporalProof):
    """A claim that needs a clock, a client, or a worker's own checks: heartbeats, cancellation, limits, queries, updates."""

    stage = WorkerStage

    def judged(self, project: Path, scenario: Scenario) -> Observation:
        try:
            return served(project, scenario, LoopbackFrontend() if scenario.program else frontend())
        except NotHere:
            return served(project, scenario, server())


def examples(info: RuleInfo, *, flagged: bool) -> list[Example]:
    """The examples of a rule's documentation."""
    return [example for example in parse(info).examples if example.flagged == flagged]


def findings_in(folder: Path, code: str = "ALL") -> list[Finding]:
    """What keel-lint finds in a folder."""
    return _linter(folder, code).check().findings


def fixed(folder: Path, code: str = "ALL") -> dict[str, str]:
    """What `--fix --unsafe-fixes` makes of the files in a folder; only those that it changes."""
    linter = _linter(folder, code)
    outcome = fixes.fix(lambda overlay: linter.check(overlay).findings, unsafe=True, may_touch=lambda _: True)
    return {path.relative_to(folder).as_posix(): source.raw.decode() for path, source in outcome.after.items()}


def _linter(folder: Path, code: str) -> Linter:
    finder = SettingsFinder(Overrides.from_arguments({"select": [code]}), isolated=True, registry=registry())
    return Linter([folder], finder, registry(), cache=False, tests=True)
