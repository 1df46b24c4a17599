"""The flake8 plugin `KEL`: the same findings as the command line on the same file.

The project is read once, before flake8 starts its processes; each of them only judges its files. flake8 handles `noqa` on the
reported line; keel-lint handles its own comments, and `noqa` at the other hops of a path.
A rule pack of another maker subclasses `Plugin` under its own three letters.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from keel_lint import __version__

if TYPE_CHECKING:
    import argparse
    import ast
    from collections.abc import Iterator, Sequence

    from keel_lint.finding import Finding
    from keel_lint.runner import Linter

Result = tuple[int, int, str, type]


class Plugin:
    """What flake8 makes for each file. `letters` are those of the codes that this entry point reports."""

    name = "keel-lint"
    version = __version__
    letters: ClassVar[str] = "KEL"
    _linter: ClassVar[Linter | None] = None
    _problem: ClassVar[str] = ""

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        self._path = Path(filename)
        self._text = "".join(lines)
        del tree  # flake8 calls a plugin once a file only where it takes the tree

    @classmethod
    def add_options(cls, manager: Any) -> None:
        """Add keel-lint's options; those of the command line that decide which rules run."""
        if cls is not Plugin:
            return
        switch = {"action": "store_true", "default": False}
        manager.add_option(
            "--keel-extend-select", default="", parse_from_config=True, help="Codes to run beside the configured."
        )
        manager.add_option("--keel-tests", **switch, parse_from_config=True, help="Check test code too.")
        manager.add_option("--keel-isolated", **switch, help="Read no keel-lint configuration.")

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Read the project of the files that flake8 was given. A configuration error is reported as KEL000 on every file."""
        from keel_lint.rule import Registry
        from keel_lint.runner import Linter
        from keel_lint.settings import ConfigurationError, Overrides, SettingsFinder

        registry = Registry.installed()
        words = [word.strip() for word in options.keel_extend_select.split(",") if word.strip()]
        overrides = Overrides.from_arguments({"extend_select": words or None})
        try:
            finder = SettingsFinder(overrides, isolated=options.keel_isolated, registry=registry)
            paths = [Path(name) for name in options.filenames if name != "-"] or [Path(options.stdin_display_name)]
            tests = options.keel_tests or None
            Plugin._linter = Linter(paths, finder, registry, tests=tests, ignore_noqa=options.disable_noqa, flake8=True)
            if not _is_single(paths):
                Plugin._linter.prepare()
                gc.freeze()  # what all files share is here to stay: no collection need look at it, and forks share its memory
        except ConfigurationError as error:
            Plugin._problem = "; ".join(str(error).splitlines())
        if registry.broken:
            Plugin._problem = "; ".join(f"rule pack {pack.name}: {pack.reason}" for pack in registry.broken)

    def run(self) -> Iterator[Result]:
        """The findings of the file as flake8 wants them: row, 0-based column, code and text, type."""
        from keel_lint.report import one_line

        if self._problem:
            yield 1, 0, f"{self.letters}000 nothing was checked: {self._problem}", type(self)
            return
        for finding in self._findings():
            if finding.code.startswith(self.letters):
                yield finding.span.row, finding.span.column - 1, f"{finding.code} {one_line(finding)}", type(self)

    def _findings(self) -> list[Finding]:
        if Plugin._linter is None:
            return []
        was_on = gc.isenabled()
        gc.disable()  # collecting syntax trees takes longer than making them
        try:
            return Plugin._linter.check_file(self._path, self._text)
        finally:
            if was_on:
                gc.enable()


def _is_single(paths: Sequence[Path]) -> bool:
    """Whether flake8 was given one file, which it checks in its own process."""
    return len(paths) == 1 and not paths[0].is_dir()
