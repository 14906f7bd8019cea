"""The host rule: one spelling for every host, the same as a browser's."""

import pytest

from kzfeed.hosts import host_of, parse_host


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://WWW.Example.org:8443/a", "www.example.org"),
        ("http://user:pass@例子.测试/", "xn--fsqu00a.xn--0zwm56d"),
        ("https://Bücher.example", "xn--bcher-kva.example"),
        ("https://example.org./", "example.org."),
        ("http://[2001:DB8:0::1]:80/", "2001:db8::1"),
        ("http://0x7f000001/", "127.0.0.1"),
        ("http://127.1/", "127.0.0.1"),
        ("ftp://example.org/", ""),
        ("example.org", ""),
        ("http://", ""),
        ("", ""),
    ],
)
def test_a_url_belongs_to_one_host(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("FeedX.net", "feedx.net"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("0x7f.1", "127.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[::1]", "::1"),
    ],
)
def test_a_host_by_itself_is_spelt_as_in_a_url(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a@b", "feedx.net:443", "feedx.net/rss", "[feedx.net]", "[::1]:80", "1::2::3", "fe80::1%eth0"],
)
def test_what_is_not_a_host_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        parse_host(text)
