"""OPML of feed readers, newsboat's `urls`, and the OPML that kzfeed writes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.config import values
from kzfeed.config.newsboat import read_urls
from kzfeed.config.opml import SETTINGS, OpmlError, read_opml, write_opml
from kzfeed.config.settings import SourceSettings
from kzfeed.config.source_lists import ListedSource, SourceList, names_for

OPML = Path(__file__).parents[1] / "data" / "opml"

BEIDI = ("北堤日报", "https://beidi.example.org/feed.xml")
OSTWIND = ("Ostwind", "http://ostwind.example.de/atom")
TIDES = "https://tides.example.com/rss?lang=en&full=1"
UNTITLED = (None, "https://untitled.example.com/rss")


def facts(listed: SourceList) -> list[tuple[str | None, str, tuple[str, ...]]]:
    return [(source.title, source.url, source.tags) for source in listed.sources]


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        (
            "miniflux",
            [
                (*BEIDI, ("All",)),
                ('Tide Tables "Weekly"', TIDES, ("Science & Nature",)),
                (*OSTWIND, ("Science & Nature",)),
            ],
        ),
        (
            "freshrss",
            [
                (*BEIDI, ("新闻",)),
                (*OSTWIND, ("Uncategorized",)),
                ("Almanac", "https://almanac.example.com/feed.json", ("Uncategorized",)),
            ],
        ),
        ("netnewswire", [(*OSTWIND, ()), (*BEIDI, ("News/Asia",))]),
        ("feedly", [(*BEIDI, ("Asia", "Daily")), (*OSTWIND, ("Daily",))]),
        ("inoreader", [(*OSTWIND, ()), ("Tide Tables", TIDES, ("Science", "Science/Sea"))]),
        ("newsboat", [(*BEIDI, ("Asia", "News/Daily")), (*OSTWIND, ()), (*UNTITLED, ())]),
    ],
)
def test_the_opml_of_a_reader_keeps_titles_folders_and_addresses(
    reader: str, expected: list[tuple[str | None, str, tuple[str, ...]]]
) -> None:
    assert facts(read_opml((OPML / f"{reader}.opml").read_bytes())) == expected


def test_a_page_that_another_reader_scrapes_is_left_out_with_its_line_and_a_sentence() -> None:
    (left_out,) = read_opml((OPML / "freshrss.opml").read_bytes()).left_out

    assert left_out.line == 10
    assert left_out.reason.startswith("Harbour notices: HTML+XPath: ")


def test_the_urls_file_of_newsboat_keeps_titles_and_tags_and_names_what_it_cannot_keep() -> None:
    found = read_urls((OPML / "urls").read_text("utf-8"))

    assert facts(found) == [
        (*BEIDI, ("Asia", "Far East")),
        ('Ost"wind"', OSTWIND[1], ()),
        (*UNTITLED, ()),
    ]
    assert [(each.line, each.reason.rpartition(": ")[2]) for each in found.left_out] == [
        (6, "a query over other feeds"),
        (7, "a feed that a program changes"),
        (8, "the output of a program"),
        (9, "expected an http or https URL with a host"),
    ]


def outlines(inner: str) -> bytes:
    return f'<opml version="2.0"><body>{inner}</body></opml>'.encode()


def test_folders_in_folders_are_one_tag_with_slashes() -> None:
    inner = '<outline text="News"><outline title=" Asia "><outline text="a" XMLURL=" https://a.example/ "/></outline>'

    assert facts(read_opml(outlines(inner + '</outline><outline text="b" xmlUrl="https://b.example/"/>'))) == [
        ("a", "https://a.example/", ("News/Asia",)),
        ("b", "https://b.example/", ()),
    ]


def test_an_outline_with_outlines_in_it_is_a_folder_whatever_its_type() -> None:
    inner = '<outline text="a" xmlUrl="https://a.example/"/><outline text="empty"/><outline type="rss" text="b"/>'
    found = read_opml(outlines(f'<outline text="News" type="rss" xmlUrl="">{inner}</outline>'))

    assert facts(found) == [("a", "https://a.example/", ("News",))]
    assert [each.reason for each in found.left_out] == ["b: it has no address in xmlUrl"]


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ('<outline text="a" xmlUrl="ftp://a.example/"/>', "a: expected an http or https URL with a host"),
        ('<outline text="a" type="link" url="https://a.example/"/>', "a: an outline of the type link and not a feed"),
        (
            '<outline text="a" xmlUrl="https://a.example/" xmlns:kzfeed="urn:kzfeed:opml" kzfeed:link_from="x"/>',
            "a: kzfeed:link_from = 'x': expected one of 'link' or 'guid'",
        ),
        ('<outline type="rss" text="x"/>', "x: it has no address in xmlUrl"),
        ('<outline text="x" xmlUrl=" "></outline>', "x: it has no address in xmlUrl"),
        ('<outline text="" xmlUrl="feed:x:secret@a"/>', "feed:x:secret@a: expected an http or https URL with a host"),
    ],
)
def test_an_outline_that_is_no_feed_is_left_out(outline: str, reason: str) -> None:
    found = read_opml(outlines(outline))

    assert (found.sources, [each.reason for each in found.left_out]) == ((), [reason])


@pytest.mark.parametrize(
    ("encoding", "codec", "title"),
    [
        *((encoding, encoding, "新") for encoding in ("utf-8", "utf-16", "gb18030", "gb2312", "big5")),
        ("gb2312", "gb18030", "開"),
        ("iso-8859-1", "iso-8859-1", "Käse"),
        ("iso-8859-1", "windows-1252", "Käse – Brot"),
        ("shift_jis", "cp932", "①"),
    ],
)
def test_opml_is_read_in_the_encoding_that_it_declares(encoding: str, codec: str, title: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<opml><body><outline text="{title}" xmlUrl="https://a/"/>'

    assert facts(read_opml(f"{text}</body></opml>".encode(codec))) == [(title, "https://a/", ())]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "line 1: not well-formed XML: no element found"),
        (b"<html></html>", "line 1: not OPML: its outermost element is <html>"),
        (b"<opml>\n<body>", "line 2: not well-formed XML: no element found"),
        (outlines('<outline text="a" xmlUrl="https://a/?b&c"/>'), "line 1: not well-formed XML: "),
        (b'<!DOCTYPE opml [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><opml>&c;</opml>', "line 1: it declares entities"),
        (b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml>&a;</opml>', "line 1: it declares entities"),
        (b"<?xml version='1.0' encoding='none'?><opml/>", "line 1: its encoding cannot be read"),
    ],
)
def test_what_is_no_opml_or_not_safe_is_refused_with_the_line(document: bytes, reason: str) -> None:
    with pytest.raises(OpmlError, match="line") as caught:
        read_opml(document)

    assert str(caught.value).startswith(reason)


# --- names -----------------------------------------------------------------------------------------------------------


def test_names_are_made_from_titles_else_from_hosts() -> None:
    listed = [
        ListedSource(1, "https://a.example/1", "新闻 频道"),
        ListedSource(2, "https://a.example/2", "BBC News — World!"),
        ListedSource(3, "https://www.c.example/", "…"),
        ListedSource(4, "https://d.example/", None),
        ListedSource(5, "https://e.example/", "E", name="chosen"),
    ]

    assert names_for(listed) == ["新闻-频道", "bbc-news-world", "c.example", "d.example", "chosen"]


def test_no_source_is_named_like_the_list_of_an_export_beside_which_its_folder_is() -> None:
    assert names_for([ListedSource(1, "https://a.example/", "kzfeed-export.jsonl")]) == ["a.example"]


def test_a_name_that_is_shared_or_taken_gets_a_suffix_of_the_url_whatever_the_order() -> None:
    listed = [
        ListedSource(1, "https://a.example/", "News"),
        ListedSource(2, "https://b.example/", "news"),
        ListedSource(3, "https://c.example/", "voa"),
        ListedSource(4, "https://d.example/", "x" * 100),
        ListedSource(5, "https://me:secret@e.example/", "x" * 100),
    ]
    names = names_for(listed, {"voa"})

    assert names[:3] == ["news-befde4", "news-5d1dd9", "voa-db2b59"]
    assert [len(name) for name in names[3:]] == [64, 64]
    assert names_for(listed[::-1], {"voa"}) == names[::-1]
    assert names_for([ListedSource(5, "https://e.example/", "x" * 100), listed[3]]) == [names[4], names[3]]


# --- round trip ------------------------------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


def _is_xml(text: str) -> bool:
    return all(character in "\t\n" or (character >= " " and character not in "\ufffe\uffff") for character in text)


_PLAIN = _TEXTS.map(str.strip).filter(lambda text: bool(text) and _is_xml(text))
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "title": _PLAIN,
        "tags": st.lists(_PLAIN.filter(lambda text: bool(text.strip(" /"))), max_size=3),
        "enabled": st.booleans(),
        "every": st.sampled_from(["30m", "auto", "1h30m"]),
        "timezone": st.sampled_from(["UTC", "Asia/Shanghai"]),
        "exclude": st.just([{"tag": "广告"}, {"title": '^"直播"', "author": "a\\.b"}]),
    },
)


@given(st.dictionaries(st.from_regex(r"\A[a-z0-9新闻_][a-z0-9新闻_.-]{0,20}\Z"), _SETTINGS, max_size=6))
def test_an_export_that_is_imported_again_gives_the_same_sources(sources: dict[str, dict[str, object]]) -> None:
    tables = [
        {"name": name, "url": f"https://{number}.example/feed?a=1&b='<x>'", **settings}
        for number, (name, settings) in enumerate(sources.items())
    ]
    read = read_opml(write_opml(tables).encode())
    names = names_for(read.sources)

    assert read.left_out == ()
    assert {
        name: {**source.table(name), "tags": set(source.tags)} for name, source in zip(names, read.sources, strict=True)
    } == {table["name"]: {**table, "tags": set(values.tags(table.get("tags", [])))} for table in tables}


def test_every_setting_that_an_export_keeps_is_one_of_a_source() -> None:
    assert set(SETTINGS) <= SourceSettings.model_fields.keys()


def test_an_export_holds_no_password_and_no_secret_setting() -> None:
    table = {"name": "a", "url": "https://me:secret@a.example/feed", "proxy": "http://me:secret@proxy.example"}

    assert "secret" not in write_opml([table | {"headers": {"X-Key": "secret"}}])
    assert 'xmlUrl="https://a.example/feed"' in write_opml([table])


def test_a_list_from_a_stranger_cannot_set_what_names_a_file_or_a_server() -> None:
    document = (
        '<opml xmlns:kzfeed="urn:kzfeed:opml"><body><outline text="a" xmlUrl="https://a.example/" {}/></body></opml>'
    )
    hostile = 'kzfeed:proxy="http://evil.example" kzfeed:bearer="{ file = &quot;/etc/shadow&quot; }" kzfeed:every="1h"'

    (source,) = read_opml(document.format(hostile).encode()).sources
    assert source.settings == {"every": "1h"}
