"""The jobs that the daemon runs: polls, pages of articles, search index, archive folder, maintenance."""
