"""Visits through proxies, and which proxy a visit takes."""

import asyncio
from datetime import timedelta

import pytest

from kzfeed.fetch.access import Access
from kzfeed.fetch.client import FetchLimits
from kzfeed.fetch.proxy import ProxyRules, parse_proxy
from kzfeed.fetch.target import target_of
from kzfeed.model.polls import Failed, Outcome, Validators, Visit
from tests.fetch.proxies import Handler, ProxyServer, http_proxy, says, serve_proxy, silent, socks5_proxy
from tests.fetch.servers import (
    FEED,
    Answer,
    Server,
    failed,
    fetched,
    fetcher,
    names,
    reply,
    routes,
    serve,
    server_tls,
)

PROXIES: list[tuple[str, Handler]] = [
    ("http", http_proxy),
    ("https", http_proxy),
    ("socks5h", socks5_proxy),
    ("socks5", socks5_proxy),
]


def visit_through(
    handler: Handler,
    *,
    scheme: str = "http",
    host: str = "feeds.example",
    feed_tls: bool = False,
    login: str = "",
    userinfo: str = "",
    answer: Answer | None = None,
    limits: FetchLimits | None = None,
    visit: Visit | None = None,
) -> tuple[Outcome, ProxyServer, Server]:
    """One visit through a proxy to a server whose name only the proxy knows."""

    async def go() -> tuple[Outcome, ProxyServer, Server]:
        tls = server_tls()
        async with (
            serve(answer or reply(200, {"ETag": '"a"'}), tls=tls if feed_tls else None) as server,
            serve_proxy(handler, scheme=scheme, login=login, tls=tls if scheme == "https" else None) as proxy,
            fetcher(limits=limits or FetchLimits()) as fetch,
        ):
            used = parse_proxy(proxy.url(userinfo))
            fetch.access_of = lambda _: Access(ProxyRules(used, used))
            url = visit.url if visit else server.url(host=host)
            trusted = visit.trusted_host if visit else None
            return await fetch.visit(Visit(url, Validators(url, '"é"'), trusted)), proxy, server

    return asyncio.run(go())


@pytest.mark.parametrize("feed_tls", [False, True], ids=["http-feed", "https-feed"])
@pytest.mark.parametrize(("scheme", "handler"), PROXIES, ids=[scheme for scheme, _ in PROXIES])
def test_a_document_comes_through_a_proxy_that_knows_the_name(scheme: str, handler: Handler, feed_tls: bool) -> None:
    outcome, proxy, server = visit_through(handler, scheme=scheme, feed_tls=feed_tls)
    assert fetched(outcome).body == FEED
    assert fetched(outcome).headers["etag"] == '"a"'
    socks = scheme.startswith("socks")
    asked = "SOCKS5" if socks else "CONNECT" if feed_tls else "GET"
    where = server.url() if asked == "GET" else f"{server.host}:{server.port}"
    assert proxy.asked == [f"{asked} {where}".replace(server.host, "feeds.example")]
    assert server.headers()["Host"] == f"feeds.example:{server.port}"
    assert list(server.headers()) == ["Host", "User-Agent", "Accept", "Accept-Encoding", "If-None-Match"]
    assert b'\r\nIf-None-Match: "\xe9"\r\n' in server.requests[0]


@pytest.mark.parametrize(("scheme", "handler"), PROXIES, ids=[scheme for scheme, _ in PROXIES])
def test_a_proxy_gets_its_name_and_password_and_the_server_does_not(scheme: str, handler: Handler) -> None:
    login = {"login": "me:s3cret/ü", "userinfo": "me:s3cret%2F%C3%BC@"}
    for feed_tls in (False, True):
        outcome, _, server = visit_through(handler, scheme=scheme, feed_tls=feed_tls, **login)  # type: ignore[arg-type]
        assert fetched(outcome).body == FEED
        if feed_tls or scheme.startswith("socks"):
            assert "Proxy-Authorization" not in server.headers()


