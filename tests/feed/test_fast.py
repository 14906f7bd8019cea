"""The fast way and feedparser's give the same Feed, field by field, wherever there is one, and mostly there is."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import pytest
from feedparser.api import StrictFeedParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kzfeed.article.build import FeedContext, articles_of_feed
from kzfeed.article.html import content as html
from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode, decode_plain
from kzfeed.feed.fast import parse_fast, parse_plain
from kzfeed.feed.namespaces import HANDLED, PREFIXES
from kzfeed.feed.parse import parse
from kzfeed.model import Decoded, Document, Entry, Feed
from kzfeed.sandbox.document import read, read_harmless
from tests.feed.ordinary import NAMESPACES, SHAPES, STORIES, document

DATA = Path(__file__).parents[1] / "data" / "feeds"
SHARED = Path(__file__).parents[3] / "shared"
CORPUS = sorted((SHARED / "corpus" / "feedparser").rglob("*.xml"))
URL = "https://feeds.example.org/path/feed.xml"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def fast(text: str, url: str = URL, max_entries: int = 5000) -> Feed | None:
    return parse_fast(Decoded(text, "utf-8"), url=url, max_entries=max_entries)


def agrees(decoded: Decoded, url: str = URL, max_entries: int = 5000) -> bool:
    """Whether the document goes the fast way. Where it does, the result must be the slow way's."""
    ours = parse_fast(decoded, url=url, max_entries=max_entries)
    if ours is not None:
        assert ours == parse(decoded, url=url, max_entries=max_entries)
    return ours is not None


# --- real documents --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CORPUS, reason="feedparser's documents are not here")
def test_feedparsers_own_documents_are_read_alike_both_ways() -> None:
    went_fast = 0
    for path in CORPUS:
        decoded = decode(path.read_bytes())
        for url in (URL, "http://e.org/a/../b?", ""):
            try:
                is_fast = agrees(decoded, url)
            except (AssertionError, DocumentError) as error:
                raise AssertionError(f"{path.name} of {url!r} differs") from error
        went_fast += is_fast
    # They are there to be odd.
    assert went_fast > 0.7 * len(CORPUS)


@pytest.mark.parametrize("path", [*DATA.glob("*.xml"), *(SHARED / "feeds").glob("*.xml")], ids=lambda path: path.name)
def test_our_own_and_real_feeds_go_the_fast_way(path: Path) -> None:
    assert agrees(decode(path.read_bytes()))


# --- ordinary feeds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_an_ordinary_feed_is_read_alike_both_ways(shape: str) -> None:
    decoded = decode(document(SHAPES[shape]).encode())
    agrees(decoded)
    feed = parse(decoded, url=URL)
    assert (len(feed.entries), feed.flaw) == (len(STORIES), None)
    titles = [html.title_text(entry.title, entry.title_type == "html") for entry in feed.entries]
    # Toots have none.
    assert [title.removesuffix(" - The Brook") for title in titles] in ([story.title for story in STORIES], [""] * 3)


def test_at_least_19_of_20_ordinary_feeds_go_the_fast_way() -> None:
    slow = [name for name, shape in SHAPES.items() if fast(document(shape)) is None]
    assert len(SHAPES) >= 40
    assert len(slow) <= len(SHAPES) / 20, slow
    for kind in ("rss", "atom", "rdf"):
        of_kind = [name for name, shape in SHAPES.items() if shape.format == kind]
        assert len(set(slow) & set(of_kind)) <= max(1, len(of_kind) / 20), kind


