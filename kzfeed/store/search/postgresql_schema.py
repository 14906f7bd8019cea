"""Tables and functions of the search index of a PostgreSQL archive. They are beside the archive's own tables.

`search_docs` has one row for each article, `search_folding` says how characters fold, `search_state` is one row. A GIN
index on the function `search_terms` finds rows by their terms. An index that is being built has other tables and
another function of that kind; their names begin with `rebuilt`. The functions that search are in
`postgresql_functions`.

The function `search_terms` also gives terms for blocks of 16 and 256 days, so that a search can begin with the newest
articles.
"""

import hashlib
import re
import sys
from array import array
from functools import cache
from typing import Any

import sqlalchemy as sa

from kzfeed.search import terms
from kzfeed.search.folding import folded_characters
from kzfeed.search.short_characters import FREQUENT, RARE, shortened
from kzfeed.search.terms import MARK, MAX_WORD_LENGTH, UNSPACED, WORD_LETTER, WORD_MARK
from kzfeed.store.search import postgresql_functions

PENDING_KB = 24_576
"""How much an index gathers before the server merges it: more than an indexing transaction, which merges at its end.

Each search reads what is gathered. But the more is merged at once, the less work is each article.
"""

VERSION = f"2.{terms.VERSION}"
"""Version of the tables and of the terms in them. An index with another one must be built again."""
FUNCTIONS_VERSION = hashlib.sha256("".join(postgresql_functions.FUNCTIONS.values()).encode()).hexdigest()[:8]
"""Version of the functions that search. Another one is replaced without building the index again."""

# In the order in which a search reads them, so that a search and a replacement cannot deadlock.
_TABLES = ("folding", "state", "docs")
_INDEXES = ("docs_pkey", "docs_day", "docs_terms", "folding_pkey")

_CREATE_TABLES = """
CREATE TABLE {name}_docs (
  article_id bigint NOT NULL, published_at timestamptz, source_id bigint NOT NULL, day integer,
  is_large boolean NOT NULL, title text NOT NULL, body text NOT NULL, mixed_pairs text NOT NULL,
  CONSTRAINT {name}_docs_pkey PRIMARY KEY (article_id));
CREATE TABLE {name}_state (
  terms_version text NOT NULL, functions_version text, article_id bigint NOT NULL, url_hash text,
  change_id bigint NOT NULL, changed_article_id bigint, indexed_at timestamptz);
CREATE TABLE {name}_folding (
  character text COLLATE "C" NOT NULL, folded text NOT NULL, CONSTRAINT {name}_folding_pkey PRIMARY KEY (character))
"""

_CREATE_TERMS = """
CREATE FUNCTION {name}_terms(
  title text, body text, mixed_pairs text, day integer, source_id bigint, is_large boolean)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5000 AS $$
SELECT array_to_tsvector(array(
  SELECT '{mark}' || source_id
  UNION ALL SELECT CASE WHEN day IS NULL THEN '@undated' ELSE '@4:' || (day >> 4) END
  UNION ALL SELECT '@8:' || (day >> 8) WHERE day IS NOT NULL
  UNION ALL SELECT '@large' WHERE is_large
  UNION ALL SELECT term FROM (
    SELECT one FROM unnest(characters) AS each (one) WHERE one <> ' '
    UNION ALL SELECT one || two FROM unnest(characters, characters[2:]) AS pair (one, two)
      WHERE one <> ' ' AND two <> ' '
    UNION ALL SELECT left(word, {longest}) FROM unnest(words) AS each (word) WHERE word NOT IN ('', '|')
  ) AS found (term) WHERE NOT is_large))
FROM (SELECT
  string_to_array(
    regexp_replace(split_part(title, E'\\n', 1) || ' ' || split_part(body, E'\\n', 1), '[^{unspaced}]+', ' ', 'g'),
    NULL) AS characters,
  string_to_array(split_part(title, E'\\n', 2) || split_part(body, E'\\n', 2) || ' ' || mixed_pairs, ' ') AS words
) AS parts
$$
"""

_CREATE_INDEXES = f"""
CREATE INDEX {{name}}_docs_day ON {{name}}_docs (day);
CREATE INDEX {{name}}_docs_terms ON {{name}}_docs
  USING gin ({{name}}_terms(title, body, mixed_pairs, day, source_id, is_large))
  WITH (fastupdate = on, gin_pending_list_limit = {PENDING_KB});
ALTER INDEX {{name}}_docs_terms ALTER COLUMN 1 SET STATISTICS 0
"""
# Without statistics of the terms: ANALYZE would compute the terms of 30,000 rows.

_COPY_RIGHTS = """
SELECT format('GRANT %s ON {by}_docs, {by}_state, {by}_folding TO %s', privilege_type,
  CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
FROM pg_class, aclexplode(relacl) AS rights WHERE pg_class.oid = to_regclass('{name}_docs') AND grantee <> relowner
"""