@pytest.mark.parametrize("feed_tls", [False, True], ids=["http-feed", "https-feed"])
@pytest.mark.parametrize(("scheme", "handler"), PROXIES, ids=[scheme for scheme, _ in PROXIES])
def test_a_refused_login_is_a_failure_that_names_the_proxy_and_no_secret(
    scheme: str, handler: Handler, feed_tls: bool
) -> None:
    outcome, proxy, server = visit_through(
        handler, scheme=scheme, feed_tls=feed_tls, login="me:right", userinfo="me:wr0ng@"
    )
    assert failed(outcome).kind == "connect"
    assert failed(outcome).error.endswith(f"(proxy {proxy.url()})")
    assert "wr0ng" not in failed(outcome).error
    assert server.connections == 0


@pytest.mark.parametrize("feed_tls", [False, True], ids=["http-feed", "https-feed"])
@pytest.mark.parametrize(
    ("scheme", "handler"),
    [
        ("http", says(b"")),
        ("http", says(b"SSH-2.0-OpenSSH_9.2\r\n")),
        ("http", says(b"HTTP/1.1 200 OK")),
        ("http", says(b"\x00" * 300_000)),
        ("http", says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")),
        ("http", says(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")),
        ("http", says(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n")),
        ("socks5h", says(b"")),
        ("socks5h", says(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("socks5h", says(b"\x05\xff")),
        ("socks5h", says(b"\x05\x77")),
        ("socks5h", says(b"\x04\x00")),
        ("socks5h", says(b"\x05\x00", b"")),
        ("socks5h", says(b"\x05\x00", b"\x05\x01\x00\x01" + bytes(6))),
        ("socks5h", says(b"\x05\x00", b"\x05\x99\x00\x01" + bytes(6))),
        ("socks5h", says(b"\x05\x00", b"garbage, and more of it")),
        ("https", says(b"")),
    ],
)
def test_an_odd_answer_of_a_proxy_is_a_failure_in_words(scheme: str, handler: Handler, feed_tls: bool) -> None:
    outcome, proxy, server = visit_through(handler, scheme=scheme, feed_tls=feed_tls)
    kinds = {"connect", "tls", "bad-response", "http-status", "forbidden-address", "dns", "bad-redirect"}
    assert failed(outcome).kind in kinds
    assert failed(outcome).kind != "internal"
    if feed_tls:
        assert f"(proxy {proxy.url()})" in failed(outcome).error
    assert server.connections == 0


@pytest.mark.parametrize(("scheme", "feed_tls"), [("http", True), ("socks5h", False), ("socks5h", True)])
def test_a_proxy_that_never_answers_is_given_up_after_the_time_for_connecting(scheme: str, feed_tls: bool) -> None:
    limits = FetchLimits(connect_timeout=timedelta(seconds=0.3))
    outcome, proxy, _ = visit_through(silent, scheme=scheme, feed_tls=feed_tls, limits=limits)
    assert failed(outcome).kind == "connect"
    assert f"(proxy {proxy.url()})" in failed(outcome).error


def test_a_proxy_that_is_not_there_is_a_failure_that_names_it() -> None:
    async def go() -> Outcome:
        async with serve_proxy(silent) as gone:
            pass
        proxy = parse_proxy(gone.url())
        async with fetcher() as fetch:
            fetch.access_of = lambda _: Access(ProxyRules(proxy, proxy))
            return await fetch.visit(Visit("http://feeds.example/"))

    assert "no connection: " in failed(asyncio.run(go())).error
    assert "(proxy http://127.0.0.1:" in failed(asyncio.run(go())).error


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]", "2130706433", "localhost", "feeds.localhost", "169.254.169.254"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_address_is_refused_through_a_proxy_too(host: str, scheme: str) -> None:
    outcome, proxy, _ = visit_through(http_proxy, visit=Visit(f"{scheme}://{host}/feed"))
    assert failed(outcome).kind == "forbidden-address"
    assert proxy.asked == []


@pytest.mark.parametrize(("scheme", "handler"), [("http", http_proxy), ("socks5h", socks5_proxy)])
def test_a_private_address_that_the_operator_named_may_be_asked_for(scheme: str, handler: Handler) -> None:
    outcome, proxy, _ = visit_through(handler, scheme=scheme, visit=Visit("https://[fd00::1]:9/feed", None, "fd00::1"))
    assert isinstance(outcome, Failed)
    expected = "CONNECT [fd00::1]:9" if scheme == "http" else f"SOCKS5 fd{'0' * 29}1:9"
    assert proxy.asked == [expected]


def test_a_redirect_goes_through_the_proxy_too() -> None:
    table = routes({"/feed": reply(302, {"Location": "/there"}), "/there": reply()})
    outcome, proxy, server = visit_through(http_proxy, answer=table)
    assert fetched(outcome).body == FEED
    assert proxy.asked == [f"GET http://feeds.example:{server.port}/{path}" for path in ("feed", "there")]


def test_each_source_has_its_own_proxy() -> None:
    async def go() -> tuple[list[str], list[str]]:
        async with (
            serve(reply()) as server,
            serve_proxy(http_proxy) as first,
            serve_proxy(socks5_proxy, scheme="socks5h") as second,
            fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch,
        ):
            rules = {
                "a": Access(ProxyRules(parse_proxy(first.url()))),
                "b": Access(ProxyRules(parse_proxy(second.url()))),
                "c": Access(),
            }
            fetch.access_of = rules.__getitem__
            for name in rules:
                url = server.url(host="feeds.example")
                fetched(await fetch.visit(Visit(url, trusted_host="feeds.example", source_name=name)))
            assert len(server.requests) == 3
            return first.asked, second.asked

    first, second = asyncio.run(go())
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*", "http://a.example/", True),
        ("a.example", "http://a.example/", True),
        ("a.example", "http://sub.A.example/", True),
        (".a.example", "http://sub.a.example/", True),
        ("*.a.example", "http://sub.a.example/", True),
        ("a.example", "http://aa.example/", False),
        ("a.example:80", "http://a.example/", True),
        ("a.example:81", "http://a.example/", False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("127.0.0.1", "http://127.1/", True),
        ("::1", "http://[::1]/", True),
        ("[::1]:80", "http://[::1]/", True),
        ("[::1]:81", "http://[::1]/", False),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("fd00::/8", "http://10.0.0.1/", False),
        ("", "http://a.example/", False),
    ],
)
def test_no_proxy_names_hosts_that_are_reached_directly(entry: str, url: str, direct: bool) -> None:
    proxy = parse_proxy("http://proxy.example")
    rules = ProxyRules(proxy, proxy, (entry,))
    assert rules.proxy_for(target_of(url)) == (None if direct else proxy)


def test_http_and_https_may_have_different_proxies() -> None:
    one, other = parse_proxy("http://one.example"), parse_proxy("socks5h://other.example")
    rules = ProxyRules(one, other)
    assert rules.proxy_for(target_of("http://a.example")) == one
    assert rules.proxy_for(target_of("https://a.example")) == other
    assert (one.port, other.port) == (80, 1080)


@pytest.mark.parametrize("url", ["ftp://a.example", "a.example:80", "http://", "socks5h://a b", "http://a:99999", ""])
def test_what_is_not_a_proxy_is_an_error_without_the_url(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of an http, https, socks5 or socks5h proxy"):
        parse_proxy(url)


def test_a_proxy_shows_no_secret() -> None:
    proxy = parse_proxy("socks5h://me:s3cret@Proxy.example:80")
    assert str(proxy) == "socks5h://proxy.example:80"
    assert "s3cret" not in repr(proxy)
    assert (proxy.username, proxy.password) == ("me", "s3cret")
