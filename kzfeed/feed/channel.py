"""Rules for what a feed says about itself: its title, its site, and how often it may be polled.

A malformed value counts as absent, since a wrong interval is worse than none.
"""

import html
import re
from collections.abc import Iterable
from datetime import timedelta

from kzfeed.feed.xml import join_addresses

_TAG = re.compile(r"""</?[A-Za-z](?:[^<>"']++|"[^"]*+"|'[^']*+')*+>|<!--.*?-->""", re.DOTALL)
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


def plain_title(title: str, *, is_html: bool) -> str | None:
    """The title of a feed as plain text on one line; None without one."""
    if is_html:
        title = html.unescape(_TAG.sub("", title))
    return " ".join(title.split()) or None


def site_url(url: str, link: str) -> str | None:
    """The address of the site, where the feed at `url` links to one by http or https."""
    address = join_addresses(url, link) if link else ""
    return address if address.startswith(("http://", "https://")) else None


def minutes(ttl: str) -> timedelta | None:
    """The duration that the `ttl` of RSS 2.0 gives in minutes."""
    return timedelta(minutes=int(ttl)) if re.fullmatch("[0-9]{1,6}", ttl) and int(ttl) > 0 else None


def update_interval(period: str, frequency: str) -> timedelta | None:
    """The interval of RSS 1.0 Syndication: `frequency` updates in each `period`, one where no number is given."""
    frequency = frequency or "1"
    if period.lower() not in _PERIODS or not re.fullmatch("[0-9]{1,5}", frequency) or int(frequency) == 0:
        return None
    return _PERIODS[period.lower()] / int(frequency)


def skip_hours(hours: Iterable[str]) -> frozenset[int]:
    """The hours of `skipHours`, 0 to 23 in UTC."""
    return frozenset(int(hour) % 24 for hour in hours if _HOUR.fullmatch(hour))


def skip_days(days: Iterable[str]) -> frozenset[int]:
    """The days of `skipDays`, Monday = 0."""
    return frozenset(_DAYS[day.lower()] for day in days if day.lower() in _DAYS)
