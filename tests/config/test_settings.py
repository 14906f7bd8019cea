"""kzfeed.toml and KZFEED_*: what they may say, who wins, and how a mistake is told."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from kzfeed.config import files as reading
from kzfeed.config.files import ConfigFileError
from kzfeed.config.load import ConfigErrors, colours_wanted, load
from kzfeed.config.settings import HostSettings, Settings
from kzfeed.errors import ConfigError
from kzfeed.model.articles import FeedReading

WHOLE_FILE = """
[database]
url = "postgresql://archivist@db.example/archive"
[http]
contact = "https://example.org/about-our-archive"
timeout = "20s"
connect_timeout = "500ms"
max_body = "2GiB"
max_headers = "64kB"
max_redirects = 0
host_gap = "0s"
min_interval = "1h30m"
max_interval = "7d"
max_connections = 7
proxy = "http://me:hunter2@proxy.example:3128"
[hosts."feedx.net"]
gap = "5s"
connections = 2
[hosts.localhost]
gap = "0s"
[defaults]
every = "2d"
timezone = "Europe/Paris"
[parse]
timeout = "1m5s"
memory = 1048576
max_entries = 10
[archive]
directory = "articles"
git = true
git_push = true
[server]
listen = "[::1]:9464"
[log]
format = "json"
level = "debug"
[[sources]]
name = "voa"
title = "美国之音"
url = "https://feedx.net/rss/mgzy1.xml"
every = "30m"
timezone = "Asia/Shanghai"
[[sources]]
name = "bbc.2_x-y"
url = "http://127.0.0.1:8080/bbc.xml?a=1"
cron = "7 * * * *"
"""

SOURCE = '[[sources]]\nname = "voa"\nurl = "https://example.org/feed"\n'

Read = Callable[..., Settings]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, on a machine that has no kzfeed.toml of its own."""
    monkeypatch.setattr(reading, "SYSTEM_FILE", tmp_path / "etc" / "kzfeed.toml")
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def read(folder: Path) -> Read:
    def read(text: str, environ: dict[str, str] | None = None, *, database: str | None = None) -> Settings:
        (folder / "kzfeed.toml").write_text(text, encoding="utf-8")
        return load(database=database, environ=environ or {}, cwd=folder)

    return read


def mistakes(read: Read, text: str, environ: dict[str, str] | None = None, **rest: Any) -> list[str]:
    """What is said of a file, a line a mistake."""
    with pytest.raises(ConfigError) as caught:
        read(text, environ, **rest)
    return str(caught.value).splitlines()


# --- what a file may say ---------------------------------------------------------------------------------------------


def test_without_a_file_three_mirrors_are_polled_into_a_local_database(folder: Path) -> None:
    settings = load(environ={}, cwd=folder)
    assert settings.origin == "built-in defaults"
    assert settings.database.url == "sqlite:///kzfeed.db"
    assert [(source.name, source.title, source.url) for source in settings.source_configs()] == [
        ("voa", "美国之音", "https://feedx.net/rss/mgzy1.xml"),
        ("bbc", "BBC 中文", "https://feedx.net/rss/bbc.xml"),
        ("rfi", "法广", "https://feedx.net/rss/rfi.xml"),
    ]
    assert {(source.every, source.timezone) for source in settings.source_configs()} == {
        (timedelta(hours=1), "Asia/Shanghai")
    }


def test_the_limits_without_a_file_are_those_of_the_agreement(folder: Path) -> None:
    settings = load(environ={}, cwd=folder)
    assert settings.http.model_dump() == {
        "contact": "",
        "timeout": timedelta(seconds=30),
        "connect_timeout": timedelta(seconds=10),
        "max_body": 15 * 1024 * 1024,
        "max_headers": 64 * 1024,
        "max_redirects": 5,
        "host_gap": timedelta(seconds=1),
        "min_interval": timedelta(minutes=15),
        "max_interval": timedelta(hours=2),
        "max_connections": 100,
        "proxy": None,
    }
    assert settings.parse.model_dump() == {
        "timeout": timedelta(seconds=10),
        "memory": 512 * 1024 * 1024,
        "max_entries": 5000,
    }


