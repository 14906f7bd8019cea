"""Functions of SQL that search in a PostgreSQL archive; kzfeed itself uses them.

They do in SQL what `kzfeed.search` does in Python: `search_query` understands a query as `query.parse` does,
`search_keys` gives the index terms of what is searched for as `terms.index_terms` does. In their text, `<unspaced>`,
`<letters>` and `<marks>` stand for the characters of unspaced scripts, of words, and for the marks in words; `<short>`
and `<full>` for the characters that `short_characters` exchanges.
"""

from kzfeed.search.query import MISSPELT

FUNCTIONS: dict[str, str] = {}
"""The definition of each function by its name; each follows those that it calls."""

FUNCTIONS["search_fold"] = """(query text) RETURNS text LANGUAGE sql STABLE AS $$
SELECT coalesce(normalize(string_agg(coalesce(folded, typed), '' ORDER BY place), NFC), '')
FROM unnest(string_to_array(normalize(query, NFC), NULL)) WITH ORDINALITY AS each (typed, place)
LEFT JOIN search_folding ON character = typed COLLATE "C"
$$"""

FUNCTIONS["search_spaces"] = """(query text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT translate(query,
  E'\\t\\n\\u000b\\f\\r\\u001c\\u001d\\u001e\\u001f\\u0085\\u00a0\\u1680\\u2000\\u2001\\u2002\\u2003\\u2004\\u2005\\u2006'
  '\\u2007\\u2008\\u2009\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000',
  repeat(' ', 28))
$$"""
# Every character that is white space to Python becomes a space.

FUNCTIONS["search_kinds"] = """(searched text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  kinds text := '';
  each text;
BEGIN
  FOREACH each IN ARRAY string_to_array(searched, NULL) LOOP
    kinds := kinds || CASE
      WHEN each = ' ' THEN ' '
      WHEN each ~ '[<unspaced>]' THEN 'u'
      WHEN each ~ '[<letters>]' THEN 'w'
      WHEN each ~ '[<marks>]' THEN 'm'
      ELSE '.' END;
  END LOOP;
  WHILE strpos(kinds, 'wm') > 0 LOOP
    kinds := replace(kinds, 'wm', 'ww');
  END LOOP;
  RETURN kinds;
END
$$"""
# One letter for each character: u(nspaced), w(ord), m(ark outside a word), space, or . for others.

FUNCTIONS["search_keys"] = """(term jsonb, OUT match text, OUT needle text, OUT suffices boolean)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  searched text := term->>'text';
  short text := translate(searched, '<full>', '<short>');
  typed text[] := string_to_array(short, NULL);
  kinds text := search_kinds(searched);
  first_marks integer := length(kinds) - length(ltrim(kinds, 'm'));
  is_string boolean := strpos(kinds, 'u') > 0;
  keys text[] := '{}';
  words text[] := '{}';
  word text := '';
  kind text;
  before text;
  after text;
BEGIN
  FOR place IN 1..length(searched) LOOP
    kind := substr(kinds, place, 1);
    before := substr(' ' || kinds, place, 1);
    after := substr(kinds || ' ', place + 1, 1);
    IF kind = 'u' AND after IN ('u', 'w') THEN
      keys := keys || (typed[place] || typed[place + 1]);
    ELSIF kind = 'u' AND before NOT IN ('u', 'w') THEN
      keys := keys || typed[place];
    ELSIF kind = 'w' THEN
      word := word || typed[place];
      IF after = 'u' THEN
        keys := keys || (typed[place + 1] || '§' || typed[place]);
      END IF;
      IF after <> 'w' THEN
        words := words || word;
        -- A word at an end of a string, or after marks at its beginning, may be a part of a longer one.
        IF is_string AND length(word) < place - first_marks AND place < length(searched) THEN
          keys := keys || left(word, 64);
        END IF;
        word := '';
      END IF;
    END IF;
  END LOOP;
  IF is_string THEN
    needle := short;
    suffices := kinds IN ('u', 'uu', 'uw', 'wu');
  ELSE
    SELECT array_agg(left(each, 64)) INTO keys FROM unnest(words) AS one (each);
    needle := ' ' || array_to_string(words, ' ') || ' ';
    suffices := cardinality(words) = 1 AND length(words[1]) < 64;
  END IF;
  SELECT string_agg('''' || key || '''', ' & ' ORDER BY place) INTO match
  FROM (SELECT key, min(place) AS place FROM unnest(keys) WITH ORDINALITY AS each (key, place) GROUP BY key) AS each;
  IF (term->>'is_prefix')::boolean THEN
    SELECT string_agg('''' || key || '''' || CASE WHEN place = cardinality(keys) THEN ':*' ELSE '' END, ' & ')
    INTO match FROM unnest(keys) WITH ORDINALITY AS each (key, place);
    needle := rtrim(needle, ' ');
  END IF;
  suffices := suffices AND NOT (term->>'in_title')::boolean;
END
$$"""
# The index finds the rows that fit `match`. Unless that suffices, the text of a row must also hold the string `needle`.

