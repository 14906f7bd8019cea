"""When the next visit to a source is due, and why. Pure: no clock, no network, no files."""
