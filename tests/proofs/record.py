"""Play proofs and write down what was seen, for the rules' pages: `python -m tests.proofs.record [CODE ...]`.

Where something cannot be shown on this machine, and a record says that it has been shown on another, that record stays.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keel_lint import proofs
from keel_lint.proofs import Record
from keel_lint.rule import Registry
from tests.proofs.loop import Result, all_proofs, close

if TYPE_CHECKING:
    from tests.proofs.harness import Proof


def record(result: Result) -> Record:
    """What a result says, to be kept."""
    proof, cases = result.proof, (result.bad, result.good)
    return Record(
        claim=proof.claim,
        judge=proof.stage.judge,
        versions={name: version for case in cases for name, version in case.versions.items()},
        bad=result.bad.verdict.value,
        good=result.good.verdict.value,
        repaired_by="hand" if proof.repair else "fix",
        seconds=round(max(case.seconds for case in cases), 1),
        why_not=result.why_not,
        shortened=dict(proof.shortened),
    )


def newest(made: Record, kept: tuple[Record, ...]) -> Record:
    """A record, or the one that is kept where this machine lacks something that another had."""
    before = next((one for one in kept if (one.claim, one.judge) == (made.claim, made.judge) and one.is_shown), made)
    return before if made.why_not else made


def play_one(proof: Proof[Any]) -> Record:
    """Play a proof in a folder of its own, and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="keel-proof-") as folder:
        made = record(close(proof, Path(folder)))
    print(f"{proof.name}: bad {made.bad}, good {made.good}, {made.seconds:.1f} s {made.why_not}".rstrip(), flush=True)
    return made


def main(codes: list[str]) -> None:
    """Play the proofs of some rules, or of all, and record them in their packs. Raises what a proof raises that fails."""
    rules = Registry.installed().rules
    found: dict[Path, dict[str, tuple[Record, ...]]] = defaultdict(lambda: defaultdict(tuple))
    for proof in all_proofs():
        if not codes or proof.code in codes:
            info = rules[proof.code]
            found[info.file.parent][proof.code] += (newest(play_one(proof), proofs.records(info)),)
    for folder, made in found.items():
        proofs.write(folder, dict(made))


if __name__ == "__main__":
    main(sys.argv[1:])
