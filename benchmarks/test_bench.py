"""The benchmark runs, with very few feeds, so that it cannot rot."""

from pathlib import Path

import httpx
import pytest

from benchmarks import feeds
from benchmarks.__main__ import main
from benchmarks.servers import serving


def test_cases_run_and_have_their_rows(capsys: pytest.CaptureFixture[str]) -> None:
    cases = ["contact", "postgresql"]
    assert main(["--feeds", "2", "--runs", "1", "--only", *cases]) == 0
    table = capsys.readouterr().out
    for key in cases:
        assert f"[{key}] | kzfeed | 1 |" in table
    for limit in ("aiohttp", "fast parser", "documents to articles", "sqlite3 executemany", "psycopg COPY"):
        assert f"| {limit} alone | 1 |" in table


def test_the_same_seed_writes_the_same_feeds_whatever_is_after_them(tmp_path: Path) -> None:
    for name, count in (("few", 3), ("more", 4)):
        feeds.write(tmp_path / name, large=count, tiny=0, seed=5)
    for version in feeds.VERSIONS:
        paths = [Path(version, feeds.path_of("large", number)) for number in range(3)]
        assert [(tmp_path / "few" / path).read_bytes() for path in paths] == [
            (tmp_path / "more" / path).read_bytes() for path in paths
        ]
    assert 330_000 < (tmp_path / "few/before/large/0/0.xml").stat().st_size < 430_000


def test_the_server_of_our_own_vouches_at_one_port_only(tmp_path: Path) -> None:
    feeds.write(tmp_path, large=0, tiny=1)
    with serving(tmp_path, None) as server:
        address = f"http://{feeds.host_of(0)}:{{}}/{feeds.path_of('tiny', 0)}"
        assert "ETag" not in httpx.get(address.format(server.silent)).headers
        address = address.format(server.validating)
        etag = httpx.get(address).headers["ETag"]
        assert httpx.get(address, headers={"If-None-Match": etag}).status_code == 304
        server.show("after")
        assert httpx.get(address, headers={"If-None-Match": etag}).headers["ETag"] != etag
