"""Rules for Temporal: one file a rule."""
