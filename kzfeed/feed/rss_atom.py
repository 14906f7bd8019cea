"""Reader of RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, RDF and CDF: well-formed XML becomes a Feed."""

from dataclasses import replace

from kzfeed.errors import DocumentError
from kzfeed.feed import channel
from kzfeed.feed.entry import Text, dates_of, entry_of, link_of, page_of, title_of
from kzfeed.feed.namespaces import ATOM_03, ATOM_10, RSS_090
from kzfeed.feed.newest import NewestEntries
from kzfeed.feed.xml import Element, read_xml
from kzfeed.model.articles import USUAL_READING, Feed, FeedReading

_ROOTS = frozenset({"rss", "feed", "rdf", "channel", "item", "entry"})
_RSS_VERSIONS = {"0.91": "rss091u", "0.92": "rss092", "0.93": "rss093", "0.94": "rss094"}


def read_feed(text: str, *, url: str, newest: NewestEntries, reading: FeedReading = USUAL_READING) -> Feed:
    """Read a well-formed document that came from `url`; `newest` chooses of its entries.

    Raises ExpatError for what is not well-formed, DocumentError "not-a-feed" for other XML, "parse" for nesting and
    attributes without end.
    """

    def add_entry(root: Element, element: Element) -> None:
        newest.add(lambda: dates_of(element), lambda: entry_of(element, reading, is_atom=_is_atom(root)))

    root, named_like_entries = read_xml(text, url=url, on_entry=add_entry)
    entries = newest.in_document_order()
    kind = root.tag.lower()
    if kind not in _ROOTS and (kind in {"html", "head", "body"} or not entries):
        raise DocumentError("not-a-feed", f"the document is XML, but no feed (its root is {root.tag[:40]!r})")
    flaw = "it has items or entries, but none that could be read" if named_like_entries and not entries else None
    feed = Feed(format=_format(root), entries=entries, dropped=newest.dropped, skipped=newest.skipped, flaw=flaw)
    # An Atom entry may be a document (RFC 4287 §4.1.2).
    return feed if kind in {"item", "entry"} else _with_channel(feed, next(root.named("channel"), root), root, url)


def _with_channel(feed: Feed, head: Element, root: Element, url: str) -> Feed:
    """The feed with what `head`, its channel or root, says about it."""
    titles = (title_of(each, is_atom=_is_atom(root)) for each in head.named("title", "dc:title"))
    title = next((title for title in titles if title.value), Text())
    links = [link for each in head.named("link") if (link := link_of(each))]
    site = page_of(links) or _text(head, "id", "guid") or head.attribute("href") or ""
    language = _text(head, "language", "dc:language") or root.language or head.language
    return replace(
        feed,
        title=channel.plain_title(title.value, is_html=title.type == "html"),
        site_url=channel.site_url(url, site),
        language=language or None,
        ttl=channel.minutes(_text(head, "ttl")),
        skip_hours=channel.skip_hours(_texts_in(head, "skiphours", "hour")),
        skip_days=channel.skip_days(_texts_in(head, "skipdays", "day")),
        update_every=channel.update_interval(_text(head, "sy:updateperiod"), _text(head, "sy:updatefrequency")),
    )


def _text(element: Element, *names: str) -> str:
    return next((text for each in element.named(*names) if (text := each.text())), "")


def _texts_in(element: Element, outer: str, inner: str) -> list[str]:
    return [each.text() for block in list(element.named(outer))[:1] for each in block.named(inner)]


def _is_atom(root: Element) -> bool:
    return root.tag.lower() in {"feed", "entry"}


def _format(root: Element) -> str:
    namespace = root.namespace.lower()
    match root.tag.lower():
        case "rss":
            version = root.attribute("version") or ""
            return _RSS_VERSIONS.get(version, "rss20" if version.startswith("2.") else "rss")
        case "feed" | "entry":
            if namespace == ATOM_03 or root.attribute("version") == "0.3":
                return "atom03"
            return "atom10" if namespace == ATOM_10 else "atom"
        case "rdf":
            child = next(root.named("channel"), None)
            return "rss090" if child and child.namespace.lower() == RSS_090 else "rss10"
        case "channel":
            return "cdf"
    return "unknown"
