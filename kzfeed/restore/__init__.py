"""Restore of exports: their articles come back with all versions, sources and dates."""
