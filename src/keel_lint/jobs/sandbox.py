"""What the sandbox of Temporal workflows refuses, by the canonical name of what is called."""

from __future__ import annotations

import sys

from keel_lint.jobs.sandbox_members import EXCEPTED, MEMBERS

PASSED_THROUGH = frozenset({
    "abc", "annotated_types", "asyncio", "google.protobuf", "grpc", "importlib", "importlib_metadata", "nexusrpc", "pathlib",
    "pkg_resources", "platform", "pydantic", "pydantic_core", "temporalio", "typing", "typing_extensions", "zipfile",
})  # fmt: skip
"""Modules that the sandbox takes from outside, besides the standard library: see `SandboxRestrictions`."""

BUILTIN_OPEN = frozenset({"builtins.open", "builtins.input"})
"""What is refused even in a passed-through module, because the sandbox replaces the builtins of the whole activation."""

_THIRD_PARTY = None


def refused(name: str, release: tuple[int, ...]) -> bool | None:
    """Whether the sandbox of this release of temporalio raises when workflow code calls `name`.

    `None` for what is not of the standard library: that is stopped inside unless its module is passed through.
    """
    if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("builtins."):
        return _THIRD_PARTY
    return restriction(name, release) not in {"", "warns"}


def refused_at_import(name: str, release: tuple[int, ...]) -> bool:
    """Whether the sandbox raises when a workflow's module calls `name` while it is imported, so that no worker starts."""
    return restriction(name, release) == "always"


def restriction(name: str, release: tuple[int, ...]) -> str:
    """How a name is restricted: `always`, `at run time`, `warns`, or empty."""
    if name in EXCEPTED:
        return ""
    parts = name.split(".")
    patterns = (".".join(parts[:length]) + ".*" for length in range(len(parts) - 1, 0, -1))
    for pattern in (name, *patterns):
        how, since = MEMBERS.get(pattern, ("", (0, 0)))
        if how and since <= release[:2]:
            return how
    return ""
