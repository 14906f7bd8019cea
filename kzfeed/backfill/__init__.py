"""Backfill: archive files and exports are read and stored in the database."""
