"""Tests of kzfeed/export."""
