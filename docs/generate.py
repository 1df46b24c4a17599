"""Write the rules' pages and the page of all proofs; `--check` writes nothing and fails where one is out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from keel_lint import pages, proofs
from keel_lint.rule import Registry, RuleInfo

FOLDER = Path(__file__).parent / "rules"
PROOFS = Path(__file__).parent / "proofs.md"
ENGINES = {"celery": "Celery", "temporal": "Temporal", "keel": "keel-lint"}
SECTIONS = {
    "KEL1": "Celery: dispatch",
    "KEL2": "Celery: tasks",
    "KEL3": "Celery: canvas, beat and settings",
    "KEL5": "Temporal: determinism",
    "KEL6": "Temporal: activities",
    "KEL7": "Temporal: workflows",
    "KEL8": "Temporal: clients and workers",
    "KEL9": "Celery and Temporal",
    "KEL0": "keel-lint itself",
}
INTRODUCTION = """\
# Rules

A rule's group says what is at stake. *Correctness*: it breaks. *Reliability*: it breaks under retries, crashes or races.
*Performance*: it works, and costs more than it should. *Practice*: advice that not every team shares, so it is off until
selected. *Internal*: about keel-lint itself and its comments. A *safe* fix is one that no test suite and no run in flight can
tell, the finding aside; an *unsafe* one changes behaviour, and each page says how.
"""
FIXES = {"safe": "safe", "unsafe": "unsafe", "displayonly": "shown", None: ""}


def contents(registry: Registry) -> dict[str, str]:
    """The text of every page by file name."""
    rules = list(registry.rules.values())
    return {"README.md": table(rules)} | {info.page: pages.page(info) for info in rules}


def table(rules: list[RuleInfo]) -> str:
    """The list of all rules, in sections."""
    order = list(SECTIONS)
    ordered = sorted(rules, key=lambda info: order.index(info.code[:4]))
    sections = groupby(ordered, key=lambda info: SECTIONS[info.code[:4]])
    return "\n".join([INTRODUCTION, *(line for name, members in sections for line in section(name, members))])


def section(name: str, rules: Iterable[RuleInfo]) -> list[str]:
    """The lines of one section of the list."""
    columns = ("code", "name", "what it finds", "engine", "group", "default", "fix")
    rows = (
        f"| [{info.code}]({info.page}) | {info.slug} | {info.title} | {ENGINES[info.engine]} | {info.group} "
        f"| {'on' if info.on_by_default else 'off'} | {FIXES[info.fix]} |"
        for info in rules
    )
    return [f"## {name}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *rows, ""]


def stale(wanted: dict[str, str], folder: Path) -> list[str]:
    """The names of pages that are missing, out of date, or of a rule that is no more."""
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def write(wanted: dict[str, str], folder: Path) -> None:
    """Write the pages that are out of date and remove those of rules that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(wanted, folder):
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()


def main() -> int:
    """Run the script; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page is out of date")
    arguments = parser.parse_args()
    registry = Registry.installed()
    if registry.broken:
        print(*(f"error: {pack.reason}" for pack in registry.broken), sep="\n", file=sys.stderr)
        return 2
    wanted, seen = contents(registry), proofs.table(registry.rules.values())
    if not arguments.check:
        write(wanted, FOLDER)
        PROOFS.write_text(seen, encoding="utf-8", newline="\n")
        return 0
    outdated = [f"rules/{name}" for name in stale(wanted, FOLDER)]
    if not PROOFS.exists() or PROOFS.read_text(encoding="utf-8") != seen:
        outdated.append(PROOFS.name)
    print(*(f"out of date: docs/{name}" for name in outdated), sep="\n", file=sys.stderr, end="\n" if outdated else "")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
