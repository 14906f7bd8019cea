"""kzfeed: a feed archivist that keeps every article its feeds ever showed."""

__version__ = "0.1.0"
