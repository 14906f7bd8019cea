"""Body of an archived article as harmless HTML: what a publisher wrote, without anything that a browser would load.

nh3 keeps a small list of elements and attributes. Images, sounds, films and embedded pages become links that name the
publisher's address, so that reading an article sends no request to another server.
"""

import re
from collections.abc import Callable
from functools import partial
from html import escape, unescape
from urllib.parse import urlsplit

import nh3

from kzfeed.article.html.media import enclosure_media
from kzfeed.article.html.scanner import tokens
from kzfeed.article.url import href
from kzfeed.model.articles import Enclosure

MAX_WORK = 400_000
"""The greatest sum, over all tags, of the elements that are open there: nh3's work and output grow with it."""
MAX_DEPTH = 200
MAX_CHARACTERS = 2**20
"""The longest body that is shown as HTML, without the images that it holds itself (`data:`)."""
MAX_REFERENCES = 50_000
"""nh3 takes quadratic time for character references, and for ampersands that begin none."""

LINK_REL = "noopener noreferrer nofollow"
_TEXT = {
    *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q", "s", "samp"),
    *("small", "span", "strong", "sub", "sup", "time", "u", "var", "br", "wbr", "rp", "rt", "ruby"),
    *("blockquote", "details", "div", "dd", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("hr", "li", "ol", "p", "pre", "summary", "ul"),
    *("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
}
_MEDIA = {"img", "audio", "video", "source", "embed"}
_ADDRESSES = ("src", "data-src", "data-original", "data-lazy-src")
_ATTRIBUTES = {
    "*": {"lang", "dir"},
    "a": {"href"},
    "abbr": {"title"},
    "bdo": {"dir"},
    "img": {"alt", "width", "height", *_ADDRESSES},
    "audio": {"src"},
    "video": {"src"},
    "source": {"src"},
    "embed": {"src"},
    "ol": {"start", "reversed"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "time": {"datetime"},
}
_WITHOUT_CONTENT = {"script", "style", "template", "noscript", "title", "textarea", "select", "svg", "math", "object"}
_CLEANER_OPTIONS = {
    "tags": _TEXT | _MEDIA,
    "attributes": _ATTRIBUTES,
    "clean_content_tags": _WITHOUT_CONTENT,
    "link_rel": LINK_REL,
    "url_schemes": {"http", "https"},
}
_PIXEL = re.compile(r"[01](?:px)?")
_EMBEDDED = re.compile(r"data:[^\s\"'<>]{200,}", re.IGNORECASE)
_SMALL_NUMBER = re.compile(r"[1-9]\d{0,2}")

# What nh3 writes: attributes in double quotes, in which neither quotes nor tags are left.
_CLEAN_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>')
_CLEAN_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_VOID = {"br", "hr", "img", "wbr", "col", "source", "embed", "input", "meta", "link", "area", "base", "param", "track"}
# The end tag of these may be left out, so their start tags do not count as depth.
_END_IS_OPTIONAL = {
    *("p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "colgroup", "rp", "rt")
}

_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])

Caption = Callable[[str], str]
"""The word for a kind of medium: image, audio, video, or embed for an embedded page."""


def clean_body(html: str, base_url: str | None, caption: Caption) -> str | None:
    """The body as harmless HTML, its addresses resolved against `base_url`; None if it is too large or too deep.

    Headings begin at the second level, since the first one is the title of the page, and leave out no level below.
    """
    html = _EMBEDDED.sub("", html)
    if len(html) > MAX_CHARACTERS or html.count("&") > MAX_REFERENCES or not _is_easy(html):
        return None
    # The content of an iframe is raw text, and its end tag would be read as text: an embed has the same address.
    html = re.sub(r"<iframe\b", "<embed", html, flags=re.IGNORECASE)
    cleaned = nh3.clean(html, attribute_filter=partial(_attribute, base_url), **_CLEANER_OPTIONS)  # type: ignore[arg-type]
    return _Placeholders(base_url, caption).inserted(cleaned)


def _is_easy(html: str) -> bool:
    """Whether a tree of this HTML is small. Parsers take quadratic time for deep ones."""
    depth = work = 0
    for slash, name, _, solidus, _ in tokens(html):
        lower = (name or "").lower()
        if lower and lower not in _VOID and lower not in _END_IS_OPTIONAL and not solidus:
            depth = max(depth - 1, 0) if slash else depth + 1
        work += depth
        if depth > MAX_DEPTH or work > MAX_WORK:
            return False
    return True


def _attribute(base_url: str | None, tag: str, name: str, value: str) -> str | None:
    """The value of an attribute that nh3 keeps; None leaves it out."""
    if name == "href":
        return href(value, base_url)
    if name in ("colspan", "rowspan", "start"):
        return value if _SMALL_NUMBER.fullmatch(value) else None
    if name == "dir":
        return value if value in ("ltr", "rtl", "auto") else None
    return value


class _Placeholders:
    """Replaces media in clean HTML by links, or by text within a link, which cannot hold another one."""

    def __init__(self, base_url: str | None, caption: Caption) -> None:
        self._base_url = base_url
        self._caption = caption
        self._is_in_link = False
        self._player: str | None = None  # the <audio> or <video> that still looks for its source
        self._level = 1  # of the last heading
        self._open_headings: list[str] = []

    def inserted(self, cleaned: str) -> str:
        return _CLEAN_TAG.sub(self._tag, cleaned)

    def _tag(self, match: re.Match[str]) -> str:
        slash, name, attributes = match.groups()
        if name == "a":
            self._is_in_link = not slash
            return match[0]
        if name in _HEADINGS:
            return f"<{slash}{self._heading(name, is_end=bool(slash))}{attributes}>"
        if name not in _MEDIA:
            return match[0]
        return self._medium(name, is_end=bool(slash), attributes=dict(_CLEAN_ATTRIBUTE.findall(attributes)))

    def _heading(self, name: str, *, is_end: bool) -> str:
        """The element in place of a heading: one level below the heading before it at most."""
        if is_end:
            return self._open_headings.pop()
        self._level = min(max(int(name[1]), 2), self._level + 1)
        self._open_headings.append(f"h{self._level}")
        return self._open_headings[-1]

    def _medium(self, name: str, *, is_end: bool, attributes: dict[str, str]) -> str:
        kind = {"img": "image", "source": self._player or ""}.get(name, name)
        if is_end:
            self._player = None
            return ""
        if all(_PIXEL.fullmatch(attributes.get(each, "").strip()) for each in ("width", "height")):
            return ""  # a tracking pixel
        address = self._address(attributes)
        if name in ("audio", "video"):
            self._player = None if address else name
        elif name == "source":
            self._player = None
        # A source outside a player is another form of the image beside it.
        return self._placeholder(kind, address, attributes.get("alt", "")) if kind else ""

    def _address(self, attributes: dict[str, str]) -> str | None:
        """The publisher's address of the medium, also where a mirror's is written."""
        written = (unescape(attributes[name]) for name in _ADDRESSES if name in attributes)
        media = (enclosure_media(Enclosure(address), self._base_url) for address in written)
        return next((medium.url for medium in media if medium), None)

    def _placeholder(self, kind: str, address: str | None, alternative: str) -> str:
        """The link in place of a medium. `alternative` is escaped already, as nh3 writes it."""
        if not address:
            return alternative
        said = f"{escape(self._caption(kind))}: {alternative}" if alternative.strip() else escape(self._caption(kind))
        shown = f'{said} <span class="where">{escape(_shown(address))}</span>'
        if self._is_in_link:
            return f'<span class="medium {kind}">{shown}</span>'
        return f'<a class="medium {kind}" href="{escape(address)}" rel="{LINK_REL}">{shown}</a>'


def _shown(address: str) -> str:
    """The host and the last part of the path of an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address[:60]
    name = parts.path.rpartition("/")[2]
    return f"{parts.hostname or ''}/…/{name[-40:]}" if name else f"{parts.hostname or ''}"