# --- generated feeds -------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(
    [
        "",
        "  ",
        "x",
        "x &amp; y",
        "AT&amp;amp;T &amp;nbsp;",
        "a &lt;b&gt;bold&lt;/b&gt; c",
        "&lt;iframe&gt;&lt;/iframe&gt;",
        "5 &lt; 6 &amp;amp; 7",
        "caf\u00e9",
        "\u00c3\u00a9t\u00c3\u00a9",
        "圖書館",
        "\u00a0nb\u00a0",
        "\u3000全\u3000",
        "\ufeffx",
        "\u0085",
        "&#150;",
        "&#x1F600;",
        "ba\u017fe",
        "http://e.org/1",
        "https://e.org/a?x=1&amp;y=2&amp;z;",
        "http:///e.org/x",
        "/relative",
        "javascript:1",
        "Sun, 23 Jan 2022 23:56:41 GMT",
        "Fri, 2006/13/15 08:19:53 EDT",
        "2024-01-02T03:04:05Z",
        "2024年1月2日",
        "a@b.com (Name)",
        "a@b.com",
        "q@b.example (Name)",
        "Name",
        "Other Name",
        "a, b, ,c",
        "60",
        "daily",
        "zh_CN",
        "45.2 -71.1",
        "<![CDATA[<p>c &amp; &#8217; d</p>]]>",
        "<![CDATA[ a ]]]]><![CDATA[> b]]>",
        "<![CDATA[<skipHours><hour>3</hour></skipHours>]]>",
        "<![CDATA[<a base='x'>]]>",
        '<![CDATA[ xmlns:media="http://search.yahoo.com/mrss/"]]>',
        "x<!-- c -->y",
        "x<?pi a?>y",
        "a\r\n  b\n",
    ]
)
XHTML = st.sampled_from(
    [
        '<div xmlns="http://www.w3.org/1999/xhtml">a<br/>b &amp; c</div>',
        '\n<div xmlns="http://www.w3.org/1999/xhtml"><p class="x&quot;y" rel="NoFollow">1</p> <p>2</p></div>\n',
        '<div xmlns="http://www.w3.org/1999/xhtml">x</div><div xmlns="http://www.w3.org/1999/xhtml">y</div>',
        '<p xmlns="http://www.w3.org/1999/xhtml">no div</p>',
        "<div>in no namespace of its own</div>",
        '<div xmlns="http://www.w3.org/1999/xhtml"><svg xmlns="http://www.w3.org/2000/svg"><title>t</title></svg></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><source src="x"/><title>q</title><body>z</body></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><a href="x" dc:y="1">l</a></div>',
    ]
)
_ATTRIBUTES = """
    type mode href url uri rel length fileSize medium isPermaLink term label scheme domain text xml:lang lang xml:base
    base dc:base rdf:about rdf:resource src version start Href lastmod
"""
_VALUES = """
    html text xhtml text/html HTML image/png base64 http://e.org/h /r self alternate enclosure REPLIES 123 image false
    true de zh_TW http://b.org/x/ sub/
"""
ATTRIBUTES = st.dictionaries(
    st.sampled_from(_ATTRIBUTES.split()), st.sampled_from([*_VALUES.split(), "", " x "]), max_size=3
)
_OF_FEEDS = """
    title link description language ttl image atom:link sy:updatePeriod sy:updateFrequency lastBuildDate generator id
    itunes:author itunes:owner itunes:category itunes:summary itunes:image skipHours skipDays category managingEditor
    copyright textInput cloud updated author media:title media:thumbnail lj:x dc:language admin:generatorAgent
"""
_OF_ENTRIES = """
    title title link link description description pubDate guid guid category dc:creator content:encoded author
    media:content media:thumbnail media:title media:description media:group itunes:summary atom:link enclosure source
    itunes:author itunes:keywords comments dc:date updated published id summary content dc:subject itunes:image language
    slash:comments dc:language georss:point georss:where dc:description dcterms:available media:category image dc:title
    psc:chapters contributor creativeCommons:license thr:total lj:x a:title xml:x
"""
OF_FEEDS, OF_ENTRIES = _OF_FEEDS.split(), _OF_ENTRIES.split()
OF_ANYTHING = [
    *OF_FEEDS,
    *OF_ENTRIES,
    *(name.replace("_", ":", 1) for name in sorted(HANDLED)),
    "links",
    "title_detail",
]
INSIDE = {
    "author": "name email uri url lj:x itunes:name",
    "contributor": "name email uri",
    "itunes:owner": "itunes:name itunes:email",
    "itunes:category": "itunes:category",
    "media:group": "media:title media:description media:content media:thumbnail media:category media:license",
    "media:content": "media:title media:description media:thumbnail media:keywords media:player media:rating lj:x",
    "image": "title link url width description lj:x",
    "textInput": "title link name description",
    "source": "title link id updated author subtitle",
    "skipHours": "hour",
    "skipDays": "day",
    "georss:where": "gml:Point",
    "gml:Point": "gml:pos",
    "psc:chapters": "psc:chapter",
}


