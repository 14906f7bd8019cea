"""Minimal feeds, and documents that are no feeds."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import format_datetime


def rss(
    articles: Iterable[int | str] = (1,), *, head: str = "", dated: datetime | None = None, site: str = "e.example"
) -> bytes:
    """An RSS feed of these articles, with `head` in its channel. With `dated`, each entry is a minute older than
    the one before it.
    """
    items = []
    for place, article in enumerate(articles):
        date = f"<pubDate>{format_datetime(dated - timedelta(minutes=place))}</pubDate>" if dated else ""
        items.append(
            f"<item><title>第{article}篇</title><link>https://{site}/{article}</link><guid>{article}</guid>{date}"
            f"<description>&lt;p&gt;正文 {article}&lt;/p&gt;</description></item>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>源</title>'
        f"<link>https://{site}/</link><description/>{head}{''.join(items)}</channel></rss>"
    ).encode()


PORTAL = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Please log in to this network.</body></html>"
BROKEN = b'{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": "1", '
BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><rss version="2.0"><channel>&b;</channel></rss>'
