"""What a source has of its own: headers and credentials for its server alone, a User-Agent, authorities."""

import asyncio
import ssl

import pytest

from kzfeed.fetch.access import Access, authorities_of
from kzfeed.fetch.proxy import ProxyRules, parse_proxy
from kzfeed.model.polls import Outcome, Visit
from tests.fetch.proxies import http_proxy, serve_proxy
from tests.fetch.servers import (
    CERTIFICATE,
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

OWN = ((b"X-Api-Key", b"s3cret"), (b"Authorization", b"Bearer s3cret"))


def test_headers_go_to_the_configured_server_and_to_no_other_wherever_redirects_lead() -> None:
    async def go() -> tuple[Outcome, Server, Server]:
        away: dict[str, Answer] = {}
        home: dict[str, Answer] = {"/back": reply()}
        async with serve(routes(away)) as other, serve(routes(home)) as server, fetcher() as fetch:
            home["/feed"] = reply(302, {"Location": other.url("/away")})
            away["/away"] = reply(302, {"Location": server.url("/back")})
            fetch.access_of = lambda _: Access(url=server.url(), headers=OWN, user_agent=b"special")
            return await fetch.visit(Visit(server.url(), None, server.host)), server, other

    outcome, server, other = asyncio.run(go())
    assert fetched(outcome).body == FEED
    for number in range(2):
        assert (server.headers(number)["X-Api-Key"], server.headers(number)["Authorization"]) == (
            "s3cret",
            "Bearer s3cret",
        )
    assert list(other.headers()) == ["Host", "User-Agent", "Accept", "Accept-Encoding"]
    assert {server.headers()["User-Agent"], other.headers()["User-Agent"]} == {"special"}


@pytest.mark.parametrize("address", ["http://feeds.example:{}/moved", "http://127.0.0.1:{}/feed"])
def test_a_source_that_has_moved_to_another_server_gets_no_credentials_there(address: str) -> None:
    async def go() -> Server:
        async with serve(reply()) as server, fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch:
            fetch.access_of = lambda _: Access(url="http://configured.example/feed", headers=OWN)
            url = address.format(server.port)
            fetched(await fetch.visit(Visit(url, trusted_host=url.split("/")[2].split(":")[0])))
            return server

    assert "Authorization" not in asyncio.run(go()).headers()


def test_a_source_may_have_its_own_accept() -> None:
    async def go() -> Server:
        async with serve(reply()) as server, fetcher() as fetch:
            fetch.access_of = lambda _: Access(url=server.url(), headers=((b"accept", b"application/json"),))
            fetched(await fetch.visit(Visit(server.url(), None, server.host)))
            return server

    headers = asyncio.run(go()).headers()
    assert list(headers) == ["Host", "User-Agent", "Accept-Encoding", "accept"]
    assert headers["accept"] == "application/json"


@pytest.mark.parametrize("has_proxy", [False, True])
def test_the_authorities_of_a_source_take_the_place_of_those_of_the_system(
    tmp_path_factory: pytest.TempPathFactory, *, has_proxy: bool
) -> None:
    file = tmp_path_factory.mktemp("authorities") / "ca.pem"
    file.write_text(CERTIFICATE)

    async def go() -> tuple[Outcome, Outcome]:
        other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without any authority
        async with (
            serve(reply(), tls=server_tls()) as server,
            serve_proxy(http_proxy) as proxy,
            fetcher(tls=other, lookup=names(feeds=["127.0.0.1"])) as fetch,
        ):
            used = parse_proxy(proxy.url()) if has_proxy else None
            access = {
                "own": Access(ProxyRules(used, used), authorities=authorities_of(str(file))),
                "none": Access(ProxyRules(used, used)),
            }
            fetch.access_of = access.__getitem__
            url = server.url(host="feeds.example")
            visits = [Visit(url, trusted_host="feeds.example", source_name=name) for name in ("own", "none")]
            return await fetch.visit(visits[0]), await fetch.visit(visits[1])

    own, none = asyncio.run(go())
    assert fetched(own).body == FEED
    assert failed(none).kind == "tls"


def test_a_certificate_that_the_authorities_of_a_source_do_not_know_is_a_failure_that_names_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def go() -> Outcome:
        async with (
            serve(reply(), tls=server_tls()) as server,
            fetcher(lookup=names(other=["127.0.0.1"])) as fetch,
        ):
            file = tmp_path_factory.mktemp("authorities") / "ca.pem"
            file.write_text(CERTIFICATE)
            fetch.access_of = lambda _: Access(authorities=authorities_of(str(file)))
            # The certificate is for another name.
            return await fetch.visit(Visit(server.url(host="other.example"), trusted_host="other.example"))

    outcome = failed(asyncio.run(go()))
    assert outcome.kind == "tls"
    assert outcome.error.endswith("(it is verified by the authorities of tls_ca alone)")


def test_an_access_shows_no_secret() -> None:
    assert "s3cret" not in repr(Access(url="http://me:s3cret@a.example/", headers=OWN))
