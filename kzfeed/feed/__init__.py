"""A document becomes entries: bytes to text to entries. Pure: no clock, no network, no files."""
