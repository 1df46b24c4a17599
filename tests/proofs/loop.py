"""The closed loop of a proof: lint flags the bad face, the fix is applied, lint is silent, and the engine agrees with both."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from collections.abc import Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keel_lint.cli import main
from tests.proofs.harness import Case, Proof, ProofFailure, Verdict, lay_out, play

Place = tuple[str, int, str]
"""A finding: file, row, code."""

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
    wanted, found = marks(project, {proof.code}), places(project, proof.code)
    if not wanted or found != wanted:
        raise ProofFailure(f"{proof.name}: flagged {found}, marked {wanted}")


def repair(proof: Proof[Any], bad: Path, good: Path) -> None:
    """Make the good face of the bad one, and assert that lint is silent on it."""
    shutil.copytree(bad, good, ignore=shutil.ignore_patterns("__pycache__"))
    lay_out(proof.repair, good)
    check(good, proof.code, "--fix", "--unsafe-fixes")
    shorten(proof.shortened, good)
    left = places(good, proof.code)
    if left:
        raise ProofFailure(f"{proof.name}: still flagged after the repair: {left}")


def marks(project: Path, codes: Container[str]) -> list[Place]:
    """Where a project's files say in a comment at the end of a line that one of `codes` is to be found."""
    found = []
    for file in project.rglob("*.py"):
        text, name = file.read_text("utf-8"), file.relative_to(project).as_posix()
        for mark in _MARK.finditer(text):
            row = text.count("\n", 0, mark.start()) + 1
            found += [(name, row, code) for code in mark[1].split() if code in codes]
    return sorted(found)


def places(project: Path, *codes: str) -> list[Place]:
    """Where lint finds one of `codes`, or anything that is on by default."""
    found = check(project, ",".join(codes))
    named = ((Path(one["filename"]).relative_to(project).as_posix(), one) for one in found)
    return sorted((name, one["location"]["row"], one["code"]) for name, one in named)


def check(project: Path, codes: str, *options: str) -> list[dict[str, Any]]:
    """Run `keel-lint check` as a user does; returns the findings. Without `codes`, with the rules that are on by default."""
    report = project.parent / "findings.json"
    where = ["--output-format", "json", "--output-file", str(report), str(project)]
    select = ["--select", codes] if codes else []
    status = main(["check", "--isolated", "--no-cache", "--quiet", *select, *options, *where])
    if status not in {0, 1}:
        raise ProofFailure(f"keel-lint ended with status {status}")
    findings: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))
    return findings


def shorten(texts: Mapping[str, str], project: Path) -> None:
    """Replace texts of a project, each of which must stand there, by shorter ones."""
    for old, new in texts.items():
        holders = [file for file in project.rglob("*.py") if old in file.read_text("utf-8")]
        if not holders:
            raise ProofFailure(f"the repair wrote no {old!r} to shorten")
        for file in holders:
            file.write_text(file.read_text("utf-8").replace(old, new), encoding="utf-8")


def is_shown(result: Result) -> bool:
    """Whether both faces have shown what the proof claims."""
    return (result.bad.verdict, result.good.verdict) == (Verdict.HARM_SHOWN, Verdict.CLEAN)
