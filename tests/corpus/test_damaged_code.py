"""Real code, damaged: a check ends as it should, says what it could not check, and loses nothing of the files that are whole.

`KEEL_LINT_CORPUS` names folders with checkouts, as for `test_corpus.py`; `KEEL_LINT_BREAK` says how often each is damaged.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.corpus.test_corpus import CHECKOUTS, checkout, keel

__all__ = ["checkout"]

ROUNDS = int(os.environ.get("KEEL_LINT_BREAK", "3"))
WORDS = (b"celery", b"shared_task", b".delay", b"temporalio")
PIECES = (
    b"(",
    b"'''\n",
    b"    def f(:\n",
    b"\t\tx\n",
    b"\xff\n",
    b"\0\n",
    b"async \n",
    b"@\n",
    b"\\\n",
    b"<<<<<<< HEAD\n",
    b"f'{\n",
)

pytestmark = pytest.mark.skipif(not CHECKOUTS, reason="KEEL_LINT_CORPUS names no checkouts")


def damaged(raw: bytes, chance: Random) -> bytes:
    """Some bytes flipped, the end cut off, or lines lost, doubled, moved or slipped in."""
    if not raw:
        return raw
    kind = chance.choice(("flip", "cut", "lose", "double", "shuffle", "slip in"))
    if kind == "cut":
        return raw[: chance.randrange(len(raw))]
    if kind == "flip":
        changed = bytearray(raw)
        for _ in range(chance.choice((1, 5, 50))):
            changed[chance.randrange(len(raw))] = chance.choice((chance.randrange(256), chance.randrange(32, 127)))
        return bytes(changed)
    lines = raw.splitlines(keepends=True)
    start = chance.randrange(len(lines))
    end = start + chance.choice((1, 3, 20))
    part = lines[start:end]
    chance.shuffle(part)
    made = {"lose": [], "double": lines[start:end] * 2, "shuffle": part, "slip in": [chance.choice(PIECES), *lines[start:end]]}
    return b"".join([*lines[:start], *made[kind], *lines[end:]])


def findings(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    """What was found, as (file, code); that the run ended as it should is asserted."""
    assert done.returncode in (0, 1, 2)
    assert "This is a bug" not in done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert [one for one in found if one["code"] == "KEL000"] == []
    return [(one["filename"], one["code"]) for one in found]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_damaged_files_spoil_no_run_and_no_other_file(checkout: Path, number: int) -> None:
    chance = Random(f"{checkout.name} {number}")
    files = [
        path for path in sorted(checkout.rglob("*.py")) if path.is_file() and any(word in path.read_bytes() for word in WORDS)
    ]
    whole = set(findings(keel(checkout, "--select=ALL", "--tests", "--output-format=json")))
    chosen = chance.sample(files, max(1, len(files) // 4))
    for path in chosen:
        path.write_bytes(damaged(path.read_bytes(), chance))
    found = findings(keel(checkout, "--select=ALL", "--tests", "--output-format=json"))
    # What stands in a whole file may lean on a damaged one; that it is judged at all is what counts.
    touched = set(map(str, chosen))
    assert {path for path, code in found if code == "KEL001"} <= touched
    elsewhere = {(path, code) for path, code in whole if path not in touched}
    assert not elsewhere or not elsewhere.isdisjoint(found)
    findings(keel(checkout, "--select=ALL", "--tests", "--fix", "--unsafe-fixes", "--output-format=json"))
