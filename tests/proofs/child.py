"""The child process of a case: `python -m tests.proofs.child MODULE PLAY FACE FOLDER`; it works in the project's folder."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

from tests.proofs.harness import NotHere, Play, Stage


def main(module: str, name: str, face: str, folder: str) -> None:
    """Play one face and leave a report. Whatever else is raised ends the child without one."""
    os.chdir(Path(folder, "project"))
    what: Play[Stage] = getattr(importlib.import_module(module), name)()
    stage = what.stage(Path(folder), "good" if face == "good" else "bad")
    why = ""
    try:
        what.play(stage)
    except NotHere as reason:
        why = str(reason)
    Path(folder, "report.json").write_text(json.dumps({"versions": stage.versions, "why": why, "seen": stage.seen()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
