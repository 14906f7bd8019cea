"""Charts: valid XML whatever names and numbers are in them, and the same figures as in their tables."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from kzfeed.web.charts import Band, BandRow, Bar, Chart, Series, band_chart, bar_chart, heat_map, stacked_chart
from tests.conftest import examples

SVG = "{http://www.w3.org/2000/svg}"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
DAY = date(2024, 5, 1)
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b]0;\ud800\ufffe\uffff\u202e]]>-->"

texts = st.text(st.characters(), max_size=80)
numbers = st.integers(0, 10**12)


def root(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg)  # noqa: S314 - made here


def titles(chart: Chart) -> list[str]:
    """The titles within the picture, the first one its own."""
    return ["".join(title.itertext()) for title in root(chart).iter(f"{SVG}title")]


def written(chart: Chart) -> list[list[str]]:
    return [[cell.text for cell in row] for row in chart.table.rows]


@settings(max_examples=examples(30))
@given(title=texts, bars=st.lists(st.tuples(texts, numbers, st.none() | texts), min_size=1, max_size=5))
def test_bars_are_valid_xml_whatever_they_are_called(title: str, bars: Sequence[tuple[str, int, str | None]]) -> None:
    chart = bar_chart(title, ("d", "n"), [Bar(*bar) for bar in bars], str)

    assert len(titles(chart)) == 1 + sum(number > 0 for _, number, _ in bars)


@settings(max_examples=examples(30))
@given(names=st.lists(texts, min_size=2, max_size=2), counts=st.lists(st.tuples(numbers, numbers), min_size=1))
def test_stacked_columns_are_valid_xml(names: Sequence[str], counts: Sequence[tuple[int, int]]) -> None:
    series = [Series(f"c{place}", names[place], [count[place] for count in counts]) for place in (0, 1)]

    chart = stacked_chart(names[0], ("d",), [names[1]] * len(counts), series, str)

    assert len(written(chart)) == len(titles(chart)) - 1 == sum(any(count) for count in counts)


@settings(max_examples=examples(30))
@given(name=texts, times=st.lists(st.tuples(st.datetimes(), st.datetimes()), max_size=5))
def test_bands_are_valid_xml_wherever_they_lie(name: str, times: Sequence[tuple[datetime, datetime]]) -> None:
    bands = [Band(first.replace(tzinfo=UTC), last.replace(tzinfo=UTC), name) for first, last in times]

    chart = band_chart("x", name, ("s", "f", "t"), (NOON, NOON + timedelta(days=9)), [BandRow(name, name, bands)])

    for band in root(chart).iter(f"{SVG}rect"):
        if band.get("class") == "band":
            left, width = (float(band.attrib[each].removesuffix("%")) for each in ("x", "width"))
            assert 0 <= left < left + width <= 100.01


@settings(max_examples=examples(30))
@given(counts=st.dictionaries(st.dates(DAY, DAY + timedelta(days=370)), numbers, max_size=30))
def test_a_heat_map_has_a_square_for_each_day(counts: dict[date, int]) -> None:
    chart = heat_map(HOSTILE, ["w", *WEEKDAYS], counts, (DAY, DAY + timedelta(days=364)), str)

    squares = [each for each in root(chart).iter(f"{SVG}rect") if each.attrib["class"].startswith("heat")]
    shown = {day: count for day, count in counts.items() if count and day <= DAY + timedelta(days=364)}
    assert len(squares) == 365
    assert titles(chart)[1:] == [f"{day}: {count}" for day, count in sorted(shown.items())]
    assert sum(int(cell) for _, *row in written(chart) for cell in row if cell) == sum(shown.values())


def test_bars_are_links_and_stand_in_proportion() -> None:
    chart = bar_chart("t", ("day", "articles"), [Bar("a", 10, "/?since=1"), Bar("b", 0), Bar("c", 5, "/?x=<&y")], str)

    links = list(root(chart).iter(f"{SVG}a"))
    heights = [rectangle.attrib["height"] for link in links for rectangle in link.iter(f"{SVG}rect")]
    assert [link.attrib["href"] for link in links] == ["/?since=1", "/?x=<&y"]
    assert heights == ["100.0%", "50.0%"]
    assert written(chart) == [["a", "10"], ["c", "5"]]
    assert [row[0].address for row in chart.table.rows] == ["/?since=1", "/?x=<&y"]


def test_the_least_number_and_the_shortest_gap_can_be_seen() -> None:
    bars = bar_chart("t", ("d", "n"), [Bar("a", 1), Bar("b", 10**9)], str)
    instant = BandRow("s", "/s", [Band(NOON, NOON, "gap")])
    bands = band_chart("x", "t", ("s", "f", "t"), (NOON - timedelta(days=3_650), NOON), [instant])

    assert min(float(each.attrib["height"].rstrip("%")) for each in root(bars).iter(f"{SVG}rect")) >= 1
    assert [each.attrib["width"] for each in root(bands).iter(f"{SVG}rect") if each.get("class") == "band"] == ["0.40%"]


def test_a_quarter_of_the_days_of_a_heat_map_has_each_colour() -> None:
    counts = {DAY + timedelta(days=number): 10**number for number in range(8)}

    chart = heat_map("t", ["w", *WEEKDAYS], counts, (DAY, DAY + timedelta(days=9)), str)

    levels = [each.attrib["class"] for each in root(chart).iter(f"{SVG}rect")]
    assert levels == [f"heat{level}" for level in (1, 1, 2, 2, 3, 3, 4, 4, 0, 0)]


def test_hostile_names_are_text() -> None:
    text = HOSTILE
    charts = [
        bar_chart(text, (text,), [Bar(text, 1, text)], str),
        stacked_chart(text, (text,), [text], [Series("c", text, [1])], str),
        band_chart("x", text, (text,), (NOON, NOON), [BandRow(text, text, [Band(NOON, NOON, text)])]),
    ]

    for chart in charts:
        assert {element.tag for element in root(chart).iter()} <= {
            f"{SVG}{name}" for name in ("svg", "title", "text", "g", "a", "rect", "line", "defs", "pattern")
        }
        assert titles(chart)[0].startswith("<script>alert(1)</script>\"'&\\x00")