def test_every_setting_can_stand_in_the_file(read: Read, folder: Path) -> None:
    settings = read(WHOLE_FILE)
    assert settings.origin == str(folder / "kzfeed.toml")
    assert settings.database.url == "postgresql://archivist@db.example/archive"
    assert settings.http.model_dump() == {
        "contact": "https://example.org/about-our-archive",
        "timeout": timedelta(seconds=20),
        "connect_timeout": timedelta(milliseconds=500),
        "max_body": 2 * 1024**3,
        "max_headers": 64_000,
        "max_redirects": 0,
        "host_gap": timedelta(0),
        "min_interval": timedelta(hours=1, minutes=30),
        "max_interval": timedelta(days=7),
        "max_connections": 7,
        "proxy": "http://me:hunter2@proxy.example:3128",
    }
    assert settings.parse.model_dump() == {"timeout": timedelta(seconds=65), "memory": 1048576, "max_entries": 10}
    assert settings.hosts == {
        "feedx.net": HostSettings(gap=timedelta(seconds=5), connections=2),
        "localhost": HostSettings(gap=timedelta(0)),
    }
    assert settings.archive.model_dump() == {"directory": Path("articles"), "git": True, "git_push": True}
    assert settings.server.model_dump() == {"listen": ("::1", 9464)}
    assert settings.log.model_dump() == {"format": "json", "level": "debug"}


def test_a_source_takes_from_the_defaults_what_it_does_not_say(read: Read) -> None:
    voa, bbc = read(WHOLE_FILE).source_configs()
    assert (voa.every, voa.cron, voa.timezone) == (timedelta(minutes=30), None, "Asia/Shanghai")
    assert (bbc.every, bbc.cron, bbc.timezone) == (timedelta(days=2), "7 * * * *", "Europe/Paris")
    assert bbc.title is None


def test_a_file_without_sources_has_none_and_says_nothing_about_them(read: Read) -> None:
    without, empty, none = read('[log]\nlevel = "error"'), read("sources = []"), Settings()
    assert without.source_configs() == empty.source_configs() == ()
    assert [each.names_sources for each in (without, empty, none)] == [False, True, False]


def test_settings_do_not_change_and_can_be_compared(read: Read) -> None:
    settings = read(WHOLE_FILE)
    assert settings == read(WHOLE_FILE)
    with pytest.raises(ValueError, match="frozen"):
        settings.http.timeout = timedelta(0)
    with pytest.raises(ValueError, match="frozen"):
        settings.sources = ()


def test_settings_made_directly_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KZFEED_LOG_LEVEL", "error")
    assert Settings().log.level == "info"


def test_a_source_may_find_its_own_rhythm(read: Read) -> None:
    text = '[defaults]\nevery = "auto"\n[[sources]]\nname = "{}"\nurl = "https://example.org/{}"\n{}\n'
    every = read(text.format("a", "a", 'every = "2h"')).source_configs()[0]
    cron = read(text.format("a", "a", 'cron = "7 * * * *"')).source_configs()[0]
    silent = read(text.format("a", "a", "")).source_configs()[0]
    own = read(f'{SOURCE}every = "auto"').source_configs()[0]
    assert (every.auto, every.every) == (False, timedelta(hours=2))
    assert (cron.auto, cron.cron) == (False, "7 * * * *")
    assert (silent.auto, silent.every) == (own.auto, own.every) == (True, timedelta(hours=1))


def test_a_host_is_as_all_others_where_it_says_nothing_else(read: Read) -> None:
    settings = read('[hosts."FeedX.net"]')
    assert (settings.hosts["feedx.net"].gap, settings.hosts["feedx.net"].connections) == (None, 1)


def test_a_byte_order_mark_is_not_a_mistake(read: Read) -> None:
    assert read('\ufeff[log]\nlevel = "error"').log.level == "error"


# --- which file, which value -----------------------------------------------------------------------------------------


def test_the_file_is_the_argument_then_the_variable_then_here_then_the_system_s(folder: Path) -> None:
    argument, variable, here, system = (
        folder / "argument.toml",
        folder / "variable.toml",
        folder / "kzfeed.toml",
        reading.SYSTEM_FILE,
    )
    system.parent.mkdir()
    for path in (argument, variable, here, system):
        path.write_text("sources = []")
    environ = {"KZFEED_CONFIG": "variable.toml"}
    assert load(Path("argument.toml"), environ=environ, cwd=folder).origin == str(argument)
    assert load(environ=environ, cwd=folder).origin == str(variable)
    assert load(environ={"KZFEED_CONFIG": ""}, cwd=folder).origin == str(here)
    here.unlink()
    assert load(environ={}, cwd=folder).origin == str(system)


def test_the_process_s_own_directory_and_environment_are_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "kzfeed.toml").write_text("sources = []")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KZFEED_LOG_LEVEL", "error")
    settings = load()
    assert (settings.origin, settings.log.level) == (str(folder / "kzfeed.toml"), "error")


