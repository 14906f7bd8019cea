"""Flaws of documents and refused validators, as people see them: in commands, in `polls` and in `source_health`."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store.engine import Database
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import RecordingServer, Reply, recording
from tests.fork_server import clean_environment, fork_server

pytestmark = pytest.mark.slow_on_postgresql

Run = Callable[..., "subprocess.CompletedProcess[str]"]

WHOLE = rss([3, 2, 1])
ETAG = [("ETag", '"1"')]


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(["127.0.0.1"]) as recorder:
        yield recorder


@pytest.fixture
def kzfeed(tmp_path: Path, database_url: str, database: Database) -> Run:
    """Runs kzfeed in an empty folder with the test's database."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(arguments, tmp_path, clean_environment(KZFEED_DATABASE_URL=database_url))

    return run


def configure(folder: Path, url: str, *more: str) -> None:
    lines = ["[http]", 'host_gap = "0s"', "[[sources]]", 'name = "voa"', f'url = "{url}"', *more]
    (folder / "kzfeed.toml").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "flaw"),
    [
        (WHOLE[:-60], "the document breaks off"),
        (WHOLE.replace("正文".encode(), b"\xff", 1), "bytes that are not utf-8 were replaced"),
        (rss([]), "it has no entries, but had some before"),
    ],
    ids=["cut off", "replaced bytes", "empty"],
)
def test_a_flaw_is_seen_everywhere_until_a_document_without_one_comes(
    kzfeed: Run, database: Database, tmp_path: Path, server: RecordingServer, document: bytes, flaw: str
) -> None:
    page = server.page("/feed", Reply(200, [], WHOLE), Reply(200, ETAG, document), Reply(200, ETAG, document))
    configure(tmp_path, page.url)
    assert "flaw" not in kzfeed("poll").stdout + kzfeed("sources", "list").stdout

    polled = kzfeed("poll", "--json", "--force")
    again = kzfeed("poll", "--force")

    assert flaw in json.loads(polled.stdout)[0]["flaw"]
    assert f"flaw: {flaw}" in again.stdout
    with database.read() as connection:
        polls = connection.execute(sa.text("SELECT flaw FROM polls ORDER BY id")).scalars().all()
        health = connection.execute(sa.text("SELECT flaw FROM source_health")).scalar_one()
    assert [flaw in (each or "") for each in polls] == [False, True, True]
    assert flaw in health
    assert f"flaw: {flaw}" in kzfeed("sources", "list").stdout
    assert flaw in json.loads(kzfeed("sources", "list", "--json").stdout)[0]["flaw"]
    explained = kzfeed("explain", "voa").stdout
    assert f"Its last document has a flaw: {flaw}" in explained
    assert f"flaw: {flaw}" in explained.split("The last polls:")[1]
    checked = kzfeed("sources", "check", page.url)
    assert (checked.returncode, "flaw " in checked.stdout) == (1, True)

    page.respond_with(Reply(200, [], WHOLE))
    kzfeed("poll", "--force")
    assert "flaw" not in kzfeed("sources", "list").stdout
    assert "Its last document has a flaw" not in kzfeed("explain", "voa").stdout


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, ETAG, WHOLE[:-60]), "ETag (the document breaks off)"),
        (Reply(200, [("ETag", '"' + "x" * 5000 + '"')], WHOLE), "ETag (it is 5,002 bytes long)"),
        (Reply(200, [("Last-Modified", "a\x01b")], WHOLE), "Last-Modified (it has control characters)"),
        (Reply(200, [], WHOLE), "Its server gives no validators"),
    ],
    ids=["cut off", "too long", "control characters", "none"],
)
def test_explain_says_which_validators_are_not_kept_and_why(
    kzfeed: Run, tmp_path: Path, server: RecordingServer, reply: Reply, said: str
) -> None:
    configure(tmp_path, server.page("/feed", reply).url)
    assert kzfeed("poll").returncode == 0

    explained = kzfeed("explain", "voa").stdout

    assert said in explained
    assert ("gives no validators" in explained) == ("gives no validators" in said)
