"""Mistakes in settings, in words: the place of each, the value there, and what was expected."""

import difflib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kzfeed.config import addresses, values
from kzfeed.config.filters import FilterRuleSettings
from kzfeed.config.settings import HostSettings, Settings, SourceSettings

SECTIONS: Final[dict[str, type[BaseModel]]] = {
    name: type(field.default) for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)
}
Mistake = tuple[values.Place, object, str]
"""The place of a mistake, the value there, and what was expected."""


def contradictions(sources: object, has_it: Callable[[int], str]) -> Iterator[Mistake]:
    """Names and URLs that two sources share, and sources with two schedules: place, value, what was expected.

    `has_it` gives the sentence that the source of this number has the value already, and where that source stands.
    """
    seen: dict[tuple[str, object], int] = {}
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if not isinstance(source, dict):
            continue
        for key, identity in (("name", values.source_name), ("url", addresses.address)):
            with suppress(ValueError):
                first = seen.setdefault((key, identity(source.get(key))), number)
                if first != number:
                    expected = f"another {key}: {has_it(first)}"
                    yield ("sources", number, key), source[key], expected
        if "every" in source and "cron" in source:
            yield ("sources", number, "cron"), source["cron"], "no cron beside every: a source has one of them"


def explained(details: ErrorDetails) -> Mistake:
    """The place of a mistake, the value there, and what was expected."""
    place, value = details["loc"], details["input"]
    match details["type"]:
        case "value_error":
            return place, value, str(details["ctx"]["error"])
        case "literal_error":
            return place, value, f"one of {details['ctx']['expected']}"
        case "extra_forbidden":
            return place, values.UNSEEN, _known_key(place)
        case "missing":
            return place, values.Unquoted("nothing"), "a value: every source has a name and a url"
        case "tuple_type" if len(place) > 1:
            return place, value, 'a list of tables, such as [{ title = "^直播" }]'
        case "tuple_type":
            return place, value, 'a list of tables: [[sources]] in a file, [{"name": …}, …] in KZFEED_SOURCES'
        case "dict_type" if len(place) > 1:
            return place, value, 'a table of headers, such as { X-Archive = "kzfeed" }'
        case "dict_type":
            return place, value, 'a table of hosts: [hosts."feedx.net"] in a file, {"feedx.net": …} in KZFEED_HOSTS'
    return place, value, "a table"


def may_be_secret(place: values.Place) -> bool:
    if place[:2] == ("fleet", "token"):
        return True
    return len(place) > 2 and place[2] in ("headers", "basic_auth", "bearer") and place[-1] != "[key]"


def _known_key(place: values.Place) -> str:
    *outer, key = map(str, place)
    tables: dict[str, type[BaseModel]] = {**SECTIONS, "sources": SourceSettings, "hosts": HostSettings}
    tables |= {"include": FilterRuleSettings, "exclude": FilterRuleSettings}
    # A table within a source is named by the source's key.
    table = outer[2] if len(outer) > 2 else outer[0] if outer else None
    known = list(tables[table].model_fields if table else [*Settings.model_fields, "include"])
    near = difflib.get_close_matches(key, known, n=1)
    near += [f"{section}.{key}" for section, model in SECTIONS.items() if key in model.model_fields]
    if near:
        return f"a known key (did you mean {near[0]}?)"
    quotes = ", and quotes around the host" if outer[:1] == ["hosts"] else ""
    return f"one of the keys {', '.join(known)}{quotes}"