def test_the_argument_beats_the_variable_beats_the_file(read: Read) -> None:
    text = 'database.url = "sqlite:///file.db"'
    environ = {"KZFEED_DATABASE_URL": "sqlite:///variable.db"}
    assert read(text).database.url == "sqlite:///file.db"
    assert read(text, environ).database.url == "sqlite:///variable.db"
    assert read(text, environ, database="sqlite:///argument.db").database.url == "sqlite:///argument.db"


def test_a_variable_replaces_one_key_and_leaves_the_rest_of_its_table(read: Read) -> None:
    settings = read('[http]\ntimeout = "5s"\nmax_body = 99', {"KZFEED_HTTP_TIMEOUT": "6s"})
    assert (settings.http.timeout, settings.http.max_body) == (timedelta(seconds=6), 99)


@pytest.mark.parametrize("nothing", ["0", '"0"', '"0d"'])
def test_polls_are_kept_for_ever_with_0(read: Read, nothing: str) -> None:
    assert read(f"maintenance.keep_polls = {nothing}").maintenance.keep_polls == timedelta()


def test_an_empty_variable_counts_as_unset(read: Read) -> None:
    assert read('[log]\nlevel = "error"', {"KZFEED_LOG_LEVEL": "", "KZFEED_SOURCES": ""}).log.level == "error"


def test_a_file_that_a_variable_names_holds_the_value(read: Read, tmp_path: Path) -> None:
    """As systemd's credentials and the secrets of containers come."""
    secret = tmp_path / "database-url"
    secret.write_text("postgresql://me:hunter2@db.example/archive\n", "utf-8")
    environ = {"KZFEED_DATABASE_URL_FILE": str(secret), "KZFEED_DATABASE_URL": "sqlite:///variable.db"}
    assert read("", environ).database.url == "postgresql://me:hunter2@db.example/archive"
    assert read("", environ, database="sqlite:///argument.db").database.url == "sqlite:///argument.db"


def test_a_file_that_a_variable_names_and_that_cannot_be_read_is_a_mistake(read: Read, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    said = mistakes(read, "", {"KZFEED_DATABASE_URL_FILE": str(missing), "KZFEED_HTTP_TIMEOUT": "5"})
    assert said == [
        f"environment: KZFEED_DATABASE_URL_FILE = '{missing}': expected a secret in the file {missing}, "
        "which cannot be read: No such file or directory",
        f"environment variable KZFEED_HTTP_TIMEOUT: http.timeout = '5': expected {SOME_DURATION}",
    ]


def test_a_bad_value_in_a_file_that_a_variable_names_is_not_repeated_with_its_password(
    read: Read, tmp_path: Path
) -> None:
    secret = tmp_path / "database-url"
    secret.write_text("mysql://me:hunter2@db.example/archive", "utf-8")
    (said,) = mistakes(read, "", {"KZFEED_DATABASE_URL_FILE": str(secret)})
    assert said.startswith("environment variable KZFEED_DATABASE_URL_FILE: database.url = ")
    assert "hunter2" not in said


def all_keys() -> Iterator[tuple[str, ...]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, key) for key in field.annotation.model_fields)
        else:
            yield (name,)


TEXTS = {
    ("database", "url"): ("sqlite:///other.db", "sqlite:///other.db"),
    ("http", "proxy"): ("socks5h://proxy.example", "socks5h://proxy.example"),
    ("http", "contact"): ("archive@example.org", "archive@example.org"),
    ("archive", "directory"): ("articles", Path("articles")),
    ("archive", "git"): ("true", True),
    ("archive", "git_push"): ("true", True),
    ("server", "listen"): ("unix:/run/kzfeed/monitors.sock", Path("/run/kzfeed/monitors.sock")),
    ("web", "listen"): ("unix:/run/kzfeed/web.sock", Path("/run/kzfeed/web.sock")),
    ("web", "hosts"): ("archive.example ARCHIVE.example.org", ("archive.example", "archive.example.org")),
    ("web", "passwords"): ("passwords", "passwords"),
    ("web", "behind_proxy"): ("true", True),
    ("fleet", "servers"): ("nats://a.example tls://b.example:4222", ("nats://a.example", "tls://b.example:4222")),
    ("fleet", "token"): ("secret", "secret"),
    ("defaults", "timezone"): ("Asia/Taipei", "Asia/Taipei"),
    ("log", "format"): ("console", "console"),
    ("log", "level"): ("error", "error"),
    ("hosts",): ('{"feedx.net": {"gap": "5s"}}', {"feedx.net": HostSettings(gap=timedelta(seconds=5))}),
    ("sources",): ("[]", ()),
}