FUNCTIONS["search_instant"] = """(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
SELECT timestamptz '1970-01-01 00:00:00+00'
  + make_interval(secs => ms / 1000) + make_interval(secs => ms % 1000 / 1000.0)
$$"""

FUNCTIONS["search_ms"] = """(instant timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
SELECT (extract(epoch FROM instant) * 1000)::bigint
$$"""

FUNCTIONS["search_day"] = """(instant timestamptz) RETURNS integer LANGUAGE sql STABLE AS $$
SELECT floor(extract(epoch FROM instant) / 86400)::integer
$$"""

FUNCTIONS["search_hits"] = """(wanted jsonb, after_ms bigint, after_id bigint, most bigint)
RETURNS TABLE (article_id bigint, published_at timestamptz) LANGUAGE plpgsql STABLE
SET work_mem = '64MB' SET jit = off SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
#variable_conflict use_column
DECLARE
  each record;
  found text := '';
  restricted text := '';
  tests text := '';
  tests_of_large text := 'true';
  since_at timestamptz := search_instant((wanted->>'since')::bigint);
  until_at timestamptz := search_instant((wanted->>'until')::bigint);
  after_at timestamptz := search_instant(after_ms);
  last_day integer := least(search_day(until_at), search_day(after_at), 2147483647);
  top integer;
  shift integer;
  block integer;
  step text := 'newer';
  ids bigint[];
  instants timestamptz[];
  statement text;
BEGIN
  IF most IS NULL OR most < 0 THEN
    RAISE EXCEPTION 'the greatest number of articles must be 0 or more, not %', coalesce(most::text, 'NULL');
  END IF;
  FOR each IN
    SELECT keys.*, false AS is_excluded, term
    FROM jsonb_array_elements(wanted->'terms') AS a (term), search_keys(term) AS keys
    UNION ALL
    SELECT keys.*, true, term
    FROM jsonb_array_elements(wanted->'excluded') AS a (term), search_keys(term) AS keys
  LOOP
    IF NOT each.is_excluded THEN
      found := found || ' & ' || each.match;
    ELSIF each.suffices THEN
      found := found || ' & !' || each.match;
    END IF;
    statement := format('strpos(title, %L) > 0', each.needle);
    IF NOT (each.term->>'in_title')::boolean THEN
      statement := format('(%s OR strpos(body, %L) > 0)', statement, each.needle);
    END IF;
    IF each.is_excluded THEN
      statement := 'NOT ' || statement;
    END IF;
    tests_of_large := tests_of_large || ' AND ' || statement;
    IF NOT each.suffices THEN
      tests := tests || ' AND ' || statement;
    END IF;
  END LOOP;
  tests := tests || format(' AND (NOT is_large OR %s)', tests_of_large);
  SELECT coalesce(' & (' || string_agg('''§' || id || '''', ' | ') || ')', '') INTO restricted
  FROM jsonb_array_elements_text(wanted->'source_ids') AS a (id);
  SELECT restricted || coalesce(string_agg(' & !''§' || id || '''', ''), '') INTO restricted
  FROM jsonb_array_elements_text(wanted->'excluded_source_ids') AS a (id);
  found := '((' || substr(found, 4) || ') | ''@large'')' || restricted;
  IF since_at IS NOT NULL THEN
    tests := tests || format(' AND published_at >= %L', since_at);
  END IF;
  IF until_at IS NOT NULL THEN
    tests := tests || format(' AND published_at < %L', until_at);
  END IF;
  IF after_at IS NOT NULL THEN
    tests := tests || format(
      ' AND (published_at < %1$L OR published_at = %1$L AND article_id < %2$s OR published_at IS NULL)',
      after_at, after_id);
  ELSIF after_id IS NOT NULL THEN
    found := found || ' & ''@undated''';
    tests := tests || format(' AND article_id < %s', after_id);
    step := 'all';
  END IF;
  -- The newest day that has articles, but for those of the future: their days may be far apart.
  SELECT max(day) INTO top FROM search_docs WHERE day <= least(last_day, search_day(now()) + 1);
  IF top IS NULL THEN
    step := 'all';
  ELSIF step = 'newer' AND NOT EXISTS (SELECT FROM search_docs WHERE day > top AND day <= last_day) THEN
    step := 'blocks';
    shift := 4;
  END IF;
  LOOP
    statement := found;
    IF step = 'blocks' THEN
      block := top >> shift;
      statement := format('%1$s & (''@%2$s:%3$s'' | ''@%2$s:%4$s'')', found, shift, block, block - 1);
    END IF;
    EXECUTE format(
      'SELECT coalesce(array_agg(article_id), ''{}''), coalesce(array_agg(published_at), ''{}'') FROM ('
      'SELECT article_id, published_at FROM search_docs '
      'WHERE search_terms(title, body, mixed_pairs, day, source_id, is_large) @@ %L::tsquery %s%s '
      'ORDER BY published_at DESC NULLS LAST, article_id DESC LIMIT %s) AS hits',
      statement, tests, CASE WHEN step = 'newer' THEN format(' AND day > %s', top) END, most) INTO ids, instants;
    IF step = 'newer' THEN
      RETURN QUERY SELECT * FROM unnest(ids, instants);
      most := most - cardinality(ids);
      tests := tests || format(' AND (day IS NULL OR day <= %s)', top);
      step := 'blocks';
      shift := 4;
      CONTINUE WHEN most > 0;
      RETURN;
    END IF;
    EXIT WHEN step = 'all' OR cardinality(ids) >= most;
    EXIT WHEN search_day(since_at) >= (block - 1) << shift;
    IF shift = 4 THEN
      shift := 8;
    ELSE
      step := 'all';
    END IF;
  END LOOP;
  RETURN QUERY SELECT * FROM unnest(ids, instants);
END
$$"""
# The newest two blocks of 16 days are searched first, then those of 256 days, then everything.

