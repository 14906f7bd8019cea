"""Conversion between rows of the table `sources` and the model's `Source`."""

import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from kzfeed.model.articles import FeedReading, LinkField
from kzfeed.model.filters import FilterRule, Filters
from kzfeed.model.polls import Source, Validators
from kzfeed.store import tables

SAME_AS_IN_MODEL = [
    *("title", "site_url", "body_hash", "ask_in_full", "not_modified_since", "moved_to", "moved_since", "moved_polls"),
    *("gone_at", "next_poll_at", "next_poll_reason", "not_before", "last_polled_at", "last_success_at"),
    *("last_document_at", "window_at", "flaw", "refused_validators", "failing_since", "failure_count"),
    *("last_error_kind", "last_error"),
]
"""Columns that a poll may change and that hold the same value as the attribute of that name in `Source`."""

_COLUMNS = [
    *("id", "name", "url", "configured_url", "auto", "cron", "timezone", "enabled", "status", *SAME_AS_IN_MODEL),
    *("every_seconds", "validators_url", "etag", "last_modified", "skip_hours", "skip_days"),
    *("own_wait_seconds", "auto_seconds", "hurried_seconds", "filters"),
    *("full_text", "link_from", "content_from", "encoding"),
]

OF_READING = ("filters", "timezone", "link_from", "content_from", "encoding")
"""The columns that say what is made of a document."""

SELECT_SOURCES = sa.select(*(tables.sources.c[name] for name in _COLUMNS))
"""Selects what `source_from_row` needs."""

_INSTEAD_OF_ADDRESSES: dict[str, sa.ColumnElement[Any]] = {
    "url": sa.func.coalesce("https://" + tables.sources.c.host + "/", ""),
    "validators_url": sa.literal("not read"),
    **{name: sa.null() for name in ("configured_url", "moved_to")},
}
SELECT_WITHOUT_ADDRESSES = sa.select(
    *(_INSTEAD_OF_ADDRESSES.get(name, tables.sources.c[name]).label(name) for name in _COLUMNS)
)
"""Selects the same without the addresses of feeds, which some readers must not see; `url` has the host alone."""


def source_from_row(row: Any) -> Source:
    """The source in a row of `SELECT_SOURCES`."""
    values = dict(zip(_COLUMNS, row, strict=True))
    url, etag, last_modified = (values.pop(name) for name in ("validators_url", "etag", "last_modified"))
    every = timedelta(seconds=values.pop("every_seconds") or 0)
    reading = reading_of(values.pop("link_from"), values.pop("content_from"), values.pop("encoding"))
    return Source(
        every=every,
        validators=Validators(url, etag=etag, last_modified=last_modified) if url and (etag or last_modified) else None,
        skip_hours=_numbers(values.pop("skip_hours")),
        skip_days=_numbers(values.pop("skip_days")),
        own_wait=_interval(values.pop("own_wait_seconds")),
        auto_interval=_interval(values.pop("auto_seconds")),
        hurried_interval=_interval(values.pop("hurried_seconds")),
        filters=filters_of(values.pop("filters")),
        reading=reading,
        **values,
    )


def reading_of(link_from: LinkField | None, content_from: str | None, encoding: str | None) -> FeedReading:
    """How a feed is read, from the columns of these names."""
    return FeedReading(link_from or "link", tuple((content_from or "").split()), encoding)


def reading_values(reading: FeedReading) -> dict[str, str | None]:
    """The values of the columns that say how an odd feed is read; NULL for what is usual."""
    return {
        "link_from": None if reading.link_from == "link" else reading.link_from,
        "content_from": " ".join(reading.content_from) or None,
        "encoding": reading.encoding,
    }


def state_values(source: Source) -> dict[str, Any]:
    """The values of the columns that a poll may change, except `status`, `url` and `host`."""
    validators = source.validators
    return {
        **{name: getattr(source, name) for name in SAME_AS_IN_MODEL},
        "auto_seconds": _seconds(source.auto_interval),
        "hurried_seconds": _seconds(source.hurried_interval),
        "own_wait_seconds": _seconds(source.own_wait),
        "skip_hours": _joined(source.skip_hours),
        "skip_days": _joined(source.skip_days),
        "validators_url": validators and validators.url,
        "etag": validators and validators.etag,
        "last_modified": validators and validators.last_modified,
    }


def filters_text(filters: Filters) -> str | None:
    """The filters as the column `filters` has them: as JSON, without keys that are not set; None without filters."""
    kinds = {"include": filters.include, "exclude": filters.exclude}
    written = {kind: [rule.patterns() for rule in rules] for kind, rules in kinds.items() if rules}
    return json.dumps(written, ensure_ascii=False) if written else None


@lru_cache(maxsize=1_000)
def filters_of(text: str | None) -> Filters:
    """The filters in a value of the column `filters`."""
    if text is None:
        return Filters()
    return Filters(**{kind: tuple(FilterRule(**rule) for rule in rules) for kind, rules in json.loads(text).items()})


def _numbers(text: str | None) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if text else frozenset()


def _joined(numbers: frozenset[int]) -> str | None:
    return ",".join(map(str, sorted(numbers))) or None


def _interval(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(interval: timedelta | None) -> float | None:
    return None if interval is None else interval.total_seconds()