NEEDED: dict[tuple[str, ...], dict[str, str]] = {
    ("archive", "git"): {"KZFEED_ARCHIVE_DIRECTORY": "articles"},
    ("archive", "git_push"): {"KZFEED_ARCHIVE_DIRECTORY": "articles", "KZFEED_ARCHIVE_GIT": "true"},
}
"""The variables that a setting needs beside its own."""


@pytest.mark.parametrize("key", list(all_keys()), ids=".".join)
def test_every_setting_can_be_set_by_a_variable(folder: Path, key: tuple[str, ...]) -> None:
    """A new setting is tried too; one that is text needs a value in TEXTS."""

    def value_of(settings: Settings) -> Any:
        value: Any = settings
        for part in key:
            value = getattr(value, part)
        return value

    before = value_of(load(environ={}, cwd=folder))
    numbers = {int: ("7700000", 7_700_000), timedelta: ("77s", timedelta(seconds=77))}
    written, expected = TEXTS[key] if key in TEXTS else numbers[type(before)]
    environ = {"KZFEED_" + "_".join(key).upper(): written, **NEEDED.get(key, {})}
    after = value_of(load(environ=environ, cwd=folder))
    assert after == expected != before


def test_sources_in_a_variable_are_a_json_list_of_tables(read: Read) -> None:
    value = '[{"name": "a", "title": "法广", "url": "https://example.org/", "every": "2h"}]'
    (source,) = read(SOURCE, {"KZFEED_SOURCES": value}).source_configs()
    assert (source.name, source.title, source.every) == ("a", "法广", timedelta(hours=2))


def test_hosts_in_a_variable_replace_those_of_the_file(read: Read) -> None:
    settings = read("[hosts.localhost]\nconnections = 3", {"KZFEED_HOSTS": '{"feedx.net": {"connections": 2}}'})
    assert settings.hosts == {"feedx.net": HostSettings(connections=2)}


# --- mistakes --------------------------------------------------------------------------------------------------------

SOME_DURATION = 'a duration such as "30s" or "1h30m"'
SOME_SIZE = 'a size from 1 to 1024GiB, such as "15MiB", "500kB" or a number of bytes'
SOME_DATABASE = '"sqlite:///FILE" or "postgresql://USER@HOST/NAME"'
SOME_CONTACT = 'a URL or an e-mail address in ASCII, without brackets, of at most 200 characters, or ""'
SOME_URL = "an http or https URL with a host"
SOME_HOST = 'a host such as "feedx.net", without scheme and port'
SOME_NAME = "1 to 64 small letters of any script, digits, '.', '_' and '-', and no '.' or '-' first"
SOME_CRON = 'crontab fields (minute, hour, day, month, weekday) that match some date, such as "7 * * * *"'
SOME_ZONE = 'an IANA time zone such as "UTC" or "Asia/Shanghai"'
SOME_LISTENER = '"HOST:PORT" such as "127.0.0.1:9464" or "[::1]:9464", or "unix:/PATH" of at most 107 bytes'
SOURCE_LIST = 'a list of tables: [[sources]] in a file, [{"name": …}, …] in KZFEED_SOURCES'
HOST_TABLE = 'a table of hosts: [hosts."feedx.net"] in a file, {"feedx.net": …} in KZFEED_HOSTS'


FULL_TEXT = '"css:SELECTOR", for example "css:div.post-content", or "auto"'
SOURCE_MISTAKES = [
    ('full_text = "div.post"', f"full_text = 'div.post': expected {FULL_TEXT}"),
    ('full_text = "css:"', f"full_text = 'css:': expected {FULL_TEXT}"),
    (
        'full_text = "css:div["',
        f"full_text = 'css:div[': expected {FULL_TEXT}; the selector is wrong: "
        "Malformed attribute selector at position 3",
    ),
    (
        f'full_text = "css:{"a," * 501}b"',
        f"full_text = 'css:{'a,' * 46}a...': expected a CSS selector of at most 1,000 characters",
    ),
    ('link_from = "id"', "link_from = 'id': expected one of 'link' or 'guid'"),
    (
        'content_from = "description"',
        "content_from = 'description': expected a list of fields as the feed names them, "
        'such as ["content:encoded", "description"]',
    ),
    ('encoding = "gb19"', 'encoding = \'gb19\': expected the name of an encoding such as "gb18030" or "windows-1251"'),
]


