"""When a source is polled again, and why. Pure: no clock, no network, no files."""
