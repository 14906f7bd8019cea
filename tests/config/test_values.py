"""What a single value may look like, and in which words another one is refused."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kzfeed.config import addresses, values

SOME_DURATION = 'a duration such as "30s" or "1h30m"'
SOME_SIZE = 'a size from 1 to 1024GiB, such as "15MiB", "500kB" or a number of bytes'
IN_MEMORY = '"sqlite:///FILE": a database in memory would be lost when the command ends'
NO_PARAMETERS = '"sqlite:///FILE" without parameters such as ?mode=ro: each command chooses its mode'
UNESCAPED = 'a password in which "@" is written as %40, "/" as %2F, "?" as %3F and "#" as %23'
SOME_DATABASE = '"sqlite:///FILE" or "postgresql://USER@HOST/NAME"'
SOME_CONTACT = 'a URL or an e-mail address in ASCII, without brackets, of at most 200 characters, or ""'
SOME_URL = "an http or https URL with a host"
SOME_PROXY = 'a proxy such as "http://proxy.example:3128" or "socks5h://NAME:PASSWORD@HOST:1080", or ""'
SOME_LISTENER = '"HOST:PORT" such as "127.0.0.1:9464" or "[::1]:9464", or "unix:/PATH" of at most 107 bytes'
SOME_HOST = 'a host such as "feedx.net", without scheme and port'
SOME_NAME = "1 to 64 small letters of any script, digits, '.', '_' and '-', and no '.' or '-' first"
SOME_CRON = 'crontab fields (minute, hour, day, month, weekday) that match some date, such as "7 * * * *"'
SOME_ZONE = 'an IANA time zone such as "UTC" or "Asia/Shanghai"'

from_0 = partial(values.number, least=0)
from_1 = partial(values.number, least=1)


@pytest.mark.parametrize(
    ("read", "written", "meant"),
    [
        (values.pause, "0s", timedelta(0)),
        (values.retention, 0, timedelta(0)),
        (values.duration, "500ms", timedelta(milliseconds=500)),
        (values.duration, " 1h30m ", timedelta(hours=1, minutes=30)),
        (values.duration, "1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        (values.duration, "3650d", timedelta(days=3650)),
        (values.duration, timedelta(seconds=5), timedelta(seconds=5)),
        (values.interval, "2d", timedelta(days=2)),
        (values.interval, "auto", "auto"),
        (values.size, "2GiB", 2 * 1024**3),
        (values.size, "64kB", 64_000),
        (values.size, "1B", 1),
        (values.size, "1024GiB", 2**40),
        (values.size, 1048576, 1048576),
        (values.size, "1048576", 1048576),
        (from_0, 0, 0),
        (from_1, " 5 ", 5),
        (values.text, " 法广 ", "法广"),
        (values.source_name, "bbc.2_x-y", "bbc.2_x-y"),
        (values.source_name, "新闻", "新闻"),
        (addresses.proxy_url, "http://proxy.example:3128", "http://proxy.example:3128"),
        (addresses.proxy_url, " socks5h://me:secret@[::1]:1080/ ", "socks5h://me:secret@[::1]:1080/"),
        (addresses.proxy_url, "", ""),
        (addresses.host_name, "FeedX.net", "feedx.net"),
        (addresses.host_name, "127.0.0.1", "127.0.0.1"),
        (addresses.host_name, "Bücher.example", "xn--bcher-kva.example"),
        (addresses.host_name, "2001:DB8::1", "2001:db8::1"),
        (addresses.feed_url, " https://medium.com/feed/@author?a=1#b ", "https://medium.com/feed/@author?a=1#b"),
        (addresses.feed_url, "HTTP://[::1]:8080", "HTTP://[::1]:8080"),
        (addresses.database_url, "sqlite:///kzfeed.db", "sqlite:///kzfeed.db"),
        (addresses.database_url, "sqlite:////var/lib/kzfeed.db", "sqlite:////var/lib/kzfeed.db"),
        (addresses.database_url, "postgresql://u@h/x?passfile=/a@b", "postgresql://u@h/x?passfile=/a@b"),
        (addresses.database_url, "postgresql://u:p%40ss@host:5432/name", "postgresql://u:p%40ss@host:5432/name"),
        (addresses.database_url, "postgresql+psycopg://user@host/name", "postgresql+psycopg://user@host/name"),
        (addresses.database_url, "postgres://host/name", "postgres://host/name"),
        (addresses.database_url, "postgresql:///name", "postgresql:///name"),
        (addresses.database_url, "postgresql://u:p@[::1]:5/x?a=b@c", "postgresql://u:p@[::1]:5/x?a=b@c"),
        (addresses.database_url, "postgresql://u:p@h1:5,h2:6/x", "postgresql://u:p@h1:5,h2:6/x"),
        (addresses.contact, "", ""),
        (addresses.contact, " https://example.org/about ", "https://example.org/about"),
        (addresses.contact, "archive@example.org", "archive@example.org"),
        (values.timezone, "Asia/Shanghai", "Asia/Shanghai"),
        (addresses.listen_address, " 127.0.0.1:9464 ", ("127.0.0.1", 9464)),
        (addresses.listen_address, "localhost:80", ("localhost", 80)),
        (addresses.listen_address, "[::1]:9464", ("::1", 9464)),
        (addresses.listen_address, "unix:/run/kzfeed/monitors.sock", Path("/run/kzfeed/monitors.sock")),
    ],
)
def test_a_value_means(read: Callable[[object], object], written: object, meant: object) -> None:
    assert read(written) == meant


@pytest.mark.parametrize(
    ("read", "written", "expected"),
    [
        (values.duration, 30, SOME_DURATION),
        (values.duration, 1.5, SOME_DURATION),
        (values.duration, "30", SOME_DURATION),
        (values.duration, "", SOME_DURATION),
        (values.duration, "1.5h", SOME_DURATION),
        (values.duration, "30m1h", SOME_DURATION),
        (values.duration, "-1s", SOME_DURATION),
        (values.duration, "٣s", SOME_DURATION),
        (values.duration, "0s", f"{SOME_DURATION}, longer than 0"),
        (values.duration, "3651d", f"{SOME_DURATION}, of at most 3650d"),
        (values.pause, "auto", SOME_DURATION),
        (values.retention, False, f"{SOME_DURATION}, or 0 for ever"),
        (values.interval, "Auto", f'"auto" or {SOME_DURATION}'),
        (values.interval, "0s", f'"auto" or {SOME_DURATION}, longer than 0'),
        (values.size, "15 megabytes", SOME_SIZE),
        (values.size, "15M", SOME_SIZE),
        (values.size, 0, SOME_SIZE),
        (values.size, True, SOME_SIZE),
        (values.size, "2000GiB", SOME_SIZE),
        (from_0, -1, "a whole number from 0 up"),
        (from_1, 0, "a whole number from 1 up"),
        (values.memory, "0", SOME_SIZE),
        (values.memory, "1023KiB", 'at least "1MiB": with less, no document can be read'),
        (from_1, True, "a whole number from 1 up"),
        (from_1, "٣", "a whole number from 1 up"),
        (from_1, 1.0, "a whole number from 1 up"),
        (values.text, " ", "text that is not empty"),
        (values.text, 5, "text that is not empty"),
        (values.source_name, "VOA", SOME_NAME),
        (values.source_name, ".voa", SOME_NAME),
        (values.source_name, "a\n", SOME_NAME),
        (values.source_name, "a" * 65, SOME_NAME),
        *(
            (addresses.proxy_url, text, SOME_PROXY)
            for text in ("ftp://a", "a:80", "http://", "http://a/b", "http://a:x", "http://a b")
        ),
        (addresses.host_name, "https://feedx.net", SOME_HOST),
        (addresses.host_name, "feedx.net:443", SOME_HOST),
        (addresses.host_name, "feedx.net/rss", SOME_HOST),
        (addresses.host_name, "a@feedx.net", SOME_HOST),
        (addresses.host_name, "", SOME_HOST),
        (addresses.host_name, "2001:db8::1::2", 'an IPv6 address such as "2001:db8::1", without port'),
        (addresses.host_name, "[::1]:443", 'an IPv6 address such as "2001:db8::1", without port'),
        (addresses.feed_url, "ftp://x/", SOME_URL),
        (addresses.feed_url, "https:///feed", SOME_URL),
        (addresses.feed_url, "http://x:99999/", SOME_URL),
        (addresses.feed_url, "http://[x/", SOME_URL),
        (addresses.feed_url, "http://x/a b", SOME_URL),
        (addresses.feed_url, "http://x/\nb", SOME_URL),
        (addresses.feed_url, 5, SOME_URL),
        (addresses.database_url, "kzfeed.db", SOME_DATABASE),
        (addresses.database_url, "sqlite:///", IN_MEMORY),
        (addresses.database_url, "sqlite://", IN_MEMORY),
        (addresses.database_url, "sqlite:///:memory:", IN_MEMORY),
        (addresses.database_url, "sqlite:///file::memory:?uri=true", IN_MEMORY),
        (addresses.database_url, "sqlite:///x.db?mode=ro", NO_PARAMETERS),
        (addresses.database_url, "postgresql://u:p@ss@h/x", UNESCAPED),
        (addresses.database_url, "postgresql://u:p/w@h/x", UNESCAPED),
        (addresses.database_url, "postgresql://u:p@ss/word@h/x", UNESCAPED),
        (addresses.database_url, "postgresql://u:p@ss?word@h:5432/x", UNESCAPED),
        (addresses.database_url, "postgresql://u:1@ss#word@h/x", UNESCAPED),
        (addresses.database_url, "postgresql://u:p?w@h/x", UNESCAPED),
        (addresses.database_url, 5, SOME_DATABASE),
        *(
            (addresses.listen_address, text, SOME_LISTENER)
            for text in (
                "9464",
                ":9464",
                "::1:9464",
                "a:0",
                "a:65536",
                "u@a:1",
                "a:1/x",
                "unix:x",
                f"unix:/{'a' * 107}",
            )
        ),
        (addresses.contact, "our archive", SOME_CONTACT),
        (addresses.contact, "archive", SOME_CONTACT),
        (addresses.contact, "a@b)\r\nX: y", SOME_CONTACT),
        (addresses.contact, "a@b(c", SOME_CONTACT),
        (addresses.contact, "a@" + "b" * 199, SOME_CONTACT),
        (addresses.contact, "https://例.org", SOME_CONTACT),
        (
            values.source_name,
            "kzfeed-export.jsonl",
            "another name, because kzfeed-export.jsonl is the list of an export",
        ),
        (values.timezone, "Asia/Shangai", f"{SOME_ZONE} (the nearest is Asia/Shanghai)"),
        (values.timezone, "../etc", SOME_ZONE),
        (values.timezone, "Mars/Base", SOME_ZONE),
        (values.cron, "hourly", SOME_CRON),
        (values.cron, "* * * *", SOME_CRON),
        (values.cron, "60 * * * *", SOME_CRON),
        (values.cron, "٣ * * * *", SOME_CRON),
        (values.cron, "0 0 30 2 *", SOME_CRON),
        (values.cron, "0 0 * * 8", SOME_CRON),
        (values.cron, "0 0 * * 5-1", SOME_CRON),
        (values.cron, "0 0 * * */0", SOME_CRON),
        (values.cron, "0 0 * * mon-5", SOME_CRON),
        (values.cron, "0 0 * jan-mar/2 *", SOME_CRON),
        (values.cron, 5, SOME_CRON),
    ],
)
def test_another_value_is_refused_in_plain_words(
    read: Callable[[object], object], written: object, expected: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        read(written)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("7 * * * *", "7 * * * *"),
        (" */15  6-9 1,15 jan-mar MON-fri ", "*/15 6-9 1,15 jan-mar mon-fri"),
    ],
)
def test_a_cron_expression_is_kept_as_written_but_for_case_and_spaces(written: str, kept: str) -> None:
    assert values.cron(written) == kept


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://example.org/feed", "HTTPS://Example.org:443/feed#top", True),
        ("http://example.org", "http://example.org:80/", True),
        ("http://example.org/", "https://example.org/", False),
        ("http://example.org/feed", "http://example.org/Feed", False),
        ("http://example.org/feed", "http://example.org/feed?a=1", False),
        ("http://example.org/", "http://example.org:8080/", False),
    ],
)
def test_two_spellings_are_one_address(one: str, other: str, same: bool) -> None:
    assert (addresses.address(one) == addresses.address(other)) is same
