"""Media of an HTML body: the images, sounds and films that its tags show, by their publisher's address.

This is the one place that decides what counts as media and as which kind, for enclosures of entries too. An image
proxy is removed from an address only where it documents how it writes addresses (see `_publisher_of`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from urllib.parse import unquote

from kzfeed.article.html.scanner import Tag, attributes_of
from kzfeed.article.strings import storable, trim
from kzfeed.article.url import href
from kzfeed.model.articles import Enclosure, Media, MediaKind

MEDIA_TAGS = frozenset({"img", "picture", "source", "audio", "video", "template"})

_PARAMETER_PROXIES = frozenset({"images.weserv.nl", "wsrv.nl"})  # https://wsrv.nl/docs/: the address is in `url`
_PATH_PROXIES = frozenset({"i0.wp.com", "i1.wp.com", "i2.wp.com", "i3.wp.com"})  # Photon: host and path are the path
_PROXIES = _PARAMETER_PROXIES | _PATH_PROXIES
_MAX_PROXIES = 3  # one behind another
_MAX_MEDIA = 10_000
_MAX_GROWTH = 1_048_576
_MAX_BASE_LENGTH = 8_192

_ADDRESSES = (
    "src",
    "data-src",
    "data-original",
    "data-lazy-src",
    "srcset",
)
_CANDIDATE = re.compile(r"([^\s,]\S*+)(?:(?<=,)|\s*+([0-9]{1,6}(?:\.[0-9]{1,3})?)?[^,]*+)")
_PIXEL = re.compile(r"\s*[01](?:px)?\s*", re.IGNORECASE)

_PLAYERS: dict[str, MediaKind] = {"audio": "audio", "video": "video"}


class MediaCollector:
    """The media of one document, in its order and without duplicates, collected tag by tag.

    A `<picture>` gives its image, or else the largest candidate of its first source that has an address; `<audio>` and
    `<video>` give their own address, or else that of their first source. `data:` addresses, images of at most 1×1 and
    templates are left out.

    At most 10,000 are collected. Relative addresses are left out where the base is longer than 8 KiB, and as soon as
    resolving them has added 1 MiB to the addresses: otherwise a short body could make gigabytes.
    """

    def __init__(self, base_url: str | None) -> None:
        self._base_url = base_url if base_url and len(base_url) <= _MAX_BASE_LENGTH else None
        self._growth = 0
        self._found: dict[tuple[MediaKind, str], Media] = {}
        self._templates = 0
        self._picture: list[str] | None = None  # the attributes of its sources, until it has an image
        self._player: MediaKind | None = None  # the <audio> or <video> that still looks for its source

    def tag(self, tag: Tag) -> None:
        """Read a tag; its name is one of MEDIA_TAGS."""
        name, attributes, closing, empty = tag
        if name == "template":
            self._templates = max(0, self._templates - 1) if closing else self._templates + (not empty)
        elif self._templates or len(self._found) >= _MAX_MEDIA:
            return
        elif name == "picture":
            self._end_picture()
            self._picture = None if closing else []
        elif player := _PLAYERS.get(name):
            self._player = None if closing else self._played(player, attributes, empty)
        elif not closing and name == "img":
            self._image(attributes_of(attributes))
        elif not closing and name == "source":
            self._source(attributes)

    def media(self) -> tuple[Media, ...]:
        """All media of the document."""
        # The last picture may have no end tag.
        self._end_picture()
        return tuple(self._found.values())

    def _image(self, attributes: dict[str, str]) -> None:
        written = attributes.get
        if _PIXEL.fullmatch(written("width", "")) and _PIXEL.fullmatch(written("height", "")):
            return
        for name in _ADDRESSES:
            address = _largest(written(name)) if name == "srcset" else written(name)
            if image := self._medium("image", address):
                self._picture = None
                self._add(image)
                return

    def _played(self, kind: MediaKind, attributes: str, empty: bool) -> MediaKind | None:
        """Add the player's own address; without one, give the kind that its source will have."""
        medium = self._medium(kind, attributes_of(attributes).get("src"))
        if medium:
            self._add(medium)
        return None if medium or empty else kind

    def _source(self, attributes: str) -> None:
        if self._player:
            found = attributes_of(attributes)
            medium = self._medium(self._player, found.get("src"), found.get("type"))
            if medium:
                self._player = None
                self._add(medium)
        elif self._picture is not None:
            self._picture.append(attributes)

    def _end_picture(self) -> None:
        sources = map(attributes_of, self._picture or ())
        images = (self._medium("image", _largest(each.get("srcset")), each.get("type")) for each in sources)
        image = next(filter(None, images), None)
        if image:
            self._add(image)
        self._picture = None

    def _medium(self, kind: MediaKind, written: str | None, mime_type: str | None = None) -> Media | None:
        medium = _medium(kind, written, self._base_url, mime_type)
        if medium:
            self._growth += max(0, len(medium.url) - len(written or ""))
            if self._growth > _MAX_GROWTH:
                self._base_url = None
        return medium

    def _add(self, medium: Media) -> None:
        self._found.setdefault((medium.kind, medium.url), medium)


