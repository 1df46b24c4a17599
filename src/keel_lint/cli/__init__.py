"""The command line: its commands, and what becomes of an error that none of them handles.

A command is a module here: `configure` gives a parser its arguments, `run` takes them and returns the exit status. Only the
module of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from keel_lint import __version__
from keel_lint.cli.terminal import width

ISSUES = "https://github.com/keel-lint/keel-lint/issues"
COMMANDS = {
    "check": "Check files and folders.",
    "rule": "Explain a rule, or all of them.",
    "why": "Say why a line is flagged, or is not.",
}
INTERRUPTED = 130
_WITHOUT_COMMAND = frozenset({"-h", "--help", "-V", "--version"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name; the process's own by default) and return the exit status.

    Raises `SystemExit` after `--help`, `--version` and usage errors, as argparse does.
    """
    _open_what_is_closed()
    arguments = parse(sys.argv[1:] if argv is None else argv)
    try:
        os.getcwd()  # noqa: PTH109 -- asked for what it raises: every path is seen from there
    except OSError as error:
        return _failed(f"the working directory cannot be read: {error.strerror or error}")
    try:
        status: int = import_module(f"{__name__}.{arguments.command}").run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the last resort: a crash is said, never silent
        return _crashed(error, verbose=getattr(arguments, "verbose", None))
    return status


def program() -> NoReturn:
    """The process of the command: `main`, and an end that does not take apart what it has built, object by object."""
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    os._exit(status)


def _open_what_is_closed() -> None:
    """Point the standard streams that the process was started without nowhere, so that no other file takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- for the life of the process


def _crashed(error: Exception, *, verbose: bool | None) -> int:
    """Say that keel-lint failed; `verbose` is `None` for a command without that option."""
    if verbose:
        import traceback

        traceback.print_exc()
    if isinstance(error, OSError):  # the machine says no
        return _failed(str(error))
    hint = " with what `-v` shows" if verbose is False else ""
    return _failed(
        f"keel-lint {__version__} failed: {type(error).__name__}: {error}\n"
        f"This is a bug in keel-lint; please report it{hint}: {ISSUES}"
    )


def _failed(text: str) -> int:
    from keel_lint.cli.console import say

    say(f"error: {text}")
    return 2


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of `argv`. Raises `SystemExit` with status 2 and a line on stderr where they make no sense."""
    if argv and argv[0] == "help":
        argv = [*argv[1:], "--help"]
    chosen = next((word for word in argv if not word.startswith("-")), "")
    parser, command = _parsers(chosen)
    if argv and argv[0].startswith("-") and argv[0] not in _WITHOUT_COMMAND:
        parser.error(f"options stand behind a command: `keel-lint check {argv[0]}`")
    if chosen and command is None:
        parser.error(f"no such command: {chosen}{_meant(chosen)}")
    arguments, unknown = parser.parse_known_args(_with_optional_values(argv))
    if command is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    if unknown:
        command.refuse(unknown[0])
    return arguments


def _meant(chosen: str) -> str:
    """What someone may have meant by a command that there is not."""
    from keel_lint.settings import nearest

    return f"; did you mean `keel-lint check {chosen}`?" if Path(chosen).exists() else nearest(chosen, COMMANDS)


def _with_optional_values(argv: Sequence[str]) -> list[str]:
    """`--add-noqa` takes a value only with `=`: the path after it is a path."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    return ["--add-noqa=" if word == "--add-noqa" else word for word in options] + list(argv[len(options) :])


def _parsers(chosen: str) -> tuple[_Parser, _Parser | None]:
    """The parser of the whole line, and that of the command `chosen`, which is the only one to have its arguments."""
    description = "Find what will go wrong in Celery and Temporal code before it runs."
    parser = _Parser(prog="keel-lint", description=description, formatter_class=_Help, allow_abbrev=False)
    parser.add_argument("-V", "--version", action="version", version=f"keel-lint {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="<command>", parser_class=_Parser)
    made = {
        name: commands.add_parser(name, help=text, description=text, formatter_class=_Help, allow_abbrev=False)
        for name, text in COMMANDS.items()
    }
    if chosen in made:
        import_module(f"{__name__}.{chosen}").configure(made[chosen])
    return parser, made.get(chosen)


class _Parser(argparse.ArgumentParser):
    def refuse(self, word: str) -> NoReturn:
        """Say that `word` is no argument of this command, and which of its options it is like."""
        from keel_lint.settings import nearest

        if not word.startswith("-"):
            self.error(f"one argument too many: {word}")
        option = word.partition("=")[0]
        self.error(f"no such option: {option}{nearest(option, self._option_string_actions)}")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n\nTry `{self.prog} --help`.\n")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Options as they are typed: `--[no-]fix`, `--add-noqa[=REASON]`, and a value named once for both spellings."""

    def __init__(self, prog: str) -> None:
        # argparse would find the width itself, but makes one of these at every start, and imports `shutil` to do so
        super().__init__(prog, max_help_position=34, width=(width(sys.stdout) or 80) - 2)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, argparse.BooleanOptionalAction):
            return f"--[no-]{action.option_strings[0][2:]}"
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        if action.nargs == "?":
            return f"{action.option_strings[0]}[={action.metavar}]"
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"
