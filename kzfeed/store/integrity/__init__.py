"""Integrity of the database: its check, its damage, and the rescue of what can be read."""
