"""Links in, addresses and hashes out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.article.url import canonical, href, identity_hash, url_hash

ANY_TEXT = st.text(st.characters())  # surrogates too

# --- href: what the WHATWG URL Standard makes of a link ---------------------------------------------------------------

STANDARD = [
    # dot segments
    ("http://example.org/a/./b/../c", "http://example.org/a/c"),
    ("http://example.org/a/b/..", "http://example.org/a/"),
    ("http://example.org/../../a", "http://example.org/a"),
    ("http://example.org/a/%2e/b/%2E%2e/c", "http://example.org/a/c"),
    ("http://example.org//a//b", "http://example.org//a//b"),
    ("http://example.org", "http://example.org/"),
    # scheme and port
    ("HTTP://Example.ORG/A", "http://example.org/A"),
    ("http://example.org:80/", "http://example.org/"),
    ("https://example.org:443/", "https://example.org/"),
    ("https://example.org:80/", "https://example.org:80/"),
    ("http://example.org:/", "http://example.org/"),
    ("http://example.org:00080/", "http://example.org/"),
    ("http:example.org/a", "http://example.org/a"),
    ("https:////example.org/a", "https://example.org/a"),
    # hosts
    ("https://例子.测试/", "https://xn--fsqu00a.xn--0zwm56d/"),
    ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
    ("https://ｅｘａｍｐｌｅ．ｏｒｇ/", "https://example.org/"),
    ("https://ex%61mple.org/", "https://example.org/"),
    ("https://example.org./", "https://example.org./"),
    ("http://0x7f000001/", "http://127.0.0.1/"),
    ("http://2130706433/", "http://127.0.0.1/"),
    ("http://127.1/", "http://127.0.0.1/"),
    ("http://0177.0.0.1/", "http://127.0.0.1/"),
    ("http://0/", "http://0.0.0.0/"),
    ("http://[2001:DB8:0:0:0:0:0:1]:8080/", "http://[2001:db8::1]:8080/"),
    ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
    # white space and control characters
    ("  https://example.org/a \n", "https://example.org/a"),
    ("\x00\x1fhttps://example.org/a", "https://example.org/a"),
    ("https://exa\nmple.org/a\tb\r\nc", "https://example.org/abc"),
    ("https://example.org/a b", "https://example.org/a%20b"),
    # backslashes
    ("https:\\\\example.org\\a\\b", "https://example.org/a/b"),
    ("https://example.org/a?b\\c#d\\e", "https://example.org/a?b\\c#d\\e"),
    # what is percent-encoded where
    ("https://example.org/ \"<>`{}^|'~", "https://example.org/%20%22%3C%3E%60%7B%7D%5E|'~"),
    ("https://example.org/?\"<>'`{}|^~", "https://example.org/?%22%3C%3E%27`{}|^~"),
    ("https://example.org/#\"<>'`{}|^~", "https://example.org/#%22%3C%3E'%60{}|^~"),
    ("https://example.org/%e4%zz%", "https://example.org/%e4%zz%"),
    ("https://example.org/中文/?问=答#节", "https://example.org/%E4%B8%AD%E6%96%87/?%E9%97%AE=%E7%AD%94#%E8%8A%82"),
    ("https://example.org/ニュース", "https://example.org/%E3%83%8B%E3%83%A5%E3%83%BC%E3%82%B9"),
    ("https://example.org/a_(b)", "https://example.org/a_(b)"),
    # credentials
    ("https://user:pass@example.org/", "https://user:pass@example.org/"),
    ("https://us er:p@ss@example.org/", "https://us%20er:p%40ss@example.org/"),
    ("https://@example.org/", "https://example.org/"),
    # query and fragment stay
    ("https://example.org/?", "https://example.org/?"),
    ("https://example.org/a?utm_source=rss&b=1#c", "https://example.org/a?utm_source=rss&b=1#c"),
]

NO_LINK = [
    *("", " \n", "example.org/a", "/a", "//example.org/a", "?a", "#a"),
    *("http://", "https://#a", "https://?a", "http://user@/a", "http://:80/"),
    *("http://exa mple.org/", "http://example.org:port/", "http://example.org:65536/", "http://[::1", "http://[1:2]/"),
    *("http://256.0.0.1/", "http://1.2.3.4.5/", "http://a<b/", "http://exam%ple.org/"),
    *("javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,a", "mailto:a@example.org", "tel:+1"),
    *("ftp://example.org/", "file:///etc/passwd", "tag:example.org,2022:1", "urn:uuid:1", "about:blank", "ws://a/"),
]

RELATIVE = [
    ("b", "https://example.org/a/feed.xml", "https://example.org/a/b"),
    ("/b?c#d", "https://example.org/a/feed.xml", "https://example.org/b?c#d"),
    ("../b", "https://example.org/a/feed.xml", "https://example.org/b"),
    ("?p=1", "https://example.org/a/feed.xml", "https://example.org/a/feed.xml?p=1"),
    ("#top", "https://example.org/a/feed.xml?x", "https://example.org/a/feed.xml?x#top"),
    ("//cdn.example.org/b", "https://example.org/a", "https://cdn.example.org/b"),
    ("\\\\cdn.example.org\\b", "https://example.org/a", "https://cdn.example.org/b"),
    ("http:b", "http://example.org/a/", "http://example.org/a/b"),
    ("http://other.example/", "https://example.org/a", "http://other.example/"),
    (" 新闻/1.html ", "https://example.org/", "https://example.org/%E6%96%B0%E9%97%BB/1.html"),
]


@pytest.mark.parametrize(("link", "expected"), STANDARD)
def test_an_address_is_written_as_the_standard_writes_it(link: str, expected: str) -> None:
    assert href(link) == expected


@pytest.mark.parametrize("link", NO_LINK)
def test_what_is_no_web_address_is_not_a_link(link: str) -> None:
    assert href(link) is None


@pytest.mark.parametrize(("link", "base", "expected"), RELATIVE)
def test_a_relative_link_starts_at_its_base(link: str, base: str, expected: str) -> None:
    assert href(link, base) == expected


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:,a", "mailto:a@example.org", "", " \t"])
def test_a_base_makes_no_link_of_what_is_none(link: str) -> None:
    assert href(link, "https://example.org/feed.xml") is None


@pytest.mark.parametrize("base", ["", "feed.xml", "http://", "mailto:a@example.org"])
def test_a_bad_base_spoils_only_relative_links(base: str) -> None:
    assert href("https://example.org/a", base) == "https://example.org/a"
    assert href("a", base) is None


def test_lone_surrogates_become_the_replacement_character() -> None:
    assert href("https://example.org/a\ud800b") == "https://example.org/a%EF%BF%BDb"
    assert href("b", "https://example.org/\udfff/") == "https://example.org/%EF%BF%BD/b"


def test_a_pair_of_surrogates_is_the_character_it_means() -> None:
    assert href("https://example.org/\ud83d\ude00") == "https://example.org/%F0%9F%98%80"


@given(ANY_TEXT, st.none() | ANY_TEXT)
def test_no_text_makes_href_raise(link: str, base: str | None) -> None:
    address = href(link, base)
    assert address is None or address.startswith(("http://", "https://"))


@given(ANY_TEXT)
def test_an_address_is_its_own_address(path: str) -> None:
    address = href(f"https://example.org/{path}")
    assert address is not None
    assert href(address) == address
    assert address.isascii()


# --- canonical --------------------------------------------------------------------------------------------------------

SAME = [
    ["https://example.org/a", "http://example.org/a", "HTTPS://EXAMPLE.org/a", "https://example.org./a"],
    ["https://example.org/", "http://example.org", "https://example.org:443", "http://example.org:80/"],
    ["https://example.org/", "https://example.org:80/", "http://example.org:443/", "https://example.org..:443/?#"],
    ["https://example.org:8080/", "http://example.org:8080", "http://example.org.:8080"],
    ["https://[::1]/", "http://[0:0::1]:80/"],
    ["https://example.org/a", "https://example.org/a#top", "https://example.org/a?", "https://example.org/a?#"],
    ["https://example.org/a#!/b", "http://example.org/a#!/b"],
    ["https://example.org/#/b/%7e", "http://example.org/#/b/~"],
    ["https://example.org/%e4%bd%a0", "https://example.org/%E4%BD%A0", "https://example.org/你"],
    ["https://example.org/%7Eann/%41%2d%5f%2E1", "https://example.org/~ann/A-_.1"],
    ["https://example.org/?q=%e4%7e", "https://example.org/?q=%E4~"],
    [
        "https://example.org/a?id=1&b=2",
        "https://example.org/a?utm_source=rss&id=1&utm_medium=feed&b=2&utm_campaign",
        "https://example.org/a?UTM_Source=rss&id=1&b=2&fbclid=x&gclid=y",
        "https://example.org/a?id=1&utm%5Fsource=rss&b=2",
    ],
    [
        "https://www.bbc.com/zhongwen/simp/world-1",
        "https://www.bbc.com/zhongwen/simp/world-1?at_medium=RSS&at_campaign=KARANGA",
        "https://www.bbc.com/zhongwen/simp/world-1?ocid=socialflow_twitter",
        "https://www.bbc.com/zhongwen/simp/world-1?ns_mchannel=social&ns_source=twitter&at_custom1=link",
    ],
    ["https://example.org/a", "https://example.org/a?spm=a2g&mc_cid=1&mc_eid=2&dclid=3&msclkid=4&yclid=5&igshid=6"],
    ["https://user:pass@example.org/", "http://user:pass@example.org/"],
]

DIFFERENT = [
    ("https://example.org/a", "https://example.org/A"),
    ("https://example.org/a", "https://example.org/a/"),
    ("https://example.org/", "https://www.example.org/"),
    ("https://example.org/", "https://example.org:8080/"),
    ("https://example.org/", "https://user@example.org/"),
    ("https://example.org/?a=1&b=2", "https://example.org/?b=2&a=1"),
    ("https://example.org/?a=1&a=2", "https://example.org/?a=1"),
    ("https://example.org/?a", "https://example.org/?a="),
    ("https://example.org/?a=1+2", "https://example.org/?a=1%202"),
    ("https://example.org/?a=1%262", "https://example.org/?a=1&2"),
    ("https://example.org/a%2Fb", "https://example.org/a/b"),
    ("https://example.org/%2541", "https://example.org/%41"),
    ("https://example.org/#!a", "https://example.org/#!b"),
    ("https://example.org/#/a", "https://example.org/"),
    ("https://example.org/?at=1", "https://example.org/"),
    ("https://example.org/?utm=1", "https://example.org/"),
    ("https://example.org/?xutm_source=1", "https://example.org/"),
    *((f"https://example.org/?{name}=1", "https://example.org/") for name in ("id", "ref", "source", "from", "cid")),
]


@pytest.mark.parametrize("addresses", SAME)
def test_addresses_of_one_article_have_one_canonical_form_and_one_hash(addresses: list[str]) -> None:
    assert {canonical(each) for each in addresses} == {canonical(addresses[0])}
    assert {url_hash(each) for each in addresses} == {url_hash(addresses[0])}


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_addresses_that_may_show_different_things_stay_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)
    assert url_hash(one) != url_hash(other)


@given(st.lists(st.sampled_from([*"%%%%0123456789abcdefABCDEF", "%2e", "%7E", "%e4", "%E4", "x"])).map("".join))
def test_every_escape_is_written_in_one_way(path: str) -> None:
    def written(escape: re.Match[str]) -> str:
        character = chr(int(escape[2], 16))
        bare = character.isascii() and (character.isalnum() or character in "-._~") and not escape[1]
        return character if bare else f"{escape[1] or ''}%{escape[2].upper()}"

    address = href(f"https://example.org/a?{path}")
    assert address is not None
    expected = re.sub("(%[0-9A-Fa-f]?)?%([0-9A-Fa-f]{2})", written, address)
    assert canonical(address) == expected.removesuffix("?")


@pytest.mark.parametrize("text", ["", "  no url ", "mailto:a@example.org", "tag:example.org,2022:1", "http://", "/a"])
def test_what_is_no_web_address_is_only_stripped(text: str) -> None:
    assert canonical(text) == text.strip()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://user:pass@example.org/", "https://user:pass@example.org/"),
        ("http://example.org/%%34%31", "https://example.org/%%341"),
        ("http://example.org/?a=%4%31", "https://example.org/?a=%4%31"),
        ("http://0x7f../", "https://0.0.0.127/"),
        ("http://./", "https://./"),
    ],
)
def test_the_canonical_form_of_an_odd_address_is_as_odd_and_does_not_move(written: str, expected: str) -> None:
    assert canonical(written) == canonical(expected) == expected


PIECES = ["%", "%4", "%34", "%31", "%7e", "%2E", ".", "..", "/", "\\", "?", "&", "=", "#", "!", "@", ":", "80", "443"]
WORDS = ["utm_source=1", "ocid", "a", "A", "4", "1", "0x7f", "é", "中", "[::1]", " ", "\t", "\ud800"]


@given(st.lists(st.sampled_from(PIECES + WORDS)).map(lambda parts: "http://h" + "".join(parts)))
def test_the_canonical_form_of_an_address_is_canonical(url: str) -> None:
    assert canonical(canonical(url)) == canonical(url)


@given(ANY_TEXT)
def test_no_text_makes_canonical_raise_and_its_result_is_canonical(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


# --- hashes -----------------------------------------------------------------------------------------------------------


def test_hashes_are_the_same_for_ever() -> None:
    """Databases hold them: these figures must never change. They are `printf %s … | sha256sum`."""
    assert url_hash("http://example.org/a?utm_source=rss#b") == (
        "b5b10dd0429e69ac7cfaf0a20b6901c1265c50b55d1751bcb684ed96ef7b300a"
    )
    assert url_hash("https://example.org/", "guid-1") == (
        "690ceba2b8434001dc952f6da30182d9bac9d90fcf164f7b1e08795de681d97a"
    )
    assert identity_hash("guid", "1") == "7d2bcc6668da33602c5bb957f6c768c9bc6eb34b603bb6cec5f0b96200bad2aa"


def test_a_guid_tells_entries_with_one_link_apart() -> None:
    hashes = {url_hash("https://example.org/", guid) for guid in (None, "", "1", "2")}
    assert len(hashes) == 4


def test_the_parts_of_an_identity_do_not_run_into_each_other() -> None:
    assert len({identity_hash(*parts) for parts in [("a", "b"), ("ab",), ("a", "", "b"), ("a\nb",), ("b", "a")]}) == 5


@given(ANY_TEXT, st.none() | ANY_TEXT)
def test_no_text_makes_a_hash_raise_or_meet_an_identity(text: str, guid: str | None) -> None:
    address = url_hash(text, guid)
    assert len(address) == 64
    assert address != identity_hash("guid", text)


def test_a_forged_link_does_not_take_the_place_of_a_guid() -> None:
    assert url_hash(" entry 4:guid1:a") != identity_hash("guid", "a")
    assert url_hash("", "entry 4:guid1:a") != identity_hash("guid", "a")