@pytest.mark.parametrize(("text", "said"), SOURCE_MISTAKES)
def test_a_wrong_value_of_a_source_is_told_with_what_was_expected(
    read: Read, folder: Path, text: str, said: str
) -> None:
    assert mistakes(read, SOURCE + text) == [f"{folder / 'kzfeed.toml'}, line 1: sources.voa.{said}"]


def test_a_source_says_where_the_full_text_is_and_how_an_odd_feed_is_read(read: Read) -> None:
    text = 'full_text = "css: div.post-content"\nlink_from = "guid"\nencoding = "GB18030"\n'
    (source,) = read(SOURCE + text + 'content_from = ["content:encoded", "description"]').source_configs()

    assert source.full_text == "css:div.post-content"
    assert source.reading == FeedReading("guid", ("content:encoded", "description"), "gb18030")


def test_auto_without_trafilatura_says_what_to_install(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(SOURCE + 'full_text = "auto"').source_configs()[0].full_text == "auto"

    monkeypatch.setitem(sys.modules, "trafilatura", None)
    (said,) = mistakes(read, SOURCE + 'full_text = "auto"')
    assert 'pip install "kzfeed[fulltext]"' in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http.timeout = 30", f"http.timeout = 30: expected {SOME_DURATION}"),
        ('http.connect_timeout = "0s"', f"http.connect_timeout = '0s': expected {SOME_DURATION}, longer than 0"),
        ('http.host_gap = "-1s"', f"http.host_gap = '-1s': expected {SOME_DURATION}"),
        ("http.min_interval = 1.5", f"http.min_interval = 1.5: expected {SOME_DURATION}"),
        ('http.max_interval = "0s"', f"http.max_interval = '0s': expected {SOME_DURATION}, longer than 0"),
        ('defaults.every = "0s"', f"defaults.every = '0s': expected \"auto\" or {SOME_DURATION}, longer than 0"),
        ('parse.timeout = "3651d"', f"parse.timeout = '3651d': expected {SOME_DURATION}, of at most 3650d"),
        ("http.max_body = true", f"http.max_body = True: expected {SOME_SIZE}"),
        ("http.max_headers = 0", f"http.max_headers = 0: expected {SOME_SIZE}"),
        ('parse.memory = "2000GiB"', f"parse.memory = '2000GiB': expected {SOME_SIZE}"),
        ("http.max_redirects = -1", "http.max_redirects = -1: expected a whole number from 0 up"),
        (
            'maintenance.keep_polls = "long"',
            f"maintenance.keep_polls = 'long': expected {SOME_DURATION}, or 0 for ever",
        ),
        ('server.listen = "9464"', f"server.listen = '9464': expected {SOME_LISTENER}"),
        (
            'fleet.servers = ["http://nats.example"]',
            "fleet.servers = a list: expected URLs such as "
            '["nats://a.example:4222", "nats://b.example:4222"], without a password',
        ),
        ("fleet.token = 7", "fleet.token = …: expected text in ASCII, in one line that is not empty"),
        ("http.max_connections = 0", "http.max_connections = 0: expected a whole number from 1 up"),
        ("parse.max_entries = 0", "parse.max_entries = 0: expected a whole number from 1 up"),
        ("archive.git = 1", "archive.git = 1: expected true or false"),
        ('archive.directory = ""', "archive.directory = '': expected text that is not empty"),
        ("archive.git = true", "archive = a table: expected directory where there is git = true"),
        (
            'archive = { directory = "a", git_push = true }',
            "archive = a table: expected git where there is git_push = true",
        ),
        ('http.contact = "a@b)\\r\\nX: y"', f"http.contact = 'a@b)\\r\\nX: y': expected {SOME_CONTACT}"),
        ('database.url = "kzfeed.db"', f"database.url = 'kzfeed.db': expected {SOME_DATABASE}"),
        ("database.url = 5", f"database.url = 5: expected {SOME_DATABASE}"),
        (
            'defaults.timezone = "Asia/Shangai"',
            f"defaults.timezone = 'Asia/Shangai': expected {SOME_ZONE} (the nearest is Asia/Shanghai)",
        ),
        ('log.level = "INFO"', "log.level = 'INFO': expected one of 'debug', 'info', 'warning' or 'error'"),
        ('log.format = "xml"', "log.format = 'xml': expected one of 'auto', 'console' or 'json'"),
        ("http = 5", "http = 5: expected a table"),
        ("sources = 5", f"sources = 5: expected {SOURCE_LIST}"),
        ('[sources]\nname = "voa"', f"sources = a table: expected {SOURCE_LIST}"),
        ('sources = ["voa"]', "sources[1] = 'voa': expected a table"),
        ("hosts = 5", f"hosts = 5: expected {HOST_TABLE}"),
        ('hosts."feedx.net" = "5s"', "hosts.feedx.net = '5s': expected a table"),
        ('[hosts."https://feedx.net"]', f"hosts.https://feedx.net = 'https://feedx.net': expected {SOME_HOST}"),
        ("hosts.localhost.gap = 5", f"hosts.localhost.gap = 5: expected {SOME_DURATION}"),
        ("hosts.localhost.connections = 0", "hosts.localhost.connections = 0: expected a whole number from 1 up"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_was_expected(
    read: Read, folder: Path, text: str, said: str
) -> None:
    assert mistakes(read, text) == [f"{folder / 'kzfeed.toml'}: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("every = 60", f'sources.voa.every = 60: expected "auto" or {SOME_DURATION}'),
        ('every = "1h"\ncron = "7 * * * *"', "sources.voa.cron = '7 * * * *': expected no cron beside every: "),
        ('cron = "hourly"', f"sources.voa.cron = 'hourly': expected {SOME_CRON}"),
        ('every = "auto"\ncron = "7 * * * *"', "sources.voa.cron = '7 * * * *': expected no cron beside every: "),
        ('title = " "', "sources.voa.title = ' ': expected text that is not empty"),
        ('timezone = "Mars/Base"', f"sources.voa.timezone = 'Mars/Base': expected {SOME_ZONE}"),
        ("colour = 1", "sources.voa.colour = …: expected one of the keys name, url, title, every, cron, timezone"),
        ("enabled = 1", "sources.voa.enabled = 1: expected true or false"),
        ('tags = "News"', 'sources.voa.tags = \'News\': expected a list of texts such as ["News/Asia", "daily"]'),
        ('tags = ["News", " / "]', "sources.voa.tags = a list: expected tags that are not empty"),
        ('evry = "1h"', "sources.voa.evry = …: expected a known key (did you mean every?)"),
    ],
)
def test_a_mistake_in_a_source_is_told_by_the_source_s_name(read: Read, text: str, said: str) -> None:
    (line,) = mistakes(read, f"{SOURCE}{text}")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "VOA"\nurl = "https://x/"', f"sources[1].name = 'VOA': expected {SOME_NAME}"),
        ('url = "https://x/"', "sources[1].name = nothing: expected a value: every source has a name and a url"),
        ('name = "a"', "sources.a.url = nothing: expected a value: every source has a name and a url"),
        ('name = "a"\nurl = "ftp://x/"', f"sources.a.url = 'ftp://x/': expected {SOME_URL}"),
    ],
)
def test_a_source_needs_a_plain_name_and_a_web_address(read: Read, text: str, said: str) -> None:
    (line,) = mistakes(read, f"[[sources]]\n{text}")
    assert said in line


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ('name = "voa"\nurl = "https://x/"', "sources[2].name = 'voa': expected another name: sources[1] has this one"),
        ('name = "a"\nurl = "HTTPS://Example.org:443/feed#top"', "expected another url: sources[1] has this one"),
    ],
)
def test_two_sources_share_neither_name_nor_address(read: Read, other: str, said: str) -> None:
    (line,) = mistakes(read, f"{SOURCE}[[sources]]\n{other}")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('databse.url = "sqlite:///x.db"', "databse = …: expected a known key (did you mean database?)"),
        ('[[source]]\nname = "voa"', "source = …: expected a known key (did you mean sources?)"),
        ('http.timout = "30s"', "http.timout = …: expected a known key (did you mean timeout?)"),
        ("max_body = 5", "max_body = …: expected a known key (did you mean http.max_body?)"),
        ('http.every = "1h"', "http.every = …: expected a known key (did you mean defaults.every?)"),
        (
            'origin = "x"',
            "expected one of the keys database, http, hosts, defaults, parse, archive, server, web, fleet, "
            "maintenance, log, sources, include",
        ),
        (
            "[hosts.localhost]\nwait = 1",
            "wait = …: expected one of the keys gap, connections, and quotes around the host",
        ),
        ("[hosts.feedx.net]\nx = 1", "net = …: expected one of the keys gap, connections, and quotes around the host"),
    ],
)
def test_an_unknown_key_is_told_with_the_key_that_may_be_meant(read: Read, text: str, said: str) -> None:
    (line,) = mistakes(read, text)
    assert line.endswith(said)


