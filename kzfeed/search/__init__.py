"""Full-text search: folding, terms of articles, the query language, verification, snippets. Pure."""
