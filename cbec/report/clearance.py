"""The page of forecast clearance: what excess stock costs as it is and as proposed, the planned prices, and what they rest on."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, money, number, of, percent, short, short_day
from cbec.report.page import Chart, Figure
from cbec.report.series import WORDS, headed, keys, name, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Format, Page, View

_BARS = 15
_PATHS = 12
_WAYS = {
    "markdown": "mark down now",
    "markdown_later": "mark down later",
    "transfer": "move",
    "liquidate": "return or sell off",
    "write_off": "write off",
    "keep": "keep",
    "unknown": "not judged",
}
_DO = (
    "action", "action_units", "destination", "discount_pct", "price", "excess_units", "months_of_cover", "p_sell_through", "cost",
    "cost_keep", "currency", "reason",
)  # fmt: skip
_BUILD = (
    "action", "excess_units", "excess_value", "recovered", "storage", "cost", "cost_keep", "cost_markdown", "cost_transfer", "cost_liquidate",
    "cost_write_off", "runner_up", "currency",
)  # fmt: skip
_EVERY = ("on_hand", "excess_units", "months_of_cover", "age_band", "action", "cost", "currency", "reason_code")
_ELASTICITY = (
    "elasticity", "elasticity_low", "elasticity_high", "elasticity_basis", "discount_pct", "sell_through_date", "p_sell_through",
)  # fmt: skip
_FORMATS: dict[str, Format] = {
    **WORDS,
    "p_sell_through": "percent",
    **dict.fromkeys(("price", "cost", "excess_value", "recovered", "storage", "runner_up_cost"), "money"),
    **dict.fromkeys(("cost_keep", "cost_markdown", "cost_transfer", "cost_liquidate", "cost_write_off"), "money"),
}
_LABELS = {
    "action_units": "units moved, sold off or destroyed",
    "p_sell_through": "chance of selling out",
    "sell_through_date": "even odds of being sold out by",
    "cost_keep": "cost of keeping",
    "cost_markdown": "of markdown",
    "cost_transfer": "of moving",
    "cost_liquidate": "of selling off",
    "cost_write_off": "of writing off",
    "discount_pct": "discount (%)",
    "elasticity_low": "5 %",
    "elasticity_high": "95 %",
    "elasticity_basis": "rests on",
}


def clearance(page: Page, view: View) -> None:
    """Excess stock by what it costs, by age and by way out; planned prices with the stock that follows."""
    every = view.table("clearance", "sku", "warehouse", "excess_units", "action")
    page.section("At a glance")
    if every is None:
        page.text("There is no stock to judge.")
        return
    names = keys(every)
    excess = every.filter(pl.col("excess_units") > 0)
    page.figures(_tiles(view, every, excess))
    if not excess.height:
        page.text("No stock is more than needed.")
    _costs(page, excess, names)
    _groups(page, excess)
    _paths(page, view, excess, names)
    acted = _by_cost(excess.filter(~pl.col("action").is_in(["keep", "unknown"])), names)
    page.section("What to do")
    _items(page, acted, "The dearest to keep first", [*names, *_DO])
    page.section(
        "How the costs are made up", "Cost = value of the excess at unit cost - what it brings + storage and disposal."
    )
    _items(page, _by_cost(excess, names), "", [*names, *_BUILD])
    _elasticities(page, excess, names)
    page.section("Every item")
    _items(page, every, "", [*names, *_EVERY])


def _items(page: Page, frame: pl.DataFrame, title: str, columns: Sequence[str]) -> None:
    labels, columns = headed(frame, _LABELS, columns)
    page.table(frame, title, columns=columns, contract="clearance", formats=_FORMATS, labels=labels)


def _by_cost(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    by = [c for c in ("cost_keep", "excess_value") if c in frame.columns]
    return frame.sort([*by, *names], descending=[True] * len(by) + [False] * len(names), nulls_last=True)


def _sum(frame: pl.DataFrame, column: str) -> float | None:
    """Total of a money column, where all of it is in one currency."""
    if column not in frame.columns or "currency" not in frame.columns or frame["currency"].drop_nulls().n_unique() != 1:
        return None
    return figure(frame[column].drop_nulls().round(2).sum())


def _tiles(view: View, every: pl.DataFrame, excess: pl.DataFrame) -> list[Figure | None]:
    currency, value = view.currency, _sum(excess, "excess_value")
    stock = view.metric("stock_value")
    dead = view.metric("dead_items")
    dead_value = view.metric("dead_value")
    cut = excess.filter(pl.col("action").is_in(["markdown", "markdown_later"])).height
    share = "" if value is None or not stock else f"{percent(value / stock)} of all stock at unit cost"
    return [
        Figure("Items with excess", number(excess.height), f"of {of(every.height, 'item')} with stock"),
        None if value is None else Figure("Value of the excess", money(value, currency), share),
        None
        if dead is None
        else Figure(
            "Dead stock",
            of(int(dead), "item"),
            money(dead_value, currency) + " at unit cost" if dead and dead_value is not None else "",
            "bad" if dead else "good",
        ),
        Figure("To mark down", number(cut), _typical_cut(excess)),
    ]


def _typical_cut(excess: pl.DataFrame) -> str:
    if "discount_pct" not in excess.columns:
        return ""
    middle = figure(excess.filter(pl.col("discount_pct") > 0)["discount_pct"].median())
    return "" if middle is None else f"by {number(middle, 0)} % at the median"


def _costs(page: Page, excess: pl.DataFrame, names: Sequence[str]) -> None:
    """Cost as proposed beside that of keeping, one chart per currency: currencies are never compared by size."""
    if not {"cost", "cost_keep"} <= set(excess.columns):
        return
    known = excess.drop_nulls(["cost", "cost_keep"])
    if not known.height:
        return
    page.section("What the excess costs")
    for currency in known["currency"].unique().sort().to_list()[:4] if "currency" in known.columns else [None]:
        part = known.filter(pl.col("currency").eq_missing(pl.lit(currency))) if "currency" in known.columns else known
        rows = list(_by_cost(part, names).head(_BARS).iter_rows(named=True))
        drawn = svg.bars(
            "Cost as proposed beside that of keeping", [name(r, names) for r in rows], {"cost": [r["cost"] for r in rows]},
            write=partial(money, currency=currency), texts=[_outcome(r, currency) for r in rows],
            ticks=("cost of keeping as today", [r["cost_keep"] for r in rows]),
            tones=["orange" if r["action"] == "keep" else "blue" for r in rows], hatched=[r["action"] == "keep" for r in rows],
            axis="value of the excess less what it brings, plus storage, until the sell-by day",
        )  # fmt: skip
        unit = f" in {currency}" if currency else ""
        caption = f"The {of(len(rows), 'item')} dearest to keep of {part.height:,}. Below zero the excess earns; hatched: keep."
        page.chart(drawn, f"Cost of the excess{unit}: as proposed, and kept as today", caption)


def _outcome(row: dict[str, Any], currency: str | None) -> str:
    """What is done, and what the excess then costs instead of when it is kept."""
    way, cost, keep = _WAYS.get(str(row["action"]), str(row["action"])), row["cost"], row["cost_keep"]
    instead = "" if round(cost - keep, 2) == 0 else f" instead of {money(keep, currency)}"
    return f"{way}: {money(cost, currency)}{instead}"


def _groups(page: Page, excess: pl.DataFrame) -> None:
    """Value by way out and by age."""
    if "excess_value" not in excess.columns or _sum(excess, "excess_value") is None:
        return
    currency = str(excess["currency"].drop_nulls()[0])
    charts = []
    ways = [w for w in _WAYS if w in set(excess["action"].to_list())]
    values = [_total(excess.filter(pl.col("action") == w)) for w in ways]
    drawn = svg.bars(
        "Excess by way out",
        [_WAYS[w] for w in ways],
        {"value": values},
        write=partial(money, currency=currency),
        size=340,
    )
    charts.append(Chart(drawn, "By way out", "excess at unit cost"))
    bands = sorted({str(b) for b in excess["age_band"].to_list()}, key=_first_day)
    parts = {
        label: [
            _total(excess.filter((pl.col("age_band") == b) & (pl.col("months_of_cover").is_null() == dead)))
            for b in bands
        ]
        for label, dead in (("sells", False), ("dead", True))
    }
    drawn = svg.bars("Excess by age", bands, parts, write=partial(money, currency=currency), size=340)
    charts.append(Chart(drawn, "By age in days", "excess at unit cost"))
    page.charts(charts)


def _total(frame: pl.DataFrame) -> float | None:
    return figure(frame["excess_value"].round(2).sum())


def _first_day(band: str) -> float:
    digits = band.split("-", maxsplit=1)[0].rstrip("+")
    return float(digits) if digits.isdigit() else float("inf")


def _paths(page: Page, view: View, excess: pl.DataFrame, names: Sequence[str]) -> None:
    table = view.table("clearance_path", "sku", "warehouse", "date", "until", "stock", "stock_keep", "discount_pct")
    if table is None or not names:
        return
    cut = _by_cost(excess.filter(pl.col("action").is_in(["markdown", "markdown_later"])), names)
    top = cut.join(table.select(names).unique(), on=names, how="semi", nulls_equal=True, maintain_order="left").head(
        _PATHS
    )
    stages = rows_of(table, top, names, "stage" if "stage" in table.columns else "date")
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    for item in top.iter_rows(named=True):
        rows = stages.get(tuple(item[n] for n in names), [])
        start = figure(item.get("on_hand")) or 0.0
        lines = [
            svg.Line(
                "with the planned prices",
                [(rows[0]["date"], start), *((r["until"], r["stock"]) for r in rows)],
                "blue",
                "",
            ),
            svg.Line(
                "at the regular price",
                [(rows[0]["date"], start), *((r["until"], r["stock_keep"]) for r in rows)],
                "orange",
                "4 2",
            ),
        ]
        title = name(item, names)
        drawn = svg.lines(
            title, lines, (), _changes(rows, start), y_title="units in stock", size=svg.SMALL, legend=False
        )
        charts.append(Chart(drawn, title, _words(item, rows)))
    if not charts:
        return
    page.section("Planned prices and the stock that follows")
    caption = f"{len(charts)} of {of(cut.height, 'item')} to mark down, the dearest to keep first. Later discounts are a plan: run it again with new sales."
    marks = [svg.Mark(0, "price changes", "up", 0, "green")]
    page.charts(charts, "Expected stock", caption, svg.legend([*lines, *marks]))


def _changes(rows: Sequence[dict[str, Any]], start: float) -> list[svg.Mark]:
    before, stock, out = 0.0, start, []
    for row in rows:
        if abs(row["discount_pct"] - before) > 1e-6:
            out.append(svg.Mark(row["date"], f"-{row['discount_pct']:.0f} %", "up", stock, "green"))
        before, stock = row["discount_pct"], row["stock"]
    return out


def _words(item: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """`-45 % now, -35 % from 4 Apr · chance of selling out 60 %`."""
    parts: list[str] = []
    before = None
    for row in rows:
        if row["discount_pct"] != before and (row["discount_pct"] > 0 or before):
            when = "now" if row is rows[0] else f"from {short_day(row['date'])}"
            price = f"-{row['discount_pct']:.0f} %" if row["discount_pct"] > 0 else "regular"
            parts.append(f"{price} {when}")
        before = row["discount_pct"]
    shown = ", ".join(parts[:3]) + (" ..." if len(parts) > 3 else "")
    chance = figure(item.get("p_sell_through"))
    return shown if chance is None else f"{shown} · chance of selling out {percent(chance, 0)}"


def _elasticities(page: Page, excess: pl.DataFrame, names: Sequence[str]) -> None:
    if "elasticity" not in excess.columns or excess["elasticity"].null_count() == excess.height:
        return
    page.section(
        "Price elasticities",
        "Change of demand in % per 1 % of price, with the 90 % range. Own = mostly the item's own sales at different prices; category and "
        "catalogue = pooled over other SKUs; default = a setting, no data.",
    )
    bases = [b for b in ("own", "category", "catalogue", "default") if b in set(excess["elasticity_basis"].to_list())]
    drawn = svg.bars(
        "Items by basis",
        bases,
        {"items": [excess.filter(pl.col("elasticity_basis") == b).height for b in bases]},
        size=340,
    )
    edges = [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0]
    values = [v for v in (figure(v) for v in excess["elasticity"].to_list()) if v is not None]
    labels = ["under -5", *(f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)), "over 0"]
    bounds = [float("-inf"), *edges, float("inf")]
    counts = [sum(a <= v < b for v in values) for a, b in itertools.pairwise(bounds)]
    histogram = svg.bars("Items by elasticity", labels, {"items": counts}, size=340)
    page.charts(
        [
            Chart(drawn, "What they rest on", f"items with excess, {short(len(values))} in all"),
            Chart(histogram, "How strong they are", "number of items with excess"),
        ]
    )
    _items(page, _by_cost(excess, names), "", [*names, *_ELASTICITY])
