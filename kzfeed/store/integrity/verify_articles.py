"""Check of articles and revisions: their hashes, texts, fingerprints and archive files.

A hash is compared with all hashes that the stored values can make, text and fingerprint with what this kzfeed derives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from kzfeed.article import url
from kzfeed.article.archive_file import ArchiveFile, parse, render, render_with
from kzfeed.article.build import (
    DERIVATION_VERSION,
    URN,
    article_of_file,
    derivation_version_of,
    file_of_article,
    first_fingerprint,
    own_keys,
)
from kzfeed.article.html.content import plain_text
from kzfeed.article.url import URL_HASH
from kzfeed.errors import ArchiveFileError
from kzfeed.model.articles import Article
from kzfeed.store import tables
from kzfeed.store.integrity.findings import Findings, finding, is_broken, key, named, raw, stream

BATCH = 20
"""The most bodies that are in memory at a time."""

_article, _revision, _sighting = tables.articles.c, tables.revisions.c, tables.sightings.c
_media = tables.media.c


@dataclass(frozen=True, slots=True)
class _Checkable:
    """An article's row, and the article that this kzfeed would make of its title, URL and content."""

    row: str
    id: int
    stored: dict[str, Any]
    read: Article


def newest_versions(connection: sa.Connection) -> Findings:
    """Findings about articles: hash, text, fingerprint and archive file."""
    columns = ("url_hash", "url", "title", "content", "text", "published_raw", "fingerprint", "front_matter")
    published_at = sa.case((sa.not_(is_broken(connection, _article.published_at)), _article.published_at))
    query = sa.select(
        *key(connection, tables.articles),
        *(raw(connection, _article[name]) for name in columns),
        published_at.label("published_at"),
    )
    for rows in stream(connection, query.order_by(_article.id), BATCH).partitions():
        batch: list[_Checkable] = []
        for row in rows:
            name = named(tables.articles, row)
            try:
                stored = {column: _text(column, row._mapping[column]) for column in columns}
            except ValueError as error:
                yield finding("text", name, str(error))
                continue
            read = article_of_file(ArchiveFile(None, stored["title"], _address(stored), stored["content"]))
            batch.append(_Checkable(name, row.key_id, stored | {"published_at": row.published_at}, read))
        yield from _hashes(connection, batch)
        for article in batch:
            yield from _derived(article)
            yield from _archive_file(article)


def older_versions(connection: sa.Connection) -> Findings:
    """Findings about older revisions: their text."""
    columns = ("title", "content", "text")
    query = sa.select(
        *key(connection, tables.revisions), *(raw(connection, _revision[name]) for name in columns)
    ).order_by(_revision.article_id, _revision.revision)
    for row in stream(connection, query, BATCH):
        name = named(tables.revisions, row)
        try:
            stored = {column: _text(column, row._mapping[column]) for column in columns}
        except ValueError as error:
            yield finding("text", name, str(error))
            continue
        if plain_text(stored["content"]) != stored["text"]:
            # All derivations so far give the same text.
            yield finding("altered", name, "text: not what content says")


def _text(column: str, value: Any) -> Any:
    """The text in a column. Raises ValueError if it is not UTF-8 or holds U+0000."""
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise ValueError(f"{column} is not UTF-8: {error.reason}") from error
    if text and "\x00" in text:
        raise ValueError(f"{column} holds U+0000")
    return text


def _address(stored: dict[str, Any]) -> str:
    return URN + stored["url_hash"] if stored["url"] is None else str(stored["url"])


def _hashes(connection: sa.Connection, batch: Sequence[_Checkable]) -> Findings:
    """Articles whose url_hash is none that the stored values can make."""
    odd = [each for each in batch if each.stored["url"] is None or each.read.url_hash != each.stored["url_hash"]]
    if not odd:
        return
    ids = [each.id for each in odd]
    enclosures = _enclosures(connection, ids)
    guids = _evidence(connection, _sighting.article_id, _sighting.guid, ids)
    older = _older_versions(connection, ids)
    for article in odd:
        url_hash, address = article.stored["url_hash"], article.stored["url"]
        seen = guids.get(article.id, set())
        enclosed = enclosures.get(article.id, frozenset())
        # An archive file has no guid, so a missing guid proves nothing of an article without a link.
        # Of several enclosures it is not known which the entry had when it was new.
        is_certain = bool(seen) and (None not in seen or (address is not None and len(enclosed) < 2))
        if not URL_HASH.fullmatch(url_hash):
            yield finding("hash", article.row, f"url_hash is {url_hash!r}: expected 64 hexadecimal digits")
        elif url_hash not in _identities(article, seen, older.get(article.id, []), enclosed):
            said = f"url_hash is {url_hash}: expected {_expected(article)}"
            yield finding("hash" if is_certain else "unchecked", article.row, said)


