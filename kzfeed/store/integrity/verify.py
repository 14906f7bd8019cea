"""Check of the whole database against itself, as of one moment, while a daemon may run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.store import row_counts, schema, tables
from kzfeed.store.day_counts import wrong_day_counts
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Checked, Finding, Findings, finding, is_broken, key, named, raw, stream
from kzfeed.store.integrity.verify_articles import newest_versions, older_versions

_source, _article, _revision = tables.sources.c, tables.articles.c, tables.revisions.c
_sighting, _poll, _day = tables.sightings.c, tables.polls.c, tables.poll_days.c


def verify(
    database: Database,
    report: Callable[[Finding], None],
    on_check: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Check the whole database; `report` is called with each finding, `on_check` with how many checks are done of all.

    Raises DatabaseError if the database cannot be read. After other damage, this is reported as one more finding.
    """
    made: Counter[bool] = Counter()
    rows: dict[str, int] = {}
    try:
        with database.read() as connection:
            for number, check in enumerate(_CHECKS):
                on_check(number, len(_CHECKS))
                for each in check(connection):
                    made[each.is_damage] += 1
                    report(each)
            for table in (tables.articles, tables.revisions):
                rows[table.name] = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    except DatabaseError as error:
        if not made[True]:
            raise
        made[True] += 1
        report(finding("file", "database", f"the rest could not be checked: {error}"))
    return Checked(rows.get("articles", 0), rows.get("revisions", 0), damage=made[True], notes=made[False])


# --- the database as such --------------------------------------------------------------------------------------------


def _file(connection: sa.Connection) -> Findings:
    """SQLite's own check of its file."""
    if connection.dialect.name != "sqlite":
        return
    try:
        for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if said != "ok":
                yield finding("file", "database", f"SQLite finds: {said}")
    except sa.exc.OperationalError:  # a lock, or a failing disk: this says nothing about the file
        raise
    except sa.exc.DatabaseError as error:
        yield finding("file", "database", f"SQLite finds: {error.orig}")


def _schema(connection: sa.Connection) -> Findings:
    """Tables, columns, indexes and constraints that are missing."""
    for name, lack in schema.missing(connection):
        yield finding("schema", name, lack)


def _instants(connection: sa.Connection) -> Findings:
    for table in tables.metadata.sorted_tables:
        broken = {
            column: is_broken(connection, column) for column in table.c if isinstance(column.type, tables.Instant)
        }
        if not broken:
            continue
        shown = (sa.cast(sa.type_coerce(column, sa.Text), sa.Text).label(column.name) for column in broken)
        flags = (flag.label(f"broken_{column.name}") for column, flag in broken.items())
        query = sa.select(*key(connection, table), *shown, *flags).where(sa.or_(*broken.values()))
        for row in stream(connection, query):
            for column in broken:
                if row._mapping[f"broken_{column.name}"]:
                    written = row._mapping[column.name]
                    said = f"{column.name} is {written!r}: expected YYYY-MM-DD HH:MM:SS.mmm"
                    yield finding("instant", named(table, row), said)


def _texts(connection: sa.Connection) -> Findings:
    """Text that is not UTF-8, which PostgreSQL refuses. `verify_articles` checks articles and revisions."""
    if connection.dialect.name == "postgresql":
        return
    for table in tables.metadata.sorted_tables:
        columns = [column for column in table.c if isinstance(column.type, sa.Text)]
        if columns and table not in (tables.articles, tables.revisions):
            texts = (raw(connection, column) for column in columns)
            for row in stream(connection, sa.select(*key(connection, table), *texts)):
                for column in columns:
                    try:
                        (row._mapping[column.name] or b"").decode()
                    except UnicodeDecodeError as error:
                        yield finding("text", named(table, row), f"{column.name} is not UTF-8: {error.reason}")


def _orphans(connection: sa.Connection) -> Findings:
    """Rows that refer to rows that do not exist."""
    for table in tables.metadata.sorted_tables:
        for column in table.c:
            for reference in column.foreign_keys:
                parent = reference.column
                alone = ~sa.exists().where(parent == column)
                query = sa.select(*key(connection, table), column.label("missing")).where(alone)
                for row in stream(connection, query):
                    said = f"{column.name} is {row.missing}, and {parent.table.name} has no such {parent.name}"
                    yield finding("orphan", named(table, row), said)


# --- what belongs to articles ----------------------------------------------------------------------------------------


def _versions(connection: sa.Connection) -> Findings:
    """Missing or surplus revisions: an article at revision n has exactly the older revisions 1 to n - 1."""
    held = sa.func.count(_revision.revision)
    first, last = sa.func.min(_revision.revision), sa.func.max(_revision.revision)
    query = (
        sa.select(*key(connection, tables.articles), _article.revision, held.label("held"))
        .outerjoin_from(tables.articles, tables.revisions, _revision.article_id == _article.id)
        .group_by(_article.id, _article.revision)
        .having(sa.or_(held != _article.revision - 1, first != 1, last != _article.revision - 1))
        .order_by(_article.id)
    )
    for row in stream(connection, query):
        said = f"is at revision {row.revision}: expected the revisions before it, each once, found {row.held} rows"
        yield finding("revisions", named(tables.articles, row), said)