@st.composite
def elements(draw: Callable[..., Any], names: list[str], depth: int = 0) -> str:
    name = draw(st.sampled_from(names if draw(st.integers(0, 15)) else OF_ANYTHING))
    given_attributes = draw(ATTRIBUTES) if draw(st.integers(0, 2)) == 0 else {}
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in given_attributes.items())
    if draw(st.integers(0, 40)) == 0:
        prefix, space = (
            draw(st.sampled_from(["media", "x", "dc"])),
            draw(st.sampled_from([*NAMESPACES.values(), "urn:z"])),
        )
        attributes += f' xmlns:{prefix}="{space}"'
    if name in INSIDE and depth < 3 and draw(st.integers(0, 3)):
        inside = "".join(draw(st.lists(elements(INSIDE[name].split(), depth + 1), max_size=3)))
    elif given_attributes.get("type") == "xhtml":
        inside = draw(XHTML)
    elif depth < 2 and draw(st.integers(0, 40)) == 0:
        inside = draw(TEXTS) + draw(elements(OF_ANYTHING, depth + 1))
    else:
        inside = draw(TEXTS)
    return f"<{name}{attributes}>{inside}</{name}>" if inside or draw(st.booleans()) else f"<{name}{attributes}/>"


@st.composite
def feeds(draw: Callable[..., Any]) -> str:
    head = "".join(draw(st.lists(elements(OF_FEEDS), max_size=5)))
    tail = "".join(draw(st.lists(elements(OF_FEEDS), max_size=1)))
    entries = [
        "".join(draw(st.lists(elements(OF_ENTRIES), max_size=7)))
        for _ in range(draw(st.integers(0, 2), label="entries"))
    ]
    spaces = dict(NAMESPACES)
    if draw(st.integers(0, 5)) == 0:
        spaces[draw(st.sampled_from(sorted(spaces)))] = draw(st.sampled_from([*NAMESPACES.values(), "urn:other", ""]))
    if draw(st.integers(0, 5)) == 0:
        spaces["media"] = "https://search.yahoo.com/mrss/"
    root = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in spaces.items() if space)
    root += draw(st.sampled_from(["", "", ' xml:lang="en_GB"', ' xml:base="http://b.org/x/"', ' xmlns:a="urn:a"']))
    match draw(st.sampled_from(["rss", "rss", "atom", "atom 0.3", "rdf", "old"])):
        case "rss" | "old" as kind:
            version = "2.0" if kind == "rss" else draw(st.sampled_from(["0.91", "0.92", "2.01", "1.0", ""]))
            items = "".join(f"<item>{entry}</item>" for entry in entries)
            return f'<rss version="{version}"{root}><channel>{head}{items}{tail}</channel></rss>'
        case "rdf":
            items = "".join(f'<item rdf:about="http://e.org/1">{entry}</item>' for entry in entries)
            return f'<rdf:RDF xmlns="http://purl.org/rss/1.0/"{root}><channel>{head}</channel>{items}{tail}</rdf:RDF>'
        case kind:
            space, version = (
                ("http://purl.org/atom/ns#", ' version="0.3"') if kind == "atom 0.3" else (NAMESPACES["atom"], "")
            )
            items = "".join(f"<entry>{entry}</entry>" for entry in entries)
            return f'<feed xmlns="{space}"{version}{root}>{head}{items}{tail}</feed>'


went_fast: list[bool] = []

SLOW = settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(feeds(), st.sampled_from([URL, "http://e.org/x/../y?", ""]), st.sampled_from([5000, 5000, 1]))
def test_whatever_is_in_a_feed_it_is_read_alike_both_ways(text: str, url: str, max_entries: int) -> None:
    went_fast.append(agrees(Decoded(text, "utf-8"), url, max_entries))


def test_many_of_the_generated_feeds_went_the_fast_way() -> None:
    # Else the test before this one says nothing.
    assert not went_fast or sum(went_fast) > len(went_fast) / 10


_CHANGES = """
    < > & &amp; &#133; ]]> <![CDATA[ <!-- --> <?x?> " \u212a \ufeff \0 Ã© <br/> &lt;b&gt;x&lt;/b&gt; <!DOCTYPE x>
    <skiphours><hour>3</hour></skiphours> <title>x</title> <link>y</link> <description>z</description>
    <media:description>q</media:description> <itunes:summary>q</itunes:summary> <item> </item> </entry> <source>
    </source> <media:group> <guid>1</guid> <author>a</author> <category/> <image/>
"""
_MORE_ATTRIBUTES = """
    base='x' xml:base='http://q.org/' type='xhtml' type='html' xmlns='http://www.w3.org/2005/Atom' lang=''
    xml:lang='fr_CA' isPermaLink='false'
"""
CHANGES = st.sampled_from(
    [*_CHANGES.split(), *(f" {attribute}" for attribute in _MORE_ATTRIBUTES.split()), "\xa0", "\x85", ""]
)
DOCUMENTS = [document(shape, STORIES[:2]) for shape in SHAPES.values()]


