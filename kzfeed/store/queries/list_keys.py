"""Keys of places in lists that are in the order of an instant, an article's id, and a revision or a source's id."""

import re
from datetime import datetime

from kzfeed.errors import UsageError
from kzfeed.instants import instant_of, milliseconds


def list_key(instant: datetime, article_id: int, number: int) -> str:
    """The text from which `parse_list_key` makes these values again."""
    return f"{milliseconds(instant)}:{article_id}:{number}"


def parse_list_key(key: str, thing: str) -> tuple[datetime, int, int]:
    """The values of this key of a `thing`. Raises UsageError if it is no key."""
    match = re.fullmatch(r"(-?\d{1,15}):(\d{1,18}):(\d{1,9})", key, re.ASCII)
    if not match:
        raise UsageError(f"{key!r} is not the key of a {thing}")
    try:
        return instant_of(int(match[1])), int(match[2]), int(match[3])
    except OverflowError:
        raise UsageError(f"{key!r} is not the key of a {thing}: no calendar has its date") from None
