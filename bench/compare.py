#!/usr/bin/env python3
"""Time keel-lint against ruff, flake8 and flake8-async on a checkout: `python bench/compare.py PATH/TO/CHECKOUT`.

Every contestant runs once a round, one after the other, and round follows round (A B C A B C), so that a busy machine slows
them alike. A run before the first round fills the file cache. Printed: a Markdown table of medians and peak memory; a ratio is
the median of the ratios within each round.

The checkout is copied first, without `.git`, and only the copy is touched. flake8 loads whatever is installed with it: "flake8"
alone is the same flake8 in the same interpreter, with the plugins' entry points hidden from it. Peak memory is that of a
contestant's largest process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

_A_WHILE = 60_000_000_000  # nanoseconds
FLAKE8 = """
import sys
from importlib import metadata
{patch}
from flake8.main.cli import main
sys.exit(main(sys.argv[1:]))
"""
HIDE = """
distributions = metadata.distributions
metadata.distributions = lambda **which: (d for d in distributions(**which) if d.metadata["Name"] not in {names!r})
"""


@dataclass
class Run:
    """One contestant: what it runs, what must happen before each run, and what came of it."""

    name: str
    command: list[str]
    folder: Path
    before: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)
    peak: int = 0

    def once(self, *, keep: bool = True) -> None:
        """Run it and, unless it only warms up, keep the time. Raises `SystemExit` where it fails, which findings are not."""
        self.before()
        start = time.perf_counter()
        peak = self.process()
        if keep:
            self.seconds.append(time.perf_counter() - start)
            self.peak = max(self.peak, peak)

    def process(self) -> int:
        """Run the process and nothing else; returns its peak memory."""
        process = subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
        )
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            sys.exit(f"{self.command} ended with {process.returncode}\n{said.decode(errors='replace')}")
        return usage.ru_maxrss

    @property
    def median(self) -> float:
        """The median of its times in seconds."""
        return statistics.median(self.seconds)


@dataclass
class Comparison:
    """One row: a contestant, the one it is held against, and how far it may fall behind (as a factor, or in seconds)."""

    run: Run
    against: Run
    target: str
    difference: bool = False

    def row(self) -> str:
        """The row in Markdown."""
        mine, other = self.run.median, self.against.median
        rounds = list(zip(self.run.seconds, self.against.seconds, strict=True))
        factor, more = statistics.median(a / b for a, b in rounds), statistics.median(a - b for a, b in rounds)
        ratio = f"{more:+.2f} s" if self.difference else f"{factor:.2f} x"
        spread = f"{min(self.run.seconds):.2f}-{max(self.run.seconds):.2f}"
        return (
            f"| {self.run.name} | {mine:.2f} | {spread} | {_megabytes(self.run.peak)} | {self.against.name} | {other:.2f}"
            f" | {ratio} | {self.target} |"
        )


def main() -> None:
    """Parse the arguments, measure and print."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="keel-lint-bench-") as folder:
        tree = Path(folder) / "tree"
        _copy(arguments.checkout, tree)
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
        comparisons = _comparisons(tree, arguments)
        if arguments.growth:
            comparisons.append(_growth(tree, Path(folder) / "grown", comparisons[0].run))
        _measure(comparisons, arguments.rounds)
        print(_heading(arguments.checkout, tree, arguments.rounds))
        print("\n".join(comparison.row() for comparison in comparisons))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a folder with Python code; a git checkout's commit is printed")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant runs (default: 5)")
    parser.add_argument("--file", type=Path, help="the file for the one-file rows, relative to the checkout (default: found)")
    parser.add_argument("--subset", type=Path, help="the folder for flake8-async, relative to the checkout (default: found)")
    parser.add_argument("--no-flake8", action="store_true", help="leave out the rows with flake8: minutes on a large tree")
    parser.add_argument("--growth", action="store_true", help="add a row for ten times the files")
    return parser.parse_args()


def _comparisons(tree: Path, arguments: argparse.Namespace) -> list[Comparison]:
    idle = Run("`python -c pass`", [sys.executable, "-c", "pass"], tree)
    keel = [sys.executable, "-m", "keel_lint", "check", "-q", "--isolated"]
    ruff = [_tool("ruff"), "check", "--isolated", "--statistics", "-q", "."]
    one = arguments.file or _file_with_tasks(tree)
    cold = Run("keel-lint, cold", [*keel, "--no-cache", "."], tree)
    warm = Run("keel-lint, nothing changed", [*keel, "."], tree)
    warm.before = warm.process
    changed = Run("keel-lint, one changed file", [*keel, "--force-exclude", str(one)], tree, before=_touch(tree / one))
    comparisons = [
        Comparison(cold, Run("ruff, no cache", [*ruff, "--no-cache"], tree), "at most 2.0 x, aim 1.0 x"),
        Comparison(warm, Run("ruff, cache", ruff, tree), ""),
        Comparison(warm, idle, "at most +0.2 s", difference=True),
        Comparison(changed, idle, "at most +0.3 s", difference=True),
    ]
    return comparisons if arguments.no_flake8 else [*comparisons, *_flake8_comparisons(tree, one, arguments.subset)]


