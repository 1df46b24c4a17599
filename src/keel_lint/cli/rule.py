"""`keel-lint rule`: what a rule says, why, and what to write instead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from keel_lint import pages, proofs
from keel_lint.rule import Registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from keel_lint.rule import RuleInfo


def configure(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of this command."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("rule", nargs="?", metavar="CODE", help="the rule's code or name: KEL101, delay-in-atomic")
    which.add_argument("--all", action="store_true", help="all rules")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Show one rule or all; returns the exit status: 0, or 2 for an unknown rule and for rules that cannot be read."""
    from keel_lint.cli.console import write

    registry = Registry.installed()
    for pack in registry.broken:
        print(f"error: rule pack {pack.name} could not be read: {pack.reason}", file=sys.stderr)
    if args.all:
        write(_all(list(registry.rules.values()), args.output_format))
        return 2 if registry.broken else 0
    info = registry.find(args.rule)
    if info is None:
        print(f"error: {_unknown(args.rule, registry)}", file=sys.stderr)
        return 2
    write(_json(as_object(info)) if args.output_format == "json" else pages.page(info))
    return 0


def _all(rules: Sequence[RuleInfo], output_format: str) -> str:
    if output_format == "json":
        return _json([as_object(info) for info in rules])
    return "\n".join(map(pages.page, rules))


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _unknown(word: str, registry: Registry) -> str:
    from difflib import get_close_matches

    near = [
        *get_close_matches(word.upper(), registry.rules, n=1, cutoff=0.6),
        *get_close_matches(word.lower(), registry.by_slug, n=1, cutoff=0.6),
    ]
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"no such rule: {word}{hint}"


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
