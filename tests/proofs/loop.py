"""The closed loop of a proof: lint flags the bad face, the fix is applied, lint is silent, and the engine agrees with both."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keel_lint.cli import main
from tests.proofs.harness import Case, Proof, ProofFailure, Verdict, lay_out, play

Place = tuple[str, int]

_MARK = re.compile(r"#[ \t]*(KEL\d{3}(?:[ \t]+KEL\d{3})*)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """Both faces of a proof."""

    proof: Proof[Any]
    bad: Case
    good: Case

    @property
    def why_not(self) -> str:
        """Why the proof could not be shown here; empty where it was."""
        return self.bad.why or self.good.why


def all_proofs() -> list[Proof[Any]]:
    """Every proof of every `kel*.py` beside this file, by code and name."""
    modules = (importlib.import_module(f"tests.proofs.{file.stem}") for file in sorted(Path(__file__).parent.glob("kel*.py")))
    return [proof() for module in modules for proof in proofs_of(module)]


def proofs_of(module: Any) -> Iterator[type[Proof[Any]]]:
    """The proofs that a module defines, in the order of the file."""
    for value in vars(module).values():
        if inspect.isclass(value) and issubclass(value, Proof) and value.__module__ == module.__name__ and "code" in dir(value):
            yield value


def close(proof: Proof[Any], folder: Path) -> Result:
    """Lint, fix, lint again and play both faces, at the same time where that is possible.

    Raises `ProofFailure` where lint, the fix or the engine does not do what the proof says.
    """
    bad, good = folder / "bad", folder / "good"
    lay_out(proof.project, bad / "project")
    with ThreadPoolExecutor(2) as pool:
        harm = pool.submit(play, proof, "bad", bad)
        flag(proof, bad / "project")
        repair(proof, bad / "project", good / "project")
        health = pool.submit(play, proof, "good", good)
        return Result(proof, harm.result(), health.result())


def flag(proof: Proof[Any], project: Path) -> None:
    """Assert that lint flags the marked lines and no others."""
    wanted = sorted((name, row) for name, text in proof.project.items() for row in marked(text, proof.code))
    found = places(proof, project)
    if not wanted or found != wanted:
        raise ProofFailure(f"{proof.name}: flagged {found}, marked {wanted}")


def repair(proof: Proof[Any], bad: Path, good: Path) -> None:
    """Make the good face of the bad one, and assert that lint is silent on it."""
    shutil.copytree(bad, good, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*"))
    if proof.repair:
        lay_out(proof.repair, good)
    else:
        _check(proof, good, "--fix", "--unsafe-fixes")
    if proof.shortened:
        _shorten(proof, good)
    left = places(proof, good)
    if left:
        raise ProofFailure(f"{proof.name}: still flagged after the repair: {left}")


def marked(text: str, code: str) -> list[int]:
    """The rows that end in a marker of `code`."""
    return [text.count("\n", 0, mark.start()) + 1 for mark in _MARK.finditer(text) if code in mark[1].split()]


def places(proof: Proof[Any], project: Path) -> list[Place]:
    """Where lint finds the rule's pattern."""
    found = _check(proof, project)
    return sorted((Path(one["filename"]).relative_to(project).as_posix(), one["location"]["row"]) for one in found)


def _check(proof: Proof[Any], project: Path, *options: str) -> list[dict[str, Any]]:
    """Run `keel-lint check` as a user does; returns the findings."""
    report = project.parent / "findings.json"
    where = ["--output-format", "json", "--output-file", str(report), str(project)]
    status = main(["check", "--isolated", "--no-cache", "--quiet", "--select", proof.code, *options, *where])
    if status not in {0, 1}:
        raise ProofFailure(f"{proof.name}: keel-lint ended with status {status}")
    findings: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))
    return findings


def _shorten(proof: Proof[Any], project: Path) -> None:
    texts = {path: path.read_text("utf-8") for path in project.rglob("*.py")}
    for old, new in proof.shortened.items():
        if not any(old in text for text in texts.values()):
            raise ProofFailure(f"{proof.name}: the fix wrote no {old!r} to shorten")
        texts = {path: text.replace(old, new) for path, text in texts.items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def is_shown(result: Result) -> bool:
    """Whether both faces have shown what the proof claims."""
    return (result.bad.verdict, result.good.verdict) == (Verdict.HARM_SHOWN, Verdict.CLEAN)
