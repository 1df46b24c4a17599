"""The workers that a definition makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keel_lint.glance import Glance
    from keel_lint.jobs.workers import Item, WorkerCall


def workers_in(glance: Glance) -> list[WorkerCall]:
    """The `Worker(...)` calls of a definition."""
    fact = glance.fact
    registered = glance.jobs.workers.registered.workers
    return [one for one in registered if one.path == glance.path and fact.start <= one.start < fact.end]


def place_of(glance: Glance, worker: WorkerCall, item: Item) -> tuple[int, int]:
    """Where a finding about an entry of a worker's list stands: at the entry, or at the call if the list is kept elsewhere."""
    path, start, end = item.listed
    is_here = path == glance.path and worker.start <= start < worker.end
    return (start, end) if is_here else (worker.start, worker.end)
