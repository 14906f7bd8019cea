"""A document becomes entries: every format alike, every complete entry of a broken one, and errors of one kind."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode
from kzfeed.feed.parse import parse
from kzfeed.model.articles import Decoded, Enclosure, Entry, Feed
from tests.slow import slow

DATA = Path(__file__).parents[1] / "data" / "feeds"
SHARED = Path(__file__).parents[3] / "shared"
URL = "https://feeds.example.org/path/feed.xml"
WHITE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
FEEDS = {
    "atom03.xml": "atom03",
    "atom10-html.xml": "atom10",
    "atom10-xhtml.xml": "atom10",
    "feed11.json": "json11",
    "rdf10.xml": "rss10",
    "rss091.xml": "rss091u",
    "rss20-cdata.xml": "rss20",
    "rss20-encoded.xml": "rss20",
    "rss20-escaped.xml": "rss20",
}


def read(body: bytes | str, content_type: str | None = None, **options: Any) -> Feed:
    body = body.encode() if isinstance(body, str) else body
    return parse(decode(body, content_type), url=URL, **options)


def rss(items: str, head: str = "", namespaces: str = "") -> str:
    return f'<rss version="2.0"{namespaces}><channel><title>T</title>{head}{items}</channel></rss>'


def item(inside: str, namespaces: str = "") -> Entry:
    return read(rss(f"<item>{inside}</item>", namespaces=namespaces)).entries[0]


def atom(inside: str, attributes: str = "") -> Entry:
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"{attributes}><entry>{inside}</entry></feed>'
    return read(feed).entries[0]


def trimmed(content: str) -> str:
    """The body rule of the archive format."""
    return "".join(line.strip(WHITE) for line in content.split("\n"))


def facts(feed: Feed) -> list[dict[str, str | None]]:
    def iso(raw: str) -> str:
        return (parsedate_to_datetime(raw) if "," in raw else datetime.fromisoformat(raw)).isoformat()

    return [
        {
            "title": entry.title,
            "link": entry.link,
            "guid": entry.guid,
            "published": iso(entry.dates[0]),
            "body": trimmed(entry.content),
        }
        for entry in feed.entries
    ]


# --- one feed in every format and every encoding ---------------------------------------------------------------------


@pytest.mark.parametrize("name", FEEDS)
def test_every_format_gives_the_same_entries(name: str) -> None:
    feed = read((DATA / name).read_bytes())
    assert facts(feed) == EXPECTED
    assert (feed.title, feed.site_url, feed.flaw) == ("山城新聞", "https://news.example.org/", None)
    assert {entry.content_type for entry in feed.entries} == {"html"}
    assert feed.format == FEEDS[name]


def as_utf16(encoding: str) -> Callable[[str], bytes]:
    return lambda text: ("\ufeff" + text.replace("UTF-8", "UTF-16", 1)).encode(encoding)


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "GB18030 labelled gb2312": lambda text: text.replace("UTF-8", "gb2312", 1).encode("gb18030"),
    "GB18030 labelled GBK": lambda text: text.replace("UTF-8", "GBK", 1).encode("gb18030"),
    "UTF-16 LE with a mark": as_utf16("utf-16-le"),
    "UTF-16 BE with a mark": as_utf16("utf-16-be"),
    "UTF-8 labelled gbk": lambda text: text.replace("UTF-8", "gbk", 1).encode(),
    "GBK labelled utf-8": lambda text: text.encode("gbk"),
    "GBK undeclared": lambda text: text.partition("?>")[2].encode("gbk"),
    "Big5 undeclared": lambda text: text.partition("?>")[2].encode("big5"),
    "Big5 labelled big5": lambda text: text.replace("UTF-8", "big5", 1).encode("big5"),
    "a mark and blank lines first": lambda text: ("\ufeff\r\n\r\n" + text).encode(),
    "blank lines and a mark first": lambda text: ("\n \n\ufeff" + text).encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", [name for name in FEEDS if name.endswith(".xml")])
def test_every_encoding_gives_the_same_entries(name: str, encoding: str) -> None:
    assert facts(read(ENCODINGS[encoding]((DATA / name).read_text("utf-8")))) == EXPECTED


@pytest.mark.skipif(not (SHARED / "feeds").is_dir(), reason="the shared folder is not here")
def test_the_mirrored_feeds_give_the_bodies_of_the_seeds() -> None:
    bodies = {}
    for path in (SHARED / "feeds").iterdir():
        for entry in read(path.read_bytes()).entries:
            bodies[entry.title] = trimmed(entry.content)
    for path in (SHARED / "seeds").iterdir():
        _, title_line, _, _, body = path.read_text("utf-8").split("\n", 4)
        title = title_line[1:].rpartition("](")[0]
        assert bodies[title] + "\n" == body


# --- what an entry is made of ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "content"),
    [
        ("<description>short</description>", "short"),
        ("<description>short</description><c:encoded>full</c:encoded>", "full"),
        ("<c:encoded>full</c:encoded><description>a longer description</description>", "full"),
        ("<c:encoded></c:encoded><description>short</description>", "short"),
        # A caption must not be taken for the article, wherever it stands.
        ("<description>short</description><m:description>a much longer caption</m:description>", "short"),
        ("<m:description>a much longer caption</m:description><description>short</description>", "short"),
        ('<m:content url="a.jpg"><m:description type="html">caption</m:description></m:content>', "caption"),
        ("<description/><m:group><m:description>caption</m:description></m:group>", "caption"),
        ("<description>The article.</description><i:summary>A summary of it.</i:summary>", "The article."),
        ("<i:summary>A summary of it.</i:summary>", "A summary of it."),
        ("<i:summary>summary</i:summary><m:description>caption</m:description>", "summary"),
        ("<description>the whole</description><description>part</description>", "the whole"),
        ("<title>no content</title>", ""),
        ("<description><p>in<br/>line</p></description>", "<p>in<br/>line</p>"),
        ("<description><![CDATA[ a<br/>b&#39;&nbsp;<!-- c --> ]]></description>", "a<br/>b&#39;&nbsp;<!-- c -->"),
    ],
)
def test_the_fullest_content_is_taken(inside: str, content: str) -> None:
    namespaces = (
        ' xmlns:c="http://purl.org/rss/1.0/modules/content/" xmlns:m="http://search.yahoo.com/mrss/"'
        ' xmlns:i="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    )
    entry = item(inside, namespaces)
    assert (entry.content, entry.content_type) == (content, "html")


@pytest.mark.parametrize(
    ("inside", "content", "content_type"),
    [
        ("<content>1 &lt; 2</content>", "1 < 2", "text"),
        ('<content type="html">1 &amp;lt; 2</content>', "1 &lt; 2", "html"),
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a<br/>b</div></content>', "a<br/>b", "html"),
        ("<summary>short</summary><content>full text</content>", "full text", "text"),
        ('<summary>short</summary><content src="https://e.org/a.mp3" type="audio/mpeg"/>', "short", "text"),
        (
            '<content type="text">short</content><content type="html">the longest of all</content>',
            "the longest of all",
            "html",
        ),
        ('<content type="image/png">iVBORw0KGgo=</content><summary>short</summary>', "short", "text"),
        ('<content type="text/html" mode="base64">PGI+5a2XPC9iPg==</content>', "<b>字</b>", "html"),
    ],
)
def test_atom_content_keeps_its_type(inside: str, content: str, content_type: str) -> None:
    entry = atom(inside)
    assert (entry.content, entry.content_type) == (content, content_type)


@pytest.mark.parametrize(
    ("entry", "title", "title_type"),
    [
        (item("<title>AT&amp;T</title>"), "AT&T", "text"),
        (item("<title>A &amp;amp; B</title>"), "A &amp; B", "html"),
        (item("<title>&lt;b&gt;bold&lt;/b&gt;</title>"), "<b>bold</b>", "html"),
        (item("<title>5 &lt; 6</title>"), "5 < 6", "text"),
        (atom("<title>&lt;b&gt; as text</title>"), "<b> as text", "text"),
        (atom('<title type="html">&lt;b&gt;bold&lt;/b&gt;</title>'), "<b>bold</b>", "html"),
    ],
)
def test_a_title_keeps_its_type(entry: Entry, title: str, title_type: str) -> None:
    assert (entry.title, entry.title_type) == (title, title_type)


@pytest.mark.parametrize(
    ("inside", "link", "guid"),
    [
        ("<link>https://e.org/1</link>", "https://e.org/1", None),
        ("<link>/1?a=1&amp;b=2#c</link>", "/1?a=1&b=2#c", None),
        ("<guid>https://e.org/1</guid>", "https://e.org/1", "https://e.org/1"),
        ("<guid>abc-1</guid>", None, "abc-1"),
        ("<guid>tag:e.org,2024:1</guid>", None, "tag:e.org,2024:1"),
        ('<guid isPermaLink="false">https://e.org/1</guid>', None, "https://e.org/1"),
        ("<link>https://e.org/1</link><guid>abc-1</guid>", "https://e.org/1", "abc-1"),
        ("<guid>abc-1</guid><link>https://e.org/1</link>", "https://e.org/1", "abc-1"),
        ("<link>https://e.org/?</link>", "https://e.org/?", None),
    ],
)
def test_a_guid_is_a_link_only_if_it_is_one(inside: str, link: str | None, guid: str | None) -> None:
    entry = item(inside)
    assert (entry.link, entry.guid) == (link, guid)


def test_links_are_resolved_where_the_document_names_a_base() -> None:
    assert atom('<link href="1.html"/>', ' xml:base="https://e.org/a/"').link == "https://e.org/a/1.html"
    assert atom('<link href="1.html"/>', ' xml:base="/a/"').link == "https://feeds.example.org/a/1.html"
    assert atom('<link href="1.html"/>').link == "1.html"


def test_an_atom_alternate_of_another_type_is_a_link_too() -> None:
    inside = '<link rel="self" href="https://e.org/x"/><link type="application/pdf" href="https://e.org/1.pdf"/>'
    assert atom(inside).link == "https://e.org/1.pdf"


def test_dates_are_raw_and_the_publication_comes_first() -> None:
    dc = ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    assert item("<dc:date>2024-01-02</dc:date><pubDate>2024年01月01日</pubDate>", dc).dates == (
        "2024年01月01日",
        "2024-01-02",
    )
    assert item("<dc:date>2024-01-02</dc:date>", dc).dates == ("2024-01-02",)
    assert item("<title>x</title>").dates == ()


def test_a_date_of_an_update_stands_in_only_where_no_publication_date_is_given() -> None:
    assert atom("<updated>2024-01-02</updated><published>2024-01-01</published>").dates == ("2024-01-01",)
    assert atom("<updated>2024-01-02</updated><published>no date</published>").dates == ("no date",)
    assert atom("<updated>2024-01-02</updated><published/>").dates == ("2024-01-02",)
    assert atom("<updated>2024-01-02</updated>").dates == ("2024-01-02",)


def test_an_entry_carries_its_author_language_tags_and_enclosures() -> None:
    entry = item(
        "<dc:creator>王小明</dc:creator><dc:language>zh-TW</dc:language><category>要聞</category>"
        '<category domain="x"> 圖書館 </category><category>要聞</category>'
        '<enclosure url="https://e.org/a.mp3" type="audio/mpeg" length="123"/>'
        '<m:content url="https://e.org/v" medium="video" fileSize="7"/><m:content url="https://e.org/a.mp3"/>'
        '<m:thumbnail url="https://e.org/t.jpg"/>',
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:m="http://search.yahoo.com/mrss/"',
    )
    assert (entry.author, entry.language, entry.tags) == ("王小明", "zh-TW", ("要聞", "圖書館"))
    assert entry.enclosures == (
        Enclosure("https://e.org/a.mp3", "audio/mpeg", 123),
        Enclosure("https://e.org/v", "video/*", 7),
        Enclosure("https://e.org/t.jpg", "image/*"),
    )


def test_atom_authors_categories_and_enclosures() -> None:
    entry = atom(
        "<author><name>甲</name></author><author><name>乙</name></author>"
        '<category term="news" label="要聞"/><category label="only a label"/>'
        '<link rel="enclosure" href="https://e.org/a" length="12"/><content xml:lang="zh">x</content>'
    )
    assert (entry.author, entry.language, entry.tags) == ("甲, 乙", "zh", ("news", "only a label"))
    assert entry.enclosures == (Enclosure("https://e.org/a", None, 12),)


MODULES = (
    ' xmlns:c="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:i="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:m="http://search.yahoo.com/mrss/"'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
)


def test_a_longer_description_never_replaces_a_content() -> None:
    for longer in ("<dc:description>a longer one</dc:description>", "<description>a longer one</description>"):
        for inside in (f"<c:encoded>full</c:encoded>{longer}", f"{longer}<c:encoded>full</c:encoded>"):
            assert item(inside, MODULES).content == "full"


@pytest.mark.parametrize(
    "document",
    [
        '<feed xmlns="urn:x" xmlns:x="urn:x"><entry><title>一</title><id>1</id></entry></feed>',
        '<x:feed xmlns="urn:x" xmlns:x="urn:x"><x:entry><x:title>一</x:title><x:id>1</x:id></x:entry></x:feed>',
        '<rss xmlns="urn:x" xmlns:x="urn:x"><channel><x:item><title>一</title><guid>1</guid></x:item></channel></rss>',
        '<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:title>一</a:title><a:id>1</a:id></a:entry></a:feed>',
        "<RSS><CHANNEL><ITEM><TITLE>一</TITLE><GUID>1</GUID></ITEM></CHANNEL></RSS>",
        "<rss><item><title>一</title><guid>1</guid></item><channel/></rss>",
        '<entry xmlns="http://www.w3.org/2005/Atom"><title>一</title><id>1</id></entry>',
        "<wrapped><rss><channel><item><title>一</title><guid>1</guid></item></channel></rss></wrapped>",
    ],
)
def test_an_item_of_any_namespace_is_an_item(document: str) -> None:
    feed = read(document)
    assert [(entry.title, entry.guid) for entry in feed.entries] == [("一", "1")]
    assert feed.flaw is None


def test_a_feed_of_items_that_reads_as_none_says_so() -> None:
    feed = read(rss("<dc:item><title>一</title></dc:item>", namespaces=MODULES))
    assert feed.entries == ()
    assert feed.flaw == "it has items or entries, but none that could be read"


@pytest.mark.parametrize(
    ("inside", "link", "enclosures"),
    [
        ('<content type="image/png" src="/a.png"/>', None, [Enclosure("/a.png", "image/png")]),
        (
            '<content type="html" src="https://e.org/a"/>',
            "https://e.org/a",
            [Enclosure("https://e.org/a", "text/html")],
        ),
        ('<link href="/1"/><content type="a/b" src="/2"/>', "/1", [Enclosure("/2", "a/b")]),
        (
            '<link rel="enclosure" xml:base="https://e.org/x/" href="a.mp3"/>',
            None,
            [Enclosure("https://e.org/x/a.mp3")],
        ),
        (
            '<m:group xml:base="https://e.org/x/"><m:content url="v.mp4" type="video/mp4"/>'
            '<m:thumbnail url="t.png"/></m:group>',
            None,
            [Enclosure("https://e.org/x/v.mp4", "video/mp4"), Enclosure("https://e.org/x/t.png", "image/*")],
        ),
        ('<i:image href="https://e.org/cover.jpg"/>', None, [Enclosure("https://e.org/cover.jpg", "image/*")]),
        ('<link uri="urn:1">https://e.org/1</link>', "https://e.org/1", []),
        ('<link uri="https://e.org/1">read more</link>', "https://e.org/1", []),
    ],
)
def test_links_and_files_of_an_entry_arrive(inside: str, link: str | None, enclosures: list[Enclosure]) -> None:
    entry = atom(inside, MODULES)
    assert (entry.link, list(entry.enclosures)) == (link, enclosures)


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("<rdf:value>&lt;p>甲&lt;/p></rdf:value>", "<p>甲</p>"),
        ('<rdf:value rdf:parseType="Literal"><p xmlns="http://www.w3.org/1999/xhtml">甲</p></rdf:value>', "<p>甲</p>"),
    ],
)
def test_the_contents_of_rss_1_0_are_content(value: str, content: str) -> None:
    items = f"<c:items><rdf:Bag><rdf:li><c:item>{value}</c:item></rdf:li></rdf:Bag></c:items>"
    assert item(f"<description>a longer summary than that</description>{items}", MODULES).content == content


def test_controls_that_mean_windows_1252_are_read_so() -> None:
    assert item("<title>a &#150; b \x85</title>").title == "a – b …"


def test_what_looks_like_mojibake_in_valid_utf8_stays_as_it_is() -> None:
    assert item("<title>Martine Ã©crit</title>").title == "Martine Ã©crit"


# --- what a feed says of itself --------------------------------------------------------------------------------------


def test_a_feed_says_when_to_come_back() -> None:
    feed = read(
        rss(
            "",
            "<ttl>90</ttl><link>/</link><language>zh-CN</language>"
            "<skipHours><hour>0</hour><hour>7</hour><hour>24</hour><hour>25</hour><hour>x</hour></skipHours>"
            "<skipDays><day>Sunday</day><day>monday</day><day>Someday</day></skipDays>"
            "<s:updatePeriod>daily</s:updatePeriod><s:updateFrequency>4</s:updateFrequency>",
            ' xmlns:s="http://purl.org/rss/1.0/modules/syndication/"',
        )
    )
    assert (feed.ttl, feed.update_every) == (timedelta(minutes=90), timedelta(hours=6))
    assert (feed.skip_hours, feed.skip_days) == (frozenset({0, 7}), frozenset({6, 0}))
    assert (feed.site_url, feed.language, feed.entries) == ("https://feeds.example.org/", "zh-CN", ())


@pytest.mark.parametrize(
    "head",
    [
        "<ttl>soon</ttl><s:updatePeriod>often</s:updatePeriod>",
        "<ttl>-5</ttl><s:updatePeriod>daily</s:updatePeriod><s:updateFrequency>0</s:updateFrequency>",
        "<ttl>0</ttl><s:updateFrequency>2</s:updateFrequency><skipHours/><skipDays><day/></skipDays>",
        "<description>&lt;skipHours&gt;&lt;hour&gt;1&lt;/hour&gt;&lt;/skipHours&gt;</description>",
    ],
)
def test_nonsense_about_coming_back_is_ignored(head: str) -> None:
    feed = read(rss("", head, ' xmlns:s="http://purl.org/rss/1.0/modules/syndication/"'))
    assert (feed.ttl, feed.update_every, feed.skip_hours, feed.skip_days) == (None, None, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("AT&amp;amp;T &lt;b&gt;news&lt;/b&gt;", "AT&T news"),
        ("a &lt; b", "a < b"),
        ("one\n  two", "one two"),
        ("&lt;img alt='a>b'> x &amp;amp; y", "x & y"),
    ],
)
def test_the_title_of_a_feed_is_plain_text(title: str, plain: str) -> None:
    assert read(f"<rss><channel><title>{title}</title></channel></rss>").title == plain


def test_entries_beyond_the_limit_are_counted_and_said() -> None:
    feed = read(rss("".join(f"<item><title>{n}</title></item>" for n in range(7))), max_entries=5)
    assert [entry.title for entry in feed.entries] == ["0", "1", "2", "3", "4"]
    assert feed.dropped == 2
    assert feed.flaw is not None
    assert "2 entries beyond 5" in feed.flaw


def test_a_guessed_encoding_is_said() -> None:
    flaw = read(rss("<item><title>圖書館延長開放</title></item>").encode("big5")).flaw
    assert flaw is not None
    assert "big5" in flaw


def test_of_too_many_entries_the_newest_are_kept_in_document_order() -> None:
    days = (3, 9, None, 1, 8, 2, None)
    items = [
        f"<title>{n}</title>" + (f"<pubDate>2024-05-0{day}</pubDate>" if day else "") for n, day in enumerate(days)
    ]
    feed = read(rss("".join(f"<item>{each}</item>" for each in items)), max_entries=3)
    assert [entry.title for entry in feed.entries] == ["0", "1", "4"]
    assert feed.dropped == 4
    feed = read(rss("".join(f"<item>{each}</item>" for each in items)), max_entries=6)
    assert [entry.title for entry in feed.entries] == ["0", "1", "2", "3", "4", "5"]


# --- broken documents ------------------------------------------------------------------------------------------------

FIRST = "<item><title>一</title><link>https://e.org/1</link><description><![CDATA[a<br/>b&#39;c]]></description></item>"


@pytest.mark.parametrize(
    ("broken", "title", "content"),
    [
        ("<title>AT&T & x</title><description>a&hellip; &foo; &amp;</description>", "AT&T & x", "a… &foo; &"),
        ("<title>u</title><content:encoded><![CDATA[<b>f</b>]]></content:encoded><x:y z:w='1'/>", "u", "<b>f</b>"),
        ("<title>a < b</title><description>3 <4 && ]]></description>", "a < b", "3 <4 && ]]>"),
        ("<title>u</title><description>one<br>two<p>three</description>", "u", "one<br/>two<p>three</p>"),
        ("<title>u</title><description>one</p> two</b></description>", "u", "one two"),
        ("<title>u</title><!-- a -- b --><description>x</description>", "u", "x"),
        ("<title>u</title><description><a href='?a=1&b=2'>x</a></description>", "u", '<a href="?a=1&amp;b=2">x</a>'),
        ("<title>u</title><description>" + "<br>" * 600 + "</description>", "u", "<br/>" * 600),
    ],
)
def test_a_broken_document_keeps_every_entry_and_spares_the_others(broken: str, title: str, content: str) -> None:
    feed = read(rss(f"{FIRST}<item>{broken}</item><item><title>三</title></item>"))
    assert [entry.title for entry in feed.entries] == ["一", title, "三"]
    assert [entry.content for entry in feed.entries[:2]] == ["a<br/>b&#39;c", content]
    assert feed.flaw is not None
    assert not feed.cut_off


@pytest.mark.parametrize(
    "document",
    [
        rss(FIRST) + "<script>alert(1)</script>",
        "<br />\n<b>Warning</b>: something\n" + rss(FIRST),
        "<!-- cached -->\n<?xml version='1.0'?>" + rss(FIRST),
        "<!DOCTYPE rss><!DOCTYPE rss>" + rss(FIRST),
    ],
)
def test_what_a_server_puts_around_a_feed_does_no_harm(document: str) -> None:
    feed = read(document)
    assert [(entry.title, entry.content) for entry in feed.entries] == [("一", "a<br/>b&#39;c")]


def test_entries_without_an_end_tag_are_entries() -> None:
    feed = read(rss("<item><title>一</title><item><title>二</title><item><title>三</title>"))
    assert [entry.title for entry in feed.entries] == ["一", "二", "三"]


@pytest.mark.parametrize("name", ["rss20-cdata.xml", "atom10-xhtml.xml", slow("rdf10.xml"), slow("rss20-escaped.xml")])
def test_a_document_cut_anywhere_keeps_the_complete_entries_and_only_those(name: str) -> None:
    text = (DATA / name).read_text("utf-8")
    ends = [match.end() for match in re.finditer("</(?:item|entry)>", text)]
    start, stop = text.index("<item" if "<item>" in text or "<item " in text else "<entry"), len(text.rstrip())
    # Every place about the end of an entry, and every fourth of the others.
    cuts = {*range(start, stop, 4), *(end + by for end in ends for by in range(-8, 9) if end + by < stop)}
    for cut in sorted(cuts):
        feed = read(text[:cut])
        complete = sum(end <= cut for end in ends)
        assert facts(feed) == EXPECTED[:complete]
        assert feed.flaw is not None
        assert feed.cut_off


def test_bytes_cut_inside_a_character_tear_only_the_last_entry() -> None:
    body = (DATA / "rss20-cdata.xml").read_bytes()
    cut = body.rindex("風".encode()) + 1
    assert facts(read(body[:cut])) == EXPECTED[:2]


# --- what is no feed, and what must not be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("", "empty"),
        (" \r\n\t\ufeff", "empty"),
        ('<?xml version="1.0"?>\n', "empty"),
        ("<!DOCTYPE html><html><head><title>x</title></head><body><item>1</item></body></html>", "not-a-feed"),
        ("<html xmlns:atom='http://www.w3.org/2005/Atom'><entry>x</entry></html>", "not-a-feed"),
        ("<opml version='2.0'><body><outline text='x'/></body></opml>", "not-a-feed"),
        ("<urlset><url><loc>https://e.org/</loc></url></urlset>", "not-a-feed"),
        ("Not found", "not-a-feed"),
        ('{"message": "not found"}', "not-a-feed"),
        ('{"version": 1, "items": []}', "not-a-feed"),
        ("[1, 2]", "not-a-feed"),
        ('{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": ', "parse"),
        ('{"version": "https://jsonfeed.org/version/1.1"}', "parse"),
        ("[" * 100_000, "parse"),
    ],
)
def test_what_is_no_feed_is_refused_by_name(document: str, kind: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(document)
    assert caught.value.kind == kind


def test_a_feed_without_entries_is_a_feed() -> None:
    assert read('<rss version="2.0"><channel><title>x</title></channel></rss>') == Feed("rss20", title="x")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_body_that_is_the_path_of_a_file_is_not_opened(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss(FIRST))
    with pytest.raises(DocumentError, match="no feed"):
        read(f"{scheme}{path}")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "document",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>' + rss("<item><title>&l9;</title></item>"),
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>' + rss(f"<item><title>{'&a;' * 50_000}</title></item>"),
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + rss("<item><title>&a;</title></item>"),
        '<!DOCTYPE x [<!ENTITY % a "b"><!ENTITY % c "%a;%a;">]>' + rss(FIRST),
        '<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>' + rss("<item><title>&b;</title></item>"),
        f"<!DOCTYPE x [{'<!-- -->' * 20_000}]>" + rss(FIRST),
        rss("<a>" * 100_000 + "</a>" * 100_000),
        rss("<a>" * 100_000),
    ],
    ids=["laughs", "quadratic", "external", "parameters", "outside", "long", "deep", "open"],
)
def test_a_document_that_unfolds_or_reaches_outside_fails(document: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(document)
    assert caught.value.kind == "parse"


def test_a_harmless_document_type_is_read_past() -> None:
    netscape = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "https://e.org/rss-0.91.dtd">'
    assert read(netscape + rss(FIRST).replace("2.0", "0.91")).format == "rss091n"
    latin = (
        '<!DOCTYPE rss [<!ENTITY % l PUBLIC "x" "https://e.org/l.ent"> %l; <!ELEMENT a (b|"c")> <!ENTITY me "山城">]>'
    )
    assert read(latin + rss("<item><title>&me;&eacute;</title></item>")).entries[0].title == "山城é"


def test_comments_without_end_in_cdata_are_text() -> None:
    feed = read(rss(f"<item><description><![CDATA[{'<!--' * 200_000}]]></description></item>"))
    assert len(feed.entries[0].content) == 800_000


GEO = (
    ' xmlns:georss="http://www.georss.org/georss" xmlns:gml="http://www.opengis.net/gml"'
    ' xmlns:psc="http://podlove.org/simple-chapters" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:cc="http://backend.userland.com/creativeCommonsRssModule" xmlns:far="urn:example:far"'
)


def where(inside: str) -> str:
    return f"<georss:where>{inside}</georss:where>"


@pytest.mark.parametrize(
    "odd",
    [
        where("<gml:Polygon><gml:LinearRing><gml:posList>1 x</gml:posList></gml:LinearRing></gml:Polygon>"),
        where('<gml:LineString srsName="EPSG:x"><gml:posList>1 2</gml:posList></gml:LineString>'),
        "<gml:pos>1 2</gml:pos>",
        '<psc:chapters><psc:chapter title="begin"/></psc:chapters>',
        "<contributors>x</contributors><contributor><name>y</name></contributor>",
        "<width><far:a/>1<content/></width>",
        "<textinput><name>y</name><title>z</title></textinput>",
        "<source><title>y</title><link>https://far.example/</link><pubDate>2000-01-01</pubDate></source>",
    ],
)
def test_an_odd_element_changes_nothing(odd: str) -> None:
    around = "<title>一</title><link>https://e.org/1</link>{}<description>甲</description>"
    feed = read(rss(f"<item>{around.format(odd)}</item><item><title>二</title></item>", namespaces=GEO))

    assert [(entry.title, entry.link, entry.content, entry.dates) for entry in feed.entries] == [
        ("一", "https://e.org/1", "甲", ()),
        ("二", None, "", ()),
    ]
    assert feed.flaw is None


# --- what even repair cannot make well-formed ------------------------------------------------------------------------


def unrepairable(items: str, end: str = "</channel></rss>") -> Feed:
    return parse(Decoded(f'<rss version=2.0><channel a=b a="c"><title>T</title>{items}{end}', "utf-8"), url=URL)


def test_what_is_still_broken_after_repair_is_read_by_feedparser() -> None:
    feed = unrepairable(
        "<item><title>一 &amp; 二</title><link>https://e.org/1</link><guid>1</guid><description>甲</description>"
        "<pubDate>2024年01月01日</pubDate><category>a</category><enclosure url='a.mp3' length='5'/></item>"
        "<item><title>三</title><guid>2</guid></item><item><title>torn",
        end="",
    )
    first, second = feed.entries
    assert (first.title, first.link, first.guid, first.content) == ("一 & 二", "https://e.org/1", "1", "甲")
    assert (first.dates, first.tags, first.enclosures[0].url) == (("2024年01月01日",), ("a",), "a.mp3")
    assert (second.title, second.link) == ("三", None)
    assert feed.cut_off
    assert feed.flaw is not None


def test_whatever_feedparser_cannot_read_is_a_document_error() -> None:
    with pytest.raises(DocumentError) as caught:
        unrepairable("<item><title>&#99999999999;</title></item>")
    assert caught.value.kind == "parse"
    assert isinstance(caught.value.__cause__, OverflowError)


def test_a_broken_document_that_is_no_feed_is_refused() -> None:
    with pytest.raises(DocumentError) as caught:
        parse(Decoded("<urlset a=b><item2/><entry a=b", "utf-8"), url=URL)
    assert caught.value.kind == "not-a-feed"


# --- JSON Feed -------------------------------------------------------------------------------------------------------


def json_feed(*items: object, version: str = "1.1", **members: object) -> Feed:
    return read(json.dumps({"version": f"https://jsonfeed.org/version/{version}", "items": items, **members}))


def test_a_json_item_becomes_an_entry() -> None:
    feed = json_feed(
        {
            "id": 17,
            "url": "https://e.org/1",
            "external_url": "https://elsewhere.org/",
            "title": "一",
            "content_html": "<p>x</p>",
            "content_text": "x",
            "date_modified": "2024-01-02T00:00:00Z",
            "date_published": "2024-01-01T00:00:00Z",
            "authors": [{"name": "甲"}, {"url": "https://e.org/"}, {"name": "乙"}],
            "tags": ["news", 7, None, "news"],
            "attachments": [{"url": "a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5}, {"url": None}, "x"],
            "image": "i.jpg",
            "banner_image": "b.jpg",
            "language": "zh",
        },
        title="T",
        home_page_url="https://e.org/",
        language="zh-CN",
    )
    assert (feed.format, feed.title, feed.site_url, feed.language) == ("json11", "T", "https://e.org/", "zh-CN")
    assert feed.entries == (
        Entry(
            title="一",
            link="https://e.org/1",
            guid="17",
            content="<p>x</p>",
            dates=("2024-01-01T00:00:00Z",),
            author="甲, 乙",
            language="zh",
            tags=("news", "7"),
            enclosures=(
                Enclosure("a.mp3", "audio/mpeg", 5),
                Enclosure("i.jpg", "image/*"),
                Enclosure("b.jpg", "image/*"),
            ),
        ),
    )


def test_json_version_1_has_one_author_and_may_have_plain_text() -> None:
    feed = json_feed(
        {"id": "a", "external_url": "https://e.org/", "content_text": "1 < 2", "author": {"name": "甲"}}, version="1"
    )
    entry = feed.entries[0]
    assert (feed.format, entry.link, entry.author) == ("json1", "https://e.org/", "甲")
    assert (entry.content, entry.content_type) == ("1 < 2", "text")


def test_what_one_json_item_gets_wrong_costs_no_other() -> None:
    wrong = {
        "id": ["x"],
        "url": 5.5,
        "title": None,
        "content_html": {},
        "authors": "x",
        "tags": 3,
        "attachments": {},
        "image": True,
    }
    feed = json_feed("x", None, wrong, {"id": "ok", "title": "a\x00\ud800b"})
    assert [entry.guid for entry in feed.entries] == [None, "ok"]
    assert feed.entries[1].title == "a\ufffdb"
    assert feed.flaw == "2 items are no objects"


def test_json_items_beyond_the_limit_are_counted() -> None:
    text = json.dumps({"version": "https://jsonfeed.org/version/1", "items": [{"id": n} for n in range(5)]})
    feed = read(text, max_entries=3)
    assert (len(feed.entries), feed.dropped) == (3, 2)


def test_a_date_that_breaks_feedparser_costs_no_entry() -> None:
    feed = read(rss("<item><title>一</title><pubDate>Fri, 2006/13/15 08:19:53 EDT</pubDate></item>"))

    assert [(entry.title, entry.dates) for entry in feed.entries] == [("一", ("Fri, 2006/13/15 08:19:53 EDT",))]
