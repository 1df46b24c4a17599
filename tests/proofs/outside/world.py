"""The outside world of a project under proof: it remembers what was done to it, whichever process did it."""

from __future__ import annotations

import os


def happened(*words: object) -> None:
    """Note an effect. A short line at the end of a file is written whole or not at all, so processes may share it."""
    file = os.open(os.environ["KEEL_PROOF_EFFECTS"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, f"{' '.join(map(str, words))}\n".encode())
    finally:
        os.close(file)


def seen() -> list[str]:
    """The effects so far."""
    with open(os.environ["KEEL_PROOF_EFFECTS"], encoding="utf-8") as file:  # noqa: PTH123 -- as small as a stub can be
        return file.read().splitlines()