@SLOW
@given(st.sampled_from(DOCUMENTS), st.lists(st.tuples(st.floats(0, 1), CHANGES, st.integers(0, 30)), max_size=3))
def test_a_feed_that_something_happened_to_is_read_alike_both_ways(
    text: str, changes: list[tuple[float, str, int]]
) -> None:
    for place, change, lost in changes:
        ends = [match.start() for match in re.finditer("[<>]", text)] or [0]
        at = ends[round(place * (len(ends) - 1))] + lost % 2
        text = text[:at] + change + text[at + (lost if lost > 20 else 0) :]
    agrees(Decoded(text, "utf-8"))


@pytest.mark.skipif(not CORPUS, reason="feedparser's documents are not here")
def test_elements_of_feedparsers_documents_are_read_alike_in_any_company() -> None:
    leaf = re.compile(r"<([A-Za-z][\w:.-]*)(?:\s[^<>]*)?>(?:[^<>]*|<!\[CDATA\[[^<>]*\]\]>)</\1>")
    leaves = sorted({match[0] for path in CORPUS for match in leaf.finditer(decode(path.read_bytes()).text)})
    spaces = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
    both = 0
    for number in range(0, len(leaves) * 4, 3):
        some = [leaves[(number * step + step) % len(leaves)] for step in (1, 7, 31)]
        for start, end in (
            (f'<rss version="2.0"{spaces}><channel>{some[0]}<item>', "</item></channel></rss>"),
            (f'<feed xmlns="{NAMESPACES["atom"]}"{spaces}>{some[0]}<entry>', "</entry></feed>"),
        ):
            both += agrees(Decoded(f"{start}{''.join(some[1:])}{end}", "utf-8"))
    assert len(leaves) > 400
    assert both > 400


@given(st.text() | st.text("<>/&;'\"= abrsfeditml:xn[]!-?"))
@example("<rss><channel><title>\ud800</title></channel></rss>")
def test_nothing_makes_it_raise(text: str) -> None:
    fast(text)
    fast(f"<rss version='2.0'><channel><item>{text}</item></channel></rss>")


# --- what it knows of feedparser -------------------------------------------------------------------------------------


def test_it_knows_every_element_that_feedparser_treats_specially() -> None:
    # Where this fails, feedparser has learned something new: see what it means for kzfeed/feed/grammar.py.
    parts = [re.match("_(?:start|end)_(.+)", name) for name in dir(StrictFeedParser)]
    assert {part[1] for part in parts if part} == HANDLED


def test_it_knows_every_namespace_that_feedparser_knows() -> None:
    assert {space.lower(): prefix for space, prefix in StrictFeedParser.namespaces.items()} == PREFIXES


# --- what it leaves alone --------------------------------------------------------------------------------------------


def rss(items: str, root: str = ' version="2.0"') -> str:
    return f"<rss{root}><channel><title>T</title>{items}</channel></rss>"