FUNCTIONS["search_date"] = """(field text, typed text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
  part text[] := regexp_match(
    typed, '^([0-9]{4})(?:[-/]([0-9]{1,2})(?:[-/]([0-9]{1,2})(?:[T ]([0-9]{1,2}):([0-9]{2})'
    '(?::([0-9]{2}(?:[.][0-9]{1,6})?))?(?:Z|([-+])([0-9]{2}):([0-9]{2}))?)?)?)?$');
  ahead interval := make_interval(hours => coalesce(part[8], '0')::integer, mins => coalesce(part[9], '0')::integer);
  instant timestamptz;
BEGIN
  IF part[1] >= '0001' AND coalesce(part[4], '0')::integer < 24 AND coalesce(part[5], '0')::integer < 60
    AND coalesce(part[6], '0')::double precision < 60 AND ahead < '24 hours' AND coalesce(part[9], '0')::integer < 60
  THEN
    instant := make_timestamptz(part[1]::integer, coalesce(part[2]::integer, 1), coalesce(part[3]::integer, 1),
      coalesce(part[4]::integer, 0), coalesce(part[5]::integer, 0), coalesce(part[6]::double precision, 0), 'UTC')
      - CASE WHEN part[7] = '-' THEN -ahead ELSE ahead END;
    IF instant >= '0001-01-01 00:00+00' AND instant < '10000-01-01 00:00+00' THEN
      RETURN instant;
    END IF;
  END IF;
  RAISE datetime_field_overflow;
EXCEPTION WHEN datetime_field_overflow THEN
  RAISE EXCEPTION '%:%: expected a date in UTC such as %:2024, %:2024-05-31 or %:2024-05-31T18:00',
    field, typed, field, field, field;
END
$$"""

FUNCTIONS[
    "search_term"
] = """(typed text, is_quoted boolean, in_title boolean) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  searched text := btrim(regexp_replace(search_spaces(search_fold(typed)), ' +', ' ', 'g'), ' ');
  has_star boolean := right(searched, 1) = '*';
  kinds text;
BEGIN
  IF has_star THEN
    searched := rtrim(searched, '* ');
  END IF;
  kinds := search_kinds(searched);
  IF kinds !~ '[uw]' THEN
    RAISE EXCEPTION '% cannot be searched for: it has neither letters nor digits', quote_literal(typed);
  ELSIF strpos(searched, '*') > 0 AND NOT is_quoted AND kinds !~ 'u' THEN
    RAISE EXCEPTION '%: * may stand only at the end, for the rest of a word', quote_literal(typed);
  END IF;
  RETURN jsonb_build_object(
    'text', searched, 'in_title', in_title,
    'is_prefix', has_star AND kinds !~ 'u' AND search_kinds(right(searched, 1)) = 'w');
END
$$"""

