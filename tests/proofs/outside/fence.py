"""A task of the tests: when it has run, a worker with one process has dealt with all that was published before."""

from __future__ import annotations

from celery import shared_task
from world import happened


@shared_task  # type: ignore[untyped-decorator]  # Celery carries no types
def passed() -> None:
    """Say that it has run."""
    happened("fence")
