"""What a feed says of itself, as strings, comes in; when to come back and where its site is go out, or None.

What cannot be understood is not said: a wrong rhythm would be worse than none.
"""

import re
from datetime import timedelta
from urllib.parse import urljoin

_HOUR = re.compile("[01]?[0-9]|2[0-4]")
_DAYS = {
    day: number
    for number, day in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
}
_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}


def site_url(url: str, link: str) -> str | None:
    """The address of the site, where the feed at `url` links to one by http or https."""
    try:
        address = urljoin(url, link) if link else ""
    except ValueError:
        return None
    return address if address.startswith(("http://", "https://")) else None


def minutes(ttl: str) -> timedelta | None:
    """RSS 2.0 `ttl`."""
    return timedelta(minutes=int(ttl)) if re.fullmatch("[0-9]{1,6}", ttl) and int(ttl) > 0 else None


def update_every(period: str, frequency: str) -> timedelta | None:
    """RSS 1.0 Syndication: `frequency` times in each `period`, once where it does not say."""
    frequency = frequency or "1"
    if period.lower() not in _PERIODS or not re.fullmatch("[0-9]{1,5}", frequency) or int(frequency) == 0:
        return None
    return _PERIODS[period.lower()] / int(frequency)


def skip_hours(body: str) -> frozenset[int]:
    """The hours of the first skipHours in the document: feedparser keeps only the last of them."""
    return frozenset(int(hour) % 24 for hour in _skipped(body, "Hours", "hour") if _HOUR.fullmatch(hour))


def skip_days(body: str) -> frozenset[int]:
    """The days of the first skipDays in the document, Monday = 0."""
    return frozenset(_DAYS[day.lower()] for day in _skipped(body, "Days", "day") if day.lower() in _DAYS)


def _skipped(body: str, what: str, each: str) -> list[str]:
    opened = re.search(f"<skip{what}\\s*>", body, re.IGNORECASE)
    block = body[opened.end() : opened.end() + 4096] if opened else ""
    closed = re.search(f"</skip{what}\\s*>", block, re.IGNORECASE)
    return re.findall(f"<{each}>\\s*(\\w+)\\s*</{each}>", block[: closed.start()] if closed else "", re.IGNORECASE)
