"""The formats of an export, by the names that people give them."""

from enum import StrEnum
from pathlib import Path

STANDARD_OUTPUT = Path("-")
"""The destination that means standard output."""


class Layout(StrEnum):
    """The file names of an export of archive files."""

    TREE = "tree"
    FLAT = "flat"


class Format(StrEnum):
    """The format of an export."""

    FILES = "files"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ATOM = "atom"
