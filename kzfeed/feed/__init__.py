"""Parsing of feeds: from bytes to text, and from text to entries. Pure: no clock, no network, no files."""
