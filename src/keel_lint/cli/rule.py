"""`keel-lint rule`: what a rule says, why, and what to write instead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from keel_lint import pages, proofs
from keel_lint.rule import Registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from keel_lint.rule import RuleInfo

_FIXES = {"safe": "safe fix", "unsafe": "unsafe fix"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of this command."""
    which = parser.add_mutually_exclusive_group()
    text = "a code or a name (KEL101, delay-in-atomic); the beginning of codes (KEL1) lists them, and so does none at all"
    which.add_argument("rule", nargs="?", default="", metavar="CODE", help=text)
    which.add_argument("--all", action="store_true", help="all that there is on all rules")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Show one rule, a list or all; returns the exit status: 0, or 2 for an unknown rule and for rules that cannot be read."""
    from keel_lint.cli.console import CommandError, write

    registry = Registry.installed()
    for pack in registry.broken:
        print(f"error: rule pack {pack.name} could not be read: {pack.reason}", file=sys.stderr)
    try:
        write(_answer(args, registry))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 2 if registry.broken else 0


def _answer(args: argparse.Namespace, registry: Registry) -> str:
    """The text for what was asked. Raises `CommandError` where no rule is called so."""
    from keel_lint.cli.console import CommandError

    as_json = args.output_format == "json"
    if args.all:
        return _list(registry.rules.values(), as_json, "\n".join(map(pages.page, registry.rules.values())))
    info = registry.find(args.rule)
    if info:
        return _json(as_object(info)) if as_json else pages.brief(info)
    listed = [one for code, one in registry.rules.items() if code.startswith(args.rule.upper())]
    if not listed:
        raise CommandError(_unknown(args.rule, registry))
    return _list(listed, as_json, "".join(map(_line_of, listed)))


def _list(rules: Iterable[RuleInfo], as_json: bool, text: str) -> str:
    return _json([as_object(info) for info in rules]) if as_json else text


def _line_of(info: RuleInfo) -> str:
    """A rule in a list: code, name, whether there is a fix, and what goes wrong."""
    return f"{info.code}  {info.slug:<36}  {_FIXES.get(info.fix or '', ''):<10}  {info.title}\n"


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _unknown(word: str, registry: Registry) -> str:
    from keel_lint.settings import nearest

    return f"no such rule: {word}{nearest(word, [*registry.rules, *registry.by_slug]) or '; `keel-lint rule` lists them'}"


def as_object(info: RuleInfo) -> dict[str, Any]:
    """What is known of a rule, for JSON."""
    import msgspec

    return {
        "code": info.code,
        "name": info.slug,
        "group": info.group,
        "engine": info.engine,
        "summary": info.title,
        "fix": info.fix,
        "fix_availability": pages.fix_availability(info),
        "explanation": info.documentation,
        "status": info.status,
        "preview": info.status == "preview",
        "default": info.on_by_default,
        "url": info.url,
        "versions": info.versions,
        "source_location": {"file": str(info.file), "line": _line(info)},
        "proof": info.proof,
        "proofs": [msgspec.to_builtins(record) for record in proofs.records(info)],
    }


def _line(info: RuleInfo) -> int:
    """The line at which the rule's class begins."""
    lines = info.file.read_text(encoding="utf-8").splitlines()
    return next((row for row, line in enumerate(lines, 1) if line.startswith("class ") and "Rule" in line), 1)
