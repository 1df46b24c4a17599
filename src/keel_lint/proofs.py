"""What was seen of a rule on the real engine: records that lie beside the rule's file, in its pack's `proofs.json`.

They are written by the command that plays the proofs, never by hand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keel_lint.rule import RuleInfo

FILE = "proofs.json"
JUDGES = {
    "celery": "real Celery workers",
    "publish": "the real call, with a broker and no worker",
    "replay": "Temporal's own core and sandbox, replaying a recorded history",
    "worker": "a real Temporal client and worker on a loopback frontend",
    "server": "a real Temporal server",
}
"""Who saw it, in words, by the name that a rule's `proof` states."""

NOT_SHOWN = "NOT SHOWN HERE"


class Record(msgspec.Struct, frozen=True):
    """What one proof has shown: both verdicts, on which versions, in how many seconds, and who made the good face.

    `shortened` names what stood in the good face and what was put there instead, so that nobody had to wait.
    """

    claim: str
    judge: str
    versions: dict[str, str]
    bad: str
    good: str
    repaired_by: Literal["fix", "hand"]
    seconds: float
    why_not: str = ""
    shortened: dict[str, str] = {}

    @property
    def is_shown(self) -> bool:
        """Whether the harm was seen, and its end."""
        return (self.bad, self.good) == ("HARM SHOWN", "CLEAN")

    @property
    def engines(self) -> str:
        """The versions in one line: `Celery 5.7.0, Python 3.11.7`."""
        return ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))


def records(info: RuleInfo) -> tuple[Record, ...]:
    """What is recorded of a rule; empty where nothing is, or the file cannot be read."""
    return _read(info.file.parent / FILE).get(info.code, ())


def write(folder: Path, found: dict[str, tuple[Record, ...]]) -> None:
    """Record proofs in a pack's folder, by code; what is recorded of other rules stays."""
    file = folder / FILE
    merged = {**_read(file), **found}
    encoded = msgspec.json.encode({code: merged[code] for code in sorted(merged)})
    file.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")
    _read.cache_clear()


@cache
def _read(file: Path) -> dict[str, tuple[Record, ...]]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, tuple[Record, ...]])
    except (OSError, msgspec.DecodeError):
        return {}


def section(info: RuleInfo) -> str:
    """The part of a rule's page that says what was seen, Markdown; empty where nothing was."""
    if info.proof.startswith("none: "):
        return f"## Proof\nNone: {info.proof.removeprefix('none: ')}."
    lines = list(map(_line, records(info)))
    return "\n".join(["## Proof", *lines]) if lines else ""


def _line(record: Record) -> str:
    claim = record.claim[0].upper() + record.claim[1:]
    if not record.is_shown:
        return f"- {claim}: not shown ({record.why_not})."
    end = "what the fix made of it" if record.repaired_by == "fix" else "the code repaired by hand"
    sooner = "".join(f"; `{new}` in place of `{old}`" for old, new in record.shortened.items())
    return f"- {claim}. Seen with {JUDGES.get(record.judge, record.judge)}, and not with {end}{sooner} ({record.engines})."


def table(rules: Iterable[RuleInfo]) -> str:
    """The page of all proofs, Markdown."""
    ours = [info for info in rules if info.engine != "keel"]
    rows = [row for info in ours for row in _rows(info)]
    shown = sum(any(record.is_shown for record in records(info)) for info in ours)
    head = ["rule", "what happens", "seen by", "bad", "good", "good face by", "on", "seconds"]
    judges = [f"- `{name}`: {words}" for name, words in JUDGES.items()]
    return "\n".join([
        "# Proofs",
        "",
        f"{shown} of {len(ours)} rules have been seen to be right on the real engine: the bad code does the harm, and the good",
        "code does not. Each line is one test, written down by `python -m tests.proofs.record`; how they work is in",
        "[tests/proofs](../tests/proofs/README.md). Where a rule has a fix for the bad code, the good code is what that makes",
        "of it.",
        "",
        *judges,
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *rows,
        "",
    ])  # fmt: skip


def _rows(info: RuleInfo) -> list[str]:
    link = f"[{info.code}](rules/{info.page})"
    if info.proof.startswith("none: "):
        return [f"| {link} | {info.proof} | | | | | | |"]
    return [
        f"| {link} | {record.claim} | `{record.judge}` | {record.bad} | {_good(record)} | {record.repaired_by} "
        f"| {record.engines} | {record.seconds:.1f} |"
        for record in records(info)
    ] or [f"| {link} | yet to be proved | | | | | | |"]


def _good(record: Record) -> str:
    return f"{record.good} ({record.why_not})" if record.why_not else record.good
