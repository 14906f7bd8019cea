"""Identity over time: what sources show poll after poll, and the articles and versions that the archive then holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from kzfeed.article.build import FeedContext, articles_of_feed
from kzfeed.model.articles import Enclosure, Entry, Feed
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from kzfeed.store.queries import article_queries
from tests.store.commits import commit_poll

pytestmark = pytest.mark.slow_on_postgresql

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
LINK = "https://e.example/show"
LONG = "The ferry crossed the cold river at dawn with forty people and a brass band on board, and nobody was late. "
OTHER = "Parliament voted on Thursday about pensions after two days of debate and a walk-out of the opposition bench. "


def item(
    title: str, text: str = "", *, guid: str | None = None, link: str | None = LINK, file: str = "", date: str = ""
) -> Entry:
    return Entry(
        title=title,
        link=link,
        guid=guid,
        content=f"<p>{text}</p>" if text else "",
        enclosures=(Enclosure(f"https://e.example/{file}"),) if file else (),
        dates=(date,) if date else (),
    )


def poll(database: Database, name: str, entries: Sequence[Entry], hour: int) -> Poll:
    now = NOW + timedelta(hours=hour)
    if not sources.load(database, [name]):
        sources.add(database, [SourceConfig(name, f"https://{name}.example/rss")], NOW)
    (source,) = sources.load(database, [name])
    context = FeedContext(base_url=source.url, zone=UTC, now=now)
    articles = articles_of_feed(Feed("rss", entries=tuple(entries)), context)
    after = replace(source, last_document_at=now, window_at=now, last_polled_at=now, last_success_at=now)
    record = Poll(source.id, now, timedelta(), "unchanged", http_status=200, entries=len(entries))
    return commit_poll(database, after, record, articles)


def versions(database: Database, prefix: str = "") -> list[tuple[str, ...]]:
    """The articles of sources with this prefix in the order in which they came, each as what its versions say."""
    chosen = f"source_id IN (SELECT id FROM sources WHERE name LIKE '{prefix}%')"
    older = f"SELECT article_id, revision, title, text FROM revisions WHERE {chosen}"
    newest = f"SELECT id, revision, title, text FROM articles WHERE {chosen}"
    found: dict[int, list[str]] = {}
    with database.read() as connection:
        for row in connection.execute(sa.text(f"{older} UNION ALL {newest} ORDER BY 1, 2")):
            found.setdefault(row[0], []).append(row.title + (f": {row.text[:20]}" if row.text else ""))
    return [tuple(each) for each in found.values()]


@dataclass(frozen=True)
class Scenario:
    """Documents by source, one after the other, and how many versions of how many articles they leave."""

    polls: Sequence[tuple[str, Sequence[Entry]]]
    versions: Sequence[int]


def at_a_time(*entries: Entry) -> list[tuple[str, Sequence[Entry]]]:
    return [("one", [entry]) for entry in entries]


A, B, C = (item(name, guid=name, link=f"https://e.example/{name}") for name in "abc")
EPISODES = [item(f"Episode {n}", f"This is the show. {n}", guid=f"g{n}", file=f"{n}.mp3") for n in range(9)]
NO_GUIDS = [replace(episode, guid=None) for episode in EPISODES]
SAME_TITLE = [item("The show", "Our weekly show", file=f"{n}.mp3") for n in range(9)]

SCENARIOS = {
    "one at a time under one link, everything new": Scenario(at_a_time(*EPISODES), [1] * 9),
    "one at a time, without guids": Scenario(at_a_time(*NO_GUIDS), [1] * 9),
    "one at a time, the same words about another file": Scenario(
        at_a_time(*(replace(each, guid=f"{n}") for n, each in enumerate(SAME_TITLE))), [1] * 9
    ),
    "one at a time, the same words about another file, without guids": Scenario(at_a_time(*SAME_TITLE), [1] * 9),
    "one at a time, other words without guids or files": Scenario(
        at_a_time(item("Ferry", LONG), item("Pensions", OTHER)), [1, 1]
    ),
    "one at a time, and the first comes back": Scenario(at_a_time(*EPISODES[:3], EPISODES[0]), [1, 1, 1]),
    "nine episodes in one document": Scenario([("one", EPISODES)], [1] * 9),
    "nine episodes in one document, polled again": Scenario([("one", EPISODES), ("one", EPISODES)], [1] * 9),
    "nine episodes without guids": Scenario([("one", NO_GUIDS), ("one", NO_GUIDS)], [1] * 9),
    "nine files with one title and without guids": Scenario([("one", SAME_TITLE), ("one", SAME_TITLE)], [1] * 9),
    "files without guids whose window moves on": Scenario(
        [("one", SAME_TITLE[:5]), ("one", SAME_TITLE[3:8]), ("one", SAME_TITLE[6:])], [1] * 9
    ),
    "an entry without a guid that stood alone gets neighbours": Scenario(
        [("one", NO_GUIDS[:1]), ("one", NO_GUIDS[:3]), ("one", NO_GUIDS[1:3]), ("one", NO_GUIDS[:1])], [1, 1, 1]
    ),
    "an entry that stood alone gets neighbours": Scenario(
        [("one", EPISODES[:1]), ("one", EPISODES[:3]), ("one", EPISODES[1:3]), ("one", EPISODES[:1])], [1, 1, 1]
    ),
    "neighbours that stand alone later": Scenario(
        [("one", EPISODES[:3]), ("one", [EPISODES[1]]), ("one", [EPISODES[2]])], [1, 1, 1]
    ),
    "texts under one link without guids": Scenario(
        [("one", [item("T", LONG), item("T", OTHER)]), ("one", [item("T", OTHER)]), ("one", [item("T", LONG)])], [1, 1]
    ),
    "an enclosure that is added, without guids": Scenario(
        at_a_time(item("T", LONG), item("T", LONG, file="1.mp3"), item("T", LONG)), [1]
    ),
    "the same words with and without a file": Scenario(
        [("one", [item("T", LONG, file="1.mp3"), item("T", LONG)])] * 2, [1, 1]
    ),
    "a new guid for the same words": Scenario(at_a_time(item("T", LONG, guid="1"), item("T", LONG, guid="2")), [1]),
    "a new guid for an edit": Scenario(
        at_a_time(item("Ferry", LONG, guid="1"), item("Ferry", LONG + "Later it rained.", guid="2")), [2]
    ),
    "a new guid for an edit of the second under a link": Scenario(
        [
            ("one", [item("Ferry", LONG, guid="1"), item("Pensions", OTHER, guid="2")]),
            ("one", [item("Pensions", OTHER + "It rained.", guid="3"), item("Ferry", LONG, guid="1")]),
        ],
        [1, 2],
    ),
    "a new guid for the same words while the old one stays": Scenario(
        [("one", [item("T", LONG, guid="1")]), ("one", [item("T", LONG, guid="2"), item("T", LONG, guid="1")])], [1]
    ),
    "a new guid for an edit while the old one stays": Scenario(
        [
            ("one", [item("Ferry", LONG, guid="1")]),
            ("one", [item("Ferry", LONG + "It rained.", guid="2"), item("Ferry", LONG, guid="1")]),
        ],
        [1, 1],
    ),
    "an edit under its guid": Scenario(at_a_time(item("T", LONG, guid="1"), item("T", OTHER, guid="1")), [2]),
    "an edit without a guid": Scenario(at_a_time(item("T", LONG), item("T", LONG + "It rained.")), [2]),
    "a guid that is used for another link": Scenario(
        at_a_time(item("T", LONG, guid="1"), item("U", OTHER, guid="1", link="https://e.example/other")), [1, 1]
    ),
    "a feed that begins to write guids": Scenario(at_a_time(item("T", LONG), item("T", LONG, guid="1")), [1]),
    "a feed that ceases to write guids": Scenario(at_a_time(item("T", LONG, guid="1"), item("T", LONG)), [1]),
    "two sources with one link and guids of their own": Scenario(
        [("one", [item("T", LONG, guid="1")]), ("two", [item("T", LONG, guid="x")])] * 2, [1]
    ),
    "two sources in turn with two wordings": Scenario(
        [("one", [item("T", LONG, guid="1")]), ("two", [item("T", LONG + "More.", guid="x")])] * 3, [2]
    ),
    "two sources with other shows under one link": Scenario(
        [("one", [item("Show X", guid="1")]), ("two", [item("Show Y", guid="x")])] * 2, [1, 1]
    ),
    "two sources, one of them with a summary": Scenario(
        [("one", [item("Ferry at dawn", LONG * 3, guid="1")]), ("two", [item("Ferry at dawn", LONG, guid="x")])], [2]
    ),
    "two sources with other words under one link": Scenario(
        [("one", [item("Ferry", LONG, guid="1")]), ("two", [item("Pensions", OTHER, guid="x")])] * 2, [1, 1]
    ),
    "links that differ in a fragment, poll after poll": Scenario(
        at_a_time(*(item("T", LONG, link=f"{LINK}#{n}") for n in range(4))), [1]
    ),
    "links and guids that differ in a fragment, poll after poll": Scenario(
        at_a_time(*(item("T", LONG * n, link=f"{LINK}#{n}", guid=f"{LINK}#{n}") for n in (1, 2))), [2]
    ),
    "links that differ in a fragment at once, with other words": Scenario(
        [("one", [item("Ferry", LONG, link=f"{LINK}#1"), item("Pensions", OTHER, link=f"{LINK}#2")])] * 2, [1, 1]
    ),
    "links that differ in a fragment at once, with the same words": Scenario(
        [("one", [item("T", LONG, link=f"{LINK}#1"), item("T", LONG, link=f"{LINK}#2")])] * 2, [1]
    ),
    "entries without links, by guid": Scenario(
        [("one", [item("T", LONG, guid="1", link=None), item("T", LONG, guid="2", link=None)])] * 2, [1, 1]
    ),
    "entries without links or guids, by content": Scenario(
        [("one", [item("T", LONG, link=None), item("T", OTHER, link=None)])] * 2, [1, 1]
    ),
    "a pinned entry, a window that moves": Scenario([("one", [A, B]), ("one", [A, C]), ("one", [A, B])], [1, 1, 1]),
    "Chinese words, edited under a new guid": Scenario(
        at_a_time(
            item("渡船", "河面结冰前的最后一班渡船载着四十个人过河。", guid="1"),
            item("渡船", "河面结冰前的最后一班渡船载着四十多个人过河。", guid="2"),
        ),
        [2],
    ),
    "Chinese words, others under a new guid": Scenario(
        at_a_time(item("渡船", "河面结冰前的最后一班渡船。", guid="1"), item("养老金", "议会星期四表决。", guid="2")),
        [1, 1],
    ),
}


@pytest.fixture(scope="module")
def archive(shared_database: Database) -> Iterator[Database]:
    """One database for all scenarios, each of which has sources and links of its own, verified at the end."""
    yield shared_database
    findings: list[object] = []
    assert verify(shared_database, findings.append).damage == 0, findings


def elsewhere(entry: Entry, host: str) -> Entry:
    """The entry with its links at this host."""
    link, guid = (each and each.replace("e.example", host) for each in (entry.link, entry.guid))
    return replace(entry, link=link, guid=guid)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_entry_that_was_shown_is_an_article_or_a_version(archive: Database, name: str) -> None:
    scenario, prefix = SCENARIOS[name], f"s{list(SCENARIOS).index(name)}-"
    for hour, (source, entries) in enumerate(scenario.polls):
        poll(archive, prefix + source, [elsewhere(each, f"{prefix}e.example") for each in entries], hour)

    found = versions(archive, prefix)
    assert [len(each) for each in found] == scenario.versions, found


def test_an_enclosure_that_comes_later_leaves_a_row(database: Database) -> None:
    poll(database, "one", [item("T", LONG, guid="1")], 0)
    poll(database, "one", [item("T", LONG, guid="1", file="late.mp3")], 1)

    with database.read() as connection:
        assert connection.execute(sa.text("SELECT url FROM media")).scalars().all() == ["https://e.example/late.mp3"]
    assert [len(each) for each in versions(database)] == [1]


# --- dates -----------------------------------------------------------------------------------------------------------

MONDAY, TUESDAY = "Mon, 10 Jan 2022 08:00:00 GMT", "Tue, 11 Jan 2022 09:00:00 GMT"


def dates(database: Database, table: str = "articles") -> list[tuple[datetime | None, str | None]]:
    stored = tables.metadata.tables[table].c
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(stored.published_at, stored.published_raw))]


def day(raw: str) -> tuple[datetime, str]:
    return datetime.strptime(raw, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC), raw


def test_a_date_that_arrives_later_is_taken_with_its_raw_form(database: Database) -> None:
    poll(database, "one", [item("T", LONG, guid="1", date="some day")], 0)
    poll(database, "one", [item("T", LONG, guid="1", date=MONDAY)], 1)

    assert dates(database) == [day(MONDAY)]
    assert dates(database, "former_dates") == [(None, "some day")]
    assert [len(each) for each in versions(database)] == [1]


def test_a_corrected_date_is_taken_and_the_former_one_is_kept(database: Database) -> None:
    poll(database, "one", [item("T", LONG, guid="1", date=MONDAY)], 0)
    for hour in (1, 2):
        poll(database, "one", [item("T", LONG, guid="1", date=TUESDAY)], hour)

    assert dates(database) == [day(TUESDAY)]
    assert dates(database, "former_dates") == [day(MONDAY)]


def test_a_date_that_becomes_unreadable_changes_nothing(database: Database) -> None:
    poll(database, "one", [item("T", LONG, guid="1", date=MONDAY)], 0)
    poll(database, "one", [item("T", OTHER, guid="1", date="yesterday")], 1)

    assert dates(database) == [day(MONDAY)]
    assert dates(database, "revisions") == [day(MONDAY)]


def test_two_sources_do_not_take_turns_with_their_dates(database: Database) -> None:
    for hour in range(0, 6, 2):
        poll(database, "one", [item("T", LONG, guid="1", date=MONDAY)], hour)
        poll(database, "two", [item("T", LONG, guid="x", date=TUESDAY)], hour + 1)

    assert dates(database) == [day(MONDAY)]
    assert dates(database, "former_dates") == []


def test_each_version_keeps_its_own_date(database: Database) -> None:
    poll(database, "one", [item("T", LONG, guid="1", date=MONDAY)], 0)
    poll(database, "one", [item("T", OTHER, guid="1", date=TUESDAY)], 1)

    assert dates(database) == [day(TUESDAY)]
    assert dates(database, "revisions") == [day(MONDAY)]
    held = article_queries.versions(database, article_queries.find(database, LINK).id)
    assert [(each.published_at, each.published_raw) for each in held] == [day(MONDAY), day(TUESDAY)]