def _sightings(connection: sa.Connection) -> Findings:
    beyond = (
        sa.select(*key(connection, tables.sightings), _sighting.revision, _article.revision.label("newest"))
        .join_from(tables.sightings, tables.articles, _sighting.article_id == _article.id)
        .where(sa.or_(_sighting.revision < 1, _sighting.revision > _article.revision))
    )
    for row in stream(connection, beyond):
        said = f"shows revision {row.revision}: expected 1 to {row.newest}"
        yield finding("sightings", named(tables.sightings, row), said)
    carried = sa.exists().where(_sighting.article_id == _article.id, _sighting.source_id == _article.source_id)
    for row in stream(connection, sa.select(*key(connection, tables.articles), _article.source_id).where(~carried)):
        said = f"has no sighting by source {row.source_id}, which had it first"
        yield finding("sightings", named(tables.articles, row), said)
    for table in (tables.articles, tables.sightings):
        turned = sa.select(*key(connection, table)).where(table.c.first_seen_at > table.c.last_seen_at)
        for row in stream(connection, turned):
            yield finding("clock", named(table, row), "first_seen_at is later than last_seen_at")


# --- what polls left behind ------------------------------------------------------------------------------------------


def _polls(connection: sa.Connection) -> Findings:
    brought = _poll.new_articles + _poll.revised_articles
    wrong = sa.or_(
        _poll.new_articles < 0,
        _poll.revised_articles < 0,
        brought > _poll.entries,
        sa.and_(brought > 0, _poll.outcome != "new"),
        sa.and_(brought == 0, _poll.outcome == "new"),
        sa.and_(_poll.error_kind.is_not(None), _poll.outcome != "failed"),
        sa.and_(_poll.error_kind.is_(None), _poll.outcome == "failed"),
    )
    query = sa.select(*key(connection, tables.polls), tables.polls).where(wrong)
    for row in stream(connection, query):
        said = (
            f"contradicts itself: outcome {row.outcome}, error {row.error_kind}, {row.entries} entries, "
            f"{row.new_articles} new, {row.revised_articles} revised"
        )
        yield finding("polls", named(tables.polls, row), said)


def _row_counts(connection: sa.Connection) -> Findings:
    if not sa.inspect(connection).has_table(tables.row_counts.name):
        return  # `_schema` has reported it
    for name, counted, held in row_counts.wrong_counts(connection):
        yield finding("rows", name, f"holds {held} rows: expected {counted}, as many as kzfeed stored")


def _day_counts(connection: sa.Connection) -> Findings:
    if not sa.inspect(connection).has_table(tables.day_counts.name):
        return  # `_schema` has reported it
    for row, said in wrong_day_counts(connection):
        yield finding("day-counts", row, said)


def _counts(connection: sa.Connection) -> Findings:
    """Sources whose polls stored more articles or revisions than the archive holds."""

    def by_source(source: sa.Column[int], figure: sa.ColumnElement[Any], *of: sa.ColumnElement[bool]) -> dict[int, int]:
        query = sa.select(source, figure).where(*of).group_by(source)
        return {source_id: int(number or 0) for source_id, number in connection.execute(query)}

    rows = sa.func.count()
    articles = by_source(_article.source_id, rows)
    newest = by_source(_article.revision_source_id, rows, _article.revision > 1)
    older = by_source(_revision.source_id, rows, _revision.revision > 1)
    versions = {source_id: newest.get(source_id, 0) + older.get(source_id, 0) for source_id in newest | older}
    for column, held, what in (
        (_poll.new_articles, articles, "articles that it had first"),
        (_poll.revised_articles, versions, "later versions from it"),
    ):
        recent = by_source(_poll.source_id, sa.func.sum(column))
        summed = by_source(_day.source_id, sa.func.sum(_day[column.name]))
        for source_id in sorted(recent.keys() | summed.keys()):
            brought = recent.get(source_id, 0) + summed.get(source_id, 0)
            if brought > held.get(source_id, 0):
                said = f"its polls brought {brought} {what}, the archive holds {held.get(source_id, 0)}"
                yield finding("counts", f"sources id={source_id}", said)


def _validators(connection: sa.Connection) -> Findings:
    """Sources that have validators without a stored document: its articles would never be asked for."""
    vouching = [_source.etag, _source.last_modified, _source.body_hash]
    query = sa.select(*key(connection, tables.sources)).where(
        sa.or_(*(column.is_not(None) for column in vouching)), _source.last_document_at.is_(None)
    )
    for row in stream(connection, query):
        yield finding("validators", named(tables.sources, row), "has validators, and no document of it was stored")


_CHECKS = (
    _file,
    _schema,
    _instants,
    _texts,
    _orphans,
    _versions,
    _sightings,
    _polls,
    _row_counts,
    _day_counts,
    _counts,
    _validators,
    newest_versions,
    older_versions,
)