def _identities(
    article: _Checkable, guids: Iterable[str | None], older: Iterable[tuple[str, str]], enclosures: frozenset[str]
) -> set[str]:
    """Every hash by which the article may be known (docs/archive-format.md, "Identity"), in any of its versions."""
    address, newest = article.stored["url"], (article.stored["title"], article.stored["content"])
    if address is None:
        evidence = url.identity_hash("content", first_fingerprint(*newest))
        return {evidence} | {url.identity_hash("guid", guid) for guid in guids if guid}
    described = {
        key
        for title, content in (newest, *older)
        for enclosed in (frozenset[str](), enclosures, *(frozenset({one}) for one in enclosures))
        for key in own_keys(title, enclosed, first_fingerprint(title, content))
    }
    return {url.url_hash(address, key) for key in {*guids, *described} if key is not None}


def _enclosures(connection: sa.Connection, ids: Sequence[int]) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    query = sa.select(_media.article_id, _media.url).where(_media.article_id.in_(ids), _media.kind != "image")
    for article_id, address in connection.execute(query):
        found.setdefault(article_id, set()).add(address)
    return {article_id: frozenset(addresses) for article_id, addresses in found.items()}


def _expected(article: _Checkable) -> str:
    if article.stored["url"] is None:
        return "the hash of its guid or of its text"
    return f"{article.read.url_hash}, the hash of its URL, or of that with its guid or title"


def _older_versions(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Title and content of the older versions of these articles."""
    columns = (raw(connection, _revision.title), raw(connection, _revision.content))
    found: dict[int, list[tuple[str, str]]] = {}
    query = sa.select(_revision.article_id, *columns).where(_revision.article_id.in_(ids))
    for article_id, *values in connection.execute(query):
        title, content = (_as_text(value) for value in values)
        found.setdefault(article_id, []).append((title, content))
    return found


def _as_text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _evidence(
    connection: sa.Connection, of: sa.Column[Any], column: sa.Column[Any], ids: Sequence[int]
) -> dict[int, set[str | None]]:
    found: dict[int, set[str | None]] = {}
    for article_id, value in connection.execute(sa.select(of, raw(connection, column)).where(of.in_(ids))):
        found.setdefault(article_id, set()).add(value.decode(errors="replace") if isinstance(value, bytes) else value)
    return found


def _derived(article: _Checkable) -> Findings:
    stored, read = article.stored, article.read
    version = derivation_version_of(stored["fingerprint"])
    if version is None:
        said = f"fingerprint is {stored['fingerprint']!r}: expected 64 hexadecimal digits"
        yield finding("hash", article.row, said)
        return
    is_first = version == 1
    expected = {
        "text": read.text,
        "fingerprint": first_fingerprint(read.title, read.content) if is_first else read.fingerprint,
    }
    if differing := " and ".join(name for name, value in expected.items() if stored[name] != value):
        if is_first or version == DERIVATION_VERSION:
            yield finding("altered", article.row, f"{differing}: not what title and content say")
        else:
            yield finding(
                "stale", article.row, f"{differing}: of derivation {version}, and this kzfeed has {DERIVATION_VERSION}"
            )


def _archive_file(article: _Checkable) -> Findings:
    """Articles whose archive file, once written, would not be read back unchanged."""
    names = ("url_hash", "url", "title", "content", "published_at", "published_raw")
    front_matter = article.stored["front_matter"]
    try:
        file = file_of_article(replace(article.read, **{name: article.stored[name] for name in names}))
        holds = parse(render(file)) == file
        if front_matter is not None:
            holds = holds and parse(render_with(front_matter, file)).front_matter == front_matter
    except (ArchiveFileError, ValueError):
        holds = False
    if not holds:
        yield finding("archive-file", article.row, "its archive file does not read back as it is written")
