"""Visits to servers: how one is made, and when the next one is due."""