FUNCTIONS["search_query"] = """(query text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  rest text := search_spaces(coalesce(query, ''));
  terms jsonb[] := '{}';
  excluded_terms jsonb[] := '{}';
  sources bigint[] := '{}';
  excluded_sources bigint[] := '{}';
  since_at timestamptz;
  until_at timestamptz;
  is_excluded boolean;
  field text;
  closing text;
  typed text;
  term jsonb;
  source bigint;
BEGIN
  LOOP
    rest := ltrim(rest, ' ');
    EXIT WHEN rest = '';
    is_excluded := rest ~ '^[-－][^ ]';
    IF is_excluded THEN
      rest := substr(rest, 2);
    END IF;
    field := lower((regexp_match(rest, '^(title|source|since|until)[:：]', 'i'))[1]);
    IF field IS NOT NULL THEN
      rest := substr(rest, length(field) + 2);
    END IF;
    closing := CASE left(rest, 1)
      WHEN '"' THEN '"' WHEN '“' THEN '”' WHEN '”' THEN '”' WHEN '„' THEN '”' WHEN '＂' THEN '＂'
      WHEN '「' THEN '」' WHEN '『' THEN '』' END;
    IF closing IS NULL THEN
      typed := substring(rest FROM '^[^ ]*');
      IF field IS NULL AND is_excluded AND typed ~ '^[-－]' THEN
        RAISE EXCEPTION '-%: a query has no options, and one hyphen excludes a word', typed;
      ELSIF field IS NULL AND typed ~* '{MISSPELT}' THEN
        RAISE EXCEPTION '%: no field has this name; title:, source:, since: and until: are fields', typed;
      END IF;
      rest := substr(rest, length(typed) + 1);
    ELSE
      IF strpos(substr(rest, 2), closing) = 0 THEN
        RAISE EXCEPTION 'the quotation mark in % has no counterpart', quote_literal(left(rest, 21));
      END IF;
      rest := substr(rest, 2);
      typed := left(rest, strpos(rest, closing) - 1);
      rest := substr(rest, strpos(rest, closing) + 1);
      IF left(rest, 1) = '*' THEN
        typed := typed || '*';
        rest := substr(rest, 2);
      END IF;
    END IF;
    IF field IN ('since', 'until') THEN
      IF is_excluded THEN
        RAISE EXCEPTION '-%:%: a date cannot be excluded', field, typed;
      ELSIF field = 'since' THEN
        since_at := greatest(since_at, search_date(field, typed));
      ELSE
        until_at := least(until_at, search_date(field, typed));
      END IF;
      CONTINUE;
    ELSIF field = 'source' THEN
      SELECT id INTO source FROM sources WHERE name = typed;
      IF source IS NULL THEN
        RAISE EXCEPTION 'no source % in this database', quote_literal(typed);
      ELSIF is_excluded THEN
        excluded_sources := excluded_sources || source;
      ELSE
        sources := sources || source;
      END IF;
      CONTINUE;
    END IF;
    term := search_term(typed, closing IS NOT NULL, field IS NOT NULL);
    IF is_excluded THEN
      excluded_terms := excluded_terms || term;
    ELSE
      terms := terms || term;
    END IF;
  END LOOP;
  IF since_at >= until_at THEN
    RAISE EXCEPTION 'no time is since % and before %: give an until that is later than since', since_at, until_at;
  ELSIF terms = '{}' THEN
    RAISE EXCEPTION 'nothing to search for: give at least one word or string that the articles must contain';
  END IF;
  RETURN jsonb_build_object(
    'terms', to_jsonb(terms), 'excluded', to_jsonb(excluded_terms),
    'source_ids', to_jsonb(sources), 'excluded_source_ids', to_jsonb(excluded_sources),
    'since', search_ms(since_at), 'until', search_ms(until_at));
END
$$""".replace("{MISSPELT}", "|".join(MISSPELT.values()))

FUNCTIONS["search"] = """(query text, most bigint DEFAULT 20, after text DEFAULT NULL)
RETURNS TABLE (article_id bigint, published_at timestamptz, source text, title text, url text, key text)
LANGUAGE sql STABLE AS $$
SELECT a.id, a.published_at, s.name, a.title, a.url,
  coalesce(search_ms(hit.published_at)::text, 'undated') || ':' || a.id
FROM search_hits(
    search_query(query), nullif(split_part(after, ':', 1), 'undated')::bigint, split_part(after, ':', 2)::bigint, most
  ) WITH ORDINALITY AS hit (article_id, published_at, place)
JOIN articles AS a ON a.id = hit.article_id
JOIN sources AS s ON s.id = a.source_id
ORDER BY place
$$"""
# What a person calls in psql: the same hits as those of `kzfeed search`.