def test_all_mistakes_are_told_at_once(read: Read, folder: Path) -> None:
    text = f'[http]\ntimeout = 30\n[log]\ncolour = true\n{SOURCE}every = "0s"\n{SOURCE}'
    with pytest.raises(ConfigErrors) as caught:
        read(text, {"KZFEED_PARSE_MEMORY": "lots"})
    assert {mistake.key for mistake in caught.value.mistakes} == {
        "http.timeout",
        "log.colour",
        "parse.memory",
        "sources[1].every",
        "sources[2].name",
        "sources[2].url",
    }
    assert str(caught.value).count("\n") == 5
    assert caught.value.exit_code == 2
    assert {mistake.origin for mistake in caught.value.mistakes} == {
        str(folder / "kzfeed.toml"),
        "environment variable KZFEED_PARSE_MEMORY",
    }


def test_a_mistake_in_a_variable_names_the_variable(read: Read) -> None:
    said = mistakes(read, 'http.timeout = "5s"', {"KZFEED_HTTP_TIMEOUT": "5"})
    assert said == [f"environment variable KZFEED_HTTP_TIMEOUT: http.timeout = '5': expected {SOME_DURATION}"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KZFEED_SOURCES", "[}", f"sources = '[}}': expected {SOURCE_LIST}"),
        ("KZFEED_SOURCES", "[" * 100_000, "sources = '[[["),
        ("KZFEED_SOURCES", "null", f"sources = None: expected {SOURCE_LIST}"),
        ("KZFEED_SOURCES", "{}", f"sources = a table: expected {SOURCE_LIST}"),
        (
            "KZFEED_SOURCES",
            '[{"name": "a", "url": "https://x/", "every": 5}]',
            'sources.a.every = 5: expected "auto" or ',
        ),
        ("KZFEED_HOSTS", "feedx.net", f"hosts = 'feedx.net': expected {HOST_TABLE}"),
        ("KZFEED_HOSTS", "[]", f"hosts = a list: expected {HOST_TABLE}"),
        ("KZFEED_HOSTS", '{"a": {"gap": 5}}', f"hosts.a.gap = 5: expected {SOME_DURATION}"),
    ],
)
def test_a_mistake_in_a_variable_of_tables_names_it_too(read: Read, variable: str, value: str, said: str) -> None:
    (line,) = mistakes(read, SOURCE, {variable: value})
    assert line.startswith(f"environment variable {variable}: {said}")


