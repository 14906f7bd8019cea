"""Health and metrics of a daemon for monitors, over HTTP."""
