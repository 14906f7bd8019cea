"""Tests of kzfeed.fleet."""
