"""Export of stored articles as archive files in folders.

Two exports of one database are identical trees. Each file appears whole or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kzfeed.article.archive_file import render
from kzfeed.article.build import file_of_article
from kzfeed.atomic_file import atomic_file
from kzfeed.model import StoredArticle
from kzfeed.store import queries
from kzfeed.store.engine import Database

Layout = Literal["tree", "flat"]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The number of files that an export wrote, and of those that already existed with the same bytes.

    `unreadable` holds the ids of articles on damaged pages of the database, of which there is no file.
    """

    written: int
    unchanged: int
    unreadable: tuple[int, ...] = ()


def export(
    database: Database,
    folder: Path,
    *,
    layout: Layout,
    selection: queries.Selection,
    on_file: Callable[[int], None] = lambda done: None,
) -> ExportResult:
    """Write the selected articles as archive files under `folder`, which is made if it is missing.

    Other files in it stay unchanged. `on_file` is called with the number of files done. Raises DatabaseError, OSError.
    """
    written = unchanged = 0
    unreadable: list[int] = []
    path_of = _in_tree if layout == "tree" else _numbered(queries.count(database, selection))
    for number, article in enumerate(queries.stream(database, selection, unreadable.append)):
        path = folder / path_of(number, article)
        if _write(path, archive_file(article)):
            written += 1
        else:
            unchanged += 1
        on_file(number + 1)
    return ExportResult(written, unchanged, tuple(sorted(unreadable)))


def archive_file(article: StoredArticle) -> bytes:
    """The article in the archive file format."""
    return render(
        file_of_article(
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
    """Write the file unless it holds these bytes already; whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)
    return True
