"""kzfeed behind proxies: the file says which, and no secret of it is stored or shown."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.etiquette.program import Program
from tests.fetch.proxies import http_proxy, serve_proxy, socks5_proxy
from tests.fetch.servers import reply, serve
from tests.fork_server import clean_environment, fork_server

LOGIN = "me:hunter2"
RSS = b"<rss version='2.0'><channel><item><link>https://a.example/</link></item></channel></rss>"


def test_all_sources_have_a_proxy_and_one_its_own(tmp_path: Path) -> None:
    program = Program(tmp_path)

    async def go() -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
        async with (
            serve(reply(body=RSS)) as server,
            serve_proxy(http_proxy, login=LOGIN) as general,
            serve_proxy(socks5_proxy, scheme="socks5h", login=LOGIN) as own,
        ):
            urls = {name: server.url(f"/{name}", host="feeds.example") for name in ("a", "b", "c")}
            program.configure(urls, http=f'host_gap = "0s"\nproxy = "{general.url("me:hunter2@")}"')
            file = program.folder / "kzfeed.toml"
            lines = {"b": own.url("me:hunter2@"), "c": general.url("me:wrong@")}
            text = file.read_text()
            for name, proxy in lines.items():
                text = text.replace(f'url = "{urls[name]}"', f'url = "{urls[name]}"\nproxy = "{proxy}"')
            file.write_text(text)
            return await asyncio.to_thread(program.poll), general.asked, own.asked

    reports, general, own = asyncio.run(go())
    assert {name: report["outcome"] for name, report in reports.items()} == {
        "a": "new",
        "b": "unchanged",
        "c": "failed",
    }
    assert (len(general), len(own)) == (2, 1)
    assert reports["c"]["error_kind"] == "connect"
    assert "wrong" not in reports["c"]["error"]
    stored = (program.folder / "kzfeed.db").read_bytes()
    assert b"hunter2" not in stored
    assert b"wrong" not in stored


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_proxy_of_the_environment_is_used_where_the_file_names_none(
    tmp_path: Path, variable: str, *, by_file: bool
) -> None:
    program = Program(tmp_path)

    async def go() -> tuple[str, int, int]:
        async with (
            serve(reply(body=RSS)) as server,
            serve_proxy(http_proxy, login=LOGIN) as proxy,
            serve_proxy(socks5_proxy, scheme="socks5h") as of_file,
        ):
            http = f'proxy = "{of_file.url()}"' if by_file else ""
            program.configure({"a": server.url(host="feeds.example")}, http=http)
            environment = clean_environment(**{variable: proxy.url("me:hunter2@")})
            done = await asyncio.to_thread(fork_server().run, ["poll", "--json"], tmp_path, environment)
            assert "hunter2" not in done.stdout + done.stderr
            return json.loads(done.stdout)[0]["outcome"], len(proxy.asked), len(of_file.asked)

    assert asyncio.run(go()) == ("new", int(not by_file), int(by_file))
