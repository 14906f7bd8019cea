"""Feeds that grow from poll to poll, and know the entries behind each of their ETags.

A feed shows its next version only after a request with the ETag of the version before, which must be stored by then. So
every archive ends with the same rows whatever happened on the way, and a validator stored without its entries is found.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.faults.web_server import Reply, Request

FIRST_DAY = datetime(2024, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shown:
    """An entry in one version of a feed."""

    number: int
    link: str
    wording: str


def shown(name: str, version: int) -> list[Shown]:
    """The entries of this version, newest first. From version to version the window moves on, entries are revised, and
    some vanish and return.
    """
    entries: list[Shown] = []
    for number in range(max(0, 2 * version - 8), 2 * version + 4):
        age = version - max(0, (number - 2) // 2)
        if number % 5 == 3 and age in (2, 3):
            continue
        wording = f"{name}/{number} in wording {age // 2 if number % 3 == 0 else 0}"
        entries.append(Shown(number, f"http://{name}.example/{number}", wording))
    return entries[::-1]


def document(name: str, version: int, *, padding: int = 0) -> bytes:
    """The version as RSS, with `padding` more words in every article."""
    items = "".join(
        f"<item><title>{name} {entry.number}</title><link>{entry.link}</link><guid>{name}-{entry.number}</guid>"
        f"<pubDate>{FIRST_DAY + timedelta(hours=entry.number):%a, %d %b %Y %H:%M:%S GMT}</pubDate>"
        f"<category>甲</category><category>{entry.number % 4}</category>"
        f'<enclosure url="http://{name}.example/{entry.number}.mp3" type="audio/mpeg" length="9"/>'
        f'<description><![CDATA[<p>{entry.wording}<img src="http://{name}.example/{entry.number}.png"></p>'
        f"<p>{'正文' * padding}</p>]]></description></item>"
        for entry in shown(name, version)
    )
    head = f"<title>{name}</title><link>http://{name}.example/</link><description/>"
    return f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def etag_of(name: str, version: int) -> str:
    return f'"{name}-{version}"'


def unchanged_feed(request: Request) -> Reply:
    """The response of a server whose feeds never change."""
    return Reply(304) if request.etag else Reply(200, document("still", 0), etag='"still"')


@dataclass
class GrowingFeeds:
    """Responses of a server with one feed at each path `/NAME`, from version 0 up to version `last`."""

    names: Sequence[str]
    last: int = 4
    padding: int = 0
    finished: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Reply:
        name = request.path.removeprefix("/")
        with self._lock:
            version = self.versions.setdefault(name, 0)
            if request.etag == etag_of(name, version):
                if version == self.last:
                    self.finished.add(name)
                    return Reply(304, etag=request.etag)
                version = self.versions[name] = version + 1
        return Reply(200, document(name, version, padding=self.padding), etag=etag_of(name, version))

    @property
    def are_finished(self) -> bool:
        """True once a request had the ETag of the last version of every feed."""
        return self.finished == set(self.names)
