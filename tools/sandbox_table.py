"""Write `src/keel_lint/jobs/sandbox_members.py`: what the sandbox of Temporal workflows restricts, and since which version.

Run it in an environment that has temporalio installed:

    python tools/sandbox_table.py [--earlier FOLDER ...]

Each FOLDER holds an earlier version (`pip install --no-deps --target FOLDER temporalio==1.6.0`). What such a version restricts
already counts as restricted since then; without any, what the table says of earlier versions is kept. The versions that were
compared stand in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).parent.parent / "src" / "keel_lint" / "jobs" / "sandbox_members.py"
NEWER_PYTHON = {"random.binomialvariate": "random.choice"}
"""Functions that newer Pythons have and the running one may not, and a sister of each that is restricted in the same way."""

Version = tuple[int, ...]
Members = dict[str, str]

_HEAD = '''"""What the sandbox of Temporal workflows restricts. Made by `tools/sandbox_table.py`; do not edit.

Source: `temporalio/worker/workflow_sandbox/_restrictions.py` of the versions in `COMPARED`.
"""

from __future__ import annotations

'''


def restricted() -> tuple[str, Members, list[str]]:
    """The version that is installed, what it restricts by dotted name, and what is excepted.

    A name that ends in `.*` stands for all below it. The value says how: `always`, `at run time` (importing is let through) or
    `warns`.
    """
    import importlib.metadata

    from temporalio.worker.workflow_sandbox import SandboxMatcher, SandboxRestrictions

    members: Members = {}
    excepted: list[str] = []

    def walk(prefix: str, matcher: SandboxMatcher, at_run_time: bool) -> None:
        at_run_time = at_run_time or matcher.only_runtime
        how = "at run time" if at_run_time else "always"
        if matcher.match_self:
            name, call, _ = prefix.rpartition(".__call__")
            is_call = bool(call)
            warns = getattr(matcher, "leaf_warning", None) is not None
            members[name if is_call else f"{prefix}.*"] = "warns" if warns else how
        for name in matcher.access | matcher.use:
            members[f"{prefix}.{name}"] = how
        excepted.extend(f"{prefix}.{name}" for name in getattr(matcher, "exclude", ()))
        for name, child in matcher.children.items():
            walk(f"{prefix}.{name}" if prefix else name.replace("__builtins__", "builtins"), child, at_run_time)

    walk("", SandboxRestrictions.invalid_module_members_default, at_run_time=False)
    for name, sister in NEWER_PYTHON.items():
        if sister in members:
            members[name] = members[sister]
    return importlib.metadata.version("temporalio"), members, sorted(excepted)


def read_in(folder: str) -> tuple[Version, Members]:
    """What the version in a folder restricts."""
    code = "import json, sandbox_table; print(json.dumps(sandbox_table.restricted()[:2]))"
    path = os.pathsep.join([folder, str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    version, members = json.loads(done.stdout)
    return release(version), members


def release(version: str) -> Version:
    """The first two numbers of a version."""
    return tuple(int(part) for part in version.split(".")[:2])


def render(compared: list[Version], members: dict[str, tuple[str, Version]], excepted: list[str]) -> str:
    """The source of the table."""
    lines = [_HEAD, f"COMPARED: tuple[tuple[int, int], ...] = {tuple(compared)!r}\n"]
    lines += ['"""The versions of temporalio that were compared, oldest first."""\n\n']
    lines += ["MEMBERS: dict[str, tuple[str, tuple[int, int]]] = {\n"]
    lines += [f"    {json.dumps(name)}: ({json.dumps(how)}, {since!r}),\n" for name, (how, since) in sorted(members.items())]
    meaning = "How each is restricted, and the first compared version that does; `.*` stands for all below a name."
    lines += [f'}}\n"""{meaning}"""\n\n']
    lines += ["EXCEPTED = frozenset({" + ", ".join(json.dumps(name) for name in excepted) + "})\n"]
    lines += ['"""What is let through all the same."""\n']
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--earlier", nargs="*", default=[])
    arguments = parser.parse_args()
    version, members, excepted = restricted()
    newest = release(version)
    earlier = sorted(read_in(folder) for folder in arguments.earlier)
    if not earlier and TABLE.exists():
        earlier = known()
    found: dict[str, tuple[str, Version]] = {}
    for name, how in members.items():
        since = next((old for old, restricts in earlier if name in restricts), newest)
        found[name] = (how, since)
    TABLE.write_text(render([*(old for old, _ in earlier if old != newest), newest], found, excepted))


def known() -> list[tuple[Version, Members]]:
    """What the table says of earlier versions."""
    space: dict[str, object] = {}
    exec(compile(TABLE.read_text(), str(TABLE), "exec"), space)
    compared: tuple[Version, ...] = space["COMPARED"]  # type: ignore[assignment]
    members: dict[str, tuple[str, Version]] = space["MEMBERS"]  # type: ignore[assignment]
    return [(old, {name: how for name, (how, since) in members.items() if since <= old}) for old in compared]


if __name__ == "__main__":
    main()
