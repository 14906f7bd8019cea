"""Windows compared: what was withdrawn, what is pinned, and where a gap is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kzfeed.article.window import compare_windows
from kzfeed.model.articles import Article, Gap, WindowEntry

MORNING = datetime(2022, 1, 11, 6, tzinfo=UTC)
NOON = datetime(2022, 1, 11, 12, tzinfo=UTC)


def at(hour: int) -> datetime:
    return MORNING.replace(hour=hour)


def article(url_hash: str) -> Article:
    return Article(url_hash=url_hash, url="https://e.example/", title="t", content="", text="", fingerprint="a")


def shown(*hours: int) -> list[WindowEntry]:
    """A window with an article an hour, each named by its hour."""
    return [WindowEntry(str(hour), at(hour)) for hour in hours]


def window(*hours: int) -> list[Article]:
    return [replace(article(str(hour)), published_at=at(hour)) for hour in hours]


@pytest.mark.parametrize(
    ("before", "now", "withdrawn"),
    [
        ((5, 4, 3), (5, 4, 3), set()),
        ((5, 4, 3), (6, 5, 4), set()),  # the window moved on
        ((5, 4, 3), (5, 3), {"4"}),
        ((5, 4, 3), (6, 3), {"4", "5"}),
        ((5, 4, 3), (9, 8, 7), set()),  # a gap: nothing older stayed
        ((5, 4, 3), (), set()),
        ((), (5, 4), set()),
    ],
)
def test_only_what_vanished_while_older_entries_stayed_was_withdrawn(
    before: tuple[int, ...], now: tuple[int, ...], withdrawn: set[str]
) -> None:
    found = compare_windows(shown(*before), window(*now), before_at=MORNING, now=NOON, whole=True)

    assert found.withdrawn == withdrawn


def test_what_has_no_date_is_never_said_to_be_withdrawn() -> None:
    undated = [WindowEntry("x"), *shown(3)]

    assert compare_windows(undated, window(3), before_at=MORNING, now=NOON, whole=True).withdrawn == set()


@pytest.mark.parametrize(
    ("before", "now", "gap"),
    [
        ((5, 4, 3), (9, 8, 7), Gap(at(5), at(7))),
        ((5, 4, 3), (8, 7, 5), None),
        ((), (8, 7), None),
        ((5, 4), (), None),
        ((5, 4), (3, 2), Gap(at(5), NOON)),  # other articles, but none of the time between: it lasts until now
    ],
)
def test_windows_that_share_nothing_have_a_gap_between_them(
    before: tuple[int, ...], now: tuple[int, ...], gap: Gap | None
) -> None:
    assert compare_windows(shown(*before), window(*now), before_at=MORNING, now=NOON, whole=True).gap == gap


def test_windows_without_dates_have_a_gap_between_the_polls() -> None:
    found = compare_windows([WindowEntry("x")], [article("y")], before_at=MORNING, now=NOON, whole=True)

    assert found.gap == Gap(MORNING, NOON)


def test_a_document_that_is_not_whole_says_nothing_of_what_it_does_not_show() -> None:
    assert compare_windows(shown(5, 4, 3), window(5, 3), before_at=MORNING, now=NOON, whole=False).withdrawn == set()
    assert compare_windows(shown(5, 4, 3), window(9), before_at=MORNING, now=NOON, whole=False).gap is None


def test_an_article_under_another_of_its_names_is_the_same() -> None:
    joint = replace(article("joint"), link_hash="5", own_hashes=("joint",), published_at=at(5))

    found = compare_windows(shown(5, 4), [joint, *window(4)], before_at=MORNING, now=NOON, whole=True)

    assert (found.shared, found.withdrawn, found.span) == (2, frozenset(), timedelta(hours=1))