def item(inside: str, root: str = "") -> str:
    spaces = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
    return rss(f"<item>{inside}</item>", f' version="2.0"{spaces}{root}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "not found",
        "[" * 100_000,
        '{"version": "https://jsonfeed.org/version/1.1", "items": []}',
        "<html><body><item>x</item></body></html>",
        "<opml/>",
        rss("<item><title>a & b</title></item>"),
        rss("<item><title>a&nbsp;b</title></item>"),
        rss("<item><title>a</item>"),
        "<!DOCTYPE rss>" + rss(""),
        '<!-- x --><!DOCTYPE rss [<!ENTITY a "b">]>' + rss("<item><title>&a;</title></item>"),
        rss("<item><title>a\x85b</title></item>"),
        rss("<item><title>&#150;</title></item>"),
        item("<description>one</description><description>two</description>"),
        item("<description>one</description><summary>two</summary>"),
        item("<description>one</description><dc:description>two</dc:description>"),
        item("<description><p>not escaped</p></description>"),
        item("<content>one</content><content:encoded>two</content:encoded>"),
        item('<content type="image/png">iVBORw0KGgo=</content>'),
        item('<content mode="base64" type="text/html">PGI+</content>'),
        item("<guid>1</guid><guid>2</guid>"),
        item("<title>a <b>b</b></title>"),
        item("<title>&lt;blink&gt;x&lt;/blink&gt;</title>"),
        item("<pubDate>Fri, 2006/13/15 08:19:53 EDT</pubDate>"),
        item("<author>a at b@c</author><dc:creator>d</dc:creator>"),
        item("<media:description x='y'>q</media:description>"),
        item("<lj:x><title>x</title></lj:x>"),
        item("<links>x</links>"),
        item("<title_detail>x</title_detail>"),
        item("<item>x</item>"),
        rss("</channel><channel>"),
        rss("<item/>", ' version="2.0" xmlns:a="urn:1" a:base="x"'),
    ],
)
def test_what_is_unusual_is_not_for_the_fast_way(text: str) -> None:
    assert fast(text) is None


def test_documents_that_are_flawed_large_or_over_the_limit_are_not_for_the_fast_way() -> None:
    plain = rss("<item/><item/>")
    assert fast(plain) is not None
    assert fast(plain, max_entries=2) is not None
    assert fast(plain, max_entries=1) is None
    assert parse_fast(replace(Decoded(plain, "big5"), flawed=True), url=URL, max_entries=5) is None
    assert fast(rss(f"<item><description>{'x' * 2**22}</description></item>")) is None


MIB = 2**20


def filled(what: str) -> str:
    return what * (MIB // len(what))


def in_xhtml(inside: str) -> str:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        f"{inside}</div></content></entry></feed>"
    )


