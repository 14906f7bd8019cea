"""Whether a source may be polled. `store/source_conditions.py` has the same rule in SQL."""

from datetime import datetime
from typing import Literal

from kzfeed.model.polls import Source


def why_not_polled(source: Source) -> Literal["removed", "disabled", "gone"] | None:
    """Why the source is not polled any more: the operator wants it so, or its server said 410. None if it is polled."""
    if source.status == "removed":
        return "removed"
    if not source.enabled:
        return "disabled"
    return "gone" if source.status == "gone" else None


def pause_end(source: Source, host_pause: datetime | None, now: datetime) -> datetime | None:
    """The end of the pause that the server asked for, for this source or for the whole host; None if there is none."""
    pauses = [pause for pause in (source.not_before, host_pause) if pause and pause > now]
    return max(pauses, default=None)
