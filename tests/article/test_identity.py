"""Identity of entries in feeds that show thousands of them under one link: the time that it takes."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from kzfeed.article.build import FeedContext, articles_of_feed, first_fingerprint
from kzfeed.article.change import Known, compare
from kzfeed.article.identity import Words, contested, identify
from kzfeed.model.articles import Article, Enclosure, Entry, Feed

LINK = "https://e.example/"
CONTEXT = FeedContext(base_url=LINK, zone=UTC, now=datetime(2022, 1, 11, 18, tzinfo=UTC))
VOCABULARY = [f"word{number}" for number in range(500)]


def text(seed: object) -> str:
    """About 300 characters, others for each seed."""
    return " ".join(random.Random(str(seed)).choices(VOCABULARY, k=40))


def entry(title: str, content: str, guid: str | None = None, *files: str) -> Entry:
    enclosures = tuple(Enclosure(f"{LINK}{file}") for file in files)
    return Entry(title=title, link=LINK, guid=guid, content=content, content_type="html", enclosures=enclosures)


def other_texts(poll: int, number: int) -> Entry:
    return entry(f"Title {poll} {number}", text((poll, number)))


def other_texts_under_other_guids(poll: int, number: int) -> Entry:
    return entry("Title", text((poll, number)), f"{poll} {number}")


def other_files_with_the_same_words(poll: int, number: int) -> Entry:
    return entry("Title", "", None, f"{poll}/{number}.mp3")


def other_images_under_other_guids(poll: int, number: int) -> Entry:
    return entry("Title", f'<img src="{poll}/{number}.png">', f"{poll} {number}")


def other_texts_under_one_guid(poll: int, number: int) -> Entry:
    return entry("Title", text((poll, number)), "guid")


@cache
def document(show: Callable[[int, int], Entry], poll: int, count: int) -> tuple[Article, ...]:
    return articles_of_feed(Feed("rss", entries=tuple(show(poll, number) for number in range(count))), CONTEXT)


def archived(articles: Sequence[Article], *, first_derivation: bool) -> tuple[dict[str, Known], dict[str, Words]]:
    """What the archive holds after a source has shown these articles for the first time."""
    url_hashes = identify(articles, {}, {})
    known: dict[str, Known] = {}
    words: dict[str, Words] = {}
    for article, url_hash in zip(articles, url_hashes, strict=True):
        revision = known[url_hash].revision + 1 if url_hash in known else 1
        version = first_fingerprint(article.title, article.content) if first_derivation else article.fingerprint
        held = {**known[url_hash].versions, revision: version} if url_hash in known else {revision: version}
        known[url_hash] = Known(url_hash, revision, held, revision, article.guid, version, article.url)
        files = {
            is_image: frozenset(each.url for each in article.media if (each.kind == "image") == is_image)
            for is_image in (True, False)
        }
        words[url_hash] = Words(
            article.title, article.text, files[False], files[True] if not article.text else frozenset()
        )
    return known, words


def seconds_of_second_poll(show: Callable[[int, int], Entry], count: int, *, first_derivation: bool) -> float:
    known, words = archived(document(show, 1, count), first_derivation=first_derivation)
    articles = document(show, 2, count)
    began = time.process_time()
    undecided = contested(articles, known)
    url_hashes = identify(articles, known, {url_hash: words[url_hash] for url_hash in undecided})
    changes = compare(map(_with_hash, articles, url_hashes), known, live=True)
    seconds = time.process_time() - began
    assert len(changes) == count
    return seconds


def _with_hash(article: Article, url_hash: str) -> Article:
    return replace(article, url_hash=url_hash)


@pytest.mark.slow
@pytest.mark.parametrize("first_derivation", [False, True])
@pytest.mark.parametrize(
    "show",
    [
        other_texts,
        other_texts_under_other_guids,
        other_files_with_the_same_words,
        other_images_under_other_guids,
        other_texts_under_one_guid,
    ],
)
def test_the_time_grows_with_the_entries_under_one_link(
    show: Callable[[int, int], Entry], first_derivation: bool
) -> None:
    few = seconds_of_second_poll(show, 300, first_derivation=first_derivation)
    many = seconds_of_second_poll(show, 1_200, first_derivation=first_derivation)

    assert many < 30
    assert many < max(8 * few, 0.5)
