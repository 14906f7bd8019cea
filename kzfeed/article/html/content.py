"""HTML as feeds give it comes in; the archive's body, and what is derived from it, go out: text, wording, media.

Nothing here raises, and every function is linear in time and memory, whatever the input (see scan.py). The body is cut
at line ends and nowhere else: what cleans is derived.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from kzfeed.article.html.media import MEDIA_TAGS, Collector, enclosure_media
from kzfeed.article.html.scanner import TOKEN, decoded, plain, tokens
from kzfeed.article.html.visible_text import BREAKS, Reader
from kzfeed.article.strings import WHITE_SPACE, one_line, split_lines, trim, well_formed
from kzfeed.model import Media

__all__ = [
    "Derived",
    "derive",
    "enclosure_media",
    "from_plain",
    "media",
    "one_line",
    "plain_text",
    "title_text",
    "trim",
    "trim_lines",
    "visible_text",
]

_MAY_KEEP_LINES = re.compile("<(?:pre|textarea)", re.IGNORECASE)
_SHOWING = MEDIA_TAGS | {f"/{name}" for name in MEDIA_TAGS}


@dataclass(frozen=True, slots=True)
class Derived:
    """What is derived from a body. `text` has one paragraph a line, `visible` is the wording that makes a version."""

    text: str
    visible: str
    media: tuple[Media, ...]


# --- the body ---------------------------------------------------------------------------------------------------------


def trim_lines(html: str) -> str:
    """The body rule: split at LF, every line trimmed, joined with nothing between.

    `<pre>` and `<textarea>` stand in their line as they are, from the first character of the start tag to the end tag,
    or to the end of the text where that is missing.
    """
    if not _MAY_KEEP_LINES.search(html):
        return _joined(html) if "\n" in html else trim(html)
    pieces = []
    end = 0
    for start, next_end in _kept_stretches(html):
        pieces += [_joined(html[end:start], after_kept=end > 0, before_kept=True), html[start:next_end]]
        end = next_end
    pieces.append(_joined(html[end:], after_kept=end > 0))
    return "".join(pieces)


def _joined(html: str, *, after_kept: bool = False, before_kept: bool = False) -> str:
    # "|" stands for the kept neighbour: white space beside it is inside a line, not at its end.
    lines = f"{'|' * after_kept}{html}{'|' * before_kept}".split("\n")
    joined = "".join([line.strip(WHITE_SPACE) for line in lines])
    return joined[after_kept : len(joined) - before_kept]


def _kept_stretches(html: str) -> Iterator[tuple[int, int]]:
    """From where to where line ends are kept: each outermost `<pre>`, and each `<textarea>` outside of them."""
    depth = start = 0
    for token in TOKEN.finditer(html):
        name, closing = (token["name"] or "").lower(), bool(token["slash"])
        if name == "textarea" and not closing and not depth:
            yield token.span()
        elif name == "pre" and closing and depth:
            depth -= 1
            if not depth:
                yield start, token.end()
        elif name == "pre" and not closing and token["solidus"] is None:
            start = start if depth else token.start()
            depth += 1
    if depth:
        yield start, len(html)


# --- titles and plain text --------------------------------------------------------------------------------------------


def title_text(markup: str, is_html: bool) -> str:
    """A title as plain text on one line: of HTML, without its tags and with its character references decoded."""
    markup = well_formed(markup)
    if is_html and ("<" in markup or "&" in markup):
        markup = "".join((BREAKS.get(tag[0], "") if tag else "") + decoded(text) for tag, text in tokens(markup))
    return one_line(markup)


def from_plain(text: str) -> str:
    """Plain text as an HTML body: escaped, every line trimmed, `<br>` between lines and one empty line at the most."""
    body: list[str] = []
    for line in split_lines(trim(well_formed(text))):
        if line or (body and body[-1]):
            body.append(escape(line, quote=False))
    return "<br>".join(body)


# --- what is derived --------------------------------------------------------------------------------------------------


def derive(html: str, base_url: str | None) -> Derived:
    """Everything that is derived from a body that can be stored, in one reading; relative addresses start at
    `base_url`.

    Whether it can be is not looked at again, which would cost a twentieth of the whole.
    """
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    reader, collector = Reader(), Collector(base_url)
    if not _read_plain(html, reader, collector):
        read_by_tags(html, reader, collector)
    text, visible = reader.result()
    return Derived(text=text, visible=visible, media=collector.media())


def read_by_tags(html: str, reader: Reader, collector: Collector) -> None:
    """Read a body tag by tag."""
    for tag, text in tokens(html):
        if tag:
            if tag[0] in MEDIA_TAGS:
                collector.tag(tag)
            reader.tag(tag)
        if not reader.skipping:
            reader.text(text)


def _read_plain(html: str, reader: Reader, collector: Collector) -> bool:
    """Read a body as `read_by_tags` does, and faster: False, and nothing is read, where that cannot be."""
    markup = plain(html)
    if markup is None or not reader.read_plain(markup):
        return False
    if not _SHOWING.isdisjoint(markup.kinds):
        for at in [at for at, name in enumerate(markup.names) if name in _SHOWING]:
            tag = markup.tag(at)
            if tag:
                collector.tag(tag)
    return True


def plain_text(html: str) -> str:
    """What a reader sees, one paragraph a line: no scripts, nothing hidden, no mirror footer."""
    return derive(well_formed(html), None).text


def visible_text(html: str) -> str:
    """What versions are compared by: the words alone, without white space, relative times and the text in `<time>`."""
    return derive(well_formed(html), None).visible


def media(html: str, base_url: str | None) -> tuple[Media, ...]:
    """What a body shows beside its words, in its order: absolute http(s) addresses, the publisher's own."""
    return derive(well_formed(html), base_url).media
