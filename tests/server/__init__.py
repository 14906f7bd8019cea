"""Tests of kzfeed/server."""
