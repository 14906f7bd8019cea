"""Rules 1 to 4: what a server said of its document comes back byte for byte, and vouches for nothing but that."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.store import tables
from tests.etiquette.conftest import World
from tests.etiquette.documents import BOMB, BROKEN, PORTAL, rss
from tests.etiquette.recording_server import Header, RecordingServer, Reply
from tests.slow import slow

LAST_MODIFIED = b"Tue, 11 Jan 2022 17:39:03 GMT"
NOTHING = (None, None)


def said(etag: bytes | None = None, last_modified: bytes | None = None) -> list[Header]:
    pairs = (("ETag", etag), ("Last-Modified", last_modified))
    return [(name, value) for name, value in pairs if value is not None]


# --- rule 1 ----------------------------------------------------------------------------------------------------------


ETAGS = (
    b'"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    b'W/"0815"',
    b'w/"0815"',
    b'"abc-gzip"',
    b'"abc;br"',
    b'W/"a b, \\"c\\", *"',
    b"unquoted",
    b"'single'",
    b'"half',
    b'""',
    b"*",
    '"第1版"'.encode(),
    '"第1版"'.encode("gbk"),
    b'"\xe9\x80\xff"',
    b'"a\tb"',
    b'"' + b"x" * 4000 + b'"',
)
DATES = (
    LAST_MODIFIED,
    b"Tue, 11 Jan 2022 17:39:03 +0000",
    b"Tuesday, 11-Jan-22 17:39:03 GMT",
    b"tue, 11 jan 2022 17:39:03 gmt",
    b"2022-01-11T17:39:03Z",
    b"0",
    "刚刚".encode(),
)


@pytest.mark.slow_on_postgresql
def test_1_an_etag_comes_back_byte_for_byte(world_on_each_engine: World, server: RecordingServer) -> None:
    pages = {
        etag: server.page(f"/{number}", Reply(200, said(etag), rss()), Reply(304)) for number, etag in enumerate(ETAGS)
    }
    world_on_each_engine.add_sources({f"s{number}": page for number, page in enumerate(pages.values())})

    world_on_each_engine.advance(timedelta(hours=3))

    assert {etag: [seen.conditions for seen in page.seen] for etag, page in pages.items()} == {
        etag: [NOTHING, (etag, None), (etag, None)] for etag in ETAGS
    }


def test_1_last_modified_comes_back_byte_for_byte(world_on_each_engine: World, server: RecordingServer) -> None:
    pages = {
        date: server.page(f"/{number}", Reply(200, said(None, date), rss()), Reply(304))
        for number, date in enumerate(DATES)
    }
    world_on_each_engine.add_sources({f"s{number}": page for number, page in enumerate(pages.values())})

    world_on_each_engine.advance(timedelta(hours=3))

    assert {date: [seen.conditions for seen in page.seen] for date, page in pages.items()} == {
        date: [NOTHING, (None, date), (None, date)] for date in DATES
    }


def test_1_where_a_server_gives_no_validators_there_are_no_conditions(world: World, server: RecordingServer) -> None:
    dated: list[Header] = [("Date", LAST_MODIFIED), ("Expires", LAST_MODIFIED), ("Content-MD5", "abc"), ("ETag", "")]
    page = server.page("/feed", *(Reply(200, dated, rss(range(number))) for number in range(1, 6)))
    world.add_source(page)

    world.advance(timedelta(hours=5))

    assert len(page.seen) >= 4
    assert {seen.conditions for seen in page.seen} == {NOTHING}
    assert not any(name.startswith("if-") for seen in page.seen for name, _ in seen.fields)


def test_1_validators_are_echoed_to_the_url_that_gave_them_and_to_no_other(
    world: World, server: RecordingServer
) -> None:
    door = server.page("/door", Reply(302, [("Location", "/one"), *said(b'"of the door"', LAST_MODIFIED)]))
    one = server.page("/one", Reply(200, said(b'"of one"', LAST_MODIFIED), rss()))
    other = server.page("/other", Reply(200, said(b'"of the other"'), rss([1, 2])))
    world.add_source(door)

    world.advance(timedelta())
    world.advance(timedelta(hours=1.5))
    door.respond_with(Reply(302, [("Location", "/other")]))
    world.advance(timedelta(hours=2.5))

    assert {seen.conditions for seen in door.seen} == {NOTHING}
    assert [seen.conditions for seen in one.seen] == [NOTHING, (b'"of one"', LAST_MODIFIED)]
    assert [seen.conditions for seen in other.seen] == [NOTHING, (b'"of the other"', None)]


def test_1_a_source_with_another_address_asks_there_without_conditions(world: World, server: RecordingServer) -> None:
    before = server.page("/before", Reply(200, said(b'"a"', LAST_MODIFIED), rss()))
    after = server.page("/after", Reply(200, said(b'"b"'), rss()))
    world.add_source(before)
    world.advance(timedelta())

    world.add_source(after)
    world.advance(timedelta(hours=1.5))

    assert [seen.conditions for seen in after.seen] == [NOTHING, (b'"b"', None)]
    assert len(before.seen) == 1


# --- rule 2 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "third"),
    [
        (said(b'"2"', b"Wed, 12 Jan 2022 00:00:00 GMT"), (b'"2"', b"Wed, 12 Jan 2022 00:00:00 GMT")),
        (said(b'"2"'), (b'"2"', None)),
        (said(None, LAST_MODIFIED), (None, LAST_MODIFIED)),
        (said(), NOTHING),
    ],
)
def test_2_a_200_replaces_each_validator_and_what_is_absent_is_forgotten(
    world: World, server: RecordingServer, second: list[Header], third: tuple[bytes | None, bytes | None]
) -> None:
    page = server.page(
        "/feed", Reply(200, said(b'"1"', LAST_MODIFIED), rss([1])), Reply(200, second, rss([1, 2])), Reply(304)
    )
    world.add_source(page)

    world.advance(timedelta(hours=2.5))

    assert [seen.conditions for seen in page.seen] == [NOTHING, (b'"1"', LAST_MODIFIED), third]


@pytest.mark.parametrize(
    ("second", "third"),
    [
        (said(), (b'"1"', LAST_MODIFIED)),
        (said(b'W/"2"'), (b'W/"2"', LAST_MODIFIED)),
        (said(None, b"Wed, 12 Jan 2022 00:00:00 GMT"), (b'"1"', b"Wed, 12 Jan 2022 00:00:00 GMT")),
    ],
)
def test_2_a_304_updates_only_what_it_carries(
    world: World, server: RecordingServer, second: list[Header], third: tuple[bytes | None, bytes | None]
) -> None:
    page = server.page("/feed", Reply(200, said(b'"1"', LAST_MODIFIED), rss([1])), Reply(304, second), Reply(304))
    world.add_source(page)

    world.advance(timedelta(hours=2.5))

    assert [seen.conditions for seen in page.seen] == [NOTHING, (b'"1"', LAST_MODIFIED), third]


# --- rule 3 ----------------------------------------------------------------------------------------------------------


def stored(world: World) -> list[list[tuple[object, ...]]]:
    """All that is stored of articles, but for when they were last seen."""
    sightings = sa.select(*(column for column in tables.sightings.c if column.name != "last_seen_at"))
    with world.database.read() as connection:
        seen = [tuple(row) for row in connection.execute(sightings.order_by(tables.sightings.c.article_id))]
    return [world.rows(tables.articles), seen, world.rows(tables.revisions)]


def test_3_a_new_etag_over_the_same_body_writes_no_entry_and_is_kept(world: World, server: RecordingServer) -> None:
    body = rss([1, 2, 3])
    page = server.page("/feed", *(Reply(200, said(b'"%d"' % number), body) for number in (1, 2, 3)))
    world.add_source(page)
    world.advance(timedelta())
    before = stored(world)

    world.advance(timedelta(hours=3.5))

    assert [seen.conditions[0] for seen in page.seen] == [None, b'"1"', b'"2"', b'"3"']
    assert stored(world) == before


def test_3_a_304_changes_nothing_of_the_articles_but_when_they_were_seen(world: World, server: RecordingServer) -> None:
    page = server.page("/feed", Reply(200, said(b'"1"'), rss([1, 2, 3])), Reply(304))
    world.add_source(page)
    world.advance(timedelta())
    before = stored(world)

    world.advance(timedelta(hours=3.5))

    assert len(page.seen) == 4
    assert stored(world) == before


# --- rule 4 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "conditional"), [(BROKEN, True), (PORTAL, False), slow(BOMB, True), slow(b"", False)])
def test_4_a_document_that_cannot_be_read_leaves_the_old_validators(
    world: World, server: RecordingServer, body: bytes, conditional: bool
) -> None:
    """What is no feed at all also casts doubt on them: the visit after it is unconditional."""
    page = server.page(
        "/feed",
        Reply(200, said(b'"1"', LAST_MODIFIED), rss([1])),
        Reply(200, said(b'"broken"', b"Wed, 12 Jan 2022 00:00:00 GMT"), body),
        Reply(200, said(b'"2"'), rss([1, 2])),
    )
    world.add_source(page)

    world.advance(timedelta(hours=2))
    kept = world.source().validators
    world.advance(timedelta(days=2))

    assert kept
    assert (kept.etag, kept.last_modified) == ('"1"', LAST_MODIFIED.decode())
    assert [seen.conditions for seen in page.seen[1:3]] == [
        (b'"1"', LAST_MODIFIED),
        (b'"1"', LAST_MODIFIED) if conditional else NOTHING,
    ]
    assert page.seen[3].conditions == (b'"2"', None)
    assert world.titles() == {"第1篇", "第2篇"}


def test_4_a_document_that_breaks_off_does_not_vouch_for_what_it_did_not_show(
    world: World, server: RecordingServer
) -> None:
    whole = rss([3, 2, 1])
    torn = whole[: whole.index("第1篇".encode())]
    page = server.page(
        "/feed",
        Reply(200, said(b'"1"', LAST_MODIFIED), rss([2, 1])),
        Reply(200, said(b'"2"'), torn),
        lambda seen: Reply(304) if seen.conditions[0] == b'"2"' else Reply(200, said(b'"2"'), rss([4, 3, 2, 1])),
    )
    world.add_source(page)

    world.advance(timedelta(hours=3.5))

    assert [seen.conditions[0] for seen in page.seen] == [None, b'"1"', b'"1"', b'"2"']
    assert world.titles() == {"第1篇", "第2篇", "第3篇", "第4篇"}


@pytest.mark.parametrize("table", ["articles", "sightings", "polls"])
def test_4_a_write_that_fails_keeps_the_old_validators_and_loses_nothing(
    world_on_each_engine: World, server: RecordingServer, table: str
) -> None:
    page = server.page("/feed", Reply(200, said(b'"1"'), rss([1])), Reply(200, said(b'"2"'), rss([1, 2])), Reply(304))
    world_on_each_engine.add_source(page)
    world_on_each_engine.advance(timedelta())
    before = world_on_each_engine.source()
    with world_on_each_engine.database.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO away"))

    with pytest.raises(DatabaseError):
        world_on_each_engine.poll()
    with world_on_each_engine.database.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE away RENAME TO {table}"))

    assert world_on_each_engine.source() == before
    page.respond_with(Reply(200, said(b'"2"'), rss([1, 2])), Reply(304))
    world_on_each_engine.advance(timedelta(hours=2.5))
    assert [seen.conditions[0] for seen in page.seen] == [None, b'"1"', b'"1"', b'"2"']
    assert world_on_each_engine.titles() == {"第1篇", "第2篇"}