HOSTILE = {
    "deep": rss("<a>" * (MIB // 7) + "</a>" * (MIB // 7)),
    "deep, open": rss(filled("<a>")),
    "deep XHTML": in_xhtml("<b>" * (MIB // 7) + "</b>" * (MIB // 7)),
    "flat": rss(filled("<a/>")),
    "items": rss(filled("<item/>")),
    "laughs": '<!DOCTYPE x [<!ENTITY a "ha">' + filled('<!ENTITY b "&a;&a;">') + "]>" + rss("&b;"),
    "attributes": rss("<a" + "".join(f' a{number}=""' for number in range(MIB // 10)) + "/>"),
    "namespaces": rss("".join(f'<a xmlns:p{number}="urn:{number}"/>' for number in range(MIB // 26))),
    "namespaces, one tag": rss("<a" + "".join(f' xmlns:a{number}="u"' for number in range(MIB // 16)) + "/>"),
    "comments": filled("<!-- -->") + rss(""),
    "comments without end": filled("<!--"),
    "comments in CDATA": item(f"<description><![CDATA[{filled('<!--')}]]></description>"),
    "instructions": filled("<?a?>"),
    "references": item(f"<description>{filled('&amp;')}</description>"),
    "tags in CDATA": item(f"<description><![CDATA[{filled('< base ')}]]></description>"),
    "spaces before a base": item(f"<description><![CDATA[<{' ' * (MIB // 2)}base{' ' * (MIB // 2)}]]></description>"),
    "skipHours": item(f"<description><![CDATA[{filled('<skipHours>')}]]></description>"),
    "xmlns in CDATA": item(f"<description><![CDATA[{filled(' xmlns:media')}]]></description><media:description/>"),
    "categories": item("".join(f"<category>{number}</category>" for number in range(MIB // 26))),
    "keywords": item(f"<itunes:keywords>{','.join(map(str, range(MIB // 7)))}</itunes:keywords>"),
    "links": item(filled('<link href="/a/../b"/>')),
    "authors": item(filled("<author>a</author>")),
    "mailboxes": item(f"<author>{filled('a.')}</author>" * 2),
    "title": item(f"<title><![CDATA[{filled('&a')};</b>]]></title>"),
    "link": item(f"<link><![CDATA[{filled('&a;')}]]></link>"),
    "dots": item(f'<link xml:base="http://e.org/">{filled("../a/")}</link>'),
    "slashes": item(f"<link>http:{filled('/')}</link>"),
    "XHTML": in_xhtml(filled("<br/>")),
    "XHTML attributes": in_xhtml(f'<br x="{filled("&lt;br ")}"/>'),
    "nothing": filled(" "),
}


def seconds(work: Callable[[], object]) -> float:
    """The CPU time that it takes when nothing else disturbs."""
    times = []
    for _ in range(5):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times)


@pytest.fixture(scope="module")
def slowness() -> float:
    """How much longer this machine takes than the one on which the limit was set, at the moment."""
    return max(1.0, seconds(lambda: [str(number) for number in range(100_000)]) / 0.012)


@pytest.mark.parametrize("shape", HOSTILE)
def test_nothing_takes_the_fast_way_long(shape: str, slowness: float) -> None:
    """Some 50 ms of CPU a MiB on a quiet machine; what is quadratic takes many times the half second allowed here."""
    text = HOSTILE[shape]
    assert seconds(lambda: fast(text)) < 0.5 * slowness * max(1, len(text) / MIB)


# --- in the daemon's own process -------------------------------------------------------------------------------------


def described(body: bytes) -> Document:
    return Document(body, "application/xml", URL, timezone="Asia/Shanghai", now=NOW)


@pytest.mark.parametrize("shape", ["WordPress", "Jekyll", "Hatena", "podcast with summaries", "full-text mirror"])
def test_a_harmless_document_gives_the_same_articles(shape: str) -> None:
    given_document = described(document(SHAPES[shape]).encode())
    found = read_harmless(given_document)
    assert found is not None
    assert found == read(given_document)
    slowly = parse(decode(given_document.body), url=URL)
    assert found[1] == articles_of_feed(slowly, FeedContext(URL, ZoneInfo("Asia/Shanghai"), NOW))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe<\0r\0",
        rss("<item><title>圖書館</title></item>").encode("gb18030"),
        rss("<item><title>a & b</title></item>").encode(),
        rss(f"<item><description>{'x' * 600_000}</description></item>").encode(),
        rss(f"<item><description><![CDATA[{'<p>' * 20_000}]]></description></item>").encode(),
        rss(f"<item><description>{'&lt;p>' * 30_000}</description></item>").encode(),
        rss(f"<item><description><![CDATA[{'<img SRC=x>' * 2_000}]]></description></item>").encode(),
        rss("<item/>" * 600).encode(),
        b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
    ],
    ids=["empty", "UTF-16", "GB18030", "broken", "large", "tags", "escaped tags", "images", "entries", "JSON"],
)
def test_what_is_not_plainly_harmless_is_for_a_process_that_can_be_killed(body: bytes) -> None:
    assert read_harmless(described(body)) is None


def test_an_unknown_zone_is_for_the_slow_way_to_report() -> None:
    assert read_harmless(replace(described(rss("<item/>").encode()), timezone="Nowhere/At_all")) is None


def test_a_declared_gb18030_goes_the_fast_way_once_it_is_decoded() -> None:
    text = '<?xml version="1.0" encoding="gb2312"?>' + rss("<item><title>圖書館延長開放時間</title></item>")
    assert agrees(decode(text.encode("gb18030")))


def test_the_whole_of_an_entry() -> None:
    feed = fast(document(SHAPES["WordPress"], STORIES[:1]), url="https://news.example/feed/")
    assert feed is not None
    assert feed == Feed(
        format="rss20",
        title="The Brook",
        site_url="https://news.example/",
        language="zh-TW",
        update_every=feed.update_every,
        entries=(
            Entry(
                title="The bridge opens again",
                link="https://news.example/2024/05/01/story.html",
                guid="https://news.example/?p=1",
                content=feed.entries[0].content,
                dates=("Thu, 01 May 2024 08:30:00 +0000",),
                author="Ada Brook",
                tags=("Town", "News"),
            ),
        ),
    )
    assert feed.entries[0].content.startswith("<p>After two winters the bridge is open.</p>\n<p>Trams")


def test_controls_in_front_of_the_root_may_hide_where_a_comment_ends() -> None:
    """Without the NUL, as `decode` gives it, the comment is over before the feed."""
    inner = '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>a</title></feed>'
    body = f'<!-- -\x00->{inner}--><rss version="2.0"><channel><title>b</title></channel></rss>'.encode()
    plain = decode_plain(body)
    assert plain is not None
    assert parse_plain(*plain, url=URL, max_entries=5) is None
    feed, _ = read(Document(body, None, URL, "UTC", NOW))
    assert feed.title == parse(decode(body), url=URL, max_entries=5).title == "a"
