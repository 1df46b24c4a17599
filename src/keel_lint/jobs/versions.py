"""Which versions of the engines a project uses: from its lock files, else from what it requires, else the newest known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from keel_lint.engine_files import LOCKS, REQUIREMENTS

if TYPE_CHECKING:
    from keel_lint.project import Project

NEWEST = {"celery": (5, 7), "temporalio": (1, 35), "django": (5, 2)}


class Version(NamedTuple):
    """A version's first two numbers and the file that says so; `newest` where no file does."""

    release: tuple[int, int]
    origin: str


def version_of(project: Project, package: str) -> Version:
    """The version of an engine that the project uses; `package` is a key of `NEWEST`."""
    return project.memo(("version", package), lambda: _read(project, package), Version(NEWEST[package], "newest"))


def _read(project: Project, package: str) -> Version:
    locked = re.compile(
        rf'name = "{package}"\s*\nversion = "(\d+)\.(\d+)|"{package}":\s*{{[^}}]*?"version": "==(\d+)\.(\d+)', re.IGNORECASE
    )
    wanted = re.compile(
        rf"""(?<![\w.-]){package}(?:\[[\w,\s-]*\])?["']?\s*(?:=\s*["{{]\D*)?(?:==|~=|>=|\^)?\s*(\d+)\.(\d+)""", re.IGNORECASE
    )
    for names, pattern in ((LOCKS, locked), (REQUIREMENTS, wanted)):
        for name in names:
            found = pattern.search(project.text(name))
            if found is not None:
                major, minor = [int(group) for group in found.groups() if group is not None][:2]
                return Version((major, minor), name)
    return Version(NEWEST[package], "newest")
