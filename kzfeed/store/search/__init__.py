"""Search in the archive: the indexes of SQLite and PostgreSQL, and the pages of hits that both give."""