def test_a_mistake_in_an_argument_names_the_argument(read: Read) -> None:
    assert mistakes(read, "", database="mysql://host/name") == [
        f"--database: database.url = 'mysql://host/name': expected {SOME_DATABASE}"
    ]
    assert mistakes(read, "", {"KZFEED_DATABASE_URL": "sqlite:///x.db"}, database="")[0].startswith("--database: ")


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("KZFEED_HTTP_TIMOUT", "KZFEED_HTTP_TIMEOUT"),
        ("KZFEED_DATABASE", "KZFEED_DATABASE_URL"),
        ("KZFEED_CONFG", "KZFEED_CONFIG"),
        ("KZFEED_Log_Level", "KZFEED_LOG_LEVEL"),
    ],
)
def test_an_unknown_variable_is_told_with_the_nearest_known_one(read: Read, variable: str, nearest: str) -> None:
    assert mistakes(read, "", {variable: "x", "PATH": "/bin"}) == [
        f"environment: {variable} = …: expected the name of a setting (the nearest is {nearest})"
    ]


# --- files that cannot be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem", "place"),
    [
        (b'[log]\nlevel = "info\n', "not TOML: ", " (at line 2, column 14)"),
        (b"[log]\nlevel = \n", "not TOML: Invalid value", " (at line 2, column 9)"),
        (b"[log]\n[log]\n", "not TOML: ", " (at line 2, column 5)"),
        (b"[log]\na = [1,", "not TOML: Invalid value", " (at end of document)"),
        (b"[log]\n\n# \xff\n", "not UTF-8", " (at line 3)"),
        (b"a = " + b"[" * 5000, "not TOML: ", ""),
        (b"a = " + b"9" * 5000, "not TOML: ", ""),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_place(folder: Path, content: bytes, problem: str, place: str) -> None:
    path = folder / "kzfeed.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigFileError) as caught:
        load(environ={}, cwd=folder)
    said = str(caught.value)
    assert said.startswith(f"{path}: {problem}")
    assert said.endswith(place)
    assert len(said.splitlines()) == 1


def test_a_file_that_was_named_must_exist(folder: Path) -> None:
    (folder / "kzfeed.toml").write_text("sources = []")
    with pytest.raises(ConfigFileError, match=r"other\.toml: no such file \(named by --config\)"):
        load(Path("other.toml"), environ={}, cwd=folder)
    with pytest.raises(ConfigFileError, match=r"other\.toml: no such file \(named by KZFEED_CONFIG\)"):
        load(environ={"KZFEED_CONFIG": "other.toml"}, cwd=folder)


def test_a_folder_is_not_passed_over_in_silence(folder: Path) -> None:
    (folder / "kzfeed.toml").mkdir()
    with pytest.raises(ConfigFileError, match=r"kzfeed\.toml: cannot be read: "):
        load(environ={}, cwd=folder)


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ('database.url = "mysql://user:hunter2@host/name"', {}),
        ('database.url = "mysql://user:hun@hunter2/hunter2@host/name"', {}),
        ('database.url = "mysql://user:/hunter2@host/name"', {}),
        ('database.url = "user:hunter2@host/name"', {}),
        ('database.url = "postgresql:/user:hunter2@host/name"', {}),
        ('database = "postgresql://user:hunter2@host/name"', {}),
        ('databse.url = "postgresql://user:hunter2@host/name"', {}),
        ('database.password = "hunter2"', {}),
        ('database.url = "postgresql://user:hunter2@host/name', {}),
        ('[[sources]]\nname = "a"\nurl = "ftp://user:hunter2@host/"', {}),
        ('[[sources]]\nname = "a"\nurl = "https://user:hunter2@host:x/"', {}),
        (
            '[[sources]]\nname = "a"\nurl = "https://u:hunter2@h/"\n'
            '[[sources]]\nname = "b"\nurl = "https://u:hunter2@h/"',
            {},
        ),
        ("", {"KZFEED_DATABASE_URL": "mysql://user:hunter2@host/name"}),
        ("", {"KZFEED_SOURCES": '[{"name": "a", "url": "https://user:hunter2@host/"'}),
        ("", {"KZFEED_SOURCES": '{"name": "a", "url": "https://user:hunter2@host/"}'}),
        ("", {"KZFEED_DATABASE_PASSWORD": "hunter2"}),
        ("", {"KZFEED_SOURCES": "[{name: a, url: https://user:/hun@hunter2/hunter2@host/"}),
        ("", {"KZFEED_HOSTS": '{"https://user:hunter2@host/": {}}'}),
        ('hosts."https://user:hunter2@host/".gap = 5', {}),
        ('hosts."user:hunter2@host" = 5', {}),
    ],
)
def test_no_password_is_ever_part_of_an_error(read: Read, text: str, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, environ)
    error = caught.value
    assert "hunter2" not in f"{error} {error!r} {vars(error)}"
    assert error.__context__ is None  # a traceback shows nothing of the libraries' own words