def _flake8_comparisons(tree: Path, one: Path, subset: Path | None) -> list[Comparison]:
    part = subset or _subset(tree)
    keel = [sys.executable, "-m", "keel_lint", "check", "-q", "--isolated", "--no-cache", str(part)]
    asynchronous = Run(f"flake8-async on `{part}`", _flake8(["keel-lint"], "--select", "ASYNC", str(part)), tree)
    comparisons = [
        Comparison(
            Run("flake8 with keel-lint, one file", _flake8(["flake8-async"], str(one)), tree),
            Run("flake8, one file", _flake8(["flake8-async", "keel-lint"], str(one)), tree),
            "at most +0.3 s",
            difference=True,
        ),
        Comparison(
            Run("flake8 with keel-lint, whole tree", _flake8(["flake8-async"], "."), tree),
            Run("flake8, whole tree", _flake8(["flake8-async", "keel-lint"], "."), tree),
            "at most 1.05 x",
        ),
    ]
    if "flake8-async" in _installed():
        comparisons.append(Comparison(Run(f"keel-lint, cold, on `{part}`", keel, tree), asynchronous, ""))
    return comparisons


def _flake8(hidden: list[str], *arguments: str) -> list[str]:
    """flake8 without the distributions named, whatever is installed."""
    script = FLAKE8.format(patch=HIDE.format(names=tuple(hidden)))
    return [sys.executable, "-c", script, "--isolated", "-q", *arguments]


def _growth(tree: Path, grown: Path, cold: Run) -> Comparison:
    """Ten copies of the tree, each a package of its own, against the one."""
    for number in range(10):
        _copy(tree, grown / f"copy_{number}")
    subprocess.run(["git", "init", "-q", str(grown)], check=True)
    return Comparison(Run("keel-lint, cold, ten times the files", cold.command, grown), cold, "at most 10 x")


def _measure(comparisons: list[Comparison], rounds: int) -> None:
    runs = list({id(run): run for comparison in comparisons for run in (comparison.run, comparison.against)}.values())
    for number in range(rounds + 1):
        for run in runs:
            _say(f"round {number} of {rounds}: {run.name}")
            run.once(keep=number > 0)
    _say("")


def _say(progress: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)


def _heading(checkout: Path, tree: Path, rounds: int) -> str:
    installed = _installed()
    versions = ", ".join(f"{name} {installed[name]}" for name in ("keel-lint", "flake8", "flake8-async") if name in installed)
    ruff = subprocess.run([_tool("ruff"), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    files = list(_python_files(tree))
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    return "\n".join(
        [
            f"{checkout.resolve().name} at {_commit(checkout)}: {len(files):,} Python files, {lines:,} lines.",
            f"Python {sys.version.split()[0]}, {versions}, {ruff}; {os.cpu_count()} CPUs; medians of {rounds} rounds.",
            "",
            "| what | seconds | range | peak MB | against | seconds | ratio | target |",
            "| --- | ---: | --- | ---: | --- | ---: | ---: | --- |",
        ]
    )


def _copy(checkout: Path, tree: Path) -> None:
    """Copy a tree without what belongs to git and to caches."""
    shutil.copytree(checkout, tree, symlinks=True, ignore=shutil.ignore_patterns(".git", ".keel_lint_cache", ".ruff_cache"))


def _touch(path: Path) -> Callable[[], object]:
    """Change a file's content before each run, its meaning not: some while ago, or no later run would trust the file's time."""
    original = path.read_bytes()

    def change() -> None:
        now = time.time_ns()
        path.write_bytes(original + f"# {now}\n".encode())
        os.utime(path, ns=(now - _A_WHILE, now - _A_WHILE))

    return change


def _file_with_tasks(tree: Path) -> Path:
    """The file that dispatches most, or defines most activities and workflows."""

    def weight(path: Path) -> tuple[int, str]:
        content = path.read_bytes()
        return sum(content.count(word) for word in (b".delay(", b".apply_async(", b"@workflow.", b"@activity.")), str(path)

    return max(_product_files(tree), key=weight).relative_to(tree)


def _subset(tree: Path) -> Path:
    """The folder whose size is nearest to 5,000 lines without tests, which flake8-async does in half a minute or less."""
    sizes: dict[Path, int] = {}
    for path in _product_files(tree):
        lines = path.read_bytes().count(b"\n")
        for folder in path.relative_to(tree).parents:
            sizes[folder] = sizes.get(folder, 0) + lines
    return min(sizes, key=lambda folder: (abs(sizes[folder] - 5_000), str(folder)))


def _python_files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*.py")) if path.is_file())


def _product_files(tree: Path) -> Iterator[Path]:
    return (path for path in _python_files(tree) if "test" not in str(path.relative_to(tree)))


def _commit(checkout: Path) -> str:
    said = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "no commit"


def _installed() -> dict[str, str]:
    return {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or sys.exit(f"{name} is not installed")


def _environment() -> dict[str, str]:
    """The environment without what would change a contestant's cache or output."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KEEL_LINT_", "RUFF_", "FLAKE8_"))}


def _megabytes(peak: int) -> str:
    return f"{peak / (1024 * 1024 if sys.platform == 'darwin' else 1024):.0f}"


if __name__ == "__main__":
    main()
