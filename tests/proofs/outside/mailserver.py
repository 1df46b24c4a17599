"""A double of a mail server that has one bad moment: at the first mail it refuses (`MAIL=refuses`) or hangs (`MAIL=hangs`)."""

from __future__ import annotations

import os
import time

from world import happened, seen


def send(recipient: str) -> None:
    """Send a mail. Raises `ConnectionError` where the server refuses."""
    if "mail server in trouble" not in seen():
        happened("mail server in trouble")
        if os.environ["MAIL"] == "hangs":
            time.sleep(600)
        raise ConnectionError("the mail server refuses")
    happened("mail sent to", recipient)
