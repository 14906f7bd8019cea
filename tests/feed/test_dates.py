"""Dates as feeds write them, one a line in tests/data/dates.tsv, and what they mean."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kzfeed.feed.dates import words as date_words
from kzfeed.feed.dates.parse import instant
from kzfeed.feed.dates.words import MONTHS

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TABLE = Path(__file__).parents[1] / "data" / "dates.tsv"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "feedparser"


def table() -> Iterator[tuple[str, str, str]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            raw, zone, expected = line.split("\t")
            yield raw, zone, expected


def written(moment: datetime | None) -> str:
    if moment is None:
        return "unknown"
    assert moment.tzinfo is UTC
    text = moment.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000")


@pytest.mark.parametrize(("raw", "zone", "expected"), list(table()))
def test_a_date_is_understood_right_or_not_at_all(raw: str, zone: str, expected: str) -> None:
    assert written(instant(raw, zone=UTC if zone == "UTC" else ZoneInfo(zone), now=NOW)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "\n    Tue, 11 Jan 2022 17:39:03 GMT\n  ",
        "\ufeffTue, 11 Jan 2022 17:39:03 GMT\u00a0",
        "Tue, 11 Jan 2022\n\t17:39:03\r\n\tGMT",
        "Tue,\u00a011\u00a0Jan\u00a02022\u00a017:39:03\u00a0GMT",
        "\u3000Jan 11, 2022, 5:39:03\u202fPM\u3000UTC",
        "\u200e11\u200e Jan\u200e 2022 17:39:03 GMT",
        " " * 1_000_000 + "2022-01-11T17:39:03Z" + "\t" * 1_000_000,
    ],
)
def test_white_space_and_marks_without_meaning_do_not_matter(raw: str) -> None:
    assert written(instant(raw, now=NOW)) == "2022-01-11T17:39:03"


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " \n",
        "\x00",
        "2022-01-11\x00",
        "\x1c2022-01-11",
        "2022-01-11\ud800",
        "\udcff" * 50,
        "2022-01-11T17:39:03." + "9" * 200 + "Z",
        "2" * 10_000_000,
        "Tue, " * 2_000_000,
        "(" * 120,
        "a" * 120,
        "a " * 60,
        "1 " * 60,
        "." * 120,
    ],
)
def test_junk_is_unknown(raw: str) -> None:
    assert instant(raw, now=NOW) is None


def test_a_zone_of_a_fixed_offset_serves_as_well_as_a_named_one() -> None:
    ahead = timezone(timedelta(hours=8))
    assert written(instant("2024年1月2日 08:00", zone=ahead, now=NOW)) == "2024-01-02T00:00:00"
    assert written(instant("Tue, 11 Jan 2022 17:00:00 CST", zone=ahead, now=NOW)) == "2022-01-11T09:00:00"


def test_what_is_too_far_ahead_depends_on_now() -> None:
    raw = "2026-11-25T00:00:00Z"
    assert instant(raw, now=NOW) is None
    assert written(instant(raw, now=NOW + timedelta(days=3))) == "2026-11-25T00:00:00"


def test_every_word_for_a_month_stands_where_that_month_stands() -> None:
    for word, month in MONTHS.items():
        if month <= 11:  # December 2026 is later than now
            assert written(instant(f"{word} 1, 2026 17:12", now=NOW)) == f"2026-{month:02}-01T17:12:00", word
        assert written(instant(f"1 {word.title()}. 2025", now=NOW)) == f"2025-{month:02}-01T00:00:00", word


def test_no_word_means_two_months() -> None:
    words = [word for month in date_words._MONTHS for word in month.split()]  # noqa: SLF001 - the table is tested before it is a dict
    assert sorted(words) == sorted(MONTHS)


# Dates in feedparser's test documents that feedparser understands and we do not, and why.
UNKNOWN_TO_US: dict[str, str] = {}


# Prints each date of the documents in a folder that feedparser understands: document, text, seconds since 1970.
FEEDPARSER_DATES = """
import json, sys
from calendar import timegm
from pathlib import Path
import feedparser

dates = []
for document in sorted(Path(sys.argv[1]).rglob("*.xml")):
    parsed = feedparser.parse(document.read_bytes())
    for carrier in (parsed.feed, *parsed.entries):
        # Read as a plain dict, because feedparser answers for keys that are missing.
        for key, moment in dict.items(carrier):
            if key.endswith("_parsed") and moment is not None:
                dates.append((document.name, dict.__getitem__(carrier, key.removesuffix("_parsed")), timegm(moment)))
print(json.dumps(dates))
"""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="feedparser's test documents lie beside the project, not in it")
def test_feedparser_and_we_agree_on_its_own_documents() -> None:
    # In a process of its own: where kzfeed reads broken feeds, it has registered a date handler with feedparser.
    listing = subprocess.run([sys.executable, "-c", FEEDPARSER_DATES, str(CORPUS)], stdout=subprocess.PIPE, check=True)
    dates = json.loads(listing.stdout)

    unknown = set()
    for document, raw, seconds in dates:
        ours = instant(raw, now=NOW)
        if ours is None:
            unknown.add(raw)
        else:
            assert ours.replace(microsecond=0) == datetime.fromtimestamp(seconds, UTC), f"{document}: {raw}"
    assert unknown == set(UNKNOWN_TO_US)
    assert len(dates) > 80
