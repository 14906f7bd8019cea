"""Pages of articles: what is fetched, when, and what becomes of it."""
