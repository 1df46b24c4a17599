"""keel-lint: the linter for background-job code in Python, for Celery and for Temporal."""

__version__ = "0.1.0"
