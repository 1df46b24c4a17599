"""What all ways of running `keel-lint check` share: settings, the linter, the report and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from keel_lint.cli.console import CommandError, Console, Progress
from keel_lint.cli.options import STDIN
from keel_lint.report import Counts, Report, counted, notes, render, statistics
from keel_lint.rule import Registry
from keel_lint.settings import Overrides, SettingsFinder, fixable, split_config
from keel_lint.source import Source

if TYPE_CHECKING:
    import argparse

    from keel_lint.finding import Finding
    from keel_lint.outcome import Outcome
    from keel_lint.runner import Linter

CLEAN, FOUND, FAILED = 0, 1, 2
INTERNAL_ERROR = "KEL000"

FixCounts = Mapping[str, Mapping[str, int]]


class Session:
    """One run of the command. `stdin` holds what came from standard input under the path that it stands for."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        """Read the settings; raises `ConfigurationError` and `CommandError`."""
        self.arguments = arguments
        self.console = console
        self.cwd = Path.cwd()
        self.registry = Registry.installed()
        file, inline = split_config(arguments.config)
        over = Overrides.from_arguments(vars(arguments), inline)
        self.finder = SettingsFinder(over, isolated=arguments.isolated, explicit=file, registry=self.registry)
        self.settings = self.finder.for_project(self.cwd)
        self.stdin = _standard_input(arguments, self.cwd)
        self._failed = False

    def fail(self, line: str) -> None:
        """Say what makes the exit status 2."""
        self._failed = True
        self.console.error(line)

    # -- checking ---------------------------------------------------------------------------------------------------------

    @cached_property
    def linter(self) -> Linter:
        """The linter of the paths given."""
        from keel_lint.runner import Linter

        return Linter(
            list(self.stdin) or self.arguments.files or [self.cwd],
            self.finder,
            self.registry,
            cache=not self.arguments.no_cache,
            ignore_noqa=self.arguments.ignore_noqa,
            progress=self._progress,
        )

    @cached_property
    def _progress(self) -> Progress | None:
        return self.console.progress()

    def check(self, overlay: Mapping[Path, bytes]) -> Outcome:
        """Check with standard input and `overlay` in place of what is on disk.

        Who hands in one file on standard input, an editor, asks for what stands in that file.
        """
        try:
            outcome = self.linter.check({**self.stdin, **overlay}, only_here=bool(self.stdin))
        finally:
            if self._progress:
                self._progress.erase()
        outcome.findings = list(map(self._with_permitted_fix, outcome.findings))
        return outcome

    def _with_permitted_fix(self, finding: Finding) -> Finding:
        """The finding, without its fix where `fixable` and `unfixable` rule that out."""
        if finding.fix is None or finding.code in fixable(self.registry, self.finder.for_file(finding.path)):
            return finding
        from msgspec.structs import replace

        return replace(finding, fix=None)

    def source(self, path: Path) -> Source:
        """A file as it was checked; raises `SourceError`."""
        raw = self.stdin.get(path)
        return self.linter.source(str(path)) if raw is None else Source.from_bytes(path, raw)

    # -- saying what came of it -------------------------------------------------------------------------------------------

    def complain(self, outcome: Outcome) -> None:
        """Say what went wrong, and what should be known."""
        for line in outcome.problems:
            self.fail(line)
        if not (outcome.checked or outcome.problems or self.stdin or self.settings.force_exclude):
            self.fail(_nothing_checked(outcome))
        for line in outcome.warnings:
            self.console.warn(line)
        self.console.detail(f"{counted(outcome.checked, 'file')} checked in the project {self.linter.root}")

    def report(
        self,
        outcome: Outcome,
        findings: Sequence[Finding],
        *,
        fixed: FixCounts | None = None,
        read: Callable[[Path], Source] | None = None,
    ) -> None:
        """Show the findings in the format asked for, and then what else should be known.

        Where standard input was `fixed`, stdout is taken, and the findings go to stderr. `read` gives the files in which the
        findings are, where these are not those of `source`. Raises `CommandError` for statistics in a format that has none.
        """
        get = cache(read or self.source)  # a file is shown at every hop in it
        aside = fixed is not None and bool(self.stdin)
        report = Report(
            findings,
            self.linter.root,
            self.cwd,
            lambda path: get(Path(path)),
            self.registry,
            suppressed=outcome.suppressed,
            unsafe_fixes=self.settings.unsafe_fixes,
            fixed=fixed or {},
            show_fixes=self.settings.show_fixes,
            quiet=self.console.quiet or (self._failed and not findings),
            color=self.console.colour(aside=aside),
            width=self.console.width,
            counts=Counts(outcome.checked, outcome.left_out, outcome.templates, len(outcome.unresolved)),
            unresolved=outcome.unresolved,
        )
        self.console.findings(self._rendered(report), aside=aside)
        for line in notes(report):
            self.console.note(line)

    def _rendered(self, report: Report) -> str:
        output_format = self.settings.output_format or "full"
        if not self.arguments.statistics:
            return render(output_format, report)
        try:
            return statistics(report, output_format)
        except ValueError as error:
            raise CommandError(str(error)) from error

    def status(self, findings: Sequence[Finding], *, found: bool) -> int:
        """The exit status of a run that is to be 1 where something was `found`."""
        if self._failed or any(finding.code == INTERNAL_ERROR for finding in findings):
            return FAILED
        return FOUND if found and not self.arguments.exit_zero else CLEAN


def _nothing_checked(outcome: Outcome) -> str:
    if outcome.left_out:
        return "nothing was checked: what is there is test code, which `--tests` checks too"
    return "nothing was checked: every file there is excluded"


def _standard_input(arguments: argparse.Namespace, cwd: Path) -> dict[Path, bytes]:
    name: Path | None = arguments.stdin_filename
    if STDIN not in arguments.files and (name is None or arguments.files):
        return {}
    if len(arguments.files) > 1:
        raise CommandError("`-` stands for standard input and cannot stand beside other files")
    return {Path(os.path.normpath(cwd / (name or STDIN))): sys.stdin.buffer.read()}
