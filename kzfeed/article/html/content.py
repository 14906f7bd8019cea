"""HTML of a feed or an archive file, and what is derived from it: text, comparison text and media.

No function here raises, and each takes time and memory in proportion to its input (docs/decisions/html-scanner.md).
"""

from dataclasses import dataclass
from html import escape

from kzfeed.article.html.media import MediaCollector
from kzfeed.article.html.scanner import decoded, tokens
from kzfeed.article.html.visible_text import BREAKS, VisibleText
from kzfeed.article.strings import one_line, split_lines, trim, well_formed
from kzfeed.model.articles import Media


@dataclass(frozen=True, slots=True)
class Derived:
    """What is derived from a body. `text` has one paragraph a line; versions are compared by `comparison_text`."""

    text: str
    comparison_text: str
    media: tuple[Media, ...]


# --- titles and plain text --------------------------------------------------------------------------------------------


def title_text(markup: str, is_html: bool) -> str:
    """A title as plain text on one line; of HTML, without tags and with character references decoded."""
    markup = well_formed(markup)
    if is_html:
        markup = "".join(BREAKS.get((name or "").lower(), "") + decoded(text) for _, name, _, _, text in tokens(markup))
    return one_line(markup)


def from_plain(text: str) -> str:
    """Plain text as an HTML body: escaped, every line trimmed, `<br>` between lines, no two empty lines in a row."""
    body: list[str] = []
    for line in split_lines(trim(well_formed(text))):
        if line or (body and body[-1]):
            body.append(escape(line, quote=False))
    return "<br>".join(body)


# --- derived from a body ---------------------------------------------------------------------------------------------


def derive(html: str, base_url: str | None) -> Derived:
    """Everything that is derived from a body, in one pass; relative addresses are resolved against `base_url`.

    The body must be storable (see `strings.storable`).
    """
    visible_text, collector = VisibleText(), MediaCollector(base_url)
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    visible_text.read(tokens(html), collector)
    text, comparison_text = visible_text.result()
    return Derived(text=text, comparison_text=comparison_text, media=collector.media())


def plain_text(html: str) -> str:
    """The visible text of a body, one paragraph a line."""
    return derive(well_formed(html), None).text


def comparison_text(html: str) -> str:
    """The text by which versions are compared: no text of `<time>`, no relative times; cells and deletions marked."""
    return derive(well_formed(html), None).comparison_text


def media(html: str, base_url: str | None) -> tuple[Media, ...]:
    """The images, sounds and films of a body, in its order, by the publisher's absolute http(s) addresses."""
    return derive(well_formed(html), base_url).media
