"""An entry becomes an article, and an archive file an article and back. Pure: no clock, no network, no files."""
