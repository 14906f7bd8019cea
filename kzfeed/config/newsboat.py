"""The `urls` file of newsboat: a feed in each line, with its tags and its title."""

import re

from kzfeed.config import addresses, values
from kzfeed.config.source_lists import LeftOut, ListedSource, SourceList
from kzfeed.text import redacted

# A word, or text in double quotes in which `\"` is a quote; `#` before a word begins a comment.
_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"?|(#.*)|(\S+)')
_NO_FEEDS = {
    "query:": "a query over other feeds",
    "exec:": "the output of a program",
    "filter:": "a feed that a program changes",
}


def read_urls(text: str) -> SourceList:
    """The feeds of the file. A tag that begins with `~` is the title, one that begins with `!` hides the feed."""
    sources: list[ListedSource] = []
    left_out: list[LeftOut] = []
    for line, content in enumerate(text.splitlines(), 1):
        if not (tokens := _tokens(content)):
            continue
        url, *tags = tokens
        if what := next((what for prefix, what in _NO_FEEDS.items() if url.startswith(prefix)), None):
            left_out.append(LeftOut(line, f"{redacted(url)}: {what}"))
            continue
        try:
            addresses.address(url)
        except ValueError as error:
            left_out.append(LeftOut(line, f"{redacted(url)}: expected {error}"))
            continue
        title = next((tag[1:].strip() for tag in tags if tag.startswith("~")), "")
        kept = [tag.strip() for tag in tags if tag.strip(" /") and not tag.startswith(("~", "!"))]
        sources.append(ListedSource(line, url, title or None, values.tags(kept)))
    return SourceList(tuple(sources), tuple(left_out))


def _tokens(line: str) -> list[str]:
    found: list[str] = []
    for match in _TOKEN.finditer(line):
        quoted, comment, word = match.groups()
        if comment:
            break
        found.append(word if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return found
