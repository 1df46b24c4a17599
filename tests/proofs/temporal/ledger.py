"""The history of one workflow while it grows, as the history service of a server keeps it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
QUEUE = {"name": "proofs"}


class Ledger:
    """Numbered events, and the clock that dates them."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self.events: list[HistoryEvent] = []
        self.seconds = 0.0

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return len(self.events)

    def add(self, kind: str, **attributes: Any) -> int:
        """Add an event, with what of its attributes is set; returns its number."""
        given = {name: value for name, value in attributes.items() if value is not None}
        event = HistoryEvent(event_id=self.last + 1, event_type=EventType.Value(f"EVENT_TYPE_{kind}"), task_id=1000 + self.last)
        event.event_time.FromDatetime(START + timedelta(seconds=self.seconds))
        field = f"{kind.lower()}_event_attributes"
        attributes_of_kind: Any = {field: given}
        event.MergeFrom(HistoryEvent(**attributes_of_kind))
        getattr(event, field).SetInParent()
        self.events.append(event)
        return self.last

    def history(self) -> WorkflowHistory:
        """The history so far, in a form that a replayer takes."""
        return WorkflowHistory(self.workflow_id, list(self.events))

    def size(self) -> int:
        """The history's size in bytes."""
        return sum(event.ByteSize() for event in self.events)
