"""Feed discovery: the feeds that an HTML page names, by `<link rel="alternate">` and by links that look like feeds.

Beautiful Soup on lxml reads the page, of which only the elements that may name a feed become objects.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.filter import SoupStrainer

from kzfeed.article.url import href
from kzfeed.model.articles import FeedLink, FeedLinks, HtmlPage
from kzfeed.sandbox.base_url import base_url

MAX_PAGE_BYTES = 2 * 2**20
"""A page is read up to here: feeds are named at its beginning."""
MAX_LINKS = 20
"""How many feeds, and how many possible feeds, a page may name."""

_FEED_TYPES = {
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/xml",
    "text/xml",
}
_LOOKS_LIKE_A_FEED = re.compile(r"(?:^|[/._-])(?:feeds?|rss2?|atom|rdf)(?:$|[/._-])|\.xml$", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def find_feed_links(page: HtmlPage) -> FeedLinks:
    """The feeds that the page names, and its links that may be feeds; each address once, in the page's order."""
    charset = _CHARSET.search(page.content_type or "")
    soup = BeautifulSoup(
        page.body[:MAX_PAGE_BYTES],
        "lxml",
        from_encoding=charset[1] if charset else None,
        parse_only=SoupStrainer(["base", "link", "a"]),
    )
    base = base_url(soup, page.url)
    named = _unique(_named(soup, base), set())
    return FeedLinks(named, _unique(_possible(soup, base), {link.url for link in named}))


def _named(soup: BeautifulSoup, base: str) -> Iterator[FeedLink]:
    for element in soup.find_all("link", href=True):
        relations = set(_attribute(element, "rel").lower().split())
        kind = _attribute(element, "type").partition(";")[0].strip().lower()
        if "feed" in relations or ("alternate" in relations and kind in _FEED_TYPES):
            yield from _link(element, base, _attribute(element, "title"))


def _possible(soup: BeautifulSoup, base: str) -> Iterator[FeedLink]:
    for element in soup.find_all("a", href=True):
        for link in _link(element, base, element.get_text(" ")):
            if _LOOKS_LIKE_A_FEED.search(urlsplit(link.url).path):
                yield link


def _link(element: Tag, base: str, title: str) -> Iterator[FeedLink]:
    url = href(_attribute(element, "href"), base)
    if url:
        yield FeedLink(url, " ".join(title.split())[:200])


def _attribute(element: Tag, name: str) -> str:
    value = element.get(name) or ""
    return value if isinstance(value, str) else " ".join(value)


def _unique(links: Iterator[FeedLink], seen: set[str]) -> tuple[FeedLink, ...]:
    found = {link.url: link for link in reversed(list(links)) if link.url not in seen}
    return tuple(reversed(found.values()))[:MAX_LINKS]
