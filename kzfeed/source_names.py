"""The rule for names of sources, which are also the names of folders in an export; and names that no source has."""

import re
from collections.abc import Collection

from kzfeed.errors import UsageError

_RULE = "1 to 64 small letters of any script, digits, '.', '_' and '-', and no '.' or '-' first"
_RESERVED = "kzfeed-export.jsonl"
"""The list of an export, beside which the folders of its sources are."""
_NAME = re.compile(r"\w[\w.-]{0,63}")


def is_source_name(text: object) -> bool:
    """Whether this may be the name of a source: see `expected_name`."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and text == text.lower() != _RESERVED


def expected_name(refused: object) -> str:
    """What a name should be that `is_source_name` refuses, to follow "expected …"."""
    return f"another name, because {_RESERVED} is the list of an export" if refused == _RESERVED else _RULE


def source_name_from(text: str) -> str:
    """The text made into the name of a source; empty where nothing of it can be kept."""
    name = re.sub(r"[^\w.-]+", "-", text.lower()).strip(".-")[:64]
    return name if is_source_name(name) else ""


def not_polled_yet(name: str) -> UsageError:
    """The error that the configuration names this source, and the database does not hold it yet."""
    return UsageError(f"the source {name!r} has not been polled yet: run `kzfeed poll {name}`")


class UnknownSource(UsageError):  # noqa: N818 - it is an answer
    """No source has this name; `nearest` is a known name like it. The message is for people at a command line."""

    def __init__(self, name: str, nearest: str | None, message: str) -> None:
        super().__init__(message)
        self.name, self.nearest = name, nearest


def unknown_source(name: str, known: Collection[str], where: str) -> UnknownSource:
    """The error that no source has this name, with the nearest of the known names if one is near.

    `where` completes "no source 'vao' …", for example with "in this database".
    """
    import difflib  # imported late: only mistakes need it

    small = name.lower()
    longer = sorted(each for each in known if small and small in each)
    if near := difflib.get_close_matches(small, known, n=1) or longer:
        hint = f"the nearest is {near[0]}"
    elif known:
        hint = "`kzfeed sources list` shows their names"
    else:
        hint = "there are no sources yet, and `kzfeed sources add URL` adds one"
    return UnknownSource(name, near[0] if near else None, f"no source {name!r} {where}: {hint}")
