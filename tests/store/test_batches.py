"""Many polls in one transaction: they leave what they would leave one after the other, and each stands alone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kzfeed.article import url
from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.errors import DatabaseError
from kzfeed.model.articles import Article, Gap, Media, Tally, WindowComparison, WindowEntry
from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.store import sources, tables
from kzfeed.store.commit import PollCommit, commit_polls, store_files
from kzfeed.store.engine import Database
from kzfeed.store.known_articles import ArticleBatch, find_known
from kzfeed.store.windows import last_windows, select_last_window

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = ("bbc", "rfi", "voa")


def article(number: int = 1, content: str = "<p>正文</p>") -> Article:
    return article_of_file(ArchiveFile(1641922743000 + number, f"第{number}篇", f"https://e.example/{number}", content))


def configured(database: Database, names: Sequence[str] = NAMES) -> list[Source]:
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/rss") for name in names], NOW)
    return sources.load(database)


def commit(source: Source, articles: Sequence[Article] = (), now: datetime = NOW, **more: Any) -> PollCommit:
    after = replace(source, last_polled_at=now, last_document_at=now, window_at=now, next_poll_at=now + HOUR)
    return PollCommit(after, Poll(source.id, now, timedelta(seconds=1), "unchanged"), articles, **more)


def stored(results: Iterable[Poll | DatabaseError]) -> list[Poll]:
    polls = list(results)
    assert [poll for poll in polls if isinstance(poll, DatabaseError)] == []
    return [poll for poll in polls if isinstance(poll, Poll)]


def rows(database: Database, query: str) -> list[Any]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def dump(database: Database) -> dict[str, list[Any]]:
    """All rows. The order of the changes within a transaction means nothing, so they have no ids here."""
    with database.read() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in tables.metadata.sorted_tables
        }
    return {**rows, "article_changes": sorted(article_id for _, article_id in rows["article_changes"])}


def empty(database: Database) -> None:
    names = [table.name for table in reversed(tables.metadata.sorted_tables)]
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
            return
        for name in names:
            connection.exec_driver_sql(f"DELETE FROM {name}")


def test_results_come_in_the_order_of_the_polls(database: Database) -> None:
    bbc, rfi, voa = configured(database)
    commits = [commit(voa, [article(1), article(2)]), commit(bbc), commit(rfi, [article(3)])]

    polls = stored(commit_polls(database, commits))

    assert [(poll.source_id, poll.outcome, poll.new_articles) for poll in polls] == [
        (voa.id, "new", 2),
        (bbc.id, "unchanged", 0),
        (rfi.id, "new", 1),
    ]
    assert rows(database, "SELECT source_id FROM polls ORDER BY id") == [(voa.id,), (bbc.id,), (rfi.id,)]
    assert rows(database, "SELECT source_id FROM articles ORDER BY id") == [(voa.id,), (voa.id,), (rfi.id,)]


def test_no_polls_are_no_work(database: Database) -> None:
    assert commit_polls(database, []) == []


def test_an_article_that_two_polls_of_a_batch_bring_is_the_first_ones(database: Database) -> None:
    bbc, rfi, voa = configured(database)
    commits = [commit(voa, [article()]), commit(rfi, [article()]), commit(bbc, [article(content="<p>摘要</p>")])]

    polls = stored(commit_polls(database, commits))

    assert [(poll.new_articles, poll.revised_articles) for poll in polls] == [(1, 0), (0, 0), (0, 1)]
    assert rows(database, "SELECT source_id, revision FROM articles") == [(voa.id, 2)]
    assert rows(database, "SELECT source_id, revision FROM sightings ORDER BY 1") == [
        (bbc.id, 2),
        (rfi.id, 1),
        (voa.id, 1),
    ]


def test_two_polls_of_one_source_in_a_batch_follow_each_other(database: Database) -> None:
    (voa,) = configured(database, ["voa"])
    first, second = commit(voa, [article(1)]), commit(voa, [article(1), article(2)], NOW + HOUR)

    polls = stored(commit_polls(database, [first, second]))

    assert [poll.new_articles for poll in polls] == [1, 1]
    assert sources.load(database)[0].last_polled_at == NOW + HOUR


def test_a_poll_that_one_of_its_batch_overtook_adds_and_changes_nothing_else(database: Database) -> None:
    (voa,) = configured(database, ["voa"])
    newer = commit(voa, [article(1, "<p>二</p>")], NOW + HOUR, before=voa)
    older = commit(
        voa, [article(1, "<p>一</p>"), article(2)], NOW, before=voa, window=WindowComparison(gap=Gap(NOW, NOW))
    )

    polls = stored(commit_polls(database, [newer, older]))

    assert [(poll.new_articles, poll.revised_articles) for poll in polls] == [(1, 0), (1, 1)]
    after = sources.load(database)[0]
    assert (after.last_polled_at, after.ask_in_full) == (NOW + HOUR, True)
    assert rows(database, "SELECT count(*) FROM gaps") == [(0,)]


def test_a_wording_of_a_poll_that_was_overtaken_is_older_than_what_the_source_shows_afterwards(
    database: Database,
) -> None:
    (voa,) = configured(database, ["voa"])
    newer = commit(voa, [article(1, "<p>二</p>")], NOW + HOUR, before=voa)
    older = commit(voa, [article(1, "<p>一</p>")], NOW, before=voa)
    stored(commit_polls(database, [newer, older]))

    for again in (1, 2):
        stored(commit_polls(database, [commit(voa, [article(1, "<p>二</p>")], NOW + (1 + again) * HOUR)]))

    assert rows(database, "SELECT revision, text FROM articles") == [(3, "二")]
    assert rows(database, "SELECT revision, text FROM revisions ORDER BY 1") == [(1, "二"), (2, "一")]
    assert rows(database, "SELECT revision FROM sightings") == [(3,)]


def test_a_moved_address_among_304s_is_in_force_with_its_host(database: Database) -> None:
    bbc, rfi, voa = configured(database)
    moved = replace(commit(rfi).source, url="https://new.example/rss")
    record = Poll(rfi.id, NOW, timedelta(), "not-modified", 304)

    stored(commit_polls(database, [commit(bbc), PollCommit(moved, record, before=rfi), commit(voa)]))

    assert rows(database, "SELECT name, host FROM sources ORDER BY name") == [
        ("bbc", "bbc.example"),
        ("rfi", "new.example"),
        ("voa", "voa.example"),
    ]
    assert rows(database, "SELECT url FROM source_addresses WHERE to_at IS NULL ORDER BY id") == [
        ("https://bbc.example/rss",),
        ("https://voa.example/rss",),
        ("https://new.example/rss",),
    ]
    assert len(rows(database, "SELECT * FROM source_addresses")) == 4


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("fault", ["record", "value", "surrogate", "source"])
def test_a_poll_that_cannot_be_stored_costs_itself_only(database: Database, at: int, fault: str) -> None:
    named = configured(database)
    commits = [commit(source, [article(number)]) for number, source in enumerate(named)]
    bad = commits[at]
    if fault == "record":
        bad = replace(bad, poll=replace(bad.poll, source_id=999))
    elif fault == "value":
        bad = replace(bad, poll=replace(bad.poll, entries=10**30))
    elif fault == "surrogate":
        bad = replace(bad, articles=[replace(article(7), title="\ud800")])
    else:
        bad = replace(bad, source=replace(bad.source, id=999))
    commits[at] = bad

    results = commit_polls(database, commits)

    assert [isinstance(result, DatabaseError) for result in results] == [number == at for number in range(3)]
    assert rows(database, "SELECT source_id FROM polls ORDER BY id") == [
        (source.id,) for number, source in enumerate(named) if number != at
    ]
    assert rows(database, "SELECT title FROM articles ORDER BY title") == [
        (f"第{number}篇",) for number in range(3) if number != at
    ]
    assert [source.last_polled_at is None for source in sources.load(database)] == [number == at for number in range(3)]


def test_a_database_in_trouble_costs_the_whole_batch_and_is_not_asked_again(tmp_path: Any) -> None:
    nowhere = Database(f"sqlite:///{tmp_path}/missing/kzfeed.db")
    source = Source(1, "voa", "https://voa.example/rss")

    first, second = commit_polls(nowhere, [commit(source), commit(source)])

    assert isinstance(first, DatabaseError)
    assert first is second


def test_the_windows_of_many_sources_come_in_their_order(database: Database) -> None:
    bbc, rfi, voa = configured(database)
    stored(commit_polls(database, [commit(voa, [article(1), article(2)]), commit(bbc, [article(2)])]))
    bbc, rfi, voa = sources.load(database)
    stored(commit_polls(database, [commit(bbc, [article(3)], NOW + HOUR)]))
    now_bbc = sources.load(database)[0]

    windows = last_windows(database, [voa, rfi, bbc, now_bbc, voa])

    assert [{shown.url_hash for shown in window} for window in windows] == [
        {article(1).url_hash, article(2).url_hash},
        set(),
        set(),  # another poll stored a document since it was read
        {article(3).url_hash},
        {article(1).url_hash, article(2).url_hash},
    ]
    third = article(3)
    shown = WindowEntry(third.url_hash, third.published_at, fingerprint=third.fingerprint, first_seen_at=NOW + HOUR)
    assert windows[3] == [shown]


def test_files_of_many_sources_in_turns_are_each_the_first_ones(database: Database) -> None:
    files = [(f"s{number % 3}", article(number % 50)) for number in range(120)]

    assert store_files(database, files, NOW) == Tally(new=50, unchanged=70)
    assert rows(database, "SELECT count(*) FROM sightings") == [(120,)]
    assert rows(
        database, "SELECT s.name, a.title FROM articles AS a JOIN sources AS s ON s.id = a.source_id ORDER BY a.id"
    ) == [(f"s{number % 3}", f"第{number}篇") for number in range(50)]


# --- as one after the other ------------------------------------------------------------------------------------------


def _entry(number: int, wording: int, kind: str) -> Article:
    """An article that shares its link with others (`joint`, `link`) and has a guid, or that stands alone (`plain`)."""
    path = f"{number}" if kind == "plain" else f"of-two/{number // 2}"
    file = ArchiveFile(1641922743000 + number, f"第{number}篇", f"https://e.example/{path}", f"<p>{wording}</p>")
    picture = Media("image", f"https://e.example/{number}-{wording}.jpg")
    entry = replace(article_of_file(file), tags=("t", f"t{wording}"), media=(picture,))
    if kind == "plain":
        return entry
    joint = url.identity_hash("joint", str(number // 2))
    own = joint if kind == "joint" else entry.url_hash
    return replace(entry, url_hash=own, own_hashes=(joint,), guid=f"g{number}")


def _link(entry: Article) -> int:
    """The number of the link that the entry shares."""
    return int(entry.title[1]) // 2


entries = st.builds(_entry, st.integers(0, 4), st.integers(0, 2), st.sampled_from(["plain", "plain", "joint", "link"]))
polls = st.fixed_dictionaries(
    {
        "source": st.integers(0, 2),
        "articles": st.lists(entries, max_size=4),
        "before": st.sampled_from(["unknown", "first", "first"]),
        "document": st.booleans(),
        "moved": st.integers(0, 2),
        "reconfigured": st.booleans(),
        "withdrawn": st.lists(st.integers(0, 4), max_size=2),
        "gap": st.booleans(),
        "pause": st.none() | st.integers(-60, 60),
        "outcome": st.sampled_from(["unchanged", "not-modified", "failed"]),
    }
)


def _commit(drawn: dict[str, Any], source: Source, number: int) -> PollCommit:
    now = NOW + number * MINUTE
    after = replace(
        source,
        url=source.url if drawn["moved"] == 0 else f"https://moved{drawn['moved']}.example/rss",
        configured_url="https://another.example/" if drawn["reconfigured"] and number % 5 == 0 else source.url,
        last_polled_at=now,
        last_document_at=now if drawn["document"] else source.last_document_at,
        window_at=now if drawn["document"] else source.window_at,
        next_poll_at=now + HOUR,
        validators=Validators(source.url, etag=f'"{number}"'),
        body_hash=str(number),
        skip_hours=frozenset({number % 24}),
    )
    return PollCommit(
        after,
        Poll(source.id, now, MINUTE, drawn["outcome"]),
        drawn["articles"],
        before=source if drawn["before"] == "first" else None,
        window=WindowComparison(
            withdrawn=frozenset(article(each).url_hash for each in drawn["withdrawn"]),
            gap=Gap(now - HOUR, now) if drawn["gap"] else None,
        ),
        pause=None if drawn["pause"] is None else NOW + drawn["pause"] * MINUTE,
        paused_host="one.example" if drawn["pause"] and drawn["pause"] % 2 else None,
    )


@pytest.mark.slow
@given(drawn=st.lists(polls, min_size=1, max_size=12), earlier=st.integers(0, 4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_batch_leaves_what_its_polls_leave_one_by_one(
    database: Database, drawn: list[dict[str, Any]], earlier: int
) -> None:
    def run(size: int) -> tuple[dict[str, list[Any]], list[Poll]]:
        empty(database)
        named = configured(database)
        commits = [_commit(each, named[each["source"]], number) for number, each in enumerate(drawn)]
        results = [result for each in commits[:earlier] for result in stored(commit_polls(database, [each]))]
        late = commits[earlier:]
        for start in range(0, len(late), size):
            results += stored(commit_polls(database, late[start : start + size]))
        return dump(database), results

    assert run(len(drawn)) == run(1)


@pytest.mark.slow
@given(drawn=st.lists(polls, min_size=1, max_size=12), brought=st.lists(entries, max_size=8), late=st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_found_by_the_sources_last_windows_is_what_is_found_by_hashes(
    database: Database, drawn: list[dict[str, Any]], brought: list[Article], late: bool
) -> None:
    empty(database)
    named = configured(database)
    for number, each in enumerate(drawn):
        stored(commit_polls(database, [_commit(each, named[each["source"]], number)]))
    if late:
        store_files(database, [("bbc", article(4)), ("rfi", article(3, "<p>2</p>"))], NOW)

    in_windows = select_last_window(tables.sources.c.id, tables.articles.c.url_hash, tables.articles.c.url)
    with database.read() as connection:
        for turn in range(len(named)):
            # No two of them share an article, but each may carry what is another one's to bring.
            shares = [[each for each in brought if (_link(each) + turn) % len(named) == place] for place in range(3)]
            live = [
                ArticleBatch(source.id, share, NOW, is_live=True) for source, share in zip(named, shares, strict=True)
            ]
            by_window = find_known(connection, live)
            by_hash = find_known(connection, [replace(each, is_live=False) for each in live])
            # Only the window tells addresses, and other articles under them.
            for url_hash, known in by_hash.known.items():
                assert replace(by_window.known[url_hash], url=None) == known
                assert by_window.ids[url_hash] == by_hash.ids[url_hash]
            addresses = {(batch.source_id, each.url) for batch in live for each in batch.articles}
            shown = {row.url_hash for row in connection.execute(in_windows) if (row.id, row.url) in addresses}
            assert by_window.known.keys() - by_hash.known.keys() == shown - by_hash.known.keys()
