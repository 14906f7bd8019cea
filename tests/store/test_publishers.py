"""What publishers do over time, and what the archive then holds: one scenario after the other, as whole documents.

Each scenario says what a careful archivist expects: the titles of the versions of each article, the articles that count
as withdrawn, and the number of gaps.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from tests.store.publishers import FIRST_VISIT, NOT_MODIFIED, Post, archived, cut_off, day, feed, visit, words

pytestmark = pytest.mark.slow_on_postgresql

Visits = Sequence[bytes | tuple[str, bytes]]


@dataclass(frozen=True)
class Scenario:
    """Documents of the source `one`, or of the source named with a document, one an hour, and what they leave."""

    visits: Visits
    articles: Sequence[Sequence[str]]
    withdrawn: Sequence[str] = ()
    gaps: int = 0
    max_entries: int = 5_000


def posts(*numbers: int, **values: object) -> list[Post]:
    return [Post(number, **values) for number in numbers]  # type: ignore[arg-type]


def window(*numbers: int, **values: object) -> bytes:
    return feed(*posts(*numbers, **values))


def once(*numbers: int) -> list[tuple[str, ...]]:
    """Posts that have one version each."""
    return [(f"Post {number}",) for number in numbers]


def twice(*numbers: int) -> list[tuple[str, ...]]:
    """Posts that are two articles each, because their links are other ones."""
    return once(*numbers) * 2


HOME = "https://p.example/"
WP = "https://p.example/?p={n}"
MORE = " Later the ferry returned."
EDITED = replace(Post(3), words=words(3) + MORE)
RETITLED = replace(Post(3), title="Post 3, corrected")
PINNED = Post(99, title="Rules", date="Mon, 02 Jan 2017 08:00:00 GMT")
UNDATED = replace(PINNED, date=None)
MP3, OGG = "https://cdn.example/3.mp3", "https://cdn.example/3.ogg"


def forecast(number: int, guid: str | None) -> Post:
    """A post on the home page most of whose words all others share."""
    text = f"{words(0, 40)} {words(number, 10)}"
    return Post(number, title=f"Weather of day {number}", words=text, guid=guid, link=HOME)


def picture(number: int, title: str, token: str = "") -> Post:
    """A post on the home page without words."""
    image = f'<img src="https://i.example/{number}.png?token={token}">'
    return Post(number, title=title, words=image, guid="g{n}", link=HOME)


def on_home_page(*several: Post) -> bytes:
    """A document of posts that have the home page as their link, and no guids."""
    return feed(*(replace(post, guid=None, link=HOME) for post in several))


SCENARIOS = {
    # links
    "http becomes https": Scenario(
        [window(3, 2, 1, link="http://p.example/{n}", guid=WP), window(4, 3, 2, guid=WP)], once(1, 2, 3, 4)
    ),
    "links and the guids that repeat them become https": Scenario(
        [window(3, 2, link="http://p.example/{n}", guid="http://p.example/{n}"), window(4, 3, 2)], once(2, 3, 4)
    ),
    "a site moves to www": Scenario(
        [window(3, 2, guid=WP), window(3, 2, link="https://www.p.example/{n}", guid=WP)], twice(2, 3)
    ),
    "a new structure of permalinks": Scenario(
        [window(3, 2, link="https://p.example/?p={n}", guid=WP), window(4, 3, 2, guid=WP)], [*twice(2, 3), *once(4)]
    ),
    "a new structure of permalinks, and guids with it": Scenario(
        [
            window(3, 2, link="https://p.example/2022/{n}", guid="https://p.example/2022/{n}"),
            window(4, 3, 2),
        ],
        [*twice(2, 3), *once(4)],
    ),
    "links with and without the slash at their end": Scenario(
        [window(3, 2, guid=WP), window(4, 3, 2, link="https://p.example/{n}/", guid=WP)], [*twice(2, 3), *once(4)]
    ),
    "AMP links for a while": Scenario(
        [window(3, 2, guid=WP), window(3, 2, link="https://p.example/{n}/amp", guid=WP), window(3, 2, guid=WP)],
        twice(2, 3),
    ),
    "parameters in another order": Scenario(
        [
            window(3, 2, link="https://p.example/?a={n}&b=1", guid=WP),
            window(3, 2, link="https://p.example/?b=1&a={n}", guid=WP),
        ],
        twice(2, 3),
    ),
    "tracking parameters in links and guids": Scenario(
        [
            window(3, 2),
            window(3, 2, link="https://p.example/{n}?utm_source=rss", guid="https://p.example/{n}?utm_source=rss"),
            window(3, 2, link="https://p.example/{n}?utm_source=x&fbclid=7", guid="https://p.example/{n}?fbclid=7"),
        ],
        once(2, 3),
    ),
    "hosts in capitals, ports and relative links": Scenario(
        [
            window(3, 2, link="https://one.example/{n}", guid=WP),
            window(3, 2, link="HTTPS://ONE.Example:443/{n}", guid=WP),
            window(3, 2, link="/{n}", guid=WP),
            window(3, 2, link="../{n}#top", guid=WP),
        ],
        once(2, 3),
    ),
    "mailto and urn links": Scenario(
        [
            window(3, 2, link="mailto:a{n}@p.example", guid="urn:uuid:{n}"),
            window(3, 2, link="urn:x:{n}", guid="urn:uuid:{n}"),
        ],
        once(2, 3),
    ),
    "links to the home page, by guid": Scenario(
        [window(3, 2, 1, link=HOME), window(4, 3, 2, link=HOME), feed(Post(4, link=HOME), replace(EDITED, link=HOME))],
        [*once(1, 2, 4), ("Post 3", "Post 3")],
    ),
    "links to the home page without guids": Scenario(
        [window(3, 2, 1, guid=None, link=HOME), window(5, 4, 3, guid=None, link=HOME)], once(1, 2, 3, 4, 5)
    ),
    "fragments of one page that come one by one": Scenario(
        [
            window(1, link="https://p.example/#{n}", guid=None),
            window(2, 1, link="https://p.example/#{n}", guid=None),
            window(3, 2, 1, link="https://p.example/#{n}", guid=None),
        ],
        once(1, 2, 3),
    ),
    # guids
    "guids that are new at every poll": Scenario(
        [window(3, 2, 1, guid="a{n}"), window(4, 3, 2, guid="b{n}"), window(5, 4, 3, guid="c{n}")], once(1, 2, 3, 4, 5)
    ),
    "guids that are new at every poll, and an edit": Scenario(
        [window(3, 2, guid="a{n}"), feed(replace(EDITED, guid="b3"), Post(2, guid="b2"))], [*once(2), ("Post 3",) * 2]
    ),
    "guids that are new at every poll, and a corrected title": Scenario(
        [window(3, 2, guid="a{n}"), feed(replace(RETITLED, guid="b3"), Post(2, guid="b2"))],
        [*once(2), ("Post 3", "Post 3, corrected")],
    ),
    "guids that are new at every poll, on the home page": Scenario(
        [window(3, 2, 1, guid="a{n}", link=HOME), window(4, 3, 2, guid="b{n}", link=HOME)], once(1, 2, 3, 4)
    ),
    "guids that are left out for a while": Scenario(
        [window(3, 2), window(4, 3, 2, guid=None), window(4, 3, 2)], once(2, 3, 4)
    ),
    "guids that are left out for a while, on the home page": Scenario(
        [window(3, 2, link=HOME), window(4, 3, 2, guid=None, link=HOME), window(4, 3, 2, link=HOME)], once(2, 3, 4)
    ),
    "a guid that is used again for the next post": Scenario(
        [window(1, guid="latest"), window(2, guid="latest"), window(3, guid="latest")], once(1, 2, 3), gaps=2
    ),
    "one guid for all posts": Scenario([window(3, 2, 1, guid="p"), window(4, 3, 2, guid="p")], once(1, 2, 3, 4)),
    "one guid and one link for all posts, which are versions then": Scenario(
        [window(3, 2, 1, guid="p", link=HOME), window(4, 3, 2, guid="p", link=HOME)],
        [("Post 2", "Post 1", "Post 3", "Post 4")],
    ),
    "a live blog: one link, a guid for each post": Scenario(
        [
            window(2, 1, guid="g{n}", link=HOME),
            window(4, 3, 2, guid="g{n}", link=HOME),
            window(5, 4, 3, guid="g{n}", link=HOME),
        ],
        once(1, 2, 3, 4, 5),
    ),
    "translations under one link": Scenario(
        [
            feed(Post(1, title="Hello", guid="1-en"), replace(Post(1, title="Bonjour", guid="1-fr"), words=words(8))),
            feed(
                Post(1, title="Hello", guid="1-en"),
                replace(Post(1, title="Bonjour", guid="1-fr"), words=words(8) + MORE),
            ),
        ],
        [("Bonjour", "Bonjour"), ("Hello",)],
    ),
    "translations under one link without guids": Scenario(
        [
            feed(Post(1, title="Hello", guid=None), replace(Post(1, title="Bonjour", guid=None), words=words(8))),
            feed(
                Post(1, title="Hello", guid=None),
                replace(Post(1, title="Bonjour", guid=None), words=words(8) + MORE),
            ),
        ],
        [("Bonjour", "Bonjour"), ("Hello",)],
    ),
    # words
    "a corrected title between neighbours without guids": Scenario(
        [
            window(4, 3, 2, guid=None, link=HOME),
            feed(*(replace(each, guid=None, link=HOME) for each in (Post(4), RETITLED, Post(2)))),
        ],
        [*once(2, 4), ("Post 3", "Post 3, corrected")],
    ),
    "corrected words between neighbours without guids": Scenario(
        [
            window(4, 3, 2, guid=None, link=HOME),
            feed(*(replace(each, guid=None, link=HOME) for each in (Post(4), EDITED, Post(2)))),
        ],
        [*once(2, 4), ("Post 3", "Post 3")],
    ),
    "a corrected title, and a new neighbour without guids": Scenario(
        [
            window(4, 3, 2, guid=None, link=HOME),
            on_home_page(Post(5), Post(4), RETITLED),
        ],
        [*once(2, 4, 5), ("Post 3", "Post 3, corrected")],
    ),
    "corrected words under one link and title, without guids": Scenario(
        [
            on_home_page(*(Post(n, title="News") for n in (3, 2))),
            on_home_page(*(Post(n, title="News", words=words(n) + MORE) for n in (3, 2))),
        ],
        [("News", "News")] * 2,
    ),
    "other white space": Scenario(
        [window(3, 2), feed(replace(Post(3), words=words(3).replace(" ", "\n  ")), Post(2))], once(2, 3)
    ),
    "a picture of the day: one link, one title, other words": Scenario(
        [window(n, title="Picture of the day", guid=None, link=HOME) for n in (1, 2, 3)],
        [("Picture of the day",) * 3],
    ),
    "a picture of the day with a date and a guid": Scenario(
        [window(n, title=f"Picture of day {n}", guid="g{n}", link=HOME) for n in (1, 2, 3)],
        [("Picture of day 1",), ("Picture of day 2",), ("Picture of day 3",)],
        gaps=2,
    ),
    "an entry twice in a document": Scenario([window(3, 3, 2), window(3, 2, 3)], once(2, 3)),
    "an entry twice in a document, once longer": Scenario(
        [feed(EDITED, Post(3), Post(2))] * 2, [*once(2), ("Post 3",) * 2]
    ),
    "a comic of the day: one link, a guid, a title and a date each": Scenario(
        [feed(Post(n, title=f"Comic for January {n}, 2022", words="", guid="g{n}", link=HOME)) for n in (1, 2, 3)],
        [("Comic for January 1, 2022",), ("Comic for January 2, 2022",), ("Comic for January 3, 2022",)],
        gaps=2,
    ),
    "a picture of the day: one link and title, a guid and an image each": Scenario(
        [feed(picture(n, title="Comic", token=token)) for token in "ab" for n in (1, 2)],
        [("Comic",), ("Comic",)],
    ),
    "forecasts that share most words, on the home page": Scenario(
        [feed(*(forecast(n, guid="g{n}") for n in numbers)) for numbers in ((3, 2, 1), (4, 3, 2), (6, 5, 4))],
        [(f"Weather of day {n}",) for n in range(1, 7)],
    ),
    "forecasts that share most words, on the home page without guids": Scenario(
        [feed(*(forecast(n, guid=None) for n in numbers)) for numbers in ((3, 2, 1), (4, 3, 2), (6, 5, 4))],
        [(f"Weather of day {n}",) for n in range(1, 7)],
    ),
    "forecasts that share most words, one at a time": Scenario(
        [feed(forecast(n, guid="g{n}")) for n in (1, 2, 3)],
        [(f"Weather of day {n}",) for n in range(1, 4)],
        gaps=2,
    ),
    "an edit that gets a new guid and a new date": Scenario(
        [window(3, 2, guid="a{n}"), feed(replace(EDITED, guid="b3", date=day(4)), Post(2, guid="a2"))],
        [*once(2), ("Post 3", "Post 3")],
    ),
    "titles that are corrected between neighbours that share most words": Scenario(
        [
            feed(*(forecast(n, guid=None) for n in (4, 3, 2, 1))),
            feed(
                *(replace(forecast(n, guid=None), title=f"Weather: day {n}") for n in (3, 2, 1)),
                forecast(4, guid=None),
            ),
        ],
        [("Weather of day 4",), *((f"Weather of day {n}", f"Weather: day {n}") for n in (1, 2, 3))],
    ),
    "photos under one link and title, a guid each": Scenario(
        [
            feed(
                *(
                    Post(n, title="Photo", words=f'<img src="https://i.example/{n}.png">', guid="g{n}", link=HOME)
                    for n in ns
                )
            )
            for ns in ((3, 2, 1), (4, 3, 2))
        ],
        [("Photo",)] * 4,
    ),
    # podcasts
    "an episode gets another address of its file": Scenario(
        [feed(Post(3, files=[MP3]), Post(2)), feed(Post(3, files=["https://new.example/3.mp3"]), Post(2))], once(2, 3)
    ),
    "an episode without a guid gets another address of its file": Scenario(
        [
            feed(Post(3, files=[MP3], guid=None), Post(2, guid=None)),
            feed(Post(3, files=["https://new.example/3.mp3"], guid=None), Post(2, guid=None)),
        ],
        once(2, 3),
    ),
    "a daily episode without a guid: one link, one title, a file and a date each": Scenario(
        [
            feed(Post(n, title="News", words="The news.", files=[f"https://cdn.example/{n}.mp3"], guid=None, link=HOME))
            for n in (1, 2, 3)
        ],
        [("News",)] * 3,
    ),
    "files in two formats without guids, as an entry each": Scenario(
        [
            feed(Post(3, files=[MP3], guid=None), Post(3, files=[OGG], guid=None), note=note)
            for note in ("", "<ttl>9</ttl>")
        ],
        [("Post 3",)] * 2,
    ),
    "an episode in several formats, later in one": Scenario(
        [feed(Post(3, files=[MP3, OGG]), Post(2)), feed(Post(3, files=[OGG]), Post(2))], once(2, 3)
    ),
    "episodes on the home page whose files get new tokens": Scenario(
        [
            feed(*(Post(n, files=[f"https://cdn.example/{n}.mp3?token={token}"], link=HOME) for n in (3, 2, 1)))
            for token in "abc"
        ],
        once(1, 2, 3),
    ),
    "episodes on the home page without guids whose files get new tokens": Scenario(
        [
            feed(
                *(
                    Post(n, files=[f"https://cdn.example/{n}.mp3?token={token}"], guid=None, link=HOME)
                    for n in (3, 2, 1)
                )
            )
            for token in "abc"
        ],
        once(1, 2, 3),
    ),
    "an episode is published again under a new guid with another file": Scenario(
        [
            feed(Post(3, files=[MP3], guid="g3"), Post(2)),
            feed(Post(3, title="Post 3 again", files=["https://new.example/3.mp3"], guid="h3"), Post(2)),
        ],
        [*once(2, 3), ("Post 3 again",)],
        withdrawn=["Post 3"],
    ),
    # dates
    "a post that is dated anew and moves to the top": Scenario(
        [window(5, 4, 3), feed(Post(3, date=day(6)), Post(5), Post(4))], once(3, 4, 5)
    ),
    "a post with the date of its draft": Scenario(
        [window(5, 4, 3), feed(Post(9, date=day(1)), *posts(5, 4)), feed(Post(10), Post(9, date=day(1)), Post(5))],
        once(10, 3, 4, 5, 9),
    ),
    "dates that are left out for a while": Scenario(
        [window(5, 4, 3), window(5, 4, 3, date=None), window(6, 5, 4)], once(3, 4, 5, 6)
    ),
    "an old post that is edited and moves to the top": Scenario(
        [window(6, 5, 4, 3), feed(EDITED, *posts(6, 5, 4)), feed(Post(7), EDITED, *posts(6, 5))],
        [*once(4, 5, 6, 7), ("Post 3", "Post 3")],
    ),
    # windows
    "a pinned post at the top": Scenario(
        [feed(PINNED, *posts(*n)) for n in ((3, 2, 1), (4, 3, 2), (5, 4, 3))], [*once(1, 2, 3, 4, 5), ("Rules",)]
    ),
    "a pinned post at the top, and a gap": Scenario(
        [feed(PINNED, *posts(3, 2, 1)), feed(PINNED, *posts(9, 8, 7))], [*once(1, 2, 3, 7, 8, 9), ("Rules",)], gaps=1
    ),
    "a pinned post at the bottom, and a gap": Scenario(
        [feed(*posts(3, 2, 1), PINNED), feed(*posts(9, 8, 7), PINNED)], [*once(1, 2, 3, 7, 8, 9), ("Rules",)], gaps=1
    ),
    "a pinned post of last week": Scenario(
        [feed(Post(2), *posts(*n)) for n in ((12, 11, 10), (13, 12, 11), (14, 13, 12))], once(10, 11, 12, 13, 14, 2)
    ),
    "a pinned post of last week, and a gap": Scenario(
        [feed(Post(2), *posts(12, 11, 10)), feed(Post(2), *posts(19, 18, 17))], once(10, 11, 12, 17, 18, 19, 2), gaps=1
    ),
    "a pinned post without a date at the top, and a gap": Scenario(
        [feed(UNDATED, *posts(3, 2, 1)), feed(UNDATED, *posts(9, 8, 7))], [*once(1, 2, 3, 7, 8, 9), ("Rules",)], gaps=1
    ),
    "a pinned post without a date at the bottom, and a gap": Scenario(
        [feed(*posts(3, 2, 1), UNDATED), feed(*posts(9, 8, 7), UNDATED)], [*once(1, 2, 3, 7, 8, 9), ("Rules",)], gaps=1
    ),
    "a pinned post in a feed without dates, and a gap": Scenario(
        [feed(*posts(99, *numbers, date=None)) for numbers in ((3, 2, 1), (4, 3, 2), (9, 8, 7))],
        once(1, 2, 3, 4, 7, 8, 9, 99),
        gaps=1,
    ),
    "a feed without dates whose window moves": Scenario(
        [feed(*posts(*n, date=None)) for n in ((3, 2, 1), (4, 3, 2), (6, 5, 4))], once(1, 2, 3, 4, 5, 6)
    ),
    "a feed without dates that begins with its oldest post": Scenario(
        [feed(*posts(*n, date=None)) for n in ((1, 2, 3), (2, 3, 4), (4, 5, 6))], once(1, 2, 3, 4, 5, 6)
    ),
    "a feed without dates and without a shared post": Scenario(
        [feed(*posts(*n, date=None)) for n in ((3, 2, 1), (6, 5, 4))], once(1, 2, 3, 4, 5, 6), gaps=1
    ),
    "oldest post first, and a gap": Scenario(
        [window(1, 2, 3), window(2, 3, 4), window(7, 8, 9)], once(1, 2, 3, 4, 7, 8, 9), gaps=1
    ),
    "two mirrors in turn, one of them behind": Scenario(
        [window(5, 4, 3), window(6, 5, 4), window(5, 4, 3), window(6, 5, 4), window(7, 6, 5)], once(3, 4, 5, 6, 7)
    ),
    "a post that is withdrawn": Scenario([window(5, 4, 3), window(5, 3)], once(3, 4, 5), withdrawn=["Post 4"]),
    "a post that returns after a withdrawal": Scenario(
        [window(5, 4, 3), window(5, 3), window(6, 5, 4, 3)], once(3, 4, 5, 6)
    ),
    "a post that returns with other words": Scenario(
        [window(4, 3, 2), window(4, 2), feed(Post(4), EDITED, Post(2))], [*once(2, 4), ("Post 3", "Post 3")]
    ),
    "a window of one post for a day": Scenario(
        [window(5, 4, 3), window(5), window(5), window(6, 5, 4, 3)], once(3, 4, 5, 6)
    ),
    "an empty document between": Scenario([window(3, 2, 1), window(), window(4, 3, 2)], once(1, 2, 3, 4)),
    "an empty document between, and a gap": Scenario(
        [window(3, 2, 1), window(), window(9, 8)], once(1, 2, 3, 8, 9), gaps=1
    ),
    "a document that is cut off between": Scenario(
        [window(4, 3, 2), cut_off(window(5, 4, 3)), window(6, 5, 4)], once(2, 3, 4, 5, 6)
    ),
    "a document that is cut off between, and a gap": Scenario(
        [window(3, 2, 1), cut_off(window(9, 8, 7)), window(9, 8, 7)], once(1, 2, 3, 7, 8, 9), gaps=1
    ),
    "a 304 and the same document between": Scenario(
        [window(3, 2, 1), NOT_MODIFIED, window(3, 2, 1), window(5, 4, 3)], once(1, 2, 3, 4, 5)
    ),
    "a 304 between, and a gap": Scenario([window(3, 2, 1), NOT_MODIFIED, window(9, 8)], once(1, 2, 3, 8, 9), gaps=1),
    "more entries than a poll takes": Scenario(
        [window(8, 7, 6, 5, 4, 3, 2, 1)] * 4, once(1, 2, 3, 4, 5, 6, 7, 8), max_entries=3
    ),
    # two sources
    "two sources with one link and other words": Scenario(
        [("one", window(1)), ("two", window(1, title="Elsewhere", words=words(7), guid="x"))] * 2,
        [("Elsewhere",), ("Post 1",)],
    ),
    "two sources of which one corrects": Scenario(
        [("one", window(3)), ("two", window(3, guid="x")), ("one", feed(EDITED)), ("two", window(3, guid="x"))],
        [("Post 3", "Post 3")],
    ),
    "a mirror that joins later": Scenario(
        [("one", window(3, 2)), ("one", window(5, 4)), ("two", window(5, 4, 3, 2, guid="m{n}")), ("one", window(6, 5))],
        once(2, 3, 4, 5, 6),
        gaps=1,
    ),
}


@pytest.fixture(scope="module")
def archive(shared_database: Database) -> Iterator[Database]:
    """One database for all scenarios, each of which has hosts and sources of its own, verified at the end."""
    yield shared_database
    findings: list[object] = []
    assert verify(shared_database, findings.append).damage == 0, findings


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_archive_holds_what_a_careful_archivist_would_keep(archive: Database, name: str) -> None:
    scenario, prefix = SCENARIOS[name], f"s{list(SCENARIOS).index(name)}-"
    for hour, each in enumerate(scenario.visits):
        source, body = each if isinstance(each, tuple) else ("one", each)
        own_body = re.sub(rb"(?i)\b(p|one)\.example", prefix.encode() + rb"\1.example", body)
        visit(archive, prefix + source, own_body, FIRST_VISIT + timedelta(hours=hour), scenario.max_entries)

    found = archived(archive, prefix)
    assert [tuple(each) for each in found.articles] == sorted(map(tuple, scenario.articles))
    assert (found.withdrawn, found.gaps) == (list(scenario.withdrawn), scenario.gaps)


def test_an_entry_twice_in_a_document_with_two_dates_does_not_take_turns(database: Database) -> None:
    for hour in range(4):
        body = feed(Post(3), Post(3, date=day(5)), note=f"<ttl>{hour}</ttl>")
        visit(database, "one", body, FIRST_VISIT + timedelta(hours=hour))

    with database.read() as connection:
        published = connection.execute(sa.select(tables.articles.c.published_raw)).scalars().all()
        former = connection.execute(sa.select(tables.former_dates.c.published_raw)).scalars().all()
    assert (published, former) == ([day(3)], [day(5)])


def test_an_episode_that_is_one_entry_for_each_format_keeps_all_its_files(database: Database) -> None:
    body = feed(Post(3, files=["https://cdn.example/3.mp3"]), Post(3, files=["https://cdn.example/3.ogg"]))
    visit(database, "one", body, FIRST_VISIT)

    with database.read() as connection:
        files = connection.execute(sa.select(tables.media.c.url)).scalars().all()
    assert sorted(files) == ["https://cdn.example/3.mp3", "https://cdn.example/3.ogg"]
    assert archived(database, "one").articles == [("Post 3",)]


def test_a_mirror_with_other_dates_and_a_source_that_drops_its_dates_leave_no_former_dates(
    database: Database,
) -> None:
    documents = [
        ("one", window(3, 2)),
        ("two", window(3, 2, date=day(9))),
        ("one", window(3, 2, date=None)),
        ("one", window(3)),
    ]
    for hour, (source, body) in enumerate(documents):
        visit(database, source, body, FIRST_VISIT + timedelta(hours=hour))

    with database.read() as connection:
        assert connection.execute(sa.select(tables.former_dates)).all() == []
        dates = connection.execute(sa.select(tables.articles.c.published_raw)).scalars().all()
    assert set(dates) == {day(2), day(3)}
