"""Lists of the newest articles of each source, as Markdown: one line for each, with a link to its file. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from kzfeed.article.strings import one_line
from kzfeed.backfill.file_reader import LISTS
from kzfeed.export.files import tree_path
from kzfeed.store.transfer.article_places import ArticleOfSource

MAX_ARTICLES = 300
"""The most articles of a list."""


def path_of(source: str) -> Path:
    """The path of a source's list in the folder."""
    return Path(LISTS, f"{source}.md")


def render(source: str, timezone: str | None, articles: Iterable[ArticleOfSource]) -> bytes:
    """The list. Each line has month and day in the source's time zone, unless the date is unknown, title and path."""
    zone = ZoneInfo(timezone) if timezone else UTC
    return "".join(f"{_line(source, zone, each)}\n" for each in articles).encode()


def _line(source: str, zone: tzinfo, article: ArticleOfSource) -> str:
    path = Path("..", tree_path(source, article.published_at, article.url_hash))
    return f"{_day(article.published_at, zone)}[{one_line(article.title)}]({path})"


def _day(published_at: datetime | None, zone: tzinfo) -> str:
    if published_at is None:
        return ""
    try:
        day = published_at.astimezone(zone)
    except OverflowError:  # the first and the last day that Python knows
        day = published_at
    return f"{day.month}-{day.day} "
