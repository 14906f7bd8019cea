"""Generator of feeds for the benchmarks. The same seed writes the same documents.

Articles imitate those of full-text mirrors: paragraphs, images through a proxy, links, a footer. They are composed of
our own words; nothing is copied from a publisher.
"""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path

ENTRIES = 20
ARTICLE_BYTES = 17_500
SENTENCES = 12_000
PER_FOLDER = 250
NEWEST = datetime(2024, 6, 1, 8, 0, tzinfo=UTC)
MODIFIED = datetime(2024, 6, 2, tzinfo=UTC)
"""Modification time of every document, of which servers make their validators."""

WORDS = {
    name: words.split()
    for name, _, words in (
        line.partition(": ") for line in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines()
    )
}


@dataclass(frozen=True)
class Entry:
    """Entry of a feed, independent of the format."""

    link: str
    title: str
    published: datetime
    html: str


class Writer:
    """Composer of articles. One seed gives the same articles in the same order."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sentences = [self._sentence() for _ in range(SENTENCES)]

    def entry(self, feed: str, number: int, *, size: int = ARTICLE_BYTES, age: int) -> Entry:
        """An entry, `age` hours older than NEWEST, with about `size` bytes of HTML; 0 means one line."""
        slug = f"{self._draw('places')}-{self._chance.randrange(16**6):06x}"
        link = f"https://www.{feed}.example.org/a/{slug}/{number}.html"
        published = NEWEST - timedelta(hours=age, seconds=self._chance.randrange(3000))
        title = self._title()
        return Entry(link, title, published, self._article(feed, published, size) if size else f"<p>{title}</p>")

    def _draw(self, kind: str) -> str:
        return self._chance.choice(WORDS[kind])

    def _sentence(self) -> str:
        draw = self._draw
        parts = [draw("when"), draw("who"), draw("where"), draw("how") + draw("did") + "了" + draw("what"), draw("and")]
        if self._chance.random() < 0.3:
            parts.insert(2, f"带着{self._chance.randrange(2, 90)}年来攒下的笔记")
        return f"{parts[0]}，{parts[1]}" + "，".join(parts[2:]) + "。"

    def _title(self) -> str:
        draw = self._draw
        return f"{draw('who')}{draw('where')}{draw('did')}{draw('what')}（{self._chance.randrange(1, 400)}）"

    def _text(self, sentences: int) -> str:
        return "".join(self._chance.choices(self._sentences, k=sentences))

    def _article(self, feed: str, published: datetime, size: int) -> str:
        parts = [f"<div><i>{format_datetime(published, usegmt=True)}</i></div>", self._image(feed)]
        length = 700
        while length < size:
            part = self._part(feed)
            parts.append(part)
            length += len(part.encode()) + 1
        parts += [f"<h2>相关阅读</h2><ul>{self._links(feed)}</ul>", "<br><hr><div>获取更多：<br>"]
        parts.append('<a href="https://mirror.example.org" style="color:orange" target="_blank">全文镜像</a></div>')
        return "\n".join(parts)

    def _part(self, feed: str) -> str:
        die = self._chance.random()
        if die < 0.08:
            return f"<p><strong>{self._title()}</strong></p>"
        if die < 0.14:
            return self._image(feed)
        if die < 0.22:
            return f'<p>{self._text(1)}<a href="https://www.{feed}.example.org/topic">专题</a>{self._text(2)}</p>'
        if die < 0.27:
            return f"<div>\n  <blockquote>{self._text(2)}</blockquote>  \n</div>"
        return f"<p>{self._text(self._chance.randrange(1, 5))}</p>"

    def _image(self, feed: str) -> str:
        name = f"{self._chance.randrange(16**8):08x}"
        proxy = f"https://images.example.net/?url=img.{feed}.example.org/{name}_w900.jpg"
        caption = f'<div><small style="color: #999;">{self._text(1)}</small></div>'
        return f'<img src="{proxy}" width="100%" alt="{name}">{caption}'

    def _links(self, feed: str) -> str:
        links = (f"https://www.{feed}.example.org/a/{self._chance.randrange(10**6)}" for _ in range(4))
        return "".join(f'<li><a href="{link}">{self._title()}</a></li>' for link in links)


# --- documents -------------------------------------------------------------------------------------------------------


def rss(feed: str, entries: Sequence[Entry]) -> str:
    """RSS 2.0 with the article in the description, as mirrors write it."""
    items = "\n".join(
        f"<item>\n<title><![CDATA[{each.title}]]></title>\n<link>{each.link}</link>\n"
        f"<description><![CDATA[{each.html}]]></description>\n"
        f"<pubDate>{format_datetime(each.published, usegmt=True)}</pubDate>\n"
        f'<guid isPermaLink="true">{each.link}</guid>\n</item>'
        for each in entries
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0">\n<channel>\n<title>{feed} 全文</title>\n'
        f"<link>https://www.{feed}.example.org/</link>\n<description>{feed}</description>\n{items}\n</channel>\n</rss>\n"
    )


def atom(feed: str, entries: Sequence[Entry]) -> str:
    """Atom 1.0 with escaped HTML."""
    items = "\n".join(
        f'<entry>\n<title>{escape(each.title)}</title>\n<link rel="alternate" type="text/html" href="{each.link}"/>\n'
        f"<id>tag:{feed}.example.org,2024:{each.link.partition('/a/')[2]}</id>\n<published>{each.published.isoformat()}</published>\n"
        f"<updated>{each.published.isoformat()}</updated>\n<author><name>{feed} 编辑部</name></author>\n"
        f'<content type="html">{escape(each.html)}</content>\n</entry>'
        for each in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh-CN">\n'
        f'<title>{feed}</title>\n<link href="https://www.{feed}.example.org/"/>\n<id>https://www.{feed}.example.org/</id>\n'
        f"<updated>{entries[0].published.isoformat()}</updated>\n{items}\n</feed>\n"
    )


def rdf(feed: str, entries: Sequence[Entry]) -> str:
    """RSS 1.0 with content:encoded."""
    names = "".join(f'<rdf:li rdf:resource="{each.link}"/>' for each in entries)
    items = "\n".join(
        f'<item rdf:about="{each.link}">\n<title>{escape(each.title)}</title>\n<link>{each.link}</link>\n'
        f"<dc:date>{each.published.isoformat()}</dc:date>\n<dc:creator>{feed}</dc:creator>\n"
        f"<content:encoded><![CDATA[{each.html}]]></content:encoded>\n</item>"
        for each in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF xmlns="http://purl.org/rss/1.0/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/">\n'
        f'<channel rdf:about="https://www.{feed}.example.org/">\n<title>{feed}</title>\n'
        f"<link>https://www.{feed}.example.org/</link>\n<description>{feed}</description>\n"
        f"<items><rdf:Seq>{names}</rdf:Seq></items>\n</channel>\n{items}\n</rdf:RDF>\n"
    )


FORMATS: Sequence[Callable[[str, Sequence[Entry]], str]] = (rss, rss, rss, rss, atom, rss, rss, rdf, rss, atom)
"""Of ten feeds, seven are RSS 2.0, two Atom and one RSS 1.0."""


def path_of(kind: str, number: int) -> str:
    """The path of a feed under the folder; `kind` is "large" or "tiny"."""
    return f"{kind}/{number // PER_FOLDER}/{number}.xml"


def host_of(number: int) -> str:
    """The loopback address that serves the feed, one of a thousand in turn."""
    place = number % 1000
    return f"127.0.{1 + place // 250}.{1 + place % 250}"


def tiny_entries(number: int) -> int:
    """How many entries the tiny feed of this number has."""
    return 3 + number % 3


def write(folder: Path, *, large: int, tiny: int, seed: int = 1) -> None:
    """Write `large` feeds of ENTRIES articles (375 KB) and `tiny` feeds of three to five short ones (1 to 2 KB)."""
    writer = Writer(seed)
    for number in range(large):
        feed = f"feed{number}"
        entries = [writer.entry(feed, ENTRIES - age, age=age) for age in range(ENTRIES)]
        _write(folder / path_of("large", number), number, feed, entries)
    for number in range(tiny):
        feed = f"tiny{number}"
        entries = [writer.entry(feed, 9 - age, size=0, age=age) for age in range(tiny_entries(number))]
        _write(folder / path_of("tiny", number), number, feed, entries)


def _write(file: Path, number: int, feed: str, entries: Sequence[Entry]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FORMATS[number % len(FORMATS)](feed, entries), encoding="utf-8")
    os.utime(file, (MODIFIED.timestamp(), MODIFIED.timestamp()))
