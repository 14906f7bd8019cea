"""The lists of withdrawals and of gaps."""

from collections.abc import Sequence
from dataclasses import asdict

from kzfeed.instants import iso_text, time_text
from kzfeed.store.queries.withdrawals_and_gaps import NoticedGap, Withdrawal, gaps, withdrawals
from kzfeed.web.atom import Notice
from kzfeed.web.catalogue import Catalogue
from kzfeed.web.charts import Band, BandRow, Chart, band_chart
from kzfeed.web.page import Page, PageRequest, PageRoute
from kzfeed.web.templates import article_address, source_address

PAGE_SIZE = 50
_MAX_ROWS = 20
"""How many sources the chart of gaps shows."""


def withdrawal_list(request: PageRequest) -> Page:
    """The page of withdrawals."""
    after = request.argument("after")
    found = withdrawals(request.archive.database, after, PAGE_SIZE + 1)
    shown, next_query = request.one_page(found, PAGE_SIZE, lambda each: each.key)
    return Page(
        title=request.translate("withdrawn.title"),
        values={"withdrawals": shown, "next_query": next_query, "is_first": after is None},
        data={
            "withdrawals": [{**asdict(each), "key": each.key} for each in shown],
            "next": next_query and f"/withdrawn.json{next_query}",
        },
        notices=[_withdrawal_notice(request.translate, each) for each in shown],
    )


def _withdrawal_notice(translate: Catalogue, withdrawal: Withdrawal) -> Notice:
    end = withdrawal.to_at
    return Notice(
        key=withdrawal.key,
        title=withdrawal.title or withdrawal.url or withdrawal.url_hash,
        updated=end or withdrawal.from_at,
        address=article_address(withdrawal.url_hash),
        author=withdrawal.source,
        text=translate("withdrawn.back", source=withdrawal.source, time=iso_text(end))
        if end
        else translate("withdrawn.gone", source=withdrawal.source, time=iso_text(withdrawal.from_at)),
    )


def gap_list(request: PageRequest) -> Page:
    """The page of gaps, in the order in which they were noticed."""
    after = request.argument("after")
    found = gaps(request.archive.database, after, PAGE_SIZE + 1)
    shown, next_query = request.one_page(found, PAGE_SIZE, lambda each: each.key)
    return Page(
        title=request.translate("gaps.title"),
        values={
            "gaps": shown,
            "next_query": next_query,
            "is_first": after is None,
            "chart": _chart(request.translate, shown) if shown else None,
        },
        data={
            "gaps": [{**asdict(each), "key": each.key} for each in shown],
            "next": next_query and f"/gaps.json{next_query}",
        },
        notices=[_gap_notice(request.translate, each) for each in shown],
    )


def _chart(translate: Catalogue, shown: Sequence[NoticedGap]) -> Chart:
    names = list(dict.fromkeys(gap.source for gap in shown))[:_MAX_ROWS]
    charted = [gap for gap in shown if gap.source in names]
    span = min(gap.from_at for gap in charted), max(gap.to_at for gap in charted)
    title = translate("gaps.chart", first=f"{span[0].date()}", last=f"{span[1].date()}")
    rows = [BandRow(name, source_address(name), gap_bands(charted, name)) for name in names]
    return band_chart("gaps", title, gap_headings(translate), span, rows)


def gap_bands(found: Sequence[NoticedGap], source: str) -> list[Band]:
    """The gaps of one source as bands of a chart."""
    return [
        Band(gap.from_at, gap.to_at, f"{time_text(gap.from_at)} – {time_text(gap.to_at)}")
        for gap in found
        if gap.source == source
    ]


def gap_headings(translate: Catalogue) -> tuple[str, str, str]:
    """The headings of the table of a chart of gaps."""
    return translate("filter.source"), translate("gaps.from"), translate("gaps.to")


def _gap_notice(translate: Catalogue, gap: NoticedGap) -> Notice:
    return Notice(
        key=gap.key,
        title=translate("gaps.notice", source=gap.source),
        updated=gap.noticed_at,
        address=source_address(gap.source),
        author=gap.source,
        text=f"{iso_text(gap.from_at)} – {iso_text(gap.to_at)}",
    )


PAGES = (
    PageRoute("/withdrawn", withdrawal_list, "withdrawn.html", has_feed=True),
    PageRoute("/gaps", gap_list, "gaps.html", has_feed=True),
)
