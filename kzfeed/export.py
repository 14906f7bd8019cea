"""The archive as files again: stored articles in, archive files in folders out.

Deterministic: two exports of one database are identical trees. Each file appears whole or not at all.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kzfeed.article.archive_file import render
from kzfeed.article.build import to_file
from kzfeed.model import StoredArticle
from kzfeed.store import queries as reading
from kzfeed.store.engine import Database

Layout = Literal["tree", "flat"]


@dataclass(frozen=True, slots=True)
class Exported:
    """How many files an export wrote, and how many stood there already with the same bytes."""

    written: int
    unchanged: int


def export(database: Database, folder: Path, *, layout: Layout, selection: reading.Selection) -> Exported:
    """Write the selected articles as archive files under `folder`, which is made if need be.

    Other files in it are left alone. Raises DatabaseError, OSError.
    """
    written = unchanged = 0
    place = _in_tree if layout == "tree" else _numbered(reading.count(database, selection))
    for number, article in enumerate(reading.stream(database, selection)):
        path = folder / place(number, article)
        if _write(path, archive_file(article)):
            written += 1
        else:
            unchanged += 1
    return Exported(written, unchanged)


def archive_file(article: StoredArticle) -> bytes:
    """The article in the archive file format."""
    return render(
        to_file(
            url_hash=article.url_hash,
            url=article.url,
            title=article.title,
            content=article.content,
            published_at=article.published_at,
            published_raw=article.published_raw,
        )
    )


def _in_tree(_number: int, article: StoredArticle) -> Path:
    published = article.published_at
    when = Path(f"{published.year:04}", f"{published.month:02}") if published else Path("undated")
    return Path(article.source, when, f"{article.url_hash[:16]}.txt")


def _numbered(total: int) -> Callable[[int, StoredArticle], Path]:
    width = max(3, len(str(total - 1)))
    return lambda number, article: Path(f"{number:0{width}}_{article.url_hash[:16]}.txt")


def _write(path: Path, data: bytes) -> bool:
    """Whether the file had to be written: to a temporary name, to the disk, then to its place."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True
