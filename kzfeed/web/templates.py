"""Jinja environment of the pages. Every value is escaped. The filters are the functions that templates may call."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kzfeed.article.url import href
from kzfeed.instants import iso_text, time_text
from kzfeed.search.snippet import Snippet
from kzfeed.web.catalogue import LANGUAGE_NAMES
from kzfeed.web.languages import language_of
from kzfeed.web.static import STATIC

FOLDER = Path(__file__).parent / "templates"
HASH_DIGITS = 16
"""How many digits of a url_hash the address of an article has."""


def environment(navigation: Sequence[tuple[str, str]]) -> Environment:
    """The environment in which all templates are rendered, with the links at the top of every page."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "minute": minute,
        "clock": clock,
        "day": day,
        "marked": marked,
        "bdi": bdi,
        "article_address": article_address,
        "source_address": source_address,
        "web_address": href,
        "language_of": language_of,
    }
    made.globals |= {
        "static": {name: file.address for name, file in STATIC.items()},
        "navigation": navigation,
        "language_names": LANGUAGE_NAMES,
    }
    return made


def minute(instant: datetime) -> Markup:
    """The instant to the minute, in UTC."""
    return _time(instant, time_text(instant))


def clock(instant: datetime) -> Markup:
    """The time of day of the instant, in UTC."""
    return _time(instant, f"{instant:%H:%M}")


def day(value: date) -> Markup:
    """The day, in UTC."""
    return Markup('<time datetime="{0}">{0}</time>').format(f"{value.year:04}-{value:%m-%d}")


def _time(instant: datetime, shown: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(iso_text(instant), shown)


def bdi(text: str, language: str | None = None) -> Markup:
    """A publisher's text, isolated so that it cannot change the direction of the text around it, with its language.

    `language` is the one that the feed names, if it names one.
    """
    return Markup('<bdi lang="{}">{}</bdi>').format(language_of(text, language), text)


def marked(snippet: Snippet) -> Markup:
    """A publisher's text in which the hits of a search are marked."""
    parts = Markup().join(_marked_parts(snippet))
    return Markup('<bdi lang="{}">{}</bdi>').format(language_of(snippet.text), parts)


def _marked_parts(snippet: Snippet) -> Iterator[Markup]:
    last = 0
    for start, end in snippet.hits:
        yield escape(snippet.text[last:start])
        yield Markup("<mark>{}</mark>").format(snippet.text[start:end])
        last = end
    yield escape(snippet.text[last:])


def article_address(url_hash: str) -> str:
    """The address of the page of an article."""
    return f"/a/{url_hash[:HASH_DIGITS]}"


def source_address(name: str) -> str:
    """The address of the page of a source. A slash tells a name such as `a.json` from the JSON of `a`."""
    end = "/" if name.endswith((".json", ".atom")) else ""
    return f"/sources/{quote(name, safe='')}{end}"