def test_settings_that_are_printed_show_no_address_with_a_password(read: Read) -> None:
    settings = read('database.url = "postgresql://user:hunter2@host/name"\n' + SOURCE.replace("//", "//u:hunter2@"))
    assert settings.sources[0].url == "https://u:hunter2@example.org/feed"
    assert "hunter2" not in repr(settings)


def test_an_at_sign_in_a_path_is_no_secret(read: Read) -> None:
    source = '[[sources]]\nname = "{}"\nurl = "https://medium.com/feed/@author"\n'
    (line,) = mistakes(read, source.format("a") + source.format("b"))
    assert "'https://medium.com/feed/@author'" in line


def test_a_long_value_is_shortened(read: Read) -> None:
    (line,) = mistakes(read, f'log.level = "{"x" * 5000}"')
    assert len(line) < 400


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_no_color_turns_colours_off_when_it_says_anything(value: str | None, wanted: bool) -> None:
    assert colours_wanted({} if value is None else {"NO_COLOR": value}) is wanted


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def test_variables_that_kubernetes_sets_for_a_service_called_kzfeed_are_ignored(tmp_path: Path) -> None:
    of_kubernetes = {
        "KZFEED_PORT": "tcp://10.0.0.1:80",
        "KZFEED_PORT_80_TCP": "tcp://10.0.0.1:80",
        "KZFEED_PORT_80_TCP_ADDR": "10.0.0.1",
        "KZFEED_SERVICE_HOST": "10.0.0.1",
        "KZFEED_SERVICE_PORT_METRICS": "80",
        "KZFEED_WEB_SERVICE_HOST": "10.0.0.2",
    }

    settings = load(environ=of_kubernetes, cwd=tmp_path)

    assert settings.ignored_variables == tuple(sorted(of_kubernetes))
    with pytest.raises(ConfigErrors, match="KZFEED_HTTP_PORT_MAX"):
        load(environ=of_kubernetes | {"KZFEED_HTTP_PORT_MAX": "1"}, cwd=tmp_path)
