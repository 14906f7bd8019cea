"""Why the next poll of a source is when it is, in four languages."""

import inspect
import re
from datetime import UTC, datetime, timedelta

import pytest

from kzfeed.schedule import explain, interval, policy, response_headers
from kzfeed.schedule.explain import TEXTS, ExplanationLine, Weekdays
from kzfeed.web.catalogue import load_catalogues
from kzfeed.web.explanations import reason, sentence

CATALOGUES = load_catalogues()
NOW = datetime(2022, 1, 11, 18, tzinfo=UTC)


def test_the_english_texts_are_those_of_the_command_line() -> None:
    texts = CATALOGUES["en"].texts

    assert {key: texts[f"why.{key}"] for key in TEXTS if isinstance(texts[f"why.{key}"], str)} | {
        key: texts[f"why.{key}"]["other"]  # type: ignore[index]
        for key in TEXTS
        if not isinstance(texts[f"why.{key}"], str)
    } == TEXTS


def test_a_line_is_a_sentence_of_the_page() -> None:
    due = ExplanationLine("next", {"at": NOW, "wait": timedelta(minutes=90), "reason": "back-off after failures"})
    days = ExplanationLine("skip_days", {"days": Weekdays((0, 6))})

    assert sentence(CATALOGUES["en"], due) == str(due)
    assert sentence(CATALOGUES["zh"], due) == "下次访问在 2022-01-11 18:00:00 UTC，还有 1 h 30 min：多次失败后的退避。"
    assert sentence(CATALOGUES["ru"], days) == "Лента просит не опрашивать её в эти дни: Пн, Вс (skipDays)."


@pytest.mark.parametrize(
    "stored", ["Retry-After", "its interval", "back-off after failures", "put off by the feed's skipHours or skipDays"]
)
def test_reasons_are_translated(stored: str) -> None:
    assert reason(CATALOGUES["en"], stored) == stored
    assert reason(CATALOGUES["zh"], stored) not in ("", stored)


def test_reasons_of_other_versions_stay() -> None:
    assert reason(CATALOGUES["kk"], "a reason of 2031") == "a reason of 2031"


def test_every_reason_that_the_schedule_gives_has_a_translation() -> None:
    code = "\n".join(inspect.getsource(module) for module in (explain, interval, policy, response_headers))
    lines = [line for line in code.splitlines() if "Wait(" in line or "reason = " in line]
    given = {text for line in lines for text in re.findall(r'"([A-Za-z][^"{}]{4,})"', line)}

    assert len(given) > 10
    for text in given - {"max-age", "challenge"}:  # a directive and a kind of failure
        assert text in CATALOGUES["en"].texts.values(), text
