"""A double of a service that is down for `DOWN_FOR` seconds, from its first request on."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from world import happened


def save(user_id: int) -> None:
    """Save a user. Raises `ConnectionError` while the service is down."""
    first = Path(f"{os.environ['KEEL_PROOF_EFFECTS']}.first-request")
    with suppress(FileExistsError):
        first.touch(exist_ok=False)
    if time.time() < first.stat().st_mtime + float(os.environ["DOWN_FOR"]):
        happened("refused user", user_id)
        raise ConnectionError("the service is down")
    happened("saved user", user_id)
