"""The page of `settle profit`: from revenue to profit, by market and by SKU, and how much of it the tables told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import bare, clip, figure, money, of, percent, short
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Page, View

_PLACES = 12
_BARS = 12
_COSTS = ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud")
_KINDS = ("revenue", *_COSTS, "fx")
#: Colour and hatching of each part in the bars of the markets.
_LOOKS = {
    "goods": ("grey", 0), "freight": ("blue", 1), "duty": ("purple", 2), "tax": ("soft", 3), "fees": ("ochre", 1),
    "storage": ("sky", 2), "returns": ("orange", 3), "fraud": ("purple", 2), "profit": ("green", 0),
}  # fmt: skip


def profit(page: Page, view: View) -> None:
    """From revenue to profit, by market and by SKU, and how much of it the tables told."""
    table = view.table("landed_profit", "sku", "market", "revenue", "profit", "currency")
    page.section("At a glance")
    if table is None:
        page.text("There was nothing to reckon.")
        return
    frame = table.with_columns(pl.col(*_KINDS, "profit").cast(pl.Float64))
    currency = str(frame["currency"][0])
    page.figures(_profit_tiles(view, frame, currency))
    page.section("From revenue to profit")
    _waterfall(page, frame, currency)
    _markets(page, frame)
    page.section("What earns and what loses")
    _rows(page, frame, currency)
    page.section(
        "What the tables told",
        "Share of revenue for which a table told the kind; the rest counts as 0, so that the profit is too high by it.",
    )
    _told(page, view)
    page.section("Rows")
    columns = ["sku", "market", "units", "units_returned", *_KINDS, "profit", "margin_pct", "unknown"]
    ranked = table.sort(["profit", "sku", "market"], descending=[True, False, False])
    page.table(ranked, f"Landed profit in {currency}, the best first", columns=columns, contract="landed_profit")
    if ranked.height > 200:
        page.table(ranked.reverse(), "The worst first", columns=columns, contract="landed_profit", cap=50)


def _profit_tiles(view: View, frame: pl.DataFrame, currency: str) -> list[Figure | None]:
    revenue, left = float(frame["revenue"].sum()), float(frame["profit"].sum())
    loss = frame.filter(pl.col("profit") < 0, pl.col("units") > 0)
    idle = frame.filter(pl.col("market") == "*", pl.col("units") == 0)
    lacking = [k for k in _KINDS if (view.metric(f"told_{k}") or 0.0) < 1]
    return [
        Figure(
            "Profit",
            money(left, currency),
            f"{percent(left / revenue)} of revenue" if revenue > 0 else "",
            "good" if left > 0 else "bad",
        ),
        Figure("Revenue", money(revenue, currency), "without tax, before returns"),
        Figure(
            "Sold at a loss",
            money(-float(loss["profit"].sum()), currency),
            of(loss.height, "SKU and market pair"),
            "bad" if loss.height else "good",
        ),
        Figure("Stock that only cost", money(float(idle["storage"].sum()), currency), of(idle.height, "SKU"))
        if idle.height
        else None,
        Figure(
            "Not fully told", f"{len(lacking)} of {len(_KINDS)} kinds", ", ".join(lacking), "bad" if lacking else "good"
        ),
    ]


def _waterfall(page: Page, frame: pl.DataFrame, currency: str) -> None:
    sums = {kind: float(frame[kind].sum()) for kind in (*_KINDS, "profit")}
    signed = {"revenue": sums["revenue"], **{k: -sums[k] for k in _COSTS}, "fx": sums["fx"], "profit": sums["profit"]}
    shown = {k: v for k, v in signed.items() if round(v, 2) or k in ("revenue", "profit")}
    tones = [
        "grey"
        if k == "revenue"
        else ("green" if v >= 0 else "orange")
        if k == "profit"
        else "sky"
        if v > 0
        else "ochre"
        for k, v in shown.items()
    ]
    hatched = [0 if k in ("revenue", "profit") else 1 for k in shown]
    revenue = sums["revenue"]
    texts = [
        f"{bare(currency, v)}" + (f"  {percent(v / revenue)}" if revenue > 0 and k != "revenue" else "")
        for k, v in shown.items()
    ]
    drawn = svg.bars(
        "From revenue to profit",
        list(shown),
        {currency: list(shown.values())},
        tones=tones,
        hatched=hatched,
        texts=texts,
        axis=currency,
    )
    untold = [k for k in _COSTS if not round(signed[k], 2)]
    page.chart(
        drawn,
        "From revenue to profit",
        "Hatched: what comes between; shares are of revenue."
        + (f" Nothing was told of: {', '.join(untold)}." if untold else ""),
    )


def _markets(page: Page, frame: pl.DataFrame) -> None:
    """Of each 100 of revenue, per market."""
    per = frame.group_by("market").agg(pl.col(*_KINDS, "profit").sum().round(2)).filter(pl.col("revenue") > 0)
    per = per.sort(["revenue", "market"], descending=[True, False]).head(_PLACES)
    if per.is_empty():
        return
    parts = [*(k for k in _COSTS if per[k].abs().sum() > 0), "profit"]
    stacks = {k: (per[k] / per["revenue"] * 100).to_list() for k in parts}
    names = [f"{m}  {short(r)}" for m, r in per.select("market", "revenue").iter_rows()]
    texts = [f"{percent(p / r)} profit" for p, r in per.select("profit", "revenue").iter_rows()]
    drawn = svg.bars(
        "Of 100 of revenue", names, stacks, texts=texts, axis="% of revenue", tones=[_LOOKS[k][0] for k in parts], hatched=[_LOOKS[k][1] for k in parts]
    )  # fmt: skip
    page.chart(
        drawn,
        "Where 100 of revenue go, per market",
        "Markets by revenue, which stands behind the name; currency gains are within the profit.",
    )


def _rows(page: Page, frame: pl.DataFrame, currency: str) -> None:
    sold = frame.filter(pl.col("units") > 0).with_columns(name=pl.format("{}@{}", "sku", "market"))
    ranked = sold.sort(["profit", "sku", "market"], descending=[True, False, False])
    best, worst = ranked.head(_BARS), ranked.tail(_BARS).reverse()
    charts = []
    for title, part, caption in (("Best", best, "largest profit"), ("Worst", worst, "smallest profit or largest loss")):
        values = part["profit"].to_list()
        tones = ["green" if v >= 0 else "orange" for v in values]
        names = [clip(n, 14) for n in part["name"].to_list()]
        drawn = svg.bars(
            f"{title} rows",
            names,
            {"profit": values},
            tones=tones,
            write=partial(bare, currency),
            size=340,
            axis=currency,
        )
        charts.append(Chart(drawn, title, caption))
    page.charts(charts, "SKU and market", "Scales differ.")


def _told(page: Page, view: View) -> None:
    shares = {kind: figure(view.metric(f"told_{kind}")) for kind in _KINDS}
    known = {k: v for k, v in shares.items() if v is not None}
    if not known:
        page.text("No revenue was told.")
        return
    values = [v * 100 for v in known.values()]
    tones = ["green" if v >= 1 else "ochre" if v > 0 else "orange" for v in known.values()]
    hatched = [0 if v >= 1 else 1 for v in known.values()]
    drawn = svg.bars(
        "Told, % of revenue",
        list(known),
        {"told": values},
        texts=[percent(v) for v in known.values()],
        tones=tones,
        hatched=hatched,
        axis="% of revenue",
    )
    page.chart(drawn, "Cost kinds that the tables told", "Hatched: in part or not at all.")
