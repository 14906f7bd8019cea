"""Reader of an article's page: the element that holds the article becomes the article's content.

Beautiful Soup on lxml reads the page; trafilatura chooses the element where the operator leaves it to it. It is pure,
and runs in a process that can be killed: a tree takes seconds to build where elements are nested without end.
"""

import re

from bs4 import BeautifulSoup, Tag
from bs4.formatter import HTMLFormatter

from kzfeed.article.build import text_and_fingerprint
from kzfeed.article.html.content import media
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.article.html.media import with_addresses
from kzfeed.article.page_judgement import PageSigns, why_challenge, why_no_article
from kzfeed.article.strings import storable
from kzfeed.article.url import href
from kzfeed.errors import DocumentError
from kzfeed.feed.decode import CUT_OFF, decode
from kzfeed.model.articles import Article
from kzfeed.model.pages import ArticlePage, ReadPage
from kzfeed.sandbox.base_url import base_url

_HTML_TYPES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml", "text/plain", "")
_META_CHARSET = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_CHALLENGE = re.compile(r"/cdn-cgi/challenge-platform/|captcha|challenges\.cloudflare\.com|_Incapsula_", re.IGNORECASE)
_PASSWORD = re.compile("^password$", re.IGNORECASE)
_ADDRESSES = ("href", "src", "poster", "data", "cite", "longdesc", "background")


def read_page(page: ArticlePage) -> ReadPage:
    """The article with the text of its page, addresses resolved and lines joined as those of feeds are.

    Raises DocumentError: "challenge" for a bot challenge, "no-article" where the page holds something else, or bytes
    of the article would be replaced, and "bad-response" where the end of the page is missing.
    """
    media_type = (page.content_type or "").partition(";")[0].strip().lower()
    if media_type not in _HTML_TYPES:
        raise DocumentError("no-article", f"the page is no HTML, but {ascii(media_type)[1:-1][:40]}")
    decoded = decode(page.body, _with_charset(page))
    if decoded.flaw == CUT_OFF:
        raise DocumentError("bad-response", f"the page is not whole: {CUT_OFF}")
    soup = _soup(decoded.text)
    base = base_url(soup, page.url)
    title = soup.title.get_text(" ") if soup.title else ""
    found = _extracted(soup, base) if page.full_text == "auto" else _selected(soup, base, page.full_text)
    content = storable(trim_lines(found.decode_contents(formatter=_AsBrowsers()))) if found else ""
    text, fingerprint = text_and_fingerprint(page.title, content)
    # Around an article that a selector finds there may be a form to log in or to comment.
    signs = _signs(title, found if found and page.full_text != "auto" else soup)
    if why := why_challenge(signs, page.title, text):
        raise DocumentError("challenge", why)
    if why := why_no_article(signs, page.title, text):
        raise DocumentError("no-article", why)
    if found is None:
        raise DocumentError("no-article", _nothing_found(page.full_text))
    if decoded.flaw and "\ufffd" in content:
        raise DocumentError("no-article", decoded.flaw)
    article = Article(
        url_hash=page.url_hash,
        url=page.article_url,
        title=page.title,
        content=content,
        text=text,
        fingerprint=fingerprint,
        media=media(content, base),
    )
    return ReadPage(article, None if content.isascii() else decoded.flaw or None)


def _with_charset(page: ArticlePage) -> str | None:
    """The Content-Type; if it names no encoding, with the one of the page's `<meta>` element."""
    if "charset" in (page.content_type or "").lower():
        return page.content_type
    named = _META_CHARSET.search(page.body[:4096])
    return f"text/html; charset={named[1].decode('latin-1')}" if named else page.content_type


def _soup(html: str) -> BeautifulSoup:
    # Attributes stay as they are written, also those that hold several words.
    return BeautifulSoup(html, "lxml", multi_valued_attributes=None)


def _nothing_found(full_text: str) -> str:
    if full_text == "auto":
        return "trafilatura finds no article in the page"
    return f"no element of the page matches {full_text.removeprefix('css:')}"


def _selected(soup: BeautifulSoup, base: str, full_text: str) -> Tag | None:
    """The first element that the selector matches, as `querySelector` of browsers does it."""
    if found := soup.select_one(full_text.removeprefix("css:")):
        _resolve_addresses(found, base)
    return found


def _extracted(soup: BeautifulSoup, base: str) -> Tag | None:
    """The article as trafilatura finds it."""
    # Imported late: an extra, and it takes a second.
    from trafilatura import extract

    # Before, because trafilatura keeps no `<base>`.
    _resolve_addresses(soup, base)
    found = extract(
        str(soup),
        output_format="html",
        include_comments=False,
        include_images=True,
        include_links=True,
        include_formatting=True,
    )
    return _soup(found).body if found else None


def _signs(title: str, part: Tag) -> PageSigns:
    scripts = (str(element["src"]) for element in part.find_all(["script", "iframe"], src=True))
    return PageSigns(
        title=" ".join(title.split())[:300],
        asks_for_password=part.find("input", type=_PASSWORD) is not None,
        has_challenge=any(map(_CHALLENGE.search, scripts)),
    )


# --- addresses and serialisation -------------------------------------------------------------------------------------


def _resolve_addresses(found: Tag, base: str) -> None:
    """Make relative addresses within the element absolute. Links to places within the page stay."""
    for element in found.find_all(True):
        for name in _ADDRESSES:
            address = str(element.get(name) or "").strip()
            if address and not address.startswith("#") and (absolute := href(address, base)):
                element[name] = absolute
        if candidates := str(element.get("srcset") or ""):
            element["srcset"] = with_addresses(candidates, lambda address: href(address, base) or address)


class _AsBrowsers(HTMLFormatter):
    """Serialisation of elements as the HTML Standard defines it for `innerHTML` (§13.3)."""

    def __init__(self) -> None:
        super().__init__(entity_substitution=_escaped, void_element_close_prefix="")

    def attribute_value(self, value: str) -> str:
        return value.replace("&", "&amp;").replace("\xa0", "&nbsp;").replace('"', "&quot;")

    def attributes(self, tag: Tag) -> list[tuple[str, str | None]]:
        """The attributes in the order of the page."""
        return [(name, None if value is None else str(value)) for name, value in tag.attrs.items()]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("\xa0", "&nbsp;").replace("<", "&lt;").replace(">", "&gt;")
