"""`keel-lint check`: find, fix, report."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from keel_lint.cli.console import CommandError, Console
from keel_lint.cli.options import configure
from keel_lint.cli.session import FAILED, Session
from keel_lint.settings import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    console = Console(
        arguments.output_file, quiet=arguments.quiet, silent=arguments.silent, verbose=arguments.verbose, color=arguments.color
    )
    gc.disable()  # syntax trees hold no cycles: collecting them takes most of a cold run and frees nothing
    try:
        return _run(Session(arguments, console))
    except ConfigurationError as error:
        for problem in error.problems:
            console.error(str(problem))
    except CommandError as failure:
        console.error(str(failure))
    finally:
        gc.freeze()
        gc.enable()
    return FAILED


def _run(session: Session) -> int:
    """Do what the arguments ask for."""
    arguments = session.arguments
    for pack in session.registry.broken:
        session.fail(f"rule pack {pack.name} could not be read: {pack.reason}")
    if arguments.show_files:
        return _show_files(session)
    if arguments.show_settings:
        return _show_settings(session)
    if arguments.add_noqa is None and not (arguments.fix or arguments.fix_only or arguments.diff):
        return _check(session)
    from keel_lint.cli import changes

    return changes.fix(session) if arguments.add_noqa is None else changes.add_noqa(session, arguments.add_noqa)


def _check(session: Session) -> int:
    outcome = session.check({})
    session.complain(outcome)
    session.report(outcome, outcome.findings)
    return session.status(outcome.findings, found=bool(outcome.findings))


def _show_files(session: Session) -> int:
    session.console.findings("".join(f"{path}\n" for path in _files(session)))
    return session.status((), found=False)


def _show_settings(session: Session) -> int:
    from keel_lint.cli.show_settings import describe

    session.console.findings(describe(_files(session)[0], session.linter.root, session.finder, session.registry))
    return session.status((), found=False)


def _files(session: Session) -> list[Path]:
    files = session.linter.files()
    if not files:
        raise CommandError("no Python file to check under the given paths")
    return files