def enclosure_media(enclosure: Enclosure, base_url: str | None) -> Media | None:
    """The medium that an enclosure is; None if its address is not an http(s) URL. RSS writes an unknown size as 0."""
    family = trim(enclosure.mime_type or "").lower().partition("/")[0]
    kind = "image" if family == "image" else _PLAYERS.get(family, "enclosure")
    medium = _medium(kind, enclosure.url, base_url, enclosure.mime_type)
    size = enclosure.size_bytes
    size = size if size and size > 0 else None
    return medium and replace(medium, size_bytes=size, duration_seconds=enclosure.duration_seconds)


def merged_media(media: Iterable[Media]) -> tuple[Media, ...]:
    """Each medium once, in order. What the first mention of one does not say is taken from the later ones."""
    found: dict[tuple[MediaKind, str], Media] = {}
    for each in media:
        first = found.setdefault((each.kind, each.url), each)
        if first is not each:
            found[each.kind, each.url] = replace(
                first,
                proxy_url=first.proxy_url or each.proxy_url,
                mime_type=first.mime_type or each.mime_type,
                size_bytes=first.size_bytes or each.size_bytes,
                duration_seconds=first.duration_seconds or each.duration_seconds,
            )
    return tuple(found.values())


def _publisher_of(url: str) -> str:
    """The address behind an image proxy; any other address unchanged.

    The known proxies are weserv (`images.weserv.nl`, `wsrv.nl`: `?url=`, with or without scheme, `ssl:` for https)
    and Photon (`i0.wp.com` to `i3.wp.com`: host and path as the path). An address without a scheme is read as https.
    """
    for _ in range(_MAX_PROXIES):
        inner = _inside(url)
        if inner is None:
            break
        url = inner
    return url


def _inside(url: str) -> str | None:
    authority, _, path = url.partition("://")[2].partition("/")
    host = authority.rpartition("@")[2].partition(":")[0]
    if host not in _PROXIES:
        return None
    path, _, query = path.partition("#")[0].partition("?")
    if host in _PARAMETER_PROXIES:
        parameters = (part.partition("=") for part in query.split("&"))
        inner = next((unquote(value) for name, _, value in parameters if name == "url"), "")
    elif "." in path.partition("/")[0]:
        inner = path
    else:
        return None
    return href(inner if inner.lower().startswith(("http://", "https://")) else f"https://{inner.removeprefix('ssl:')}")


def _medium(kind: MediaKind, written: str | None, base_url: str | None, mime_type: str | None) -> Media | None:
    shown = href(written, base_url) if written else None
    if not written or not shown:
        return None
    url = _publisher_of(shown)
    return Media(
        kind=kind,
        url=url,
        proxy_url=None if url == shown else storable(trim(written)),
        mime_type=(storable(trim(mime_type)) or None) if mime_type else None,
    )


def with_addresses(srcset: str, resolved: Callable[[str], str]) -> str:
    """The srcset with what `resolved` makes of each address in it; everything else stays."""

    def candidate(match: re.Match[str]) -> str:
        address = match[1].rstrip(",")
        return resolved(address) + match[0][len(address) :]

    return _CANDIDATE.sub(candidate, srcset)


def _largest(srcset: str | None) -> str | None:
    """The candidate of a srcset with the greatest width or density; the first one if several are equal."""
    candidates = [(float(size or 0), url.rstrip(",")) for url, size in _CANDIDATE.findall(srcset or "")]
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None
