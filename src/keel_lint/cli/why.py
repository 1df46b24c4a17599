"""`keel-lint why FILE:LINE`: why a line is flagged, or why it is not."""

from __future__ import annotations

import argparse
import gc
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from keel_lint.cli.console import CommandError, Console
from keel_lint.cli.options import add_colour, add_configuration, words
from keel_lint.cli.session import CLEAN, FAILED, FOUND
from keel_lint.report import Report, one_line, printable
from keel_lint.settings import ConfigurationError, Overrides, SettingsFinder, split_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.explaining import Explanation, Suppressed
    from keel_lint.runner import Linter
    from keel_lint.settings import Settings

EPILOG = """\
exit statuses:
  0  nothing is reported there
  1  findings stand there
  2  an error
"""
_PLACE = re.compile(r"(.+?):(\d+)(?::(\d+))?\Z")


class Place(NamedTuple):
    """A line of a file, and a column where one was given; both count from 1."""

    path: Path
    row: int
    column: int | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of this command."""
    parser.epilog = EPILOG
    parser.add_argument("place", type=_place, metavar="FILE:LINE[:COLUMN]", help="the line to explain")
    for name, text in (("select", "the rules to run"), ("ignore", "rules not to run"), ("extend-select", "more rules to run")):
        parser.add_argument(f"--{name}", type=words, action="extend", metavar="CODES", help=text)
    parser.add_argument("--output-format", dest="form", choices=("text", "json"), default="text", help="default: text")
    add_colour(parser)
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain the line; returns the exit status."""
    console = Console(color=arguments.color)
    gc.disable()  # as in `check`: syntax trees hold no cycles
    try:
        return _explain(arguments, console)
    except ConfigurationError as error:
        for problem in error.problems:
            console.error(str(problem))
    except CommandError as failure:
        console.error(str(failure))
    finally:
        gc.enable()
    return FAILED


def _explain(arguments: argparse.Namespace, console: Console) -> int:
    from keel_lint.rule import Registry
    from keel_lint.runner import Linter
    from keel_lint.source import SourceError

    place: Place = arguments.place
    if not place.path.is_file():
        raise CommandError(f"{place.path}: no such file")
    registry = Registry.installed()
    for pack in registry.broken:
        console.error(f"rule pack {pack.name} could not be read: {pack.reason}")
    file, inline = split_config(arguments.config)
    over = Overrides.from_arguments(vars(arguments), inline)
    finder = SettingsFinder(over, isolated=arguments.isolated, explicit=file, registry=registry)
    linter = Linter([place.path], finder, registry, cache=not arguments.no_cache)
    try:
        made = linter.explain(*place)
    except (OSError, SourceError, ValueError) as error:
        raise CommandError(f"{place.path}: {error}") from error
    report = _report(made, linter, console, finder.for_file(place.path.absolute()))
    console.findings(_json(made, report) if arguments.form == "json" else "\n".join(_text(made, report)) + "\n")
    if registry.broken:
        return FAILED
    return FOUND if made.findings else CLEAN


def _place(text: str) -> Place:
    found = _PLACE.match(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FILE:LINE or FILE:LINE:COLUMN")
    return Place(Path(found[1]), int(found[2]), int(found[3]) if found[3] else None)


def _report(made: Explanation, linter: Linter, console: Console, settings: Settings) -> Report:
    return Report(
        made.findings,
        linter.root,
        Path.cwd(),
        linter.source,
        linter.registry,
        unsafe_fixes=settings.unsafe_fixes,
        color=console.colour(),
        width=console.width,
    )


# -- for people -----------------------------------------------------------------------------------------------------------


def _text(made: Explanation, report: Report) -> Iterator[str]:
    yield f"{report.shown(made.path)}:{made.row}: {made.text}"
    yield from (f"note: {note}" for note in made.notes)
    for title, lines in _sections(made, report):
        shown = list(lines)
        if shown:
            yield ""
            yield title
            yield from (f"  {line}" if line else "" for line in shown)


def _sections(made: Explanation, report: Report) -> Iterator[tuple[str, Iterator[str]]]:
    yield "What stands here", (f"line {thing.row}: {thing.what}" for thing in made.things)
    yield "What the task really has", _options(made, report)
    yield "Reported here", _findings(made, report)
    yield "Reported elsewhere, with a path through this line", (_line(report, finding) for finding in made.through)
    yield "Suppressed", (_suppressed(one, report) for one in made.suppressed)
    yield "Looked at, and not reported", (f"{one.code} ({one.slug}): {one.reason}" for one in made.silences)
    yield "Could not be resolved", (f"`{one.callee}` was looked up as {one.looked_up}" for one in made.unresolved)
    yield "Rules", _rules(made)


def _options(made: Explanation, report: Report) -> Iterator[str]:
    for one in made.options:
        yield f"{one.name} = {one.value}  ({one.origin}, {report.shown(one.path)}:{one.row})"


def _findings(made: Explanation, report: Report) -> Iterator[str]:
    from keel_lint.report.full import lines

    for number, finding in enumerate(made.findings):
        if number:
            yield ""
        yield from lines(report, finding)
        hops = " or on the line of a hop" if finding.hops else ""
        yield f"to accept it, write `# noqa: {finding.code} -- reason` on line {finding.noqa_row}{hops}"


def _line(report: Report, finding: Any) -> str:
    return f"{report.shown(finding.path)}:{finding.span.row}:{finding.span.column}: {finding.code} {one_line(finding)}"


def _suppressed(one: Suppressed, report: Report) -> str:
    where = f"at hop {one.hop} of its path" if one.hop else "where it stands"
    reason = f": {one.reason}" if one.reason else ", without a reason"
    what = f"{one.finding.code} at {report.shown(one.finding.path)}:{one.finding.span.row}"
    return f"{what} by `{one.comment}` {where}, {report.shown(one.path)}:{one.row}{reason}"


def _rules(made: Explanation) -> Iterator[str]:
    if not made.things:
        yield "none looks at this line: it stands in no definition, and in no statement that configures an engine"
    elif not (made.asked or made.left_out):
        yield "none looks at this definition: there is no task, dispatch, workflow, activity or engine setting in it"
    if made.judged:
        yield f"looked and found nothing here: {', '.join(made.judged)}"
    for one in made.left_out:
        remedy = f"; `{one.remedy}` runs it" if one.remedy else ""
        yield f"not run: {one.code} ({one.slug}): {one.reason}{remedy}"
    if made.irrelevant:
        yield f"{made.irrelevant} more look at other things than what stands here"


# -- for programs ---------------------------------------------------------------------------------------------------------


def _json(made: Explanation, report: Report) -> str:
    """One object; findings look as they do in `check --output-format json`."""
    import msgspec

    from keel_lint.report.json_array import as_object

    plain: dict[str, Any] = {
        name: msgspec.to_builtins(getattr(made, name)) for name in ("notes", "options", "silences", "judged", "left_out")
    }
    plain |= {
        "filename": printable(made.path),
        "location": {"row": made.row, "column": made.column},
        "text": made.text,
        "things": msgspec.to_builtins(made.things),
        "findings": [as_object(report, finding) for finding in made.findings],
        "through": [as_object(report, finding) for finding in made.through],
        "suppressed": [
            {
                "comment": one.comment,
                "filename": printable(one.path),
                "finding": as_object(report, one.finding),
                "hop": one.hop,
                "reason": one.reason,
                "row": one.row,
            }
            for one in made.suppressed
        ],
        "unresolved": msgspec.to_builtins(made.unresolved),
    }
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=2).decode() + "\n"
