"""The options of `keel-lint check`, spelt as ruff spells them, so that whoever knows the one knows the other."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from keel_lint.report import FORMATS

STDIN = Path("-")

EPILOG = """\
exit statuses:
  0  nothing found, or all of it fixed
  1  findings
  2  an error, or nothing was checked

environment:
  KEEL_LINT_OUTPUT_FORMAT, KEEL_LINT_OUTPUT_FILE, KEEL_LINT_NO_CACHE, KEEL_LINT_CACHE_DIR
      stand in for the options of these names
  NO_COLOR, FORCE_COLOR, COLUMNS
      what the terminal shows
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `check`."""
    parser.usage = "%(prog)s [options] [FILES]..."
    parser.epilog = EPILOG
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILES", help="files and folders, or - for standard input (default: .)"
    )
    _add_fixing(parser.add_argument_group("fixing"))
    _add_rules(parser.add_argument_group("rule selection"))
    _add_files(parser.add_argument_group("file selection"))
    _add_output(parser.add_argument_group("output"))
    _add_suppression(parser.add_argument_group("suppression"))
    group = parser.add_argument_group("configuration and cache")
    add_configuration(group)
    group.add_argument("--show-settings", action="store_true", help="show the settings in force and where they come from")


def _add_fixing(group: argparse._ArgumentGroup) -> None:
    twin = partial(group.add_argument, action=argparse.BooleanOptionalAction)
    flag = partial(group.add_argument, action="store_true")
    twin("--fix", help="apply the safe fixes")
    twin("--unsafe-fixes", help="include fixes that change behaviour")
    twin("--show-fixes", help="list what was fixed")
    flag("--diff", help="show what --fix-only would change; status 1 if anything")
    twin("--fix-only", help="fix, and be silent about the rest")
    flag("--exit-non-zero-on-fix", help="status 1 if a file was fixed")


def _add_rules(group: argparse._ArgumentGroup) -> None:
    codes = partial(group.add_argument, type=words, action="extend", metavar="CODES")
    patterns = partial(group.add_argument, type=_pairs, action="extend", metavar="PATTERN:CODE,...")
    codes("--select", type=_some_words, help="the rules to run: codes, their beginnings or names, or ALL")
    codes("--ignore", help="rules not to run")
    codes("--extend-select", help="more rules to run")
    patterns("--per-file-ignores", help="rules not to run on some files")
    patterns("--extend-per-file-ignores", help="more of these")
    codes("--fixable", help="rules whose fixes may be applied")
    codes("--unfixable", help="rules whose fixes may not")


def _add_files(group: argparse._ArgumentGroup) -> None:
    patterns = partial(group.add_argument, type=words, action="extend", metavar="PATTERNS")
    twin = partial(group.add_argument, action=argparse.BooleanOptionalAction)
    patterns("--exclude", help="files and folders to leave out")
    patterns("--extend-exclude", help="more of these")
    twin("--respect-gitignore", help="leave out what git ignores")
    twin("--force-exclude", help="leave out excluded files even when they are named")
    twin("--tests", help="check test code too")
    group.add_argument("--stdin-filename", type=Path, metavar="FILE", help="the name of what comes from standard input")
    group.add_argument("--show-files", action="store_true", help="list the files that would be checked")


def _add_output(group: argparse._ArgumentGroup) -> None:
    option, flag = group.add_argument, partial(group.add_argument, action="store_true")
    formats = f"one of {', '.join(FORMATS)} (default: full)"
    option("--output-format", type=_format, metavar="FORMAT", default=_variable("OUTPUT_FORMAT"), help=formats)
    option(
        "-o", "--output-file", type=Path, metavar="FILE", default=_variable("OUTPUT_FILE"), help="write the findings to a file"
    )
    flag("--statistics", help="count the findings of each rule")
    add_colour(group)
    flag("-e", "--exit-zero", help="status 0 even with findings")
    flag("-q", "--quiet", help="findings and errors only")
    flag("-s", "--silent", help="nothing but the exit status")
    flag("-v", "--verbose", help="say more, and show where a crash happened")


def add_colour(group: argparse._ActionsContainer) -> None:
    """The option that says when to colour."""
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")


def _add_suppression(group: argparse._ArgumentGroup) -> None:
    noqa = "write a noqa comment for each finding; a reason needs the ="
    group.add_argument("--add-noqa", nargs="?", metavar="REASON", help=noqa)
    group.add_argument("--ignore-noqa", action="store_true", help="report what comments suppress too")


def add_configuration(group: argparse._ActionsContainer) -> None:
    """The options that say which configuration is read, and where what is known is kept."""
    option, flag = group.add_argument, partial(group.add_argument, action="store_true")
    option("--config", action="append", default=[], metavar="FILE|KEY=VALUE", help="a TOML file, or one setting in TOML")
    flag("--isolated", help="read no configuration file")
    flag("-n", "--no-cache", default=_switched_on("NO_CACHE"), help="use and leave no cache")
    option("--cache-dir", type=Path, metavar="FOLDER", default=_variable("CACHE_DIR"), help="default: .keel_lint_cache")


def words(text: str) -> list[str]:
    """The words of a list with commas."""
    return [word for word in (word.strip() for word in text.split(",")) if word]


def _some_words(text: str) -> list[str]:
    """The words of a list; an empty one, of a variable that is not set, would select no rule and find nothing."""
    found = words(text)
    if not found:
        raise argparse.ArgumentTypeError("no rule is named")
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [word.rpartition(":") for word in words(text)]
    if not all(pattern and code for pattern, _, code in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form PATTERN:CODE,...")
    return [(pattern.strip(), code.strip()) for pattern, _, code in pairs]


def _format(text: str) -> str:
    if text not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(FORMATS)}")
    return text


def _variable(name: str) -> str | None:
    return os.environ.get(f"KEEL_LINT_{name}") or None


def _switched_on(name: str) -> bool:
    return os.environ.get(f"KEEL_LINT_{name}", "").lower() in ("1", "true", "yes", "on", "y", "t")
