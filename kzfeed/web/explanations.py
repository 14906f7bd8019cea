"""Explanations of when a source is polled and why, in the language of a page."""

from datetime import datetime, timedelta

from kzfeed.instants import length, moment
from kzfeed.schedule.explain import ExplanationLine, Weekdays
from kzfeed.web.catalogue import Catalogue, load_catalogues

_REASON_KEYS = {
    str(text): key.removeprefix("reason.")
    for key, text in load_catalogues()["en"].texts.items()
    if key.startswith("reason.")
}
"""The keys of the translations, by the English reasons that the database holds of polls and addresses."""


def sentence(translate: Catalogue, line: ExplanationLine) -> str:
    """The line as a sentence. What servers said is not translated."""
    values = {
        name: reason(translate, str(value)) if name == "reason" else _written(translate, value)
        for name, value in line.values.items()
    }
    return translate(f"why.{line.key}", **values)


def reason(translate: Catalogue, stored: str) -> str:
    """A reason as the database holds it, translated; one of another version of kzfeed stays in English."""
    return translate(f"reason.{_REASON_KEYS[stored]}") if stored in _REASON_KEYS else stored


def _written(translate: Catalogue, value: object) -> object:
    match value:
        case Weekdays(days):
            names = translate("chart.weekdays").split()
            return ", ".join(names[day] for day in days)
        case tuple():
            return ", ".join(
                sentence(translate, each) if isinstance(each, ExplanationLine) else str(each) for each in value
            )
        case datetime():
            return moment(value)
        case timedelta():
            return length(value)
    return value
