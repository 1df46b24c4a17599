"""Rules for Celery: one file a rule."""
