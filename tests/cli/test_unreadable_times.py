"""Times in the database that another program wrote and that cannot be read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fork_server import clean_environment, fork_server

FEED = '[[sources]]\nname = "voa"\nurl = "http://127.0.0.1:9/feed"\n'


@pytest.mark.parametrize(
    ("statement", "commands"),
    [
        (
            "UPDATE sources SET next_poll_at = '1796086053413'",
            [["sources", "list"], ["poll"], ["run"], ["explain", "voa"]],
        ),
        ("UPDATE articles SET published_at = 'soon'", [["list"]]),
    ],
)
def test_a_time_that_cannot_be_read_is_an_error_in_a_sentence_and_verify_names_its_row(
    tmp_path: Path, statement: str, commands: list[list[str]]
) -> None:
    (tmp_path / "kzfeed.toml").write_text(FEED)
    (tmp_path / "one.txt").write_text("<!--1641922743000-->\n[t](https://a.example/1)\n------\n\n<p>x</p>\n")

    def kzfeed(*arguments: str) -> tuple[int, str, str]:
        done = fork_server().run([*arguments], tmp_path, clean_environment())
        return done.returncode, done.stdout, done.stderr

    assert kzfeed("poll")[0] == 1  # nobody listens there
    assert kzfeed("backfill", "one.txt")[0] == 0
    with closing(sqlite3.connect(tmp_path / "kzfeed.db")) as connection:
        connection.execute(statement)
        connection.commit()
    value = statement.split("'")[1]

    for command in commands:
        status, _, said = kzfeed(*command)
        assert (status, "Traceback" in said) == (3, False), command
        assert f"'{value}' stands in the database where a time belongs" in said
    status, found, _ = kzfeed("verify")
    assert status == 1
    assert value in found