def execute(connection: sa.Connection, statement: str) -> sa.CursorResult[Any]:
    """Execute a statement without parameters, in which a percent sign stands for itself."""
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def create(connection: sa.Connection, name: str) -> None:
    """Create the tables and the function of an empty index of this name, without the indexes on its tables."""
    for statement in _CREATE_TABLES.format(name=name).split(";"):
        execute(connection, statement)
    execute(
        connection,
        _CREATE_TERMS.format(
            name=name, mark=MARK, longest=MAX_WORD_LENGTH, unspaced=character_classes()["short unspaced"]
        ),
    )
    begin = f"INSERT INTO {name}_state (terms_version, article_id, change_id) VALUES (%s, 0, 0)"  # noqa: S608 - a name of ours
    connection.exec_driver_sql(begin, (VERSION,))
    fill = f"INSERT INTO {name}_folding SELECT * FROM unnest(%s::text[], %s::text[])"  # noqa: S608 - a name of ours
    connection.exec_driver_sql(fill, tuple(map(list, zip(*folded_characters(), strict=True))))


def create_indexes(connection: sa.Connection, name: str) -> None:
    """Create the indexes on the tables: by day, and by term."""
    # Otherwise the server goes on for minutes after a process was killed, and its table cannot be dropped.
    execute(connection, "SET LOCAL client_connection_check_interval = '5s'")
    for statement in _CREATE_INDEXES.format(name=name).split(";"):
        execute(connection, statement)


def allow_memory(connection: sa.Connection) -> None:
    """Let this transaction sort the terms of many articles in memory, when it merges them or builds an index."""
    execute(connection, "SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '256MB'")


def merge_pending(connection: sa.Connection, name: str) -> None:
    """Merge what the index has gathered. Only the owner of the index may do it."""
    own = "SELECT oid FROM pg_class WHERE oid = to_regclass(%s) AND pg_has_role(relowner, 'USAGE')"
    for index in connection.exec_driver_sql(own, (f"{name}_docs_terms",)).scalars().all():
        connection.exec_driver_sql("SELECT gin_clean_pending_list(%s)", (index,))


def create_functions(connection: sa.Connection) -> None:
    """Create the functions that search, or replace those of an earlier kzfeed."""
    characters = {**character_classes(), "full": FREQUENT + RARE, "short": RARE + FREQUENT}
    for name, definition in postgresql_functions.FUNCTIONS.items():
        for name_of_some, some in characters.items():
            definition = definition.replace(f"<{name_of_some}>", some)
        # Not dropped before: a search may be using it.
        execute(connection, f"CREATE OR REPLACE FUNCTION {name}{definition}")
    version = f"UPDATE search_state SET functions_version = '{FUNCTIONS_VERSION}'"  # noqa: S608 - a version of ours
    connection.exec_driver_sql(version)


def drop(connection: sa.Connection, name: str) -> None:
    """Drop the tables of an index, as far as they exist, and its function."""
    for table in _TABLES:
        execute(connection, f"DROP TABLE IF EXISTS {name}_{table}")
    execute(connection, f"DROP FUNCTION IF EXISTS {name}_terms")


def replace(connection: sa.Connection, name: str, by: str) -> None:
    """Put the tables of one index in the place of another's, and give the same roles rights to them."""
    for grant in execute(connection, _COPY_RIGHTS.format(name=name, by=by)).scalars().all():
        execute(connection, grant)
    if exists(connection, name):
        execute(connection, f"LOCK TABLE {', '.join(f'{name}_{table}' for table in _TABLES)}")
    drop(connection, name)
    for table in _TABLES:
        execute(connection, f"ALTER TABLE {by}_{table} RENAME TO {name}_{table}")
    for index in _INDEXES:
        execute(connection, f"ALTER INDEX {by}_{index} RENAME TO {name}_{index}")
    execute(connection, f"ALTER FUNCTION {by}_terms RENAME TO {name}_terms")
    create_functions(connection)


def exists(connection: sa.Connection, name: str) -> bool:
    """Whether there is an index of this name."""
    return connection.exec_driver_sql(f"SELECT to_regclass('{name}_state')").scalar() is not None


@cache
def character_classes() -> dict[str, str]:
    """Characters that the functions tell apart, by name, as the insides of character classes."""
    numbers = array("I", (*range(1, 0xD800), *range(0xE000, 0x110000)))
    everything = numbers.tobytes().decode(
        f"utf-32-{sys.byteorder[0]}e"
    )  # far quicker than to join a million characters
    return {
        "unspaced": UNSPACED,
        "letters": _ranges(everything, WORD_LETTER),
        "marks": _ranges(everything, WORD_MARK),
        "short unspaced": _short_unspaced(),
    }


def _ranges(everything: str, pattern: str) -> str:
    """The characters that a pattern of one character matches, as the inside of a character class."""
    return "".join(f"{each[0][0]}-{each[0][-1]}" for each in re.finditer(f"{pattern}+", everything))


def _short_unspaced() -> str:
    """The characters that stand for those of unspaced scripts in the index, as the inside of a character class."""
    characters = "".join(map(chr, range(1, ord(max(UNSPACED)) + 1)))
    found = re.finditer(f"[{UNSPACED}]+", shortened(characters))
    return "".join(f"{characters[each.start()]}-{characters[each.end() - 1]}" for each in found)
