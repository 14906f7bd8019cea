"""The commented kzfeed.toml that `kzfeed init` writes, with the default of every setting."""

import re
from datetime import timedelta
from typing import Any, Final

from kzfeed.config.settings import Settings
from kzfeed.config.toml_values import toml_item
from kzfeed.config.values import duration_text

_TEMPLATE: Final = """\
# The configuration of kzfeed. Every setting has its default value here, except the path of the database. kzfeed reads
# the file of --config, else of $KZFEED_CONFIG, else ./kzfeed.toml, else /etc/kzfeed/kzfeed.toml. Each setting has an
# environment variable that wins over it, named after section and key: KZFEED_DATABASE_URL, KZFEED_HTTP_MAX_BODY, ...
# KZFEED_HOSTS and KZFEED_SOURCES hold all hosts and all sources as JSON. A variable such as KZFEED_DATABASE_URL_FILE
# names a file that holds the value, and wins over both.
#
# The daemon reads this file again when it changes. `kzfeed sources add URL`, `set`, `remove` … change it in place, and
# `kzfeed config check` finds mistakes in it.
#
# Durations: "90s", "15m", "1h30m", "2d". Sizes: "64KiB", "15MiB" or a number of bytes.

# Lists of sources, relative to the folder of this file: TOML files with [[sources]], or OPML files of feed readers.
# include = ["sources.d/*.toml", "feeds.opml"]

[database]
# An SQLite file; the default is "sqlite:///kzfeed.db", in the working directory. An absolute path has four slashes.
# PostgreSQL: "postgresql://user:password@host/name". If this file holds a password, only kzfeed should be able to read
# it. In a password write "@" as %40, "/" as %2F, "?" as %3F and "#" as %23.
url =

[http]
# A URL or an e-mail address at which the operators of servers reach you, sent in the User-Agent. Please set it.
contact =
# The longest duration of a whole visit, from the request to the last byte.
timeout =
connect_timeout =
# The largest size of a document after decompression. A larger document fails: nothing is cut off.
max_body =
max_headers =
max_redirects =
# The shortest time between two requests to one host.
host_gap =
# The shortest time between two polls of one source, whatever its interval.
min_interval =
# The longest interval that every = "auto" chooses.
max_interval =
# How many visits run at the same time, if the limit of open files allows as many.
max_connections =
# The proxy for all sources: http://, https:// or socks5h://, with NAME:PASSWORD@ if it needs them; "" means no proxy.
# Without this line, the environment variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY decide. A source may have
# a proxy of its own, or "".
# proxy = "socks5h://127.0.0.1:9050"

[hosts]
# Exceptions for single hosts, whose names are in quotes. gap replaces http.host_gap. connections is the number of
# visits to the host at the same time.
# [hosts."feedx.net"]
# gap = "5s"
# connections = 1

[defaults]
# The interval of sources that have none of their own: a duration, or "auto", which adapts to how often the feed
# publishes, between http.min_interval and http.max_interval.
every =
# The time zone of dates without one.
timezone =

[parse]
# Limits for parsing one document. Beyond them its poll fails.
timeout =
memory =
max_entries =

[archive]
# A folder in which every article is a file too, with lists of the newest ones (docs/folder.md). Without this line there
# is none.
# directory = "articles"
# true: git commits what changes in the folder.
git =
# true: the commits are pushed.
git_push =

[server]
# Where the daemon answers /healthz, /readyz and /metrics (docs/monitoring.md): a port or a Unix socket. Without this
# line it answers nowhere.
# listen = "127.0.0.1:9464"

[web]
# Where `kzfeed web` shows the archive to browsers (docs/web.md): HOST:PORT, or unix:/PATH for a proxy.
# listen = "127.0.0.1:8087"
# Names by which browsers may call it, beside localhost and the loopback addresses, such as "archive.example".
hosts =
# A file of the names and passwords that it asks for; `kzfeed web --new-password NAME` prints a line for it.
# passwords = "passwords"
# true: a proxy in front of it decides who may read the archive.
behind_proxy =

[fleet]
# The servers of NATS through which daemons on several machines share the sources of one PostgreSQL database
# (docs/fleet.md). Without this line there is no fleet. token is what they ask for: { file = "PATH" }.
# servers = ["nats://nats-0.example:4222", "nats://nats-1.example:4222", "nats://nats-2.example:4222"]
# token = { file = "nats-token" }

[maintenance]
# How long each poll has a row of its own; later, polls are summed up by day (docs/reliability.md). 0: for ever.
keep_polls =

[log]
# "console" (readable lines), "json" (JSON lines), or "auto": console on a terminal and json elsewhere.
format =
# "debug", "info", "warning" or "error".
level =

# The sources. Articles are stored under the name of their source, so do not change it later. Beside name and url, a
# source may have a title, a timezone, a proxy, an interval (every = "30m", every = "auto" or cron = "7 * * * *"),
# tags = ["News/Asia"] (the folders of a feed reader), and enabled = false, with which it is not polled.
# docs/sources.md has all that it may have, such as filters, credentials and headers.
# full_text = "css:div.post-content" archives the text of the article's page, with a CSS selector or "auto". For odd
# feeds there are link_from = "guid", content_from = ["content:encoded", "description"] and encoding = "gb18030".
# `sources = []` at the top of the file means none; without any [[sources]], those of the database stay.
#
# [[sources]]
# name = "bbc"
# title = "BBC 中文"
# url = "https://feedx.net/rss/bbc.xml"
# timezone = "Asia/Shanghai"
"""
"""The text, in which each setting with a default is a line with its key alone. The defaults are those of Settings."""


def template(database_url: str) -> str:
    """The text of the file, with this database."""
    defaults = Settings()
    section = ""

    def filled(line: str) -> str:
        nonlocal section
        if line.startswith("["):
            section = line.strip("[]")
        if not (match := re.fullmatch(r"(\w+) =", line)):
            return line
        url = (section, match[1]) == ("database", "url")
        value = database_url if url else getattr(getattr(defaults, section), match[1])
        return f"{line} {toml_item(_written(value)).as_string()}"

    return "\n".join(map(filled, _TEMPLATE.split("\n")))


def _written(value: Any) -> Any:
    """The value as a person writes it."""
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, int) and not isinstance(value, bool):
        for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if value and value % size == 0:
                return f"{value // size}{unit}"
    return value
