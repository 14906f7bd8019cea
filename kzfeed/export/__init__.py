"""Export of stored articles to other tools: archive files, JSON Lines, CSV, Parquet, Atom (docs/export.md).

`run.export` reads articles from the store, a few at a time, and gives each to the writer of one format.
"""
