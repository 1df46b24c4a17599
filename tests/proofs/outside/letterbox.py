"""Where the mail of a Django project under proof arrives. `REFUSED_ONCE` names a recipient whose first mail is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.core.mail.backends.base import BaseEmailBackend
from world import happened, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django carries no types
    """An `EMAIL_BACKEND`."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Take mails. Raises `ConnectionError` where one is refused."""
        for message in messages:
            for recipient in message.to:
                refusal = f"mail refused: {recipient}"
                if recipient == os.environ.get("REFUSED_ONCE") and refusal not in seen():
                    happened(refusal)
                    raise ConnectionError("the mail server refuses")
                happened(f"mail to {recipient}: {message.subject}")
        return len(messages)
